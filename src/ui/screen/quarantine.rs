//! The station is not clean: what was found, what happens next by itself, and what a person can do.

use iced::widget::{Column, column, container, row, scrollable, space};
use iced::{Alignment, Element, Length};

use crate::driver::Wish;
use crate::driver::scene::{Answer, GateAnswer, PinScene, QuarantineScene};
use crate::evidence::escape;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, Touch, body, card, heading, line, say, soft};
use crate::ui::screen::PAGE;
use crate::ui::screen::{challenge, emergency};
use crate::ui::theme::{self, Kind, MONO, STRONG, TEXT};
use crate::ui::{Message, keypad, words};

/// The screen.
pub fn view<'a>(look: Look<'a>, scene: &QuarantineScene) -> Element<'a, Message> {
    if let Some(pin) = &scene.guest
        && let Some(asked) = &pin.emergency
    {
        return emergency::view(look, pin, asked);
    }
    let right: Element<'_, Message> = match &scene.guest {
        Some(pin) => keypad::view(look, pin),
        None => what_to_do(look, scene),
    };
    let left: Element<'_, Message> = match &scene.guest {
        Some(pin) => column![supervisor(look, scene, pin), space::vertical(), challenge::give_up(look, pin)]
            .width(Length::Fill)
            .height(Length::Fill)
            .into(),
        None => found(look, scene),
    };
    let content = row![left, right].spacing(look.px(24.0)).height(Length::Fill);
    let beneath = container(content).padding([look.px(24.0), look.px(40.0)]);
    container(column![band(look, scene), beneath]).width(Length::Fill).height(Length::Fill).into()
}

/// What the keyboard can reach.
#[must_use]
pub fn stops(look: Look<'_>, scene: &QuarantineScene) -> Vec<Message> {
    match &scene.guest {
        Some(pin) if pin.emergency.is_some() || scene.restart => challenge::stops(look, pin),
        Some(pin) => {
            let restart = Message::Wish(Wish::Restart);
            std::iter::once(restart).chain(challenge::stops(look, pin)).collect()
        }
        None if scene.emergency => vec![Message::Wish(Wish::Emergency), Message::Wish(Wish::Retry)],
        None => vec![Message::Wish(Wish::Retry)],
    }
}

/// The red band that is read across the room.
fn band<'a>(look: Look<'_>, scene: &QuarantineScene) -> Element<'a, Message> {
    let colours = look.colours;
    let facts = &look.scene.station;
    let mut place = vec![escape(&facts.name)];
    if !facts.place.is_empty() {
        place.push(escape(&facts.place));
    }
    place.push(format!("since {}", look.time(scene.since_utc_ms, "%H:%M")));
    if facts.demo {
        place.push(words::DEMO.to_owned());
    }
    let room = look.size.width - look.px(80.0 + 72.0 + 24.0 + 160.0);
    container(
        row![
            Icon::Warning.view(look.px(72.0), colours.on_bad_band),
            column![
                say(words::NOT_CLEAN, look.px(40.0), STRONG, colours.on_bad_band),
                line(&place.join(" · "), look.px(20.0), TEXT, colours.on_bad_band, room),
            ]
            .spacing(look.px(4.0)),
            space::horizontal(),
            say(look.time(look.utc_ms, "%H:%M"), look.px(44.0), STRONG, colours.on_bad_band),
        ]
        .spacing(look.px(24.0))
        .align_y(Alignment::Center),
    )
    .width(Length::Fill)
    .padding([look.px(20.0), look.px(40.0)])
    .style(move |_| theme::field(colours.bad_band, 0.0))
    .into()
}

/// What was found, in words; beneath it, small, what the gates said, for IT.
fn found<'a>(look: Look<'_>, scene: &QuarantineScene) -> Element<'a, Message> {
    let colours = look.colours;
    let findings = scene.findings.iter().map(|finding| {
        row![
            Icon::Close.view(look.px(28.0), colours.bad),
            say(escape(finding), look.px(24.0), TEXT, colours.ink).width(Length::Fill)
        ]
        .spacing(look.px(12.0))
        .into()
    });
    let mut said =
        column![heading(look, 28.0, "What was found"), Column::from_iter(findings).spacing(look.px(12.0)),]
            .spacing(look.px(16.0));
    if let Some(notice) = look.scene.notice {
        let (title, more) = words::notice(notice, &look.scene.station.help);
        said = said.push(say(format!("{title}. {more}"), look.px(20.0), STRONG, colours.amber));
    }
    if !scene.gates.is_empty() {
        let lines = scene.gates.iter().map(|gate| {
            say(technical(gate), look.px(16.0), MONO, colours.soft)
                .wrapping(iced::widget::text::Wrapping::WordOrGlyph)
                .into()
        });
        said = said
            .push(space::vertical().height(look.px(8.0)))
            .push(say("For IT", look.px(20.0), STRONG, colours.soft))
            .push(Column::from_iter(lines).spacing(look.px(4.0)));
    }
    let list =
        scrollable(container(said).padding(iced::Padding::ZERO.right(look.px(24.0))).width(Length::Fill))
            .id(PAGE)
            .width(Length::Fill)
            .height(Length::Fill)
            .style(move |_, _| theme::scroll(colours));
    card(look, 24.0, list).width(Length::Fill).height(Length::Fill).into()
}

/// One gate in one line: `7 processes: present, 1 process (proc scan)`.
fn technical(gate: &GateAnswer) -> String {
    let answer = match gate.answer {
        Answer::Absent => "absent",
        Answer::NotApplicable => "not here",
        Answer::Present => "present",
        Answer::Setting => "setting",
        Answer::Unknown => "unknown",
    };
    let (name, saw, method) = (escape(&gate.gate), escape(&gate.saw), escape(&gate.method));
    format!("{} {name}: {answer}, {saw} ({method})", gate.class)
}

/// What happens next by itself, and what a person can do.
fn what_to_do<'a>(look: Look<'a>, scene: &QuarantineScene) -> Element<'a, Message> {
    let facts = &look.scene.station;
    let next = scene.retry_at_ms.map(|at| look.until(at)).filter(|left| *left > 0);
    let next = next.map_or_else(
        || "It does not try again by itself.".to_owned(),
        |left| format!("It tries again by itself in {} s.", words::seconds(left)),
    );
    let mut said = column![heading(look, 28.0, "What you can do")].spacing(look.px(20.0));
    let neighbour = if facts.neighbour.is_empty() {
        "Use another station.".to_owned()
    } else {
        format!("Use another station:\n{}", escape(&facts.neighbour))
    };
    said = said.push(advice(look, Icon::Enter, neighbour));
    if scene.release {
        said = said.push(advice(
            look,
            Icon::Badge,
            "A supervisor can tap her badge here, to clean it again or restart it.",
        ));
    }
    let call = words::if_it_stays_so(&escape(&facts.help));
    said = said.push(advice(look, Icon::Phone, call));
    let retry = Touch::new(look, Kind::Primary, Message::Wish(Wish::Retry))
        .width(Length::Fill)
        .height(look.px(72.0))
        .with_icon(Icon::Retry, "Try again");
    said = said.push(space::vertical()).push(soft(look, next));
    if scene.emergency {
        let emergency = Touch::new(look, Kind::Quiet, Message::Wish(Wish::Emergency))
            .width(Length::Fill)
            .with_icon(Icon::Warning, "Emergency access");
        said = said.push(emergency);
    }
    said = said.push(retry);
    card(look, 24.0, said).width(look.px(440.0)).height(Length::Fill).into()
}

fn advice<'a>(look: Look<'_>, icon: Icon, content: impl Into<String>) -> Element<'a, Message> {
    row![icon.view(look.px(28.0), look.colours.accent), body(look, content).width(Length::Fill)]
        .spacing(look.px(16.0))
        .into()
}

/// The supervisor who is asked for her PIN.
fn supervisor<'a>(look: Look<'a>, scene: &QuarantineScene, pin: &PinScene) -> Element<'a, Message> {
    let colours = look.colours;
    let name = escape(&pin.name);
    let room = look.size.width - look.px(80.0 + 400.0 + 40.0);
    let size = challenge::name_size(look, &name, room);
    let mut said = column![
        say(
            if scene.restart { "To restart this machine," } else { "To clean this station again," },
            look.px(28.0),
            TEXT,
            colours.soft
        ),
        say(name, size, STRONG, colours.ink).line_height(1.1),
        say(escape(&pin.role), look.px(24.0), TEXT, colours.soft),
    ]
    .spacing(look.px(6.0));
    if let Some(left) = pin.tries_left {
        said = said.push(crate::ui::parts::pill(
            look,
            Icon::Warning,
            words::tries(left),
            colours.amber,
            colours.amber_tint,
        ));
    }
    if !scene.restart {
        said = said.push(space::vertical().height(look.px(24.0))).push(
            Touch::new(look, Kind::Quiet, Message::Wish(Wish::Restart))
                .width(look.px(320.0))
                .with_icon(Icon::Retry, "Restart the machine"),
        );
    }
    said.into()
}

/// When this screen next looks different without a new scene, on the shell's clock.
#[must_use]
pub fn next_change(scene: &QuarantineScene, now_ms: u64) -> Option<u64> {
    match &scene.guest {
        Some(pin) => challenge::next_change(pin, now_ms),
        None => scene.retry_at_ms.and_then(|at| challenge::next_second(at, now_ms)),
    }
}
