//! Which PINs are too simple to be anybody's own (requirement A-02: a blocklist).

use crate::pin::Pin;

/// What is wrong with a new PIN, as a sentence for the screen.
pub(super) fn problem(pin: &Pin, least: u8, most: u8) -> Option<String> {
    let digits = pin.expose();
    if digits.len() < usize::from(least) {
        return Some(format!("Your PIN needs at least {least} digits."));
    }
    if digits.len() > usize::from(most) {
        return Some(format!("Your PIN may have at most {most} digits."));
    }
    let steps: Vec<i16> = digits
        .iter()
        .zip(digits.iter().skip(1))
        .map(|(a, b)| (i16::from(*b) - i16::from(*a)).rem_euclid(10))
        .collect();
    let same_step = steps.first().is_some_and(|first| steps.iter().all(|step| step == first));
    if same_step && matches!(steps.first(), Some(0 | 1 | 9)) {
        return Some("Choose a PIN that is not one digit repeated or a row of digits.".to_owned());
    }
    let repeats = (2..=digits.len() / 2).any(|length| {
        digits.len().is_multiple_of(length)
            && digits.chunks(length).all(|part| Some(part) == digits.get(..length))
    });
    if repeats {
        return Some("Choose a PIN that does not repeat itself.".to_owned());
    }
    let distinct = (b'0'..=b'9').filter(|digit| digits.contains(digit)).count();
    if distinct < 3 {
        return Some("Choose a PIN with at least three different digits.".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_pins_are_refused_and_others_are_not() {
        let of = |text: &str| problem(&Pin::read(text).unwrap(), 6, 12);
        for simple in
            ["111111", "123456", "654321", "890123", "121212", "123123", "112211", "12345", "1234567890123"]
        {
            assert!(of(simple).is_some(), "{simple} was taken");
        }
        for good in ["271828", "314159", "204816"] {
            assert_eq!(of(good), None);
        }
    }
}
