//! What the screens may see ([`Scene`]) and what they may ask ([`Wish`]).
//!
//! A scene is plain data without secrets, published whole after every event. The screens decide
//! nothing: a bug there can draw wrongly, but cannot open the station.

mod clean_up;

use std::sync::Arc;

use crate::handoff::{App, BadgeMode, Notice, Trigger, Window};
pub use clean_up::{CleanUpScene, HeldScene, QuarantineScene, StepName, StepScene, StepState};

pub use crate::ports::controls::{Control, Controls};
pub use crate::ports::{
    Answer, Day, DrillRow, GateAnswer, Question, Sight, TokenEnd, TokenKind, TokenState, Verdict, Written,
};

/// The picture of the station.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// What does not change while the shell runs.
    pub station: Arc<StationFacts>,
    /// Wall-clock milliseconds (UTC) that belong to `now_ms`, so that deadlines can be drawn.
    pub utc_ms: i64,
    /// Milliseconds on the shell's own clock when this scene was made.
    pub now_ms: u64,
    /// Whether an allowed reader is there.
    pub reader: bool,
    /// What the person at the station is told just now.
    pub notice: Option<Notice>,
    /// The phase, with what its screen needs.
    pub phase: Phase,
}

/// What does not change while the shell runs.
#[derive(Clone, Debug, PartialEq)]
pub struct StationFacts {
    /// The station's name: `Station 12`.
    pub name: String,
    /// Where it stands: `Ward 4 · Bay B`.
    pub place: String,
    /// What leaving and tapping mean here.
    pub badge_mode: BadgeMode,
    /// Whom to call, from the policy: `IT: 4411`. May be empty.
    pub help: String,
    /// The nearest other station, from the policy. May be empty.
    pub neighbour: String,
    /// The least and the most digits of a PIN.
    pub pin_digits: (u8, u8),
    /// Reasons for emergency access to choose from.
    pub reasons: Vec<String>,
    /// Whether this is a demo, which every screen says.
    pub demo: bool,
    /// Look: `light`, `dark` or `contrast`.
    pub look: Look,
    /// The permitted apps, in the policy's order: name and icon (a name of the embedded set, or a file).
    pub apps: Vec<(String, String)>,
}

/// How the screens look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Look {
    /// High contrast.
    Contrast,
    /// Dark on the ward at night.
    Dark,
    /// The default.
    #[default]
    Light,
}

/// The phase, with what its screen needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Phase {
    /// Nobody is in.
    Vacant(VacantScene),
    /// Somebody has shown a badge and is asked for the PIN.
    Challenge(PinScene),
    /// An operator is at work.
    Attended(Box<AttendedScene>),
    /// A session has ended, and the station is being made ready.
    CleanUp(CleanUpScene),
    /// A drill is held.
    Drill(DrillScene),
    /// The station is not clean.
    Quarantine(QuarantineScene),
    /// The station cannot run: wrong policy, unfit host. The text is what `cleanshiftctl` prints.
    OutOfService(String),
}

/// Nobody is in.
#[derive(Clone, Debug, PartialEq)]
pub struct VacantScene {
    /// What the last look found.
    pub clean: Option<CleanSummary>,
    /// Whether the next capsule stands ready.
    pub ready: bool,
    /// Whether emergency access is offered.
    pub emergency: bool,
    /// What the drill came to that was just held, until somebody has seen it.
    pub drilled: Option<Arc<DrillReport>>,
}

/// A drill is held, at its place among the steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DrillScene {
    /// The name of the supervisor who started it.
    pub by: String,
    /// When (shell clock) it began.
    pub began_ms: u64,
    /// The steps.
    pub steps: Vec<DrillStepScene>,
    /// Whether it was told to end.
    pub stopping: bool,
}

/// One line of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrillStepScene {
    /// Which step.
    pub step: DrillStep,
    /// How far it is.
    pub state: StepState,
}

/// The steps of a drill, as people see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrillStep {
    /// Its opening entry is written.
    Opened,
    /// Traces are planted on the host, looked for, and taken back.
    OnTheHost,
    /// Its session is made.
    Made,
    /// Traces are planted in the session, and looked for.
    Inside,
    /// The session is handed off.
    HandedOff,
    /// The gates look, and every trace is searched for by other ways.
    Searched,
    /// Receipt and result are entered.
    Entered,
}

impl DrillStep {
    /// All of them, in their order.
    pub const ALL: [Self; 7] = [
        Self::Opened,
        Self::OnTheHost,
        Self::Made,
        Self::Inside,
        Self::HandedOff,
        Self::Searched,
        Self::Entered,
    ];
}

/// What a drill came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillReport {
    /// The name of the supervisor who started it.
    pub by: String,
    /// When it was over, in UTC milliseconds.
    pub at_utc_ms: i64,
    /// The verdict.
    pub verdict: DrillVerdict,
    /// A row for each class; none where nothing was planted.
    pub rows: Vec<DrilledRow>,
    /// What else people must know to judge it, in sentences.
    pub notes: Vec<String>,
    /// Whether its entry is durable; `None` while it is being written.
    pub entered: Option<bool>,
}

/// What a drill came to, in a word. What is left weighs more than what was not seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DrillVerdict {
    /// It was ended before it had planted and searched for everything.
    BrokenOff,
    /// Everything was seen, and nothing is left.
    Clean,
    /// Something was not seen where it was: it proves nothing about that class.
    ControlFailed,
    /// Something is left, or the station did not come clean.
    Residue,
}

impl DrillVerdict {
    /// Its word in the ledger.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BrokenOff => "broken-off",
            Self::Clean => "clean",
            Self::ControlFailed => "control-failed",
            Self::Residue => "residue",
        }
    }
}

/// What became of one class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrilledRow {
    /// What was planted of it and who saw it.
    pub row: DrillRow,
    /// The gravest answer of its gates after the handoff; `None` where they were not asked.
    pub answer: Option<Answer>,
    /// Where the search has found something of it afterwards.
    pub left: Vec<String>,
}

/// What a finished clean-up found, counted by kind of answer (promise 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanSummary {
    /// When, in UTC milliseconds.
    pub at_utc_ms: i64,
    /// How many gates answered absent.
    pub absent: u16,
    /// How many classes do not exist here.
    pub not_here: u16,
    /// How many are settings.
    pub settings: u16,
    /// Sign-ins elsewhere that are not known to be ended; their class is counted nowhere else.
    pub elsewhere: u16,
    /// From the trigger to the proof, in milliseconds.
    pub took_ms: u64,
}

/// A person is asked for the PIN. How many digits stand in the pad is known by the pad itself.
#[derive(Clone, Debug, PartialEq)]
pub struct PinScene {
    /// Her name.
    pub name: String,
    /// Her role.
    pub role: String,
    /// What she is asked.
    pub ask: PinAsk,
    /// Tries left, after a wrong one.
    pub tries_left: Option<u8>,
    /// Until when (shell clock) the next try must wait.
    pub wait_until_ms: Option<u64>,
    /// What was wrong with a new PIN, for the screen.
    pub problem: Option<String>,
    /// When (shell clock) patience ends.
    pub until_ms: u64,
    /// The clean-up that still runs, in a takeover.
    pub clean_up: Option<Vec<StepScene>>,
    /// The least and the most digits of what is asked.
    pub digits: (u8, u8),
    /// Emergency access, where that is what is asked for.
    pub emergency: Option<EmergencyScene>,
    /// The app that asks for it, by its place in the policy's list.
    pub app: Option<App>,
    /// What holds the station, where it is held.
    pub held: Option<HeldScene>,
}

/// Emergency access is asked for: a reason, then the code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmergencyScene {
    /// The reason, once it was given.
    pub reason: Option<String>,
}

/// What the PIN pad asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinAsk {
    /// The new PIN a second time.
    Again,
    /// Nothing now: the PIN is being checked.
    Checking,
    /// An own PIN, in place of the one-time PIN.
    New,
    /// Nothing now: the PIN was right, and the session is opening.
    Opening,
    /// The PIN.
    Pin,
    /// Nothing now: the PIN was right, and the station is held.
    Waiting,
}

/// An operator is at work.
#[derive(Clone, Debug, PartialEq)]
pub struct AttendedScene {
    /// Her name.
    pub name: String,
    /// Her role.
    pub role: String,
    /// Since when, in UTC milliseconds.
    pub since_utc_ms: i64,
    /// When (shell clock) the session ends for want of touch, if nothing happens.
    pub idle_end_ms: u64,
    /// When (shell clock) the session ends in any case.
    pub end_ms: u64,
    /// When (shell clock) the warning's countdown ends; `Some` while the warning stands.
    pub warning: Option<u64>,
    /// The apps that she may start.
    pub apps: Vec<AppTile>,
    /// The windows that stand.
    pub windows: Vec<WindowScene>,
    /// Whether the launcher is in front of the session's windows.
    pub launcher: bool,
    /// Whether she may read the log.
    pub reads_log: bool,
    /// The PIN is asked for again, before the log opens or an app starts.
    pub pin_again: Option<PinScene>,
    /// Whether she is asked if she means to begin afresh.
    pub afresh: bool,
    /// Where she could not be signed in: the sign-in's name, and a sentence.
    pub sign_in_problems: Vec<(String, String)>,
    /// The handoff log, when she reads it.
    pub log: Option<Box<LogScene>>,
    /// The clean-up before this session, told for two seconds after opening.
    pub fresh: Option<CleanSummary>,
    /// The receipt of that clean-up.
    pub before: Option<Arc<ReceiptScene>>,
    /// Whether she looks at it.
    pub before_open: bool,
    /// Operators whose badges are disabled, for a supervisor to enable: number and name.
    pub disabled: Vec<(u32, String)>,
    /// Whether a break-glass code has opened this session.
    pub emergency: bool,
    /// What could not be written of its opening, in a line for a QR code.
    pub held: Option<String>,
}

/// An app on the launcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppTile {
    /// Which.
    pub app: App,
    /// How it is.
    pub state: AppState,
}

/// How an app is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppState {
    /// It did not start, or ended with a failure; the sentence says why.
    Failed(String),
    /// Not started.
    Idle,
    /// It has a window.
    Running,
    /// It was started and has no window yet.
    Starting,
}

/// A window on the bar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowScene {
    /// Which.
    pub window: Window,
    /// The app, where known.
    pub app: Option<App>,
    /// Its title, escaped.
    pub title: String,
    /// Whether it is in front.
    pub front: bool,
}

/// The handoff log as far as it is shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogScene {
    /// What is asked for.
    pub question: Question,
    /// Whether the answer to that is still awaited.
    pub searching: bool,
    /// What the list below answers.
    pub answered: Question,
    /// How many entries the list has.
    pub count: u64,
    /// How many entries the ledger has.
    pub total: u64,
    /// At which place of the list the entries below begin.
    pub from: u64,
    /// A part of the list, newest first; the screen reads them by `evidence`.
    pub entries: Vec<Written>,
    /// Whom the ledger knows: key and name.
    pub people: Arc<[(String, String)]>,
    /// A stretch of time, as far as one was asked for.
    pub day: Option<Arc<Day>>,
    /// The entry that is open.
    pub open: Option<OpenScene>,
    /// The verdict of the verification: entries that hold, or what is wrong. `None` while it runs.
    pub verdict: Option<Result<u64, String>>,
    /// What could not be read or written, in a sentence.
    pub problem: Option<String>,
    /// Where the list may be exported to: mounted media that the policy allows.
    pub media: Vec<String>,
    /// How the last export went: the file that it made, or why there is none.
    pub exported: Option<Result<String, String>>,
    /// Which controls the entries are evidence for, where that was asked.
    pub controls: Option<ControlsScene>,
    /// Whether she may have a drill held from here.
    pub drill: bool,
    /// What sessions hold elsewhere that is not ended yet.
    pub pending: Vec<TokenEnd>,
}

/// Which controls the entries of a time are evidence for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ControlsScene {
    /// The time, UTC milliseconds, its first moment counted in; all of it without.
    pub between: Option<(i64, i64)>,
    /// How many entries were read so far.
    pub read: u64,
    /// Of how many.
    pub total: u64,
    /// What they come to, or why that could not be told. `None` while they are read.
    pub told: Option<Result<Arc<Controls>, String>>,
}

/// An entry of the log that is open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenScene {
    /// Its number.
    pub number: u64,
    /// At which place of the list it stands, where it does.
    pub place: Option<u64>,
    /// The entry, once it was read.
    pub entry: Option<Written>,
    /// What supervisors have written about it.
    pub notes: Vec<Written>,
    /// Whether it holds, checked just now: the number of entries that the newest checkpoint covers, or
    /// what is wrong. `None` while it is being checked.
    pub checked: Option<Result<u64, String>>,
}

/// The receipt of the handoff before a session, without what its operator need not know.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiptScene {
    /// The entry's number.
    pub number: u64,
    /// Its leaf hash.
    pub leaf: [u8; 32],
    /// When it began, UTC milliseconds.
    pub began_utc_ms: i64,
    /// Why.
    pub trigger: Trigger,
    /// Whether a session ended in it.
    pub of_session: bool,
    /// Until the cover was confirmed, microseconds.
    pub covered_us: u64,
    /// Until everything was proved clean, microseconds.
    pub clean_us: u64,
    /// How many apps were open, and how many of them were forced.
    pub apps: (usize, usize),
    /// How the capsule's end was proved.
    pub proof: String,
    /// What the gates saw.
    pub gates: Vec<GateAnswer>,
    /// Whose session it was, where the policy shows that and there was one.
    pub name: Option<String>,
    /// Whether it holds, checked just now.
    pub checked: Option<Result<u64, String>>,
}

/// What a supervisor may ask of the log that she has open.
#[derive(Clone, Debug, PartialEq)]
pub enum LogWish {
    /// Which controls the entries between these moments (UTC milliseconds; all entries without) are evidence
    /// for.
    Controls(Option<(i64, i64)>),
    /// The controls are not looked at any more.
    ControlsShut,
    /// What happened between these moments, UTC milliseconds.
    Day(i64, i64),
    /// Take a copy of what the list has onto this medium.
    Export(String),
    /// List what answers this.
    Find(Question),
    /// Write about this entry; an empty text stands for having looked at it.
    Note(u64, String),
    /// Open this entry.
    Open(u64),
    /// The part of the list from this place on.
    Rows(u64),
    /// Close the entry that is open.
    Shut,
}

/// What the screens may ask. None of it carries a secret: digits go straight into the PIN's home.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// Ask whether she means to begin afresh (true), or do not.
    Afresh(bool),
    /// The shell's window is there, by its native id.
    Attach(u64),
    /// Give up the PIN.
    Cancel,
    /// Close the log.
    CloseLog,
    /// Close a window.
    CloseWindow(Window),
    /// Have a drill held.
    Drill,
    /// What the drill came to was seen.
    DrillSeen,
    /// Ask for emergency access.
    Emergency,
    /// Let this operator's disabled badge work again.
    Enable(u32),
    /// End the session.
    End,
    /// Begin afresh: end the session, and open a new one for the same operator once her PIN was right.
    FreshStart,
    /// Put the launcher in front (true) or the apps (false).
    Launcher(bool),
    /// Start an app.
    Launch(App),
    /// Something about the log that is open.
    Log(LogWish),
    /// Open the log.
    OpenLog,
    /// A whole PIN stands in the pad.
    PinEntered,
    /// Bring a window to the front.
    Raise(Window),
    /// Look at the receipt of the handoff before this session (true), or put it away; what is told of it
    /// at the opening goes in any case.
    Receipt(bool),
    /// Why emergency access is asked for; empty to choose again.
    Reason(String),
    /// Start the machine anew once the supervisor's PIN was right.
    Restart,
    /// Try the clean-up again.
    Retry,
    /// Still there.
    Stay,
    /// Stop the shell (a signal, a package upgrade).
    Stop,
}
