//! Every sentence an operator reads: short, active, in the ward's words, without codes.

use crate::driver::scene::{CleanSummary, PinAsk, StepName, TokenState};
use crate::handoff::{BadgeMode, Notice, Trigger};

/// The mark of a demo, on every screen.
pub const DEMO: &str = "Demo – virtual badges";
/// The invitation of the vacant station.
pub const INVITATION: &str = "Tap your badge";
/// In place of the invitation, when no reader is there.
pub const NO_READER: &str = "Reader not connected";
/// What ends a session in hold mode, on the bar.
pub const TAKE_BADGE: &str = "Take your badge to end";
/// The same in tap mode.
pub const TAP_BADGE: &str = "Tap your badge to end";
/// The heading of quarantine.
pub const NOT_CLEAN: &str = "This station is not clean yet.";
/// The heading of a station that cannot run.
pub const OUT_OF_SERVICE: &str = "Out of service";

/// The heading of emergency access.
pub const EMERGENCY: &str = "Emergency access";
/// What it is.
pub const EMERGENCY_MORE: &str = "With the code that this ward keeps sealed. Everything is recorded.";

/// The first line of the bar of an emergency session.
#[must_use]
pub fn emergency_left(left_ms: u64) -> String {
    let seconds = seconds(left_ms);
    format!("Emergency session · {}:{:02} left", seconds / 60, seconds % 60)
}

/// What a tap does here.
#[must_use]
pub fn what_a_tap_does(mode: BadgeMode) -> &'static str {
    match mode {
        BadgeMode::Hold => "Leave it on the reader while you work. Take it, and your session ends.",
        BadgeMode::Tap => "Tap in to start. Tap again to end.",
    }
}

/// What is said when no reader is there.
#[must_use]
pub fn no_reader(help: &str) -> String {
    call("Nobody can start work here until it is back.", help)
}

/// A sentence, and whom to call.
#[must_use]
pub fn call(sentence: &str, help: &str) -> String {
    format!("{sentence} Call {}.", called(help))
}

/// What to do when it does not get better by itself.
#[must_use]
pub fn if_it_stays_so(help: &str) -> String {
    format!("If it stays so, call {}.", called(help))
}

fn called(help: &str) -> &str {
    if help.is_empty() { "IT" } else { help.trim_end_matches('.') }
}

/// A notice: what is so, and what to do about it.
#[must_use]
pub fn notice(notice: Notice, help: &str) -> (&'static str, String) {
    match notice {
        Notice::BadgeDisabled => {
            ("This badge is disabled", "A supervisor can enable it at any station, or IT.".to_owned())
        }
        Notice::BadgeExpired => ("This badge is no longer valid", call("Its time here is over.", help)),
        Notice::BadgeNotYetValid => {
            ("This badge is not valid yet", call("Its time here has not begun.", help))
        }
        Notice::BadgeUnreadable => {
            ("The badge could not be read", "Hold it still on the reader, and try again.".to_owned())
        }
        Notice::BadgeUnknown => {
            ("This badge is not known here", call("Use the badge that you were given for this house.", help))
        }
        Notice::CannotOpen => {
            ("The session could not be opened", format!("Tap your badge again. {}", if_it_stays_so(help)))
        }
        Notice::CannotRecord => {
            ("The record could not be written", call("No session can open until it can.", help))
        }
        Notice::CannotRestart => {
            ("The machine could not be restarted", call("Switch it off and on again.", help))
        }
        Notice::PinNeeded => (
            "This app asks for a person’s own PIN",
            "It does not open in an emergency session. Tap your badge to work with it.".to_owned(),
        ),
        Notice::SupervisorNeeded => {
            ("Only a supervisor's badge helps now", "This station must be released first.".to_owned())
        }
    }
}

/// A greeting for the hour of the day, 0 to 23.
#[must_use]
pub fn greeting(hour: i8) -> &'static str {
    match hour {
        5..=11 => "Good morning,",
        12..=17 => "Good afternoon,",
        _ => "Good evening,",
    }
}

/// What the PIN pad asks.
#[must_use]
pub fn ask(ask: PinAsk, emergency: bool) -> &'static str {
    match ask {
        PinAsk::Pin if emergency => "Type the emergency code",
        PinAsk::Again => "Type your new PIN again",
        PinAsk::Checking => "Checking…",
        PinAsk::New => "Choose your own PIN",
        PinAsk::Opening => "Opening your session…",
        PinAsk::Pin => "Type your PIN",
        PinAsk::Waiting => "Your PIN was right",
    }
}

/// What goes with it, where something must be said.
#[must_use]
pub fn ask_more(ask: PinAsk, (least, most): (u8, u8)) -> Option<String> {
    match ask {
        PinAsk::New if least == most => {
            Some(format!("It replaces the one you were given. {least} digits, only you know them."))
        }
        PinAsk::New => {
            Some(format!("It replaces the one you were given. {least} to {most} digits, only you know them."))
        }
        PinAsk::Again => Some("So that no finger slipped.".to_owned()),
        PinAsk::Checking | PinAsk::Opening | PinAsk::Pin | PinAsk::Waiting => None,
    }
}

/// At a station that is held: what is sure.
pub const NOTHING_LEFT_HERE: &str = "Nothing of it is left at this station.";
/// At a station that is held: what a supervisor can do.
pub const MAY_RELEASE: &str = "A supervisor can tap her badge here, and release the station.";
/// What her PIN does then.
pub const RELEASES: &str = "Your PIN releases this station. That you did is recorded.";

/// What a station is held for.
#[must_use]
pub fn held(count: usize) -> String {
    match count {
        0 => "Waiting for sign-ins to be ended".to_owned(),
        1 => "Waiting for 1 sign-in to be ended".to_owned(),
        count => format!("Waiting for {count} sign-ins to be ended"),
    }
}

/// How many sign-ins are not ended.
#[must_use]
pub fn pending(count: usize) -> String {
    match count {
        1 => "1 sign-in is not ended yet".to_owned(),
        count => format!("{count} sign-ins are not ended yet"),
    }
}

/// How a token stands, as a screen says it.
#[must_use]
pub fn token(state: TokenState) -> &'static str {
    match state {
        TokenState::Proved => "ended",
        TokenState::Acknowledged => "ended, as the provider says",
        TokenState::Expired => "its time is over",
        TokenState::Pending => "retrying",
        TokenState::ExpiresAt => "ends by itself",
        TokenState::Failed => "could not be ended",
    }
}

/// Where she could not be signed in, and why.
#[must_use]
pub fn not_signed_in(provider: &str, sentence: &str) -> String {
    format!("Not signed in at {provider}. {sentence}")
}

/// Why the PIN is asked for again: before an app of this name, or before the log.
#[must_use]
pub fn why_again(app: Option<&str>) -> String {
    match app {
        Some(app) => format!("{app} asks who is here. It starts once your PIN was right."),
        None => "The handoff log opens for you alone. That you read it is recorded.".to_owned(),
    }
}

/// How many tries are left.
#[must_use]
pub fn tries(left: u8) -> String {
    match left {
        0 => "Wrong PIN. No tries left.".to_owned(),
        1 => "Wrong PIN. 1 try left, then the badge is disabled.".to_owned(),
        left => format!("Wrong PIN. {left} tries left."),
    }
}

/// Whose session has ended.
#[must_use]
pub fn ended(name: Option<&str>) -> String {
    name.map_or_else(
        || "This station is being made ready.".to_owned(),
        |name| {
            let ending = if name.ends_with(['s', 'S']) { "’" } else { "’s" };
            format!("{name}{ending} session has ended.")
        },
    )
}

/// Why it ended; or, without a session that ended, why the station is made ready.
#[must_use]
pub fn because(trigger: Trigger, session: bool) -> &'static str {
    match trigger {
        Trigger::BadgeOut => "The badge was taken.",
        Trigger::Drill => "A drill is held at this station.",
        Trigger::Ended => "It was ended from the bar.",
        Trigger::Expired => "The time for it is over.",
        Trigger::Fault => "Something inside the station failed.",
        Trigger::FreshStart if session => "It begins afresh, with nothing of before.",
        Trigger::FreshStart => "The station has started, and looks for traces first.",
        Trigger::Idle => "Nobody touched the station.",
        Trigger::Maintenance => "The station is being stopped.",
        Trigger::ReaderLost => "The badge reader is gone.",
        Trigger::Recovery => "The station was stopped in the middle of its work, and cleans up first.",
        Trigger::Revoked => "A sign-in service has revoked it.",
        Trigger::Suspend => "The station goes to sleep.",
        Trigger::Takeover => "Another badge was shown.",
        Trigger::TapOut => "The badge was tapped again.",
    }
}

/// A step of the clean-up.
#[must_use]
pub fn step(step: StepName) -> &'static str {
    match step {
        StepName::AppsAsked => "Apps asked to close",
        StepName::Checked => "Checking for traces",
        StepName::Covered => "Screen covered",
        StepName::Destroyed => "Session destroyed",
        StepName::SignInsEnded => "Sign-ins ended",
        StepName::Receipt => "Receipt written",
    }
}

/// The counts of a finished clean-up, each kind for itself, never a round number that hides one.
#[must_use]
pub fn counts(clean: &CleanSummary) -> String {
    format!("{} · {}", kinds(clean, " · "), took(clean.took_ms))
}

fn kinds(clean: &CleanSummary, between: &str) -> String {
    let mut kinds = vec![
        format!("{} absent", clean.absent),
        format!("{} not here", clean.not_here),
        format!("{} by setting", clean.settings),
    ];
    if clean.elsewhere > 0 {
        kinds.push(format!("{} not ended elsewhere", clean.elsewhere));
    }
    kinds.join(between)
}

/// That a station is clean, as far as it is known: what was signed in elsewhere may not be ended yet.
#[must_use]
pub fn is_clean(clean: &CleanSummary) -> &'static str {
    if clean.elsewhere == 0 { "Verified clean" } else { "Clean here" }
}

/// The same in one breath, for the opening of the next session.
#[must_use]
pub fn verified_clean(clean: &CleanSummary) -> String {
    format!("{} · {} · {}", is_clean(clean), kinds(clean, ", "), took(clean.took_ms))
}

/// A length of time in seconds, as the receipts tell it.
#[must_use]
pub fn took(ms: u64) -> String {
    format!("{}.{:02} s", ms / 1000, ms % 1000 / 10)
}

/// Time that is left: by the minute while it is long, by the second when it gets short.
#[must_use]
pub fn left(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    if seconds < 600 {
        format!("{}:{:02} left", seconds / 60, seconds % 60)
    } else {
        format!("{} min left", seconds / 60)
    }
}

/// Seconds of a countdown: never shows 0 while there is time.
#[must_use]
pub fn seconds(ms: u64) -> u64 {
    ms.div_ceil(1000)
}
