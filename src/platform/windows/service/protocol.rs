//! What the shell asks of the service, and what it is told: one message after another through a named pipe,
//! each with its length before it, bounded, and read by types that know no other words.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The pipe. Remote computers cannot open it.
pub const PIPE: &str = r"\\.\pipe\CleanshiftService";

/// What the shell may do with the pipe: read, write and see whose it is. To make another is not in it
/// (`FILE_GENERIC_READ | FILE_GENERIC_WRITE` without `FILE_CREATE_PIPE_INSTANCE`).
pub const USED: u32 = 0x0012_019b;

/// The most bytes of a message.
const MOST: u32 = 1 << 20;
/// The most of anything that comes in a list.
const LIST: usize = 512;

/// What the shell asks.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Ask {
    /// An account for a session.
    Lend,
    /// An app is to be started under the account that is lent.
    Start(Box<Start>),
    /// The session is over: its account and all that belongs to it are to be deleted.
    End,
}

/// An app that is to be started.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    /// Its program.
    pub program: String,
    /// Its arguments, with `{profile}` for the account's profile.
    pub arguments: Vec<String>,
    /// More environment.
    pub environment: Vec<(String, String)>,
    /// Files that lie in the profile before it starts.
    pub files: Vec<(String, String)>,
    /// The desktop on which its windows stand.
    pub desktop: String,
    /// The session's job and the app's own, by the shell's handles.
    pub jobs: [u64; 2],
}

/// What the service answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Told {
    /// The account that is lent, by its SID.
    Lent(String),
    /// The app runs: its pid, and the shell's new handle of it.
    Started(u32, u64),
    /// The account is deleted, and what was seen of that.
    Ended(String),
    /// It could not be done: a lowercase fragment.
    Failed(String),
}

/// Sends a message.
///
/// # Errors
/// Those of the pipe; one that is too long is one.
pub fn send(pipe: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    let text = Zeroizing::new(serde_json::to_vec(message)?);
    let length = u32::try_from(text.len()).ok().filter(|length| *length <= MOST);
    let length = length.ok_or_else(|| io::Error::other("the message is too long"))?;
    // In one write: a reader that has waited for the length does not wait again.
    let mut whole = Zeroizing::new(Vec::with_capacity(text.len() + 4));
    whole.extend(length.to_le_bytes());
    whole.extend(text.iter());
    pipe.write_all(&whole)
}

/// Reads the next message. `None` where the other side has gone before one began.
///
/// # Errors
/// Those of the pipe; what is no message is one, and ends the conversation.
pub fn receive<T: for<'a> Deserialize<'a>>(pipe: &mut impl Read) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match pipe.read(&mut length) {
        Ok(0) => return Ok(None),
        // ERROR_BROKEN_PIPE and ERROR_PIPE_NOT_CONNECTED.
        Err(error) if matches!(error.raw_os_error(), Some(109 | 233)) => return Ok(None),
        Ok(read) => pipe.read_exact(length.get_mut(read..).unwrap_or_default())?,
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(length);
    if length > MOST {
        return Err(io::Error::other("a message is too long"));
    }
    let mut text = Zeroizing::new(vec![0; usize::try_from(length).map_err(io::Error::other)?]);
    pipe.read_exact(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

impl Start {
    /// Why this order is refused: the shell is believed only as far as an order can be one.
    ///
    /// # Errors
    /// A lowercase fragment.
    pub fn check(&self) -> Result<(), String> {
        let texts = [&self.program, &self.desktop].into_iter().chain(&self.arguments);
        let pairs = self.environment.iter().chain(&self.files).flat_map(|(name, value)| [name, value]);
        if texts.chain(pairs).any(|text| text.contains('\0')) {
            return Err("a text of the order has a zero in it".to_owned());
        }
        if [self.arguments.len(), self.environment.len(), self.files.len()].iter().any(|count| *count > LIST)
        {
            return Err("the order is too long".to_owned());
        }
        let bytes = self.program.as_bytes();
        let drive = bytes.first().is_some_and(u8::is_ascii_alphabetic) && bytes.get(1..3) == Some(br":\");
        if !drive || self.program.split('\\').any(|part| part == "..") {
            return Err("the program is no absolute path".to_owned());
        }
        if self.environment.iter().any(|(name, _)| name.is_empty() || name.contains('=')) {
            return Err("a variable of the order has no name".to_owned());
        }
        let outside = |place: &str| {
            place.is_empty()
                || place.contains(':')
                || place.split(['\\', '/']).any(|part| matches!(part, "" | "." | ".."))
        };
        if self.files.iter().any(|(place, _)| outside(place)) {
            return Err("a file of the order is not below the profile".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Start {
        Start {
            program: r"C:\Windows\System32\notepad.exe".to_owned(),
            arguments: vec!["a b".to_owned()],
            environment: vec![("A".to_owned(), "1".to_owned())],
            files: vec![(r"web-0\user.js".to_owned(), "x".to_owned())],
            desktop: r"WinSta0\CleanshiftSession-1".to_owned(),
            jobs: [4, 8],
        }
    }

    #[test]
    fn messages_come_as_they_went() {
        let mut pipe = Vec::new();
        send(&mut pipe, &Ask::Lend).unwrap();
        send(&mut pipe, &Ask::Start(Box::new(start()))).unwrap();
        send(&mut pipe, &Told::Failed("no".to_owned())).unwrap();
        let mut pipe = pipe.as_slice();
        assert!(matches!(receive(&mut pipe).unwrap(), Some(Ask::Lend)));
        let Some(Ask::Start(order)) = receive(&mut pipe).unwrap() else { unreachable!("no order") };
        assert_eq!((order.check(), order.jobs), (Ok(()), [4, 8]));
        assert_eq!(receive::<Told>(&mut pipe).unwrap(), Some(Told::Failed("no".to_owned())));
        assert!(receive::<Ask>(&mut pipe).unwrap().is_none(), "the other side has gone");
    }

    #[test]
    fn what_is_no_message_ends_the_conversation() {
        let said = |text: &[u8]| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text].concat();
        let bad: [Vec<u8>; 6] = [
            vec![1, 0],
            vec![255, 255, 255, 255],
            said(b"{"),
            said(br#"{"shut-down":1}"#),
            said(br#"{"start":{"program":"C:\\x.exe"}}"#),
            said(br#"{"lend":{"extra":1}}"#),
        ];
        for bytes in bad {
            assert!(receive::<Ask>(&mut bytes.as_slice()).is_err(), "{bytes:?}");
        }
        let long = "x".repeat(2 << 20);
        assert!(send(&mut Vec::new(), &Told::Failed(long)).is_err());
    }

    #[test]
    fn an_order_is_believed_only_as_far_as_it_can_be_one() {
        let refused = |change: fn(&mut Start)| {
            let mut order = start();
            change(&mut order);
            order.check().is_err()
        };
        assert!(start().check().is_ok());
        assert!(refused(|order| order.program = "notepad.exe".to_owned()));
        assert!(refused(|order| order.program = r"\\server\share\x.exe".to_owned()));
        assert!(refused(|order| order.program = r"C:\a\..\b.exe".to_owned()));
        assert!(refused(|order| order.arguments = vec!["a\0b".to_owned()]));
        assert!(refused(|order| order.arguments = vec![String::new(); 600]));
        assert!(refused(|order| order.environment = vec![("A=B".to_owned(), String::new())]));
        for place in [r"..\x", r"a\..\..\x", r"C:\x", r"\x", "a/../x", "x:stream", ""] {
            let mut order = start();
            order.files = vec![(place.to_owned(), String::new())];
            assert!(order.check().is_err(), "{place}");
        }
    }
}
