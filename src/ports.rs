//! The faces that the driver needs of the world. Adapters (`badge`, `roster`, `store`,
//! `platform`) implement them and do not name each other.
//!
//! Every call here blocks until it is done and is bounded in time by the adapter; the driver
//! decides on which thread it runs. Errors are plain data with a sentence for people: a lowercase
//! fragment that fits "failed to {error}".

pub mod controls;
mod drill;
mod hands;
mod rows;
mod search;
mod sign_ins;

use std::sync::Arc;
use std::time::Duration;

pub use drill::{Drill, DrillRow, DrillSearch, Sight};
pub use hands::{Hands, Job};
pub use rows::{CodeRow, CodeRows, PinRow, RosterRow, RosterRows};
pub use search::{Day, Found, Gap, Held, Mark, Media, Note, Noted, Numbers, Question, Search, Verdict};
pub use sign_ins::{
    Ends, Grant, Outbox, OutboxRow, Page, Secret, Settlement, SignInNews, SignIns, TokenEnd, TokenKind,
    TokenState,
};

use crate::handoff::{App, Moment, OperatorId, PinAnswer, Presented, Record, Refusal, Trigger, Window};
use crate::pin::Pin;

/// Why a port could not do what it was asked: a lowercase fragment that fits "failed to {error}".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PortError(pub String);

impl PortError {
    /// An error with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A result of a port.
pub type Result<T> = std::result::Result<T, PortError>;

/// All the ports of a station.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Whose badge it is.
    pub roster: Arc<dyn Roster>,
    /// Whether a PIN is right.
    pub pins: Arc<dyn PinCheck>,
    /// The disposable worlds of sessions.
    pub capsules: Arc<dyn Capsules>,
    /// The checks that nothing was left.
    pub gates: Arc<dyn Gates>,
    /// Planting traces on purpose.
    pub drill: Arc<dyn Drill>,
    /// The station's own display.
    pub screen: Arc<dyn Screen>,
    /// When somebody last touched the station.
    pub idle: Arc<dyn Idle>,
    /// The durable record.
    pub ledger: Arc<dyn Ledger>,
    /// What the view of the log asks of it.
    pub search: Arc<dyn Search>,
    /// Signing operators in elsewhere, and ending that.
    pub sign_ins: Arc<dyn SignIns>,
    /// Where a copy of the log may go.
    pub media: Arc<dyn Media>,
    /// The machine that the station is.
    pub machine: Arc<dyn Machine>,
}

// ---------------------------------------------------------------------------------------------
// Time
// ---------------------------------------------------------------------------------------------

/// Time, as the core and the ledger need it.
pub trait Clock: Send + Sync {
    /// Milliseconds since the shell started, counting suspend.
    fn now(&self) -> Moment;
    /// The same clock in microseconds, for the durations that a receipt tells.
    fn micros(&self) -> u64;
    /// The same instant for the ledger.
    fn stamp(&self) -> Stamp;
}

/// A point in time for the ledger: wall clock, monotonic clock and boot (requirement E-10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Milliseconds since 1970-01-01T00:00:00Z by the host's wall clock, right or not.
    pub utc_ms: i64,
    /// Milliseconds of CLOCK_BOOTTIME.
    pub boot_ms: u64,
    /// The kernel's random id of this boot.
    pub boot_id: String,
}

// ---------------------------------------------------------------------------------------------
// Badges
// ---------------------------------------------------------------------------------------------

/// The identifier that a badge answers with: an identifier, never a proof (requirement A-01).
/// Upper-case hexadecimal, 4 to 10 bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BadgeUid(pub String);

/// What a reader tells. Whether a badge is gone is decided by the watch thread alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReaderEvent {
    /// A badge lies on this reader and answered with its identifier.
    Came {
        /// The reader's name.
        reader: String,
        /// What the badge answered.
        uid: BadgeUid,
    },
    /// A card lies on this reader and does not answer, or was pulled away while it was read.
    Unreadable {
        /// The reader's name.
        reader: String,
    },
    /// Whatever lay on this reader is gone.
    Went {
        /// The reader's name.
        reader: String,
    },
    /// No allowed reader is left, or the card service is gone. Counts as every badge gone.
    Lost {
        /// Why, for people: a lowercase fragment.
        why: String,
    },
    /// At least one allowed reader is there (again). What lies on it follows as its own event.
    Back,
}

// ---------------------------------------------------------------------------------------------
// Roster
// ---------------------------------------------------------------------------------------------

/// An operator as people know her.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The roster's number for her.
    pub id: OperatorId,
    /// Her key on the roster, as IT writes it: `ana.ruiz`.
    pub key: String,
    /// Her name, as it stands on the screen.
    pub name: String,
    /// Her first role's name, as it stands on the screen.
    pub role: String,
}

/// Whose badge was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What the core is told.
    pub presented: Presented,
    /// Who it is, where the roster knows.
    pub person: Option<Person>,
}

/// Whose badge it is.
pub trait Roster: Send + Sync {
    /// Looks a badge up. `now` turns the roster's dates into the core's moments.
    fn find(&self, badge: &BadgeUid, now: Moment) -> Result<Shown>;
    /// Why this operator's badge is refused now, if it is.
    fn refusal(&self, operator: OperatorId) -> Result<Option<Refusal>>;
    /// Who this is.
    fn person(&self, operator: OperatorId) -> Result<Person>;
    /// Lets a disabled operator's badge work again, on a supervisor's word; writes its own entry.
    fn enable(&self, operator: OperatorId, by: OperatorId) -> Result<()>;
    /// The operators whose badges are disabled now.
    fn disabled(&self) -> Result<Vec<Person>>;
    /// Whether there is a break-glass code at all.
    fn has_codes(&self) -> Result<bool>;
}

/// Whether a PIN is right. The counter of wrong tries is durable before the answer.
pub trait PinCheck: Send + Sync {
    /// Checks a PIN.
    fn check(&self, operator: OperatorId, pin: &Pin) -> PinAnswer;
    /// Begins the counter of wrong tries anew, after a right PIN was answered. Apart from the check, because
    /// nobody need wait for it: where it is late or lost the counter says one try too many, never one too few.
    fn begin_anew(&self, operator: OperatorId);
    /// Takes a PIN as the operator's own, in place of a one-time PIN that was just found right.
    fn set(
        &self,
        operator: OperatorId,
        pin: &Pin,
    ) -> std::result::Result<crate::handoff::PinVerified, PinProblem>;
}

/// Why a new PIN was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinProblem {
    /// Too short, too simple or the old one; the sentence says which, for the screen.
    Weak(String),
    /// It could not be stored.
    Failed(PortError),
}

// ---------------------------------------------------------------------------------------------
// The capsule
// ---------------------------------------------------------------------------------------------

/// The disposable worlds of sessions. There is at most one that is open and it is used once.
pub trait Capsules: Send + Sync {
    /// Where news of the open or ready capsule goes from now on. Called once, before all else.
    fn listen(&self, news: Box<dyn Fn(CapsuleNews) + Send + Sync>);
    /// Builds the next capsule behind the cover. One that could not be destroyed before is set aside:
    /// it stays looked for, and the new one shares nothing with it.
    fn prepare(&self) -> Result<()>;
    /// Starts a permitted app in the capsule.
    fn launch(&self, app: App) -> Result<()>;
    /// Brings a window to the front.
    fn raise(&self, window: Window) -> Result<()>;
    /// Asks a window to close.
    fn close(&self, window: Window) -> Result<()>;
    /// Puts a token into the capsule's own keyring and, where the policy says so, where apps find it.
    fn hold(&self, grant: &Grant) -> Result<()>;
    /// Has the capsule's own browser open a page of a provider. When it comes back to the station's address
    /// inside the capsule, [`CapsuleNews::Returned`] tells.
    fn visit(&self, page: &Page) -> Result<()>;
    /// Asks every app to close and waits until they have or `grace` is over.
    fn ask_to_close(&self, grace: Duration) -> Closing;
    /// Destroys the capsule. `Ok` only where the kernel has proved that it is gone; `Ok` too where
    /// there was none. Also clears what an earlier shell that was killed has left.
    fn destroy(&self) -> Result<Destroyed>;
    /// Directories that the policy shares into the capsule: named in every receipt, not checked.
    fn shared(&self) -> Vec<String>;
}

/// What a capsule tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CapsuleNews {
    /// The windows that stand now, newest last.
    Windows(Vec<AppWindow>),
    /// An app is starting.
    Starting(App),
    /// An app could not start, or ended with a failure; the sentence is for the screen.
    AppFailed(App, String),
    /// An app ended as it should.
    AppEnded(App),
    /// A browser in the capsule has come to the station's own address in there, with this path and query:
    /// bounded, and never believed.
    Returned(Secret),
    /// The capsule is gone, by itself; the fragment says what died.
    Lost(String),
}

/// A top-level window in the capsule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppWindow {
    /// Its id.
    pub window: Window,
    /// The app that it belongs to, where that is known.
    pub app: Option<App>,
    /// Its title: bounded in length, control and bidi characters taken out. For the screen only.
    pub title: String,
    /// Whether it is in front.
    pub front: bool,
}

/// How the apps answered when they were asked to close.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// Each app that was open: its name, and whether it closed by itself (else it is forced).
    pub apps: Vec<(String, bool)>,
}

/// How a capsule ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destroyed {
    /// How its end was proved, for the receipt: `init pidfd`, `cgroup populated 0`, `no capsule`.
    pub proof: String,
    /// How long it took from the kill to the proof.
    pub took: Duration,
    /// The apps that were still open then, by name.
    pub forced: Vec<String>,
}

// ---------------------------------------------------------------------------------------------
// Gates
// ---------------------------------------------------------------------------------------------

/// The checks that nothing of a session was left.
pub trait Gates: Send + Sync {
    /// Looks inside the capsule while it lives (before it is destroyed): what is there to be
    /// destroyed. Empty where there is no capsule.
    fn look_inside(&self) -> Vec<GateAnswer>;
    /// Looks on the host, after the capsule is gone. One answer for each trace class.
    fn look(&self) -> Vec<GateAnswer>;
    /// What this host can and cannot do (the capability report), as name and finding; stored in
    /// every receipt.
    fn capabilities(&self) -> Vec<(String, String)>;
}

/// What one gate answered about one trace class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateAnswer {
    /// The trace class, by its number in requirements.md §2.2 (1 to 28).
    pub class: u8,
    /// The gate's name: `processes`, `kernel keyrings`.
    pub gate: String,
    /// The answer.
    pub answer: Answer,
    /// What was seen, in words and counts, never contents.
    pub saw: String,
    /// How it looked: `init pidfd`, `/proc/sysvipc`, `reach`.
    pub method: String,
    /// How long it took.
    pub took: Duration,
}

/// The kinds of answer (promise 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Answer {
    /// Looked, and there is nothing.
    Absent,
    /// The class does not exist on this host; `saw` says why.
    NotApplicable,
    /// Looked, and something is there.
    Present,
    /// A host setting, as found; bars the station only where the policy requires it otherwise.
    Setting,
    /// Could not look.
    Unknown,
}

// ---------------------------------------------------------------------------------------------
// Screen and idle
// ---------------------------------------------------------------------------------------------

/// The station's own display, on which the capsule's nested display shows inside a container.
pub trait Screen: Send + Sync {
    /// The shell's own fullscreen window is there, by its native id; the container can be made.
    fn attach(&self, window: u64) -> Result<()>;
    /// Makes every pixel and keystroke of the session unreachable; returns when the display
    /// server has confirmed it. `Ok` where nothing is shown anyway.
    fn cover(&self) -> Result<()>;
    /// Ends the cover: from now on the session may be shown. With `shell_in_front` (the launcher)
    /// it stays hidden behind the shell's own view until [`Screen::show_shell`] says otherwise.
    fn uncover(&self, shell_in_front: bool) -> Result<()>;
    /// While attended: hides the session behind the shell's own view (launcher, warning, log)
    /// or shows it again. Unlike `cover` this is no security boundary of its own, but it works alike.
    fn show_shell(&self, shell_in_front: bool) -> Result<()>;
}

/// When somebody last touched the station, by its input devices, never by an app's word.
pub trait Idle: Send + Sync {
    /// How long ago the last input was.
    fn since_input(&self) -> Result<Duration>;
}

/// The machine that the station is.
pub trait Machine: Send + Sync {
    /// Starts it anew. Returns once the system has taken the order.
    fn restart(&self) -> Result<()>;
}

// ---------------------------------------------------------------------------------------------
// Ledger
// ---------------------------------------------------------------------------------------------

/// The durable record of the station: journal and ledger.
pub trait Ledger: Send + Sync {
    /// Writes an entry. Returns only when it, its checkpoint and the journal step are durable. For what
    /// belongs to break-glass, space is kept on the disk.
    fn append(&self, entry: &Entry) -> Result<Written>;
    /// Writes an intent into the journal, durable before the step is taken.
    fn intend(&self, intent: Intent) -> Result<()>;
    /// What the journal says of a session or handoff that was not finished when the shell ended.
    fn unfinished(&self) -> Result<Option<Unfinished>>;
    /// The newest `limit` entries before entry number `before` (`None`: from the newest), newest first.
    fn page(&self, before: Option<u64>, limit: usize) -> Result<Vec<Written>>;
    /// How many entries there are.
    fn entries(&self) -> Result<u64>;
    /// One step of giving up the text of entries that are older than the policy keeps them, where there are
    /// any: whether there may be more. Bounded, so that no entry waits long for it.
    fn prune(&self, at: &Stamp) -> Result<bool>;
    /// Verifies the whole ledger: the number of entries that hold, or what is wrong, for people.
    fn verify(&self) -> Result<std::result::Result<u64, String>>;
}

/// An entry as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its number, from 0.
    pub index: u64,
    /// Its canonical JSON, as the evidence module reads it; empty where it was pruned.
    pub json: Arc<[u8]>,
    /// Its RFC 6962 leaf hash.
    pub leaf: [u8; 32],
    /// The signed checkpoint that covers it (C2SP signed note).
    pub checkpoint: Arc<str>,
}

/// What is told to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When.
    pub at: Stamp,
    /// What happened.
    pub body: Body,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The core's record, with who it was about. Everything but handoffs.
    Core {
        /// The record.
        record: Record,
        /// The operator, where there is one.
        person: Option<Person>,
        /// What else people should know: gates found present, the reader's name.
        note: String,
        /// In a quarantine, the handoff that is not finished, with what its gates saw.
        unfinished: Option<Box<Handoff>>,
    },
    /// A session opens for whoever has used a break-glass code.
    BreakGlass {
        /// The code's name stands for who used it.
        person: Person,
        /// Why, as it was chosen or typed.
        reason: String,
        /// The handoff that was not finished, with what its gates have not proved; `None` where the
        /// station was clean.
        unfinished: Option<Box<Handoff>>,
    },
    /// Entries that could not be written when they happened: they were held in memory.
    Discontinuity(Vec<Entry>),
    /// A handoff.
    Handoff(Box<Handoff>),
    /// A change of roster, policy or key: who made it, and hashes before and after.
    Change {
        /// `roster`, `policy`, `key`.
        what: String,
        /// Who made it: an operator's key, or `it` for the command line.
        by: String,
        /// What was done, without secrets: `enable ana.ruiz`.
        deed: String,
        /// Hash of what was there before, hexadecimal; empty for none.
        before: String,
        /// Hash of what is there now, hexadecimal.
        after: String,
    },
    /// A drill was held.
    Drill {
        /// The supervisor who started it at the station; `None` for the command line.
        by: Option<Person>,
        /// What it came to, in a line that begins with its verdict.
        came_to: String,
    },
    /// The shell has started.
    Started {
        /// Its version.
        version: String,
        /// Hash of the policy, hexadecimal.
        policy: String,
        /// The capability report.
        capabilities: Vec<(String, String)>,
    },
    /// The shell has stopped as it should.
    Stopped,
    /// A supervisor has done something with the log itself.
    Noted(Noted),
    /// What became of a session's sign-ins after its receipt was written.
    Settled(Settlement),
}

/// The record of one handoff: who, when, why, what was open, what ended how, what each gate saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handoff {
    /// Whose session it was; `None` where none was open.
    pub outgoing: Option<Person>,
    /// Whose badge began it, in a takeover.
    pub incoming: Option<Person>,
    /// Why it began.
    pub trigger: Trigger,
    /// When the session began.
    pub opened: Option<Stamp>,
    /// When the handoff began: the event that caused it.
    pub began: Stamp,
    /// How long until the cover was confirmed.
    pub covered_after: Duration,
    /// How long until everything was proved clean.
    pub clean_after: Duration,
    /// How many rounds of clean-up it took.
    pub rounds: u8,
    /// Each app that was open: name, and whether it closed by itself.
    pub apps: Vec<(String, bool)>,
    /// How the capsule's end was proved.
    pub proof: String,
    /// What the gates saw inside the capsule before its end.
    pub inside: Vec<GateAnswer>,
    /// What the gates saw after it.
    pub after: Vec<GateAnswer>,
    /// How what the session held elsewhere has ended so far.
    pub sign_ins: Ends,
    /// Directories that the policy shares, not checked.
    pub shared: Vec<String>,
    /// The capability report.
    pub capabilities: Vec<(String, String)>,
    /// How the operator was proved (assurance, computed): `UID+PIN: identification, below AAL2`.
    pub assurance: String,
    /// Hash of the policy, hexadecimal.
    pub policy: String,
}

/// A step about to be taken, for the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// A session opens for whoever has used a break-glass code. Any other opening is its own intent: it is
    /// shown only when its entry is durable, with which the journal is told.
    Open(Person, Stamp),
    /// A handoff begins.
    Begin(Trigger),
    /// The apps are asked to close.
    AskApps,
    /// The capsule is destroyed.
    Destroy,
    /// The gates look.
    Look,
}

/// What was not finished when the shell ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// Whose session it was.
    pub person: Option<Person>,
    /// When it began.
    pub opened: Option<Stamp>,
    /// How far a handoff had come: the last intent, in words.
    pub last: String,
}
