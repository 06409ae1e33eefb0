//! An entry of the log: the sentence first, then what the gates saw, then the proof, checked at that
//! moment, and what supervisors have written about it.

use iced::widget::{Column, column, container, row, scrollable, space};
use iced::{Alignment, Color, Element, Length, Padding};

use crate::driver::scene::LogScene;
use crate::evidence::receipt::{GateSaw, HandoffFacts, Receipt};
use crate::evidence::{counts, escape, sentence_in};
use crate::ui::Message;
use crate::ui::icon::Icon;
use crate::ui::log::{LogMessage, Shown};
use crate::ui::parts::{Look, Touch, card, heading, pill, say, soft};
use crate::ui::screen::handoff_log::{ENTRY, thousands};
use crate::ui::screen::{elsewhere, keyboard};
use crate::ui::theme::{self, Kind, MONO, STRONG, TEXT};

/// What the keyboard can reach of an entry that is open.
#[must_use]
pub fn stops(look: Look<'_>) -> Vec<Message> {
    let Some(shown) = look.log.opened() else { return Vec::new() };
    vec![attest(shown), Message::Log(LogMessage::Note(true))]
}

fn attest(shown: &Shown) -> Message {
    use crate::driver::Wish;
    use crate::driver::scene::LogWish;
    Message::Wish(Wish::Log(LogWish::Note(shown.written.index, String::new())))
}

/// What the keyboard can reach while a note is typed.
#[must_use]
pub fn note_stops(look: Look<'_>) -> Vec<Message> {
    let mut stops = vec![Message::Log(LogMessage::Note(false))];
    if look.log.note.as_ref().is_some_and(|note| !note.trim().is_empty()) {
        stops.push(Message::Log(LogMessage::NoteDone));
    }
    stops
}

/// A note is typed.
pub fn note<'a>(look: Look<'a>) -> Element<'a, Message> {
    let colours = look.colours;
    let typed = look.log.note.as_deref().unwrap_or_default();
    let about = look.log.open.map_or_else(String::new, |number| format!("Your note on entry {number}"));
    let field = card(look, 16.0, say(format!("{}|", escape(typed)), look.px(24.0), TEXT, colours.ink))
        .width(Length::Fill);
    let done = (Message::Log(LogMessage::NoteDone), "Sign", !typed.trim().is_empty());
    column![
        heading(look, 28.0, about),
        field,
        soft(look, "It becomes a signed entry of its own, and changes no other. No patient's name."),
        space::vertical(),
        keyboard::view(look, 64.0, true, Message::Log(LogMessage::Note(false)), done),
    ]
    .spacing(look.px(8.0))
    .height(Length::Fill)
    .into()
}

/// One entry.
pub fn view<'a>(look: Look<'a>, scene: &LogScene, shown: &Shown) -> Element<'a, Message> {
    let colours = look.colours;
    let mut content = Column::new().spacing(look.px(16.0)).width(Length::Fill);
    match &shown.receipt {
        Ok(receipt) => {
            let sentence = format!("{}.", sentence_in(receipt, look.zone));
            content = content.push(say(sentence, look.px(22.0), STRONG, colours.ink));
            let day = crate::evidence::words::local(&receipt.at, look.zone, "%A, %-d %B %Y, %Z");
            content = content.push(soft(look, format!("Entry {} · {day}", shown.written.index)));
            content = content.push(verified(look, scene, shown));
            if let Some(facts) = &receipt.handoff {
                content = gates(look, content, facts);
            }
            if !receipt.tokens.is_empty() {
                content = content.push(elsewhere::facts(look, &receipt.tokens));
            }
            content = notes(look, content);
            content = content.push(proof(look, scene, shown, Some(receipt)));
        }
        Err(problem) => {
            let said = if shown.written.json.is_empty() {
                "This entry was pruned: its text is gone, its hash stays in the tree.".to_owned()
            } else {
                format!("This entry cannot be read: {}.", escape(problem))
            };
            content = content.push(say(said, look.px(22.0), STRONG, colours.bad));
            content = content.push(verified(look, scene, shown));
            content = content.push(proof(look, scene, shown, None));
        }
    }
    let inside = container(content).padding(Padding::ZERO.right(look.px(24.0)));
    let scrolled = scrollable(inside)
        .id(ENTRY)
        .width(Length::Fill)
        .height(Length::Fill)
        .style(move |_, _| theme::scroll(colours));
    let act = |message: Message, icon: Icon, word: &'static str| {
        Touch::new(look, Kind::Quiet, message).width(Length::Fill).padding(0).with_icon(icon, word)
    };
    let acts = row![
        act(attest(shown), Icon::Tick, "Attest"),
        act(Message::Log(LogMessage::Note(true)), Icon::Pen, "Write a note"),
    ]
    .spacing(look.px(4.0));
    card(look, 16.0, column![scrolled, acts].spacing(look.px(8.0)))
        .width(Length::Fill)
        .height(Length::Fill)
        .into()
}

/// Whether it holds, checked just now.
fn verified<'a>(look: Look<'a>, scene: &LogScene, shown: &Shown) -> Element<'a, Message> {
    let colours = look.colours;
    let open = scene.open.as_ref().filter(|open| open.number == shown.written.index);
    match open.and_then(|open| open.checked.as_ref()) {
        None => pill(look, Icon::Ring, "Checking this entry…", colours.amber, colours.amber_tint),
        Some(Ok(covered)) => {
            let said = format!("Verified now · covered by the head of {} entries", thousands(*covered));
            pill(look, Icon::ShieldTick, said, colours.good, colours.good_tint)
        }
        Some(Err(problem)) => {
            let said = format!("This entry does not hold: {}", escape(problem));
            pill(look, Icon::Warning, said, colours.bad, colours.bad_tint)
        }
    }
}

/// What supervisors have written about it.
fn notes<'a>(look: Look<'a>, mut content: Column<'a, Message>) -> Column<'a, Message> {
    let colours = look.colours;
    for note in &look.log.notes {
        let Ok(receipt) = &note.receipt else { continue };
        let sentence = format!("{}.", sentence_in(receipt, look.zone));
        content = content.push(
            row![
                Icon::Pen.view(look.px(24.0), colours.accent),
                say(sentence, look.px(20.0), TEXT, colours.ink),
            ]
            .spacing(look.px(12.0)),
        );
    }
    content
}

fn gates<'a>(look: Look<'a>, content: Column<'a, Message>, facts: &HandoffFacts) -> Column<'a, Message> {
    let colours = look.colours;
    let counted = counts(&facts.after);
    let (icon, colour, tint) = if counted.clean() {
        (Icon::ShieldTick, colours.good, colours.good_tint)
    } else {
        (Icon::Warning, colours.bad, colours.bad_tint)
    };
    let mut content = content.push(pill(look, icon, counted.to_string(), colour, tint));
    content = content.push(fact(look, "How its end was proved", &facts.proof));
    content = content.push(fact(look, "How the operator was proved", &facts.assurance));
    if !facts.apps.is_empty() {
        let apps: Vec<String> = facts
            .apps
            .iter()
            .map(|app| format!("{} ({})", app.name, if app.gracefully { "closed" } else { "forced" }))
            .collect();
        content = content.push(fact(look, "Apps", &apps.join(", ")));
    }
    if !facts.shared.is_empty() {
        content = content.push(fact(look, "Shared, not checked", &facts.shared.join(", ")));
    }
    content = content.push(table(look, "What the gates saw afterwards", &facts.after));
    if !facts.inside.is_empty() {
        content = content.push(table(look, "What was there to be destroyed", &facts.inside));
    }
    content
}

fn fact<'a>(look: Look<'_>, name: &str, what: &str) -> Element<'a, Message> {
    if what.is_empty() {
        return space::vertical().height(0).into();
    }
    column![
        say(name, look.px(18.0), TEXT, look.colours.soft),
        say(escape(what), look.px(20.0), TEXT, look.colours.ink),
    ]
    .spacing(look.px(2.0))
    .into()
}

/// The gates as a grid: class, gate and answer, what was seen and how, milliseconds.
fn table<'a>(look: Look<'a>, title: &str, gates: &[GateSaw]) -> Element<'a, Message> {
    let colours = look.colours;
    let small = look.px(18.0);
    let soft = |text: &str| say(text, small, TEXT, colours.soft);
    let widths = [look.px(56.0), look.px(192.0), look.px(64.0)];
    let head = row![
        container(soft("Class")).width(widths[0]),
        container(soft("Gate")).width(widths[1]),
        container(soft("Seen · method")).width(Length::Fill),
        container(soft("ms")).align_right(widths[2]),
    ]
    .spacing(look.px(8.0));
    let rows = gates.iter().map(|gate| {
        let (icon, colour, word) = answer(look, &gate.answer);
        #[expect(clippy::cast_precision_loss, reason = "one digit after the point is shown")]
        let ms = format!("{:.1}", gate.took_us as f64 / 1000.0);
        let answered = row![icon.view(look.px(18.0), colour), say(word, small, STRONG, colour)]
            .spacing(look.px(6.0))
            .align_y(Alignment::Center);
        let seen = column![
            say(escape(&gate.saw), small, TEXT, colours.ink),
            say(escape(&gate.method), small, TEXT, colours.soft)
        ];
        let cells = row![
            container(say(gate.class.to_string(), small, TEXT, colours.soft)).width(widths[0]),
            container(column![say(escape(&gate.gate), small, STRONG, colours.ink), answered])
                .width(widths[1]),
            container(seen).width(Length::Fill),
            container(say(ms, small, TEXT, colours.soft)).align_right(widths[2]),
        ]
        .spacing(look.px(8.0));
        Element::from(container(cells).padding([look.px(6.0), 0.0]))
    });
    let mut lines = column![say(title, look.px(22.0), STRONG, colours.ink), head].spacing(look.px(6.0));
    for one in rows {
        lines = lines.push(rule(look)).push(one);
    }
    lines.into()
}

fn rule<'a>(look: Look<'_>) -> Element<'a, Message> {
    let colour = look.colours.line;
    container(space::horizontal())
        .width(Length::Fill)
        .height(1)
        .style(move |_| theme::field(colour, 0.0))
        .into()
}

fn answer(look: Look<'_>, answer: &str) -> (Icon, Color, String) {
    let colours = look.colours;
    match answer {
        "absent" => (Icon::Tick, colours.good, "absent".to_owned()),
        "not-applicable" => (Icon::Circle, colours.soft, "not here".to_owned()),
        "setting" => (Icon::Info, colours.accent, "by setting".to_owned()),
        "present" => (Icon::Warning, colours.bad, "present".to_owned()),
        other => (Icon::Warning, colours.bad, escape(other)),
    }
}

/// What a stranger needs to check the entry.
fn proof<'a>(
    look: Look<'a>,
    scene: &LogScene,
    shown: &Shown,
    receipt: Option<&Receipt>,
) -> Element<'a, Message> {
    let colours = look.colours;
    let hash = move |name: &str, value: &str| -> Element<'a, Message> {
        column![
            say(name, look.px(18.0), TEXT, colours.soft),
            say(value, look.px(16.0), MONO, colours.ink).wrapping(iced::widget::text::Wrapping::Glyph),
        ]
        .spacing(look.px(2.0))
        .into()
    };
    let mut lines = column![
        rule(look),
        say("Proof", look.px(22.0), STRONG, colours.ink),
        verified(look, scene, shown),
        hash("Entry", &shown.written.index.to_string()),
        hash("Leaf (SHA-256, RFC 6962)", &hex::encode(shown.written.leaf)),
    ]
    .spacing(look.px(12.0));
    if let Some(receipt) = receipt {
        if !receipt.previous.is_empty() {
            lines = lines.push(hash("Leaf before", &escape(&receipt.previous)));
        }
        if !receipt.policy.is_empty() {
            lines = lines.push(hash("Policy", &escape(&receipt.policy)));
        }
        lines = lines.push(hash("Time", &escape(&receipt.at.utc)));
    }
    let note: Vec<String> = shown.written.checkpoint.lines().map(escape).collect();
    lines.push(hash("Checkpoint (signed note)", &note.join("\n"))).into()
}
