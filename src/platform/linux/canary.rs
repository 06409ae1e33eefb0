//! The drill's canaries: words that are nowhere else, one for each class and side, so that whatever is
//! found says what it is and where it came from.

use sha2::{Digest, Sha256};

/// What every canary begins with.
pub const START: &str = "canary-";
/// How many letters follow.
pub const REST: usize = 20;

/// On which side of a capsule's wall something was planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// In the capsule.
    Contained,
    /// On the host, under the station's account.
    Escaped,
}

impl Side {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Contained => "contained",
            Self::Escaped => "escaped",
        }
    }

    /// The side of this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Contained, Self::Escaped].into_iter().find(|side| side.word() == word)
    }
}

/// The canary of a class on a side. Only who knows the seed can tell it: the seed may stand in files
/// that are searched for canaries.
#[must_use]
pub fn canary(seed: &str, side: Side, class: u8) -> String {
    let digest = hex::encode(Sha256::digest(format!("{seed} {} {class}", side.word())));
    format!("{START}{}", digest.get(..REST).unwrap_or_default())
}

/// The text with every canary in it made unrecognisable: what is written down of a canary must not be
/// found as one afterwards.
#[must_use]
pub fn masked(text: &str) -> String {
    let mut parts = text.split(START);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.get(..REST).filter(|word| word.bytes().all(|byte| byte.is_ascii_hexdigit()));
        masked.push_str(if rest.is_some() { "canary" } else { START });
        masked.push_str(if rest.is_some() { part.get(REST..).unwrap_or_default() } else { part });
    }
    masked
}

/// The key under which a canary is a System V object.
#[must_use]
pub fn key(canary: &str) -> i32 {
    let digest = Sha256::digest(canary.as_bytes());
    let bytes = digest.first_chunk::<4>().copied().unwrap_or_default();
    i32::from_be_bytes(bytes) & i32::MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_canary_is_none() {
        let word = canary("seed", Side::Escaped, 13);
        assert_eq!(
            masked(&format!("1 file: /tmp/left-{word} and {word}")),
            "1 file: /tmp/left-canary and canary"
        );
        assert_eq!(masked("canary-bird canary-"), "canary-bird canary-");
    }
}
