//! The handoff log: what happened, newest first; one entry opens beside the list with what every
//! gate saw and the proof.

use iced::widget::{Column, column, container, row, scrollable, space};
use iced::{Alignment, Color, Element, Length, Padding};

use crate::driver::Wish;
use crate::driver::scene::LogScene;
use crate::evidence::receipt::{GateSaw, HandoffFacts, Receipt};
use crate::evidence::{counts, escape, sentence_in};
use crate::ui::Message;
use crate::ui::icon::Icon;
use crate::ui::log::{Shown, Verdict};
use crate::ui::parts::{Look, Touch, card, heading, line, pill, say, soft};
use crate::ui::theme::{self, Kind, MONO, STRONG, TEXT};

/// The list, for scrolling by keyboard.
pub const LIST: &str = "log list";
/// The open entry, for scrolling by keyboard.
pub const ENTRY: &str = "log entry";
/// A row of the list, on a 1280×800 screen, without the room of its ring.
const ROW: f32 = 72.0;
/// Between two rows.
const GAP: f32 = 4.0;

/// How far apart the tops of two rows are, in pixels.
#[must_use]
pub fn row_step(look: Look<'_>) -> f32 {
    look.px(ROW) + 8.0 + GAP
}

/// What the keyboard can reach.
#[must_use]
pub fn stops(look: Look<'_>, scene: &LogScene) -> Vec<Message> {
    let mut stops: Vec<Message> =
        look.log.entries.iter().map(|shown| Message::Open(shown.written.index)).collect();
    if more_there(look, scene) {
        stops.push(Message::Wish(Wish::MoreLog));
    }
    if scene.drill {
        stops.push(Message::Wish(Wish::Drill));
    }
    stops.push(Message::Wish(Wish::CloseLog));
    stops
}

fn more_there(look: Look<'_>, scene: &LogScene) -> bool {
    u64::try_from(look.log.entries.len()).is_ok_and(|shown| shown < scene.total)
}

/// The log, below the bar.
pub fn view<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    let colours = look.colours;
    let opened = look.log.opened();
    let full = look.size.width - look.px(80.0);
    let list_room = if opened.is_some() { (full * 0.36).max(look.px(348.0)).round() } else { full };
    let rows = look.log.entries.iter().map(|shown| entry(look, shown, list_room, opened.is_some()));
    let mut rows = Column::from_iter(rows).spacing(GAP);
    if more_there(look, scene) {
        let more = Touch::new(look, Kind::Quiet, Message::Wish(Wish::MoreLog)).width(Length::Fill);
        rows = rows.push(more.saying("Show older entries"));
    }
    let list = scrollable(container(rows).padding(Padding::ZERO.right(20.0)))
        .id(LIST)
        .width(list_room)
        .height(Length::Fill)
        .style(move |_, _| theme::scroll(colours));
    let mut beside = row![list].spacing(look.px(24.0)).height(Length::Fill);
    if let Some(shown) = opened {
        beside = beside.push(detail(look, shown));
    }
    let body: Element<'_, Message> = if look.log.entries.is_empty() {
        container(soft(look, "Nothing has been written yet.")).center(Length::Fill).into()
    } else {
        beside.into()
    };
    container(column![head(look, scene), body].spacing(look.px(16.0)))
        .padding(Padding::from([look.px(16.0), look.px(40.0)]).bottom(look.px(24.0)))
        .width(Length::Fill)
        .height(Length::Fill)
        .into()
}

/// What this is, whether it holds, and the way out.
fn head<'a>(look: Look<'a>, scene: &LogScene) -> Element<'a, Message> {
    let colours = look.colours;
    let verdict = match &scene.verdict {
        None => pill(look, Icon::Ring, "Verifying…", colours.amber, colours.amber_tint),
        Some(Ok(count)) => {
            let said = format!("{} entries hold", thousands(*count));
            pill(look, Icon::ShieldTick, said, colours.good, colours.good_tint)
        }
        Some(Err(_)) => pill(look, Icon::Warning, "The log does not hold", colours.bad, colours.bad_tint),
    };
    let close = Touch::new(look, Kind::Quiet, Message::Wish(Wish::CloseLog)).width(look.px(160.0));
    let shown = format!("{} of {} shown", look.log.entries.len(), thousands(scene.total));
    let title = column![heading(look, 32.0, "Handoff log"), soft(look, shown)];
    let mut line =
        row![title, space::horizontal(), verdict].spacing(look.px(24.0)).align_y(Alignment::Center);
    if scene.drill {
        let drill = Touch::new(look, Kind::Quiet, Message::Wish(Wish::Drill)).width(look.px(160.0));
        line = line.push(drill.with_icon(Icon::ShieldTick, "Run drill"));
    }
    let mut head = column![line.push(close.with_icon(Icon::Close, "Close"))].spacing(look.px(8.0));
    if let Some(Err(problem)) = &scene.verdict {
        head = head.push(say(escape(problem), look.px(20.0), STRONG, colours.bad));
    }
    head.into()
}

fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn mark(look: Look<'_>, verdict: Verdict) -> Option<(Icon, Color, &'static str)> {
    let colours = look.colours;
    match verdict {
        Verdict::Clean => Some((Icon::ShieldTick, colours.good, "clean")),
        Verdict::None => None,
        Verdict::NotClean => Some((Icon::Warning, colours.bad, "not clean")),
        Verdict::Refused => Some((Icon::Warning, colours.amber, "refused")),
        Verdict::Unreadable => Some((Icon::Close, colours.bad, "unreadable")),
    }
}

fn entry<'a>(look: Look<'a>, shown: &Shown, room: f32, narrow: bool) -> Element<'a, Message> {
    let colours = look.colours;
    let (size, small) = (look.px(20.0), look.px(18.0));
    let open = look.log.open == Some(shown.written.index);
    let message = Message::Open(shown.written.index);
    let kind = if open { Kind::CardMarked } else { Kind::Card };
    let mark = mark(look, shown.verdict);
    let inner = room - 8.0 - 20.0 - look.px(32.0);
    let time = look.px(112.0);
    let content: Element<'_, Message> = if narrow {
        let mut top = row![
            say(&shown.time, size, STRONG, colours.ink),
            line(&shown.what, small, TEXT, colours.ink, inner - look.px(96.0 + 12.0 + 12.0 + 28.0)),
            space::horizontal(),
        ]
        .spacing(look.px(12.0))
        .align_y(Alignment::Center);
        if let Some((icon, colour, _)) = mark {
            top = top.push(icon.view(look.px(24.0), colour));
        }
        column![top, line(&shown.who, small, TEXT, colours.soft, inner)].into()
    } else {
        let rest = inner - time - look.px(5.0 * 16.0);
        let (who, what, apps, took) = (rest * 0.29, rest * 0.21, rest * 0.21, rest * 0.09);
        let cell = |text: &str, size, font, colour, room: f32| {
            container(line(text, size, font, colour, room)).width(room)
        };
        let mark: Element<'_, Message> = match mark {
            Some((icon, colour, word)) => row![
                icon.view(look.px(24.0), colour),
                line(word, size, STRONG, colour, rest * 0.20 - look.px(32.0))
            ]
            .spacing(look.px(8.0))
            .align_y(Alignment::Center)
            .into(),
            None => space::horizontal().into(),
        };
        row![
            column![say(&shown.time, size, STRONG, colours.ink), say(&shown.day, small, TEXT, colours.soft)]
                .width(time),
            cell(&shown.who, size, STRONG, colours.ink, who),
            cell(&shown.what, small, TEXT, colours.ink, what),
            cell(&shown.apps, small, TEXT, colours.soft, apps),
            cell(&shown.took, small, TEXT, colours.soft, took),
            mark,
        ]
        .spacing(look.px(16.0))
        .align_y(Alignment::Center)
        .into()
    };
    Touch::new(look, kind, message)
        .width(Length::Fill)
        .height(look.px(ROW))
        .padding([0.0, look.px(16.0)])
        .holding(container(content).center_y(Length::Fill))
}

/// One entry: the sentence first, then the gates, then the proof.
fn detail<'a>(look: Look<'a>, shown: &Shown) -> Element<'a, Message> {
    let colours = look.colours;
    let mut content = Column::new().spacing(look.px(16.0)).width(Length::Fill);
    match &shown.receipt {
        Ok(receipt) => {
            let sentence = format!("{}.", sentence_in(receipt, look.zone));
            content = content.push(say(sentence, look.px(22.0), STRONG, colours.ink));
            if let Some(facts) = &receipt.handoff {
                content = gates(look, content, facts);
            }
            content = content.push(proof(look, shown, Some(receipt)));
        }
        Err(problem) => {
            let said = format!("This entry cannot be read: {}.", escape(problem));
            content = content.push(say(said, look.px(22.0), STRONG, colours.bad));
            content = content.push(proof(look, shown, None));
        }
    }
    let inside = container(content).padding(Padding::ZERO.right(look.px(24.0)));
    let scrolled = scrollable(inside)
        .id(ENTRY)
        .width(Length::Fill)
        .height(Length::Fill)
        .style(move |_, _| theme::scroll(colours));
    card(look, 24.0, scrolled).width(Length::Fill).height(Length::Fill).into()
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
fn proof<'a>(look: Look<'a>, shown: &Shown, receipt: Option<&Receipt>) -> Element<'a, Message> {
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
