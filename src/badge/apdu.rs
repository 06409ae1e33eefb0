//! Commands to a card and its answers, as bytes. Pure; `Debug` shows no data.

use std::fmt;

/// Asks the reader for the card's identifier (PC/SC part 3, 3.2.2.1.3).
pub(super) const GET_UID: [u8; 5] = [0xff, 0xca, 0x00, 0x00, 0x00];
/// The longest answer that is taken: 256 bytes of data and the status word.
pub(super) const LONGEST: usize = 258;

/// What a card answered.
pub(super) struct Answer<'a> {
    /// The data before the status word.
    pub(super) data: &'a [u8],
    /// The status word.
    pub(super) status: u16,
}

impl<'a> Answer<'a> {
    /// Reads an answer; `None` when there is not even a status word (a card that was pulled answers
    /// with nothing at all).
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (data, status) = bytes.split_last_chunk::<2>()?;
        Some(Self { data, status: u16::from_be_bytes(*status) })
    }

    /// Whether the command was carried out.
    pub(super) fn is_good(&self) -> bool {
        self.status == 0x9000
    }
}

impl fmt::Debug for Answer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} bytes, {:04x})", self.data.len(), self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_status_word_is_none() {
        assert!(Answer::read(&[]).is_none());
        assert!(Answer::read(&[0x90]).is_none());
    }

    #[test]
    fn debug_shows_no_data() {
        let answer = Answer::read(&[0xde, 0xad, 0x90, 0x00]).unwrap();
        assert!(answer.is_good());
        assert_eq!(format!("{answer:?}"), "Answer(2 bytes, 9000)");
    }
}
