//! Card bytes → the identifier of a badge. Every byte from a card is hostile: only the length of an
//! identifier is taken, and only as hexadecimal.

use super::apdu::Answer;
use crate::ports::BadgeUid;

/// The identifier in a card's answer to [`super::apdu::GET_UID`], if it is one: 4 to 10 bytes
/// (ISO/IEC 14443-3: single, double or triple size; 8 bytes for ISO/IEC 15693).
pub(super) fn read(answer: &[u8]) -> Option<BadgeUid> {
    let answer = Answer::read(answer)?;
    let plausible = answer.is_good() && (4..=10).contains(&answer.data.len());
    plausible.then(|| BadgeUid(hex::encode_upper(answer.data)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_four_to_ten_bytes_and_a_good_status() {
        assert_eq!(read(&[4, 0xa1, 0xb2, 0xc3, 0x90, 0]), Some(BadgeUid("04A1B2C3".to_owned())));
        assert_eq!(read(&[4, 0xa1, 0xb2, 0x90, 0]), None);
        assert_eq!(read(&[0; 13]), None);
        assert_eq!(read(&[4, 0xa1, 0xb2, 0xc3, 0x67, 0]), None);
        assert_eq!(read(&[0x90, 0]), None);
    }
}
