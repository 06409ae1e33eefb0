//! The policy file as IT writes it: the types that are read, and from which the JSON Schema is made.

mod sign_ins;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Visitor};
use toml::Spanned;

pub use sign_ins::{Call, CallKind, How, LateWord, Revoke, SignIn};

/// The policy of a station.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Cleanshift policy")]
pub struct File {
    /// Where a JSON Schema for editors lies. Ignored by the station.
    #[serde(default, rename = "$schema")]
    pub schema: Option<String>,
    /// What the station is called and where it stands.
    pub station: Station,
    /// What badges mean here.
    pub badge: Badge,
    /// How long things may take.
    #[serde(default)]
    pub times: Times,
    /// What a PIN must be.
    #[serde(default)]
    pub pin: Pin,
    /// The roles that operators may have, at most 16.
    #[schemars(with = "Vec<String>")]
    pub roles: Vec<Spanned<String>>,
    /// What supervisors may do.
    #[serde(default)]
    pub supervisors: Supervisors,
    /// What a break-glass code opens when nothing else does.
    #[serde(default)]
    pub break_glass: BreakGlass,
    /// The capsule's limits and openings.
    #[serde(default)]
    pub capsule: Capsule,
    /// What happens to a station that is not clean.
    #[serde(default)]
    pub quarantine: Quarantine,
    /// How long the handoff log is kept, what of it is shown, and where it may go.
    #[serde(default)]
    pub log: Log,
    /// Identity providers at which operators are signed in when their session opens, and out when it ends.
    #[serde(default)]
    pub sign_in: Vec<SignIn>,
    /// How what a session holds elsewhere is ended.
    #[serde(default)]
    pub revoke: Revoke,
    /// Settings of the host that must be as follows, or the station is barred: `swap` (none, or in
    /// memory alone), `hibernation` (not possible), `init-on-free` (freed memory is overwritten),
    /// `core-pattern` (cores stay in the directory of the program that left them; on Windows: no crash dumps).
    ///
    /// On Windows, `swap` also holds where the page file is cleared when Windows stops, `init-on-free` never, and
    /// these can be named as well; on Linux, where there is nothing of the kind, they hold: `card-certificates`
    /// (a card's are not copied into the account), `clipboard-history` (it and the cloud clipboard are off by policy),
    /// `event-logs` (they are told neither scripts nor command lines), `fast-startup` (off), `notifications` (no
    /// notification centre), `printed-documents` (no printer keeps what it has printed), `recall` (off by policy),
    /// `search-index` (off), `session-account` (every session has an account for itself), `spool-folder` (the station
    /// may look into it).
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub require: Vec<Spanned<String>>,
    /// The permitted apps.
    #[serde(default)]
    pub apps: Vec<App>,
}

/// What the station is called and where it stands.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Its name: "Station 12".
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// Where it stands: "Ward 4, Bay B".
    #[serde(default = "nothing")]
    #[schemars(with = "String")]
    pub place: Spanned<String>,
    /// Whom to call: "IT: 4411".
    #[serde(default = "nothing")]
    #[schemars(with = "String")]
    pub help: Spanned<String>,
    /// The nearest other station: "Station 11, across the corridor".
    #[serde(default = "nothing")]
    #[schemars(with = "String")]
    pub neighbour: Spanned<String>,
    /// How the screens look.
    #[serde(default)]
    pub look: Look,
}

fn nothing() -> Spanned<String> {
    Spanned::new(0..0, String::new())
}

/// How the screens look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Look {
    /// High contrast.
    Contrast,
    /// Dark.
    Dark,
    /// Light.
    #[default]
    Light,
}

/// What badges mean here.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Badge {
    /// "hold": the badge stays on the reader. "tap": tap in, tap again to end.
    pub mode: Mode,
    /// Beginnings of the names of readers that count. Empty: every reader that is not virtual.
    #[serde(default)]
    pub readers: Vec<String>,
}

/// What leaving a badge on the reader, and tapping it, mean.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The badge stays; taking it away ends the session.
    Hold,
    /// Tap in, tap again to end.
    Tap,
}

/// How long things may take.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Times {
    /// Without a touch for this long, the session ends. Default "2 min".
    #[schemars(with = "Option<String>")]
    pub idle: Option<Spanned<Time>>,
    /// How long before that the warning stands. Default "20 s".
    #[schemars(with = "Option<String>")]
    pub warning: Option<Spanned<Time>>,
    /// The longest that one session may last. Default "12 h".
    #[schemars(with = "Option<String>")]
    pub absolute: Option<Spanned<Time>>,
    /// How long a PIN may be waited for. Default "30 s".
    #[schemars(with = "Option<String>")]
    pub patience: Option<Spanned<Time>>,
    /// Without a touch for this long, the handoff log closes. Default "1 min".
    #[schemars(with = "Option<String>")]
    pub log_idle: Option<Spanned<Time>>,
    /// How long apps are given to close by themselves. Default "3 s"; "0 s" asks none.
    #[schemars(with = "Option<String>")]
    pub close_grace: Option<Spanned<Time>>,
    /// How long a step (to build a session's world, to destroy it, to look, to write) may take before it counts
    /// as failed. Default "12 s"; more on a machine that is slower than others.
    #[schemars(with = "Option<String>")]
    pub step: Option<Spanned<Time>>,
}

/// What a PIN must be.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pin {
    /// The least digits. Default 6.
    #[schemars(with = "Option<u8>")]
    pub least: Option<Spanned<u8>>,
    /// The most digits. Default 12.
    #[schemars(with = "Option<u8>")]
    pub most: Option<Spanned<u8>>,
    /// Wrong tries before the delay begins to grow. Default 5.
    #[schemars(with = "Option<u8>")]
    pub slow_after: Option<Spanned<u8>>,
    /// Wrong tries before the badge is disabled. Default 10.
    #[schemars(with = "Option<u8>")]
    pub disable_after: Option<Spanned<u8>>,
}

/// What supervisors may do.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Supervisors {
    /// The roles that are supervisors'.
    #[schemars(with = "Vec<String>")]
    pub roles: Vec<Spanned<String>>,
    /// They may read the handoff log on the screen.
    pub read_log: bool,
    /// They may release a quarantined station into a new clean-up.
    pub release: bool,
    /// They may enable a disabled badge.
    pub enable_badge: bool,
    /// They may have a drill held from the log: traces are planted on purpose, seen, and removed.
    pub drill: bool,
}

impl Default for Supervisors {
    fn default() -> Self {
        Self { roles: Vec::new(), read_log: true, release: true, enable_badge: true, drill: true }
    }
}

/// What a break-glass code opens when nothing else does. Codes are made by
/// `cleanshiftctl break-glass issue`; without one there is no emergency access.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakGlass {
    /// Whether the screens offer it.
    pub enabled: bool,
    /// The longest that one emergency session may last, at most 30 minutes. Default "30 min".
    #[schemars(with = "Option<String>")]
    pub longest: Option<Spanned<Time>>,
    /// The roles whose apps it may start. Empty: all.
    #[schemars(with = "Vec<String>")]
    pub roles: Vec<Spanned<String>>,
    /// Reasons to choose from, at most 6; another one can always be typed.
    #[schemars(with = "Vec<String>")]
    pub reasons: Vec<Spanned<String>>,
}

impl Default for BreakGlass {
    fn default() -> Self {
        Self { enabled: true, longest: None, roles: Vec::new(), reasons: Vec::new() }
    }
}

/// The capsule's limits and openings.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Capsule {
    /// How a session on Windows is kept from what its account keeps: "sweep" or "account". On Linux every
    /// session has namespaces of its own, and this changes nothing.
    pub mode: CapsuleMode,
    /// Size limit of the home. Default "1 GiB".
    #[schemars(with = "Option<String>")]
    pub home: Option<Spanned<Size>>,
    /// Size limit of each other writable place. Default "256 MiB". Chromium keeps there what its processes share:
    /// with 16 MiB its pages may crash.
    #[schemars(with = "Option<String>")]
    pub tmp: Option<Spanned<Size>>,
    /// The most processes. Default 1500.
    #[schemars(with = "Option<u32>")]
    pub processes: Option<Spanned<u32>>,
    /// The most memory, where a control group is there to hold it.
    #[schemars(with = "Option<String>")]
    pub memory: Option<Spanned<Size>>,
    /// Ports of the host's loopback that apps may reach: "127.0.0.1:8080".
    #[schemars(with = "Vec<String>")]
    pub reach: Vec<Spanned<String>>,
    /// Printers that apps may use, by CUPS name. Not served yet: a session reaches no print service.
    #[schemars(with = "Vec<String>")]
    pub printers: Vec<Spanned<String>>,
    /// Host directories that are bound writable into the capsule: named in every receipt, not checked.
    #[schemars(with = "Vec<String>")]
    pub shared: Vec<Spanned<String>>,
}

/// Under which account a session's apps run on Windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CapsuleMode {
    /// Under the station's own; what a session has left in it is swept away.
    #[default]
    Sweep,
    /// Under an account that is made for the session and deleted after it, by Cleanshift's service.
    Account,
}

/// What happens to a station that is not clean.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quarantine {
    /// How often it tries again by itself. Default 2.
    #[schemars(with = "Option<u8>")]
    pub retries: Option<Spanned<u8>>,
    /// How long it waits before the first of these; twice as long before each next. Default "10 s".
    #[schemars(with = "Option<String>")]
    pub pause: Option<Spanned<Time>>,
}

/// How long the handoff log is kept, what of it is shown, and where it may go.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Entries that are older than this may be pruned: their text goes, their hashes stay. Only entries that
    /// are covered by a checkpoint which is kept elsewhere (`cleanshiftctl log anchor`) ever are. Without it,
    /// the log is kept for ever.
    #[schemars(with = "Option<String>")]
    pub keep: Option<Spanned<Time>>,
    /// Whether an operator who opens the receipt of the handoff before her own session reads there whose
    /// session it was. A supervisor reads it in the log in any case. Default false.
    pub show_names: bool,
    /// Directories under which removable media are mounted, such as "/media": onto a medium there a
    /// supervisor may export what the log shows. Empty: nowhere.
    #[schemars(with = "Vec<String>")]
    pub export_to: Vec<Spanned<String>>,
}

/// A permitted app.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    /// Its name on the tile.
    #[schemars(with = "String")]
    pub name: Spanned<String>,
    /// Its icon: a name of the embedded set, or the absolute path of an SVG file.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub icon: Option<Spanned<String>>,
    /// What it is: `program` (the default, with `command`) or `web` (a page in a browser, with `url`).
    #[serde(default)]
    pub kind: Kind,
    /// The program: an absolute path, or a name in /usr/bin.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub command: Option<Spanned<String>>,
    /// A web app's page: an address with https. Http is for the loopback alone.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub url: Option<Spanned<String>>,
    /// The hosts beside the page's own that a web app may open: "chart.example.org",
    /// "chart.example.org:8443", or "*.example.org" for it and all below it. Nothing else loads.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub hosts: Vec<Spanned<String>>,
    /// The browser of a web app. Default "chromium".
    #[serde(default)]
    #[schemars(with = "Option<WebBrowser>")]
    pub browser: Option<Spanned<WebBrowser>>,
    /// Whether a web app may download files, into the session's own home. Default false.
    #[serde(default)]
    #[schemars(with = "Option<bool>")]
    pub downloads: Option<Spanned<bool>>,
    /// Whether a web app may print; never into a file. Default false.
    #[serde(default)]
    #[schemars(with = "Option<bool>")]
    pub printing: Option<Spanned<bool>>,
    /// How large a web app's page is shown, 50 to 300 percent. Default 100.
    #[serde(default)]
    #[schemars(with = "Option<u16>")]
    pub zoom: Option<Spanned<u16>>,
    /// A program's arguments.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub arguments: Vec<Spanned<String>>,
    /// The roles that may start it. Empty: all.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub roles: Vec<Spanned<String>>,
    /// One window, or many.
    #[serde(default)]
    pub windows: Many,
    /// Extra environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// A directory on the host whose content is copied into the home before it starts.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub profile: Option<Spanned<String>>,
    /// The operator's PIN is asked for again before it starts: "PIN" always, or where it was last found right
    /// so long ago: "10 min". In an emergency session it does not start.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub reverify: Option<Spanned<String>>,
    /// Whether it has network. A web app has.
    #[serde(default)]
    pub network: bool,
}

/// What an app is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A program.
    #[default]
    Program,
    /// A page in a browser that can open its own sites alone.
    Web,
}

/// The browser of a web app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebBrowser {
    /// Chromium.
    Chromium,
    /// Firefox.
    Firefox,
}

/// One window, or many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Many {
    /// Starting it again starts another.
    Many,
    /// Starting it again raises the one that is there.
    #[default]
    Single,
}

/// A time with its unit, in milliseconds: "500 ms", "30 s", "2 min", "12 h", "400 d".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub u64);

/// A size with its unit, in bytes: "256 MiB", "1 GiB".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

const TIMES: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Quantity {
                units: &TIMES,
                example: "a time with its unit, such as \"30 s\" or \"2 min\"",
            })
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_str(Quantity {
                units: &SIZES,
                example: "a size with its unit, such as \"256 MiB\" or \"1 GiB\"",
            })
            .map(Self)
    }
}

struct Quantity {
    units: &'static [(&'static str, u64)],
    example: &'static str,
}

impl Visitor<'_> for Quantity {
    type Value = u64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.example)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        let text = text.trim();
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = self.units.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
        let value =
            number.parse::<u64>().ok().zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
        value.ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
