//! How other lock screens failed, and the test that shows that this one does not, or why it cannot be asked.
//!
//! The list is that of public reports about lockers and compositors up to autumn 2026. The tests are
//! named `file::test`; `tests/architecture.rs` sees that each of them exists.
//!
//! | # | what happened to others | here |
//! |---|---|---|
//! | 1 | an open menu or a game held the grabs, and the locker could not take them (xsecurelock) | a session's grabs are its own display's: `tests/station_linux/hostile.rs::a_display_held_hostage_is_covered_and_destroyed` |
//! | 2 | a monitor plugged in while locked showed old content until the locker reacted (xsecurelock, swaylock) | `tests/station_linux/monitors.rs::a_monitor_is_covered_though_nobody_here_has_heard_of_it` |
//! | 3 | a new output was drawn to before it was configured: protocol error, the locker died (swaylock) | X has no such protocol; monitors come and go while locked: `tests/station_linux/monitors.rs::a_monitor_that_comes_or_goes_shows_no_session` |
//! | 4 | a locker that crashed left the session open (CVE-2022-26530) | `tests/station_linux/lock.rs::a_shell_that_dies_at_any_moment_shows_nothing` |
//! | 5 | the desktop showed for half a second on resume (sway, swaylock, zzz) | `tests/station_linux/sleep.rs::a_sleep_waits_until_the_session_is_covered_and_gone` |
//! | 6 | "locked" was told before the frame was on the screen (wayland-protocols) | the cover is the display server's own painting, and counts when it answers: `tests/station_linux/lock.rs::the_cover_does_not_wait_for_the_screens`; what it does not confirm is killed, and the station barred: `tests/station_linux/lock.rs::a_cover_that_is_not_confirmed_kills_the_session` |
//! | 7 | the compositor crashed, and came back unlocked (cosmic-greeter) | `tests/station_linux/lock.rs::a_display_server_that_dies_ends_the_session` |
//! | 8 | the locker's exit unlocked (cosmic-comp, disputed) | there is nothing behind it to be unlocked: `tests/station_linux/hostile.rs::a_killed_shell_leaves_nothing_and_recovers` |
//! | 9 | any client could unlock, by an object that it had been denied (smithay) | nobody outside the process can speak to the lock; from inside a capsule the socket of its init is tried: `tests/station_linux/hostile.rs::a_hostile_session_leaves_nothing_and_reaches_nothing`; stale answers change nothing: `tests/handoff_walk.rs::every_rule_holds_on_every_edge` |
//! | 10 | a new locker could not take over from one that had died (quickshell, Hyprland, vigil) | after each kind of death the next start asks for a PIN again: `tests/station_linux/lock.rs::no_signal_opens_the_station` |
//! | 11 | the picture of a crashed locker was half transparent (Wayfire) | no compositor blends anything here: the screen is 24 bits deep, and the curtain and the window behind the screens are painted black by the display server: `tests/station_linux/monitors.rs::a_monitor_is_covered_though_nobody_here_has_heard_of_it` |
//! | 12 | SIGUSR1 unlocked, and any program of the account could send it (swaylock) | `tests/station_linux/lock.rs::no_signal_opens_the_station`, and for logind's own `Unlock` `tests/station_linux/sleep.rs::the_host_cannot_unlock_the_station` |
//! | 13 | switching a monitor off and on crashed the locker (hyprlock on NVIDIA) | not shown: it needs a real driver. Neither Xvfb nor Xorg's dummy driver has DPMS. What it would do to the station is row 4 or 7 |
//! | 14 | notifications above the lock (xsecurelock, Windows) | `tests/station_linux/lock.rs::nothing_stays_above_the_lock` |
//! | 15 | gamepads, `/dev/input` and key maps went past the grab (xsecurelock) | `tests/station_linux/lock.rs::no_input_device_reaches_a_session`; keys typed into the shell are not heard inside: `tests/station_linux/hostile.rs::a_pin_cannot_be_listened_to` |
//! | 16 | "Cancel" or Esc opened the desktop behind the sign-in (a hospital's single sign-on) | `tests/station_linux/lock.rs::ten_thousand_chords_open_nothing` |
//! | 17 | one flipped bit turned "not an error" into "is right" (sudo, CVE-2023-42465) | flipped bits are not tested. The station opens with a value that the PIN check alone can make, not with a number that is compared: `tests/architecture.rs::each_rule_can_fail`, `tests/handoff_walk.rs::every_rule_holds_on_every_edge` |
