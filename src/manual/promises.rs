//! What holds in each phase, and the test that shows it.
//!
//! | phase | what holds | shown by |
//! |---|---|---|
//! | any | a clean-up begins with the cover; a stale answer changes nothing; whoever waits has a deadline | `tests/handoff_walk.rs` |
//! | Vacant | every gate has attested, and the receipt is durable | `tests/handoff_walk.rs`, rule 3 |
//! | Challenge | nothing of a session exists but an unused capsule; the station opens only on the answer to the outstanding question | `tests/handoff_walk.rs`, rule 2 |
//! | Attended | one operator's apps run, in a capsule that nobody has used; badge-out, takeover, idle, time, a lost reader and a lost capsule end it; an unknown badge does not | `tests/handoff_walk.rs`, rule 6 |
//! | CleanUp | the session is covered; the capsule is killed through a pidfd whose becoming readable is the kernel's proof | `cleanshiftctl demo shift` |
//! | CleanUp | a shell killed at any step comes back through it, and every opening has its end | `tests/faults.rs::a_shell_killed_at_any_step_comes_back_through_clean_up` |
//! | CleanUp | a full disk and a process that cannot be ended lead to Quarantine, and the reason is told | `tests/faults.rs::a_full_disk_bars_the_station_and_says_so`, `tests/faults.rs::a_process_that_cannot_be_ended_bars_the_station` |
//! | Attended | what a provider revokes ends at once, and ends nobody else's session; an app that asks for the PIN again starts on one that is young enough; who begins afresh is asked for it | `tests/handoff_walk.rs`, `step_up.rs`, rule 6; `tests/shift.rs` |
//! | CleanUp | what the session holds elsewhere begins to end once, when the capsule's end was tried; it is waited for as the policy says and no longer; a held station is left when all is ended, or a supervisor's word is on record | `tests/handoff_walk.rs`, `sign_ins.rs` |
//! | Quarantine | break-glass opens without a reader, at a barred station, and where nothing can be written; what is held is told later | `tests/station_linux/emergency.rs`, `tests/faults.rs::break_glass_opens_where_nothing_can_be_written` |
//! | Quarantine | nobody works but under break-glass, bounded and recorded; it is left for that or another clean-up alone | `tests/handoff_walk.rs`, rules 2 and 4 |
//!
//! All of them hold together, over whole days with everything going wrong that can, in `tests/shift.rs`:
//! the real driver, core, store and evidence on a station of memory (`platform::rehearsal`). After every
//! step, every crash and at the end of each of 10,000 days:
//!
//! | promise | what is looked at |
//! |---|---|
//! | one operator | nobody can read what is another's; no app runs that she may not start; the PIN that let her in was hers |
//! | covered first | a clean-up begins with the cover, before any thread; no session is reachable outside Attended, or its capsule is dead within a second |
//! | destroyed, not covered | a vacant station holds nothing of anybody; no capsule is used twice |
//! | unknown is not clean | a quarantine is left for a clean-up alone, and only a supervisor is asked for a PIN there |
//! | a receipt for every handoff | vacant and attended stand on a clean receipt that is durable; each opening has one end |
//! | what a session holds elsewhere | every token that was begun is in its session's receipt with a state, and what becomes of it later in an entry; none reaches another session's capsule; a held station opens with none that can be used, but for break-glass or a release |
//! | a crash is a clean-up | the first scene of a shell is covered; what was unfinished is a recovery |
//! | evidence | the ledger verifies with the key after every power cut and in the evening; what was acknowledged is there; wrong PINs stay counted |
//! | care goes on | when nothing more goes wrong the station is vacant, or says why not, within a minute; then somebody is let in |
//!
//! The handoff log opens for a supervisor's PIN alone, once it is on record that she reads it (`tests/handoff_walk.rs`,
//! `tests/station_linux/log_view.rs::the_log_opens_for_its_supervisor_s_pin_alone`). An index finds what it shows and is
//! never shown: `tests/log_index.rs::a_damaged_index_is_made_anew_and_never_shown`. "Verified now" is said of an entry
//! that was checked at that moment: `tests/log_index.rs::every_entry_can_be_checked_and_a_changed_one_is_named`.
//! The controls that it shows are those of the command:
//! `tests/log_index.rs::the_view_tells_of_the_controls_what_the_command_tells`.
//!
//! The shell's own memory holds no PIN, no title and no content of a session that has ended: shown by
//! `tests/station_linux/memory.rs::the_shell_forgets_what_passed_through_it`; that no other program of
//! the account can look, by `tests/station_linux/memory.rs::nobody_reads_the_shell`.
//!
//! That each gate sees what it is for is shown by `tests/gates.rs` on really planted objects; that a
//! handoff leaves none of them by `tests/drill.rs`, which looks in ways of its own; that the drill of the
//! station's own screen is never shown, keeps nobody waiting and leaves nothing, even by a shell that dies,
//! by `tests/station_linux/drill.rs::a_supervisor_has_a_drill_held_and_nothing_is_left` and
//! `tests/station_linux/drill.rs::a_shell_that_dies_with_its_guard_is_cleaned_up_after_by_the_next`; that no gate and no
//! step could be left out unnoticed by `tests/sabotage.rs`. What CUPS, cron and at keep is counted by
//! the looker and cleared on real services in `tests/brokers.rs`.
//!
//! The ledger's promises (no acknowledged entry lost, every edit named) are shown by
//! `tests/ledger_faults.rs`, and by the real command on real files in `tests/log_verify.rs`; that
//! strangers can verify and read it, by
//! `tests/exports.rs::every_receipt_proves_itself_to_two_verifiers` and
//! `tests/exports.rs::validators_of_others_take_every_export`; the screens' (no digit in a message,
//! contrast, sizes) by `tests/screens.rs`.
//!
//! What an auditor can rely on:
//!
//! | promise | shown by |
//! |---|---|
//! | an entry, a roster, a break-glass code or a policy that was changed outside is named | `tests/log_verify.rs::what_was_done_to_an_entry_is_named_with_it`, `tests/log_verify.rs::a_policy_that_no_entry_tells_of_is_named` |
//! | a tail that was cut off and an old copy that was put back are named against a checkpoint that was kept elsewhere | `tests/log_verify.rs::a_cut_tail_is_seen_against_a_checkpoint_alone_and_that_is_said`, `tests/log_verify.rs::an_old_copy_that_was_put_back_is_named_even_when_it_was_written_on` |
//! | whoever holds any of the station's keys can verify all of them, and no key comes in without the one before | `tests/log_verify/keys.rs::a_changed_key_is_followed_from_either_end`, `tests/log_verify/keys.rs::a_key_that_came_without_the_old_ones_signature_is_a_wrong_key` |
//! | nothing is pruned but below a checkpoint that is kept elsewhere, and after an entry that says so | `tests/log_verify/pruning.rs::nothing_is_pruned_without_a_checkpoint_that_is_kept_elsewhere`, `tests/log_verify/pruning.rs::pruning_that_dies_at_any_step_leaves_a_whole_ledger_and_goes_on` |
//!
//! # What is not promised
//!
//! * Root on the station can rewrite everything since the last checkpoint that was kept elsewhere.
//! * An operator's PIN hash, which she changes herself, her count of wrong tries and whether her badge is disabled
//!   are not part of the roster's hash: whoever writes to the store's file can change them unseen. Who replaces a PIN
//!   hash needs the pepper too.
//! * A clock that runs ahead lets entries be pruned too early, but never above an anchored checkpoint.
//! * The old secret of a changed key is overwritten in place; a file system or a disk that writes elsewhere may keep
//!   it.
//! * A badge's identifier can be copied: with a PIN that the station checks it is *below AAL2*, and
//!   every receipt says so.
//! * Directories that the policy shares into a capsule are named in every receipt, and not checked.
//! * The memory that C libraries of the display keep for themselves is not wiped; the keys of a PIN were
//!   looked for in it, by their numbers, and not found.
//! * No test has a systemd, a KCM or a system log to plant in: their gates were never shown a trace.
//! * The policy's `printers` are not served yet: no session reaches a print service.
//! * Screen readers see nothing: the toolkit has no accessibility tree.
