//! The file that the hospital writes → a [`Policy`] that cannot be wrong.

pub mod file;
pub mod problem;
mod read;
mod settings;
mod station;
mod switches;
mod web;

pub use file::{CapsuleMode, Look};
pub use problem::Problems;
pub use read::apps::ICONS;
pub use read::{hash, schema};
pub use switches::{Switch, SwitchValue, in_force, named};
pub use web::{Browser, REDIRECT, REDIRECT_PORT, Site, WebPolicy};

use std::path::PathBuf;
use std::time::Duration;

use crate::handoff::Rules;

/// A policy whose every value has been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// The station's name, place, help line and neighbour.
    pub station: StationPolicy,
    /// Readers that count: glob-free name prefixes. Empty: every reader that is not virtual.
    pub readers: Vec<String>,
    /// What the core needs.
    pub rules: Rules,
    /// PIN rules.
    pub pin: PinPolicy,
    /// The names of the roles, in the order of [`crate::handoff::Roles`]' bits.
    pub roles: Vec<String>,
    /// Which roles are supervisors', by name.
    pub supervisors: SupervisorPolicy,
    /// Where operators are signed in when their session opens.
    pub sign_ins: Vec<SignInPolicy>,
    /// How what a session holds elsewhere is ended.
    pub revoke: RevokePolicy,
    /// The permitted apps, in the order of [`crate::handoff::App`].
    pub apps: Vec<AppPolicy>,
    /// Reasons for emergency access that the screens offer.
    pub reasons: Vec<String>,
    /// The capsule's limits and openings.
    pub capsule: CapsulePolicy,
    /// How long the handoff log is kept, what of it is shown, and where it may go.
    pub log: LogPolicy,
    /// Settings of the host that bar the station when they are not as required.
    pub require: Vec<String>,
    /// SHA-256 of the file, hexadecimal: stands in every receipt.
    pub hash: String,
}

/// The station's name, place, help line and neighbour.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StationPolicy {
    /// `Station 12`.
    pub name: String,
    /// `Ward 4 · Bay B`.
    pub place: String,
    /// `IT: 4411`.
    pub help: String,
    /// `Station 11, across the corridor`.
    pub neighbour: String,
    /// How the screens look.
    pub look: Look,
}

/// PIN rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinPolicy {
    /// The least digits (4 to 15).
    pub least: u8,
    /// The most digits.
    pub most: u8,
    /// Wrong tries before the delay begins to grow (5).
    pub slow_after: u8,
    /// Wrong tries before the badge is disabled (10).
    pub disable_after: u8,
}

/// Who supervisors are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SupervisorPolicy {
    /// The roles that are supervisors'. What they may do is the core's to know: [`Rules::supervisors`].
    pub roles: Vec<String>,
}

/// How long the handoff log is kept, what of it is shown, and where it may go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPolicy {
    /// Older entries may be pruned below a checkpoint that is kept elsewhere; never where it is not said.
    pub keep: Option<Duration>,
    /// Whether the receipt of the handoff before a session tells its operator whose session that was.
    pub show_names: bool,
    /// Directories under which removable media are mounted that the log may be exported to.
    pub export_to: Vec<PathBuf>,
}

/// An identity provider at which an operator is signed in when her session opens (OpenID Connect Discovery 1.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInPolicy {
    /// Its name, as screens and receipts tell it.
    pub name: String,
    /// The issuer: https, or http on the loopback where a test's provider stands.
    pub issuer: String,
    /// The station's client id there.
    pub client: String,
    /// How the operator is signed in.
    pub how: SignInWay,
    /// The scopes that are asked for; never `offline_access` (requirement T-05).
    pub scopes: Vec<String>,
    /// Whom the access token is for (RFC 8707); empty: whom the provider chooses.
    pub audience: String,
    /// What names the operator there, with `{key}` for her key on the roster.
    pub subject: String,
    /// The environment variable in which apps find the access token.
    pub environment: Option<String>,
    /// The file below the home in which apps find it.
    pub file: Option<String>,
    /// The provider's own call that ends one session, with `{sid}` in it.
    pub end_by_sid: Option<String>,
    /// Where the provider's events are polled (RFC 8936).
    pub events: Option<String>,
    /// Certificates (PEM) that are trusted for it beside the host's.
    pub certificates: Option<PathBuf>,
    /// Whether its tokens are left unbound to the session's key (RFC 9449), for apps that use them themselves.
    pub bearer: bool,
}

/// How an operator is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInWay {
    /// The station asserts who she is, with its own key (RFC 7523, `jwt-bearer`).
    Assertion,
    /// The station exchanges such an assertion for tokens (RFC 8693).
    Exchange,
    /// She signs in herself, in the browser of this app (authorization code with PKCE, RFC 7636).
    Browser {
        /// The app's name.
        app: String,
    },
}

/// How what a session holds elsewhere is ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokePolicy {
    /// Calls to what is not OAuth.
    pub calls: Vec<CallPolicy>,
}

/// A call that ends something that is not OAuth: an EHR's or a vendor's API. In its texts `{operator}` stands for
/// the operator's key, `{session}` for the session's number, `{station}` for the station's name and `{secret}` for
/// the secret that the host's keyring holds under the call's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPolicy {
    /// Its name.
    pub name: String,
    /// The method: `POST`, `DELETE`, …
    pub method: String,
    /// The address.
    pub url: String,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// How long after the handoff it is worth trying.
    pub expires: Duration,
    /// Certificates (PEM) that are trusted for it beside the host's.
    pub certificates: Option<PathBuf>,
}

/// A permitted app.
#[derive(Clone, Debug, PartialEq)]
pub struct AppPolicy {
    /// Its name on the tile: `Chart`.
    pub name: String,
    /// Its icon: a name of the embedded set (`chart`, `pill`, `book`, `terminal`, `globe`, …) or the
    /// absolute path of an SVG file.
    pub icon: String,
    /// The program: an absolute path inside the capsule, or a name looked up in /usr/bin. A web app's browser.
    pub command: String,
    /// Its arguments; none where it is a web app, whose browser the platform starts in its own way.
    pub arguments: Vec<String>,
    /// What a web app shows.
    pub web: Option<WebPolicy>,
    /// One window only: starting it again raises the one that is there.
    pub single: bool,
    /// Extra environment.
    pub environment: Vec<(String, String)>,
    /// A directory on the host whose content is copied into the app's home before it starts.
    pub profile: Option<PathBuf>,
    /// Whether it has network.
    pub network: bool,
}

/// The capsule's limits and openings.
#[derive(Clone, Debug, PartialEq)]
pub struct CapsulePolicy {
    /// Under which account apps run on Windows.
    pub mode: CapsuleMode,
    /// Size limit of the home tmpfs, bytes.
    pub home_bytes: u64,
    /// Size limit of each other tmpfs, bytes.
    pub tmp_bytes: u64,
    /// The most processes.
    pub processes: u32,
    /// The most memory, bytes, where a cgroup is there to hold it.
    pub memory_bytes: Option<u64>,
    /// Host ports that the capsule may reach: `127.0.0.1:PORT`.
    pub reach: Vec<u16>,
    /// Printers that apps may use, by CUPS name.
    pub printers: Vec<String>,
    /// Host directories bound writable into the capsule: named in every receipt, not checked.
    pub shared: Vec<PathBuf>,
    /// How long a whole graceful close may take (the same as `rules.grace`).
    pub grace: Duration,
}
