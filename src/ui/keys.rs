//! What a key means: digits go to the PIN pad, Tab and arrows move the focus, Enter and Esc act.

use iced::keyboard::{Event, Key, Modifiers, key::Named};

use super::{Go, Message};
use crate::pin::PinKey;

/// The keys that move. They may be held.
const MOVES: [(Named, Go); 8] = [
    (Named::ArrowLeft, Go::Left),
    (Named::ArrowRight, Go::Right),
    (Named::ArrowUp, Go::Up),
    (Named::ArrowDown, Go::Down),
    (Named::PageUp, Go::PageUp),
    (Named::PageDown, Go::PageDown),
    (Named::Home, Go::First),
    (Named::End, Go::Last),
];
/// The keys that act. They act once, however long they are held.
const ACTS: [(Named, Go); 3] =
    [(Named::Enter, Go::Press), (Named::Space, Go::PressFocused), (Named::Escape, Go::Back)];

/// What a keyboard event means for the screens. Repeats count only where moving is meant: a key
/// that is held must not type a digit twice.
#[must_use]
pub fn meaning(event: &Event) -> Option<Message> {
    let Event::KeyPressed { key, modifiers, text, repeat, .. } = event else {
        return None;
    };
    if modifiers.control() || modifiers.alt() || modifiers.logo() {
        return None;
    }
    // The text, not the key: on some layouts the digits are typed with Shift, and the number pad
    // names its keys otherwise.
    let digit = text.as_deref().and_then(digit);
    match (key, digit) {
        (_, Some(digit)) => (!repeat).then_some(digit),
        (Key::Named(named), None) => named_meaning(*named, *modifiers, *repeat),
        (Key::Character(_) | Key::Unidentified, None) => text.as_deref().and_then(letter),
    }
}

fn named_meaning(key: Named, modifiers: Modifiers, repeat: bool) -> Option<Message> {
    let within = |keys: &[(Named, Go)]| keys.iter().find(|(named, _)| *named == key).map(|(_, go)| *go);
    if key == Named::Tab {
        return Some(Message::Go(if modifiers.shift() { Go::Previous } else { Go::Next }));
    }
    if let Some(go) = within(&MOVES) {
        return Some(Message::Go(go));
    }
    if repeat {
        return None;
    }
    if [Named::Backspace, Named::Delete].contains(&key) {
        return Some(Message::Pad(PinKey::Erase));
    }
    within(&ACTS).map(Message::Go)
}

/// A letter, for a reason that is typed.
fn letter(text: &str) -> Option<Message> {
    let mut chars = text.chars();
    let letter = chars.next().filter(|letter| !letter.is_control())?;
    chars.next().is_none().then_some(Message::Letter(letter))
}

fn digit(text: &str) -> Option<Message> {
    let mut chars = text.chars();
    let digit = chars.next()?.to_digit(10)?;
    if chars.next().is_some() {
        return None;
    }
    Some(Message::Pad(PinKey::Digit(u8::try_from(digit).ok()?)))
}
