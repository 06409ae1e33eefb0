//! Cleanshift: a fullscreen kiosk shell for workstations that many people share. It invalidates old
//! context at every handoff, and proves that the next operator starts from a clean session.
//!
//! This page is the map. A stranger should be able to say here where a change goes.
//!
//! ```text
//!   badge/   roster/   platform/{linux,windows,rehearsal}   store/ (SQLite)   revoke/
//!       \        |          |       implement               /             /
//!        v       v          v                              v             v
//!        +------------------------- ports ------------------------------+
//!                              ^ carries out effects, in order
//!   ui/ <--- Scene --- driver/ (owns the only Station) --- event ---> handoff/ (pure core)
//!       ---- Wish --->                                 <-- effects --
//! ```
//!
//! # Reading order
//!
//! 1. [`handoff`]: the words, the phases and the rules. Pure: no clock, no disk, no thread. Every rule
//!    is checked on every state it can reach by `tests/handoff_walk.rs`.
//! 2. [`ports`]: what the driver asks of the world, and the plain data that goes through it.
//! 3. [`driver`]: one inbox, effects in order, results as events; [`driver::scene`] is all that the
//!    screens may see and ask. Its threads are behind [`ports::Hands`], so that a rehearsal can take
//!    the same driver through a day step by step.
//! 4. [`platform`]: the capsule, the displays, the gates. The only place where systems differ.
//!    [`platform::rehearsal`] is a station of memory: `tests/shift.rs` takes the driver, the core and the
//!    store through thousands of simulated days on it.
//! 5. [`manual::promises`]: what holds in each phase, and the test that shows it.
//!
//! # Where a change goes
//!
//! | to change | look in |
//! |---|---|
//! | when a session ends, what opens a station | [`handoff::station`], one file for each phase |
//! | what ends with a session elsewhere, how long that is waited for, what holds a station | `handoff/station/settling.rs`, `driver/sign_ins.rs`, `policy/read/ending.rs` |
//! | before which apps the PIN is asked for again | `handoff/station/step_up.rs` |
//! | what a hospital may write into its policy | [`policy::file`] (the types), [`policy`] (the checks), `policy/read/`; what group policy sets before it: `policy/switches.rs` |
//! | how a PIN is checked, one-time PINs, lock-out, break-glass codes | [`roster`] |
//! | what a reader or a card does | [`badge`] |
//! | what a web app may open, what every browser of a session must not | [`policy::WebPolicy`], `platform/linux/browser/` |
//! | what apps can see and reach | `platform/linux/root.rs`, `network.rs` |
//! | how a session is destroyed, and the proof of it | `platform/linux/capsule.rs` |
//! | covering, the nested display, monitors that come and go, the list of windows | `platform/linux/display/` |
//! | what is done before the host sleeps | `platform/linux/sleep.rs` |
//! | what is looked for after a handoff | `platform/linux/gates/`, one file for a class or a group of them |
//! | what only root may count | `platform/linux/looker.rs` (`cleanshift-looker`) |
//! | how a session gets its tokens, and `cleanshift-init token` | `platform/linux/init/tokens.rs`, `keyring.rs`, `platform/linux/visit.rs` |
//! | how a provider's page comes into the session's browser, and it back | `platform/linux/init/redirect.rs`, `platform/linux/visit.rs` |
//! | how an operator is signed in at a provider, kept signed in, and her tokens ended | `revoke/grants.rs`, `browser.rs`, `end.rs` |
//! | what is tried again, and what a restart makes of it; a provider's events; calls that are not OAuth | `revoke/outbox.rs`, `events.rs`, `calls.rs` |
//! | where the station's sign-in key and the calls' secrets are kept | `revoke/vault.rs`; [`ctl::sign_in`] |
//! | what a capsule must not reach | `platform/linux/reach.rs` |
//! | what a receipt says, how it is signed and verified | [`evidence`] |
//! | what an export says, in which form | [`evidence::export`], one file for each; the command is [`ctl::export`] |
//! | which controls the entries are evidence for | [`evidence::controls`] |
//! | whom a key hands over to, what a checkpoint kept elsewhere shows, what may be pruned | `evidence/chain.rs`, `against.rs`, `pruned.rs`; `store/keys.rs`, `prune.rs` |
//! | what a receipt says of tokens, and what of one may never be said | `evidence/tokens.rs`, `store/entry.rs` |
//! | what is on the disk, in which transaction; what is still to be ended elsewhere | [`store`]; `store/outbox.rs` |
//! | how the view of the log finds entries, draws a day and tells the controls | `store/index.rs`, `search.rs`, `day.rs`, `controls.rs`; [`ports::Search`] |
//! | how the log looks, and its keys | `ui/log.rs`, `ui/log_keys.rs`, `ui/screen/handoff_log.rs`, `log_*.rs` |
//! | what can go wrong in a simulated day, and what must hold | `tests/shift/day.rs`, `promises.rs`, [`platform::rehearsal`] |
//! | what a drill plants, and where it looks | `platform/linux/plant.rs`, `platform/linux/drill/`, [`ctl::drill`] |
//! | a screen, a word on a screen, a colour | [`ui`] |
//! | where a test can let the shell fail (feature `faults`) | `platform/faults.rs` |
//! | how files are closed to others, what time it is without a clock's port | [`private`], [`now`]; `platform/*/private.rs`, `clock.rs` |
//! | how the Windows shell is told to stop | `platform/windows/stop.rs`; `ctl/windows.rs` |
//! | what a host must have, and what IT is told of it | [`ctl::doctor`], one file for a group of requirements |
//! | how a host becomes a kiosk and back, its units and settings | [`ctl::kiosk`], `packaging/systemd/`, `packaging/host/` |
//! | what installing, upgrading and removing the package does | `packaging/debian/`; `tests/deb/` |
//! | the disk image: how it is made, starts, is seeded and updates itself | `packaging/image/`; `tests/image/` starts it |
//! | what the package for Windows lays and sets, and what a kiosk is there | `packaging/msi/`, `kiosk.tsv`; `tests/msi/` |
//! | what only a real Windows machine can show | [`manual::windows`] |
//! | a command of `cleanshiftctl`, the demo | [`ctl`] |
//!
//! # Invariants
//!
//! * Covering is the first effect whenever control ends, and never waits for a disk or a thread.
//! * Vacant is made from an `Attested` alone, which only a finished clean-up makes; Attended from a
//!   [`handoff::PinVerified`], which only the roster's check makes.
//! * The receipt is durable before the station is vacant; the opening entry before it opens.
//! * Break-glass is the one exception to both: it opens a quarantined station, and where its entry
//!   cannot be written, holds it, shows it, and tells it later (`discontinuity`).
//! * The PIN has one home, [`pin`]; no message, log, receipt or argument carries a digit.
//! * The shell keeps nothing of what a session showed or was told: it cannot be looked into or dumped, and
//!   wipes what it gives back of its memory.
//! * The screens decide nothing. The log opens for a PIN that was just found right, and only once it is on
//!   record who reads it; its index is never evidence.
//! * `unsafe` and `cfg(target_os)` live under [`platform`] alone: `linux` and `windows` there have the same
//!   names for the same things, and whoever is above names `platform::native`. Who may name whom is held by
//!   `tests/architecture.rs`.
//!
//! # What differs from the plan, and why
//!
//! * A station that is held for what is not ended elsewhere is left by break-glass through Quarantine, as any barred
//!   one is: nothing else opens on an entry that tells of an unfinished handoff. A guest whose PIN was right waits
//!   there with her patience, not for hours: whoever has gone must not be let in.
//! * `shell` and `ctl` put parts together; the bins are three lines each.
//! * The keyring of a session is given its in-memory default by `dbus-send` inside the capsule, not by
//!   a D-Bus crate in the shell: the shell has no way into a capsule's bus, and should have none.
//! * Tokens go into that keyring by a child of the capsule's init that lives for the one call: init itself
//!   waits for nobody whom a session can stop.
//! * A monitor that is plugged in while somebody works stays without her session until the next one: the
//!   shell's window takes the whole screen at once, the container only when a session begins.
//! * The settings of the host are no files of the package's in `/usr/lib`: installing a package must not change
//!   a workstation. They are compiled into `cleanshiftctl`, which lays them in `/etc` and takes them back.
//! * The station's display is no session of logind's: a session brings a systemd of the account's own, with a
//!   bus and agents that outlive every operator.
//! * A capsule has a control group of its own only where the host has delegated one to the shell; its end
//!   is proved by the kernel's pidfd in any case.

pub mod badge;
pub mod ctl;
pub mod driver;
pub mod evidence;
pub mod handoff;
pub mod manual;
pub mod now;
pub mod pin;
pub mod platform;
pub mod policy;
pub mod ports;
pub mod private;
pub mod revoke;
pub mod roster;
pub mod shell;
pub mod store;
pub mod ui;
