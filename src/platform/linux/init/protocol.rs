//! What the shell and a capsule's init say to each other: one JSON message in one packet of a
//! socketpair that keeps packets apart (SOCK_SEQPACKET), bounded on both sides.
//!
//! The shell never believes a word of it where it matters: an end is proved by pidfd alone.

use std::os::fd::AsFd;

use rustix::net::{RecvFlags, SendFlags};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use crate::ports::Secret;

/// The longest message, in bytes. A longer one is cut by the kernel and then fails to parse.
pub const LONGEST: usize = 64 * 1024;
/// The longest path with its query that is told of a browser that came back.
const RETURN: usize = 8 * 1024;

/// What the shell orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Make the capsule ready; the first message of all.
    Begin(Begin),
    /// Start an app.
    Launch(Launch),
    /// Put a token where the session's programs find it.
    Hold(Hold),
    /// Hand this page out at the station's address in the capsule, once.
    Offer(Offer),
    /// Count what is in the capsule now.
    Look(u32),
    /// Say what a drill's planter has reported so far.
    Report,
    /// Say which app this pid (in the capsule's numbering) belongs to.
    Whose(u32),
}

/// How the capsule is made ready.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Begin {
    /// The environment of everything inside.
    pub environment: Vec<(String, String)>,
    /// The most processes.
    pub processes: u32,
    /// The window manager's command line.
    pub window_manager: Vec<String>,
    /// Whether it listens at the station's address in the capsule.
    pub redirect: bool,
    /// How slow this machine is ([`crate::platform::linux::pace`]).
    pub pace: u32,
}

/// A token of the session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// The number by which the answer is known.
    pub serial: u32,
    /// The session's number.
    pub session: String,
    /// The sign-in's name in the policy.
    pub provider: String,
    /// The provider's issuer.
    pub issuer: String,
    /// Whom the token is for.
    pub audience: String,
    /// The token.
    #[serde(with = "secret")]
    pub access: Secret,
    /// Until when it is good, milliseconds since 1970 (UTC).
    pub expires_utc_ms: i64,
    /// The environment variable of apps that are started from now on.
    pub environment: Option<String>,
    /// The file below the home.
    pub file: Option<String>,
}

/// A page that is handed out once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// The random number by which it is asked for.
    pub nonce: String,
    /// Its address.
    #[serde(with = "secret")]
    pub address: Secret,
    /// Where the browser goes once the operator is signed in.
    pub start: Option<String>,
}

/// An app to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Launch {
    /// The app, by its place in the policy.
    pub app: u8,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Extra environment.
    pub environment: Vec<(String, String)>,
    /// Whether it has network.
    pub network: bool,
    /// Files that it alone sees, read-only: the path inside and the text. A browser's policies.
    pub files: Vec<(String, String)>,
    /// Where in the capsule the golden profile lies whose content is copied into the home first.
    pub profile: Option<String>,
}

/// What init tells.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Word {
    /// Which app a pid belongs to. For attribution on the bar only.
    Belongs {
        /// The pid that was asked for.
        pid: u32,
        /// The app, where it is known.
        app: Option<u8>,
    },
    /// An app has ended: as it should, or with a reason.
    Ended {
        /// The app.
        app: u8,
        /// The pid that was told when it was started; 0 where it was not.
        pid: u32,
        /// Why, when it did not end as it should.
        why: Option<String>,
    },
    /// The capsule could not be made ready.
    Failed(String),
    /// A token is where it belongs, or why not.
    Held {
        /// The number of the order.
        serial: u32,
        /// Why it is not, as a fragment that fits "failed to …".
        why: Option<String>,
    },
    /// The first word of all: by the credentials that come with it the kernel tells init's pid.
    Hello,
    /// The answer to a look: what was counted, by name.
    Looked(u32, Vec<(String, u64)>),
    /// The capsule is ready; the doors of the host that were tried, each with 1 where it is there.
    Ready(Vec<(String, u64)>),
    /// What a drill's planter has reported so far.
    Reported(String),
    /// A browser has come to the station's address in the capsule, with this path and query.
    Returned(#[serde(with = "secret")] Secret),
    /// An app runs, with this pid inside the capsule.
    Started {
        /// The app.
        app: u8,
        /// The pid, in the capsule's own numbering.
        pid: u32,
    },
}

/// Whether a browser that asks for this path and query comes back from a provider: bounded, printable
/// ASCII. Whether it answers anything that was asked is for others to say.
#[must_use]
pub fn is_return(path: &str) -> bool {
    let way = path.split('?').next().unwrap_or_default();
    let plain = path.len() <= RETURN && path.bytes().all(|byte| byte.is_ascii_graphic());
    plain && matches!(way, "/signed-in" | "/signed-out")
}

/// A secret goes through the socket as its text.
mod secret {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::ports::Secret;

    pub(super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// Sends one message, without ever waiting: an end that does not read must not hold up the other.
///
/// # Errors
/// When the other end is gone or the message is too long.
pub fn send<T: Serialize>(socket: impl AsFd, message: &T) -> std::io::Result<()> {
    // Written where it stays, so that no copy of a token is left behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST));
    serde_json::to_writer(&mut *bytes, message)?;
    if bytes.len() > LONGEST {
        return Err(std::io::Error::other("the message is too long"));
    }
    let _sent = rustix::net::send(socket, &bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)?;
    Ok(())
}

/// Receives one message; `None` when the other end is gone.
///
/// # Errors
/// When what came is no message of ours.
pub fn receive<T: DeserializeOwned>(socket: impl AsFd) -> std::io::Result<Option<T>> {
    let mut buffer = Zeroizing::new(vec![0; LONGEST]);
    let (_, length) = loop {
        match rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty()) {
            Err(rustix::io::Errno::INTR) => {}
            other => break other?,
        }
    };
    match buffer.get(..length) {
        None | Some([]) => Ok(None),
        Some(bytes) => Ok(Some(serde_json::from_slice(bytes)?)),
    }
}
