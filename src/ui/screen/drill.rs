//! A drill: its steps while it is held, in place of the session that is never shown; afterwards, at the
//! vacant station, what it came to.

use iced::widget::{Column, column, container, row, scrollable, space};
use iced::{Alignment, Color, Element, Length, Padding};

use crate::driver::Wish;
use crate::driver::scene::{
    Answer, DrillReport, DrillScene, DrillStep, DrillVerdict, DrilledRow, Sight, StepState,
};
use crate::evidence::escape;
use crate::ui::Message;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, Touch, card, disc, line, page, say, soft, whom_to_call};
use crate::ui::screen::PAGE;
use crate::ui::theme::{self, Kind, STRONG, TEXT};

/// What the drill's screen says first.
const HELD: &str = "Drill in progress";

/// The drill while it is held. `ending` is whether its session is being handed off already.
pub fn view<'a>(look: Look<'a>, scene: &DrillScene, ending: bool) -> Element<'a, Message> {
    let colours = look.colours;
    let by = format!("Started by {}. Nobody is signed in.", escape(&scene.by));
    let tap = "To work here, tap your badge: the drill ends at once.";
    let room = look.size.width - look.px(80.0);
    let title = row![
        disc(look, Icon::Ring, 72.0, colours.amber, colours.amber_tint),
        say(HELD, look.px(44.0), STRONG, colours.ink),
    ]
    .spacing(look.px(24.0))
    .align_y(Alignment::Center);
    let said = column![
        title,
        line(&by, look.px(20.0), TEXT, colours.soft, room),
        say(tap, look.px(22.0), STRONG, colours.ink).align_x(Alignment::Center),
    ]
    .spacing(look.px(8.0))
    .align_x(Alignment::Center);
    let lines = scene.steps.iter().map(|step| {
        let (icon, colour, font, ink) = match step.state {
            StepState::Done => (Icon::Tick, colours.good, TEXT, colours.ink),
            StepState::Failed => (Icon::Close, colours.bad, STRONG, colours.bad),
            StepState::Now => (Icon::Ring, colours.amber, STRONG, colours.ink),
            StepState::Waiting => (Icon::Circle, colours.soft, TEXT, colours.soft),
        };
        let more = if step.state == StepState::Now { "…" } else { "" };
        let text = format!("{}{more}", step_words(step.step));
        row![icon.view(look.px(24.0), colour), say(text, look.px(20.0), font, ink)]
            .spacing(look.px(16.0))
            .align_y(Alignment::Center)
            .into()
    });
    let steps = card(look, 20.0, Column::from_iter(lines).spacing(look.px(8.0)));
    let content = column![said, steps].spacing(look.px(20.0)).align_x(Alignment::Center);
    let mut beneath = row![space::horizontal(), whom_to_call(look)].spacing(look.px(24.0));
    if stops(scene, ending).is_empty() {
        beneath = beneath.push(soft(look, if scene.stopping { "The drill is ending." } else { "" }));
    } else {
        let stop = Touch::new(look, Kind::Quiet, Message::Wish(Wish::Cancel)).width(look.px(240.0));
        beneath = beneath.push(stop.with_icon(Icon::Close, "Stop the drill"));
    }
    page(look, container(content).center(Length::Fill), Some(beneath.align_y(Alignment::Center).into()))
}

/// What the keyboard can reach while it is held: nothing once it ends by itself or was stopped.
#[must_use]
pub fn stops(scene: &DrillScene, ending: bool) -> Vec<Message> {
    if ending || scene.stopping { Vec::new() } else { vec![Message::Wish(Wish::Cancel)] }
}

fn step_words(step: DrillStep) -> &'static str {
    match step {
        DrillStep::Opened => "Start entered in the log",
        DrillStep::OnTheHost => "Traces planted on the host, looked for, and taken back",
        DrillStep::Made => "A session made for nobody",
        DrillStep::Inside => "Traces planted in the session, and looked for",
        DrillStep::HandedOff => "Session destroyed",
        DrillStep::Searched => "Every trace searched for",
        DrillStep::Entered => "Receipt and result entered",
    }
}

/// What a drill came to.
pub fn result<'a>(look: Look<'a>, report: &DrillReport) -> Element<'a, Message> {
    let colours = look.colours;
    let (icon, colour, tint) = match report.verdict {
        DrillVerdict::Clean => (Icon::ShieldTick, colours.good, colours.good_tint),
        DrillVerdict::BrokenOff => (Icon::Info, colours.amber, colours.amber_tint),
        DrillVerdict::ControlFailed | DrillVerdict::Residue => (Icon::Warning, colours.bad, colours.bad_tint),
    };
    let entered = match report.entered {
        Some(true) => "Entered in the log",
        Some(false) => "NOT entered in the log: the record could not be written",
        None => "Being entered in the log",
    };
    let ink = if report.entered == Some(false) { colours.bad } else { colours.soft };
    let at = look.time(report.at_utc_ms, "%H:%M:%S");
    let held = format!("{entered} · held at {at} for {}", escape(&report.by));
    let full = look.size.width - look.px(80.0);
    let close = Touch::new(look, Kind::Quiet, Message::Wish(Wish::DrillSeen)).width(look.px(160.0));
    let words = full - look.px(72.0 + 160.0 + 2.0 * 24.0);
    let head = row![
        disc(look, icon, 72.0, colour, tint),
        column![
            say(verdict(report.verdict), look.px(26.0), STRONG, colour),
            line(&held, look.px(18.0), TEXT, ink, words),
        ]
        .spacing(look.px(4.0))
        .width(words),
        close.with_icon(Icon::Close, "Close"),
    ]
    .spacing(look.px(24.0))
    .align_y(Alignment::Center);
    let room = full - look.px(2.0 * 24.0 + 24.0);
    let mut lines = Column::new().spacing(look.px(4.0));
    for note in &report.notes {
        lines = lines.push(say(escape(note), look.px(18.0), STRONG, colours.amber));
    }
    for one in &report.rows {
        lines = lines.push(rule(look)).push(class(look, one, room));
    }
    if report.rows.is_empty() {
        lines = lines.push(soft(look, "Nothing was planted."));
    }
    let list = scrollable(container(lines).padding(Padding::ZERO.right(look.px(24.0))))
        .id(PAGE)
        .width(Length::Fill)
        .height(Length::Fill)
        .style(move |_, _| theme::scroll(colours));
    let table = column![heads(look, room), list].spacing(look.px(4.0)).height(Length::Fill);
    let tap = "The station is vacant: tap your badge to work here.";
    let beneath = row![soft(look, tap), space::horizontal(), whom_to_call(look)].align_y(Alignment::Center);
    let all = column![head, card(look, 24.0, table).width(Length::Fill).height(Length::Fill), beneath];
    container(all.spacing(look.px(16.0)))
        .padding(Padding::from([look.px(24.0), look.px(40.0)]))
        .width(Length::Fill)
        .height(Length::Fill)
        .style(move |_| theme::field(colours.page, 0.0))
        .into()
}

/// The verdict in a plain sentence.
fn verdict(verdict: DrillVerdict) -> &'static str {
    match verdict {
        DrillVerdict::BrokenOff => "The drill was ended early. What it planted is gone.",
        DrillVerdict::Clean => "Everything planted was seen, and nothing of it is left.",
        DrillVerdict::ControlFailed => {
            "Something planted was not seen. Tell IT before relying on this station."
        }
        DrillVerdict::Residue => "Something planted was still there after the handoff.",
    }
}

/// The columns: class, planted on the host and inside, seen on the host and inside, after, left.
fn columns(room: f32) -> [f32; 5] {
    let rest = room - 4.0 * 12.0;
    [rest * 0.34, rest * 0.18, rest * 0.24, rest * 0.14, rest * 0.10]
}

fn heads<'a>(look: Look<'_>, room: f32) -> Element<'a, Message> {
    let names = ["Class", "Planted", "Seen by the gates", "After", "Left"];
    let cells = names.into_iter().zip(columns(room)).map(|(name, width)| {
        container(say(name, look.px(18.0), STRONG, look.colours.soft)).width(width).into()
    });
    iced::widget::Row::from_iter(cells).spacing(12.0).into()
}

fn class<'a>(look: Look<'_>, one: &DrilledRow, room: f32) -> Element<'a, Message> {
    let colours = look.colours;
    let size = look.px(18.0);
    let planted = match (one.row.escaped, one.row.contained) {
        (0, 0) => "no".to_owned(),
        (out, 0) => format!("{out} on the host"),
        (0, inside) => format!("{inside} inside"),
        (out, inside) => format!("{out} host · {inside} inside"),
    };
    let (seen, seen_colour) = seen(look, one);
    let (after, after_colour) = match one.answer {
        Some(Answer::Absent) => ("absent", colours.good),
        Some(Answer::NotApplicable) => ("not here", colours.soft),
        Some(Answer::Setting) => ("by setting", colours.accent),
        Some(Answer::Present) => ("present", colours.bad),
        Some(Answer::Unknown) => ("unknown", colours.bad),
        None => ("not asked", colours.soft),
    };
    let left = if one.left.is_empty() { colours.ink } else { colours.bad };
    let title = format!("{} {}", one.row.class, escape(&one.row.name));
    let cells: [(String, Color); 5] = [
        (title, colours.ink),
        (planted, colours.ink),
        (seen, seen_colour),
        (after.to_owned(), after_colour),
        (one.left.len().to_string(), left),
    ];
    let cells = cells.into_iter().zip(columns(room)).enumerate().map(|(place, ((text, colour), width))| {
        let font = if place == 0 { STRONG } else { TEXT };
        container(line(&text, size, font, colour, width)).width(width).into()
    });
    let mut lines = column![iced::widget::Row::from_iter(cells).spacing(12.0)].spacing(look.px(2.0));
    let small = |text: String, colour| say(text, look.px(16.0), TEXT, colour);
    for why in &one.row.missed {
        lines = lines.push(small(format!("Not as it should be: {}", escape(why)), colours.bad));
    }
    for place in &one.left {
        lines = lines.push(small(format!("Left: {}", escape(place)), colours.bad));
    }
    if !one.row.why_not.is_empty() {
        lines = lines.push(small(format!("Not planted: {}", escape(&one.row.why_not)), colours.soft));
    }
    container(lines).padding([look.px(4.0), 0.0]).width(room).into()
}

/// Who saw it: the gates outside, the look inside. A miss of either, or of the search, is what counts.
fn seen(look: Look<'_>, one: &DrilledRow) -> (String, Color) {
    let colours = look.colours;
    let row = &one.row;
    if [row.inside, row.outside, row.searched].contains(&Sight::Missed) {
        return ("MISSED".to_owned(), colours.bad);
    }
    let word = |sight| match sight {
        Sight::Nothing => None,
        Sight::Missed | Sight::Saw => Some("yes"),
        Sight::Reach => Some("by reach"),
    };
    match (word(row.outside), word(row.inside)) {
        (None, None) => ("–".to_owned(), colours.soft),
        (Some(out), None) => (format!("{out}, on the host"), colours.good),
        (None, Some(_)) => ("yes, inside".to_owned(), colours.good),
        (Some("yes"), Some(_)) => ("yes, on both sides".to_owned(), colours.good),
        (Some(out), Some(_)) => (format!("{out} · yes, inside"), colours.good),
    }
}

fn rule<'a>(look: Look<'_>) -> Element<'a, Message> {
    let colour = look.colours.line;
    container(space::horizontal())
        .width(Length::Fill)
        .height(1)
        .style(move |_| theme::field(colour, 0.0))
        .into()
}
