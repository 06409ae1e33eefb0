//! The receipt of the handoff before a session, for the operator who has just come: what was done and
//! found, and nobody's name unless the policy says so.

use iced::widget::{Column, column, container, row, scrollable, space};
use iced::{Alignment, Element, Length, Padding};

use crate::driver::Wish;
use crate::driver::scene::{Answer, ReceiptScene};
use crate::evidence::escape;
use crate::handoff::Trigger;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, Touch, heading, pill, say, soft};
use crate::ui::screen::PAGE;
use crate::ui::theme::{self, Kind, MONO, STRONG, TEXT};
use crate::ui::{Message, words};

/// What the keyboard can reach.
#[must_use]
pub fn stops() -> Vec<Message> {
    vec![close()]
}

fn close() -> Message {
    Message::Wish(Wish::Receipt(false))
}

/// The receipt, below the bar.
pub fn view<'a>(look: Look<'a>, receipt: &ReceiptScene) -> Element<'a, Message> {
    let colours = look.colours;
    let count = |answer: Answer| receipt.gates.iter().filter(|gate| gate.answer == answer).count();
    let whose = match &receipt.name {
        Some(name) => format!("{}'s session ended", escape(name)),
        None => "The session before yours ended".to_owned(),
    };
    let apps = match receipt.apps {
        (0, _) if receipt.trigger == Trigger::Recovery && receipt.of_session => {
            "Which apps were open is not known.".to_owned()
        }
        (0, _) => "No app was open.".to_owned(),
        (1, 0) => "1 app was closed.".to_owned(),
        (all, 0) => format!("{all} apps were closed."),
        (all, forced) => format!("{} of {all} apps closed by themselves, {forced} forced.", all - forced),
    };
    let sentence = format!(
        "{whose} at {}. {} {apps} {} absent, {} not here, {} by setting. Clean in {}.",
        look.time(receipt.began_utc_ms, "%H:%M:%S %Z"),
        words::because(receipt.trigger, receipt.of_session),
        match count(Answer::Absent) {
            1 => "1 trace".to_owned(),
            more => format!("{more} traces"),
        },
        count(Answer::NotApplicable),
        count(Answer::Setting),
        words::took(receipt.clean_us / 1000),
    );
    let checked = match &receipt.checked {
        None => pill(look, Icon::Ring, "Checking the receipt…", colours.amber, colours.amber_tint),
        Some(Ok(_)) => {
            let said = format!("Receipt {} verified now", receipt.number);
            pill(look, Icon::ShieldTick, said, colours.good, colours.good_tint)
        }
        Some(Err(problem)) => {
            let said = format!("The receipt does not hold: {}", escape(problem));
            pill(look, Icon::Warning, said, colours.bad, colours.bad_tint)
        }
    };
    let small = look.px(18.0);
    let mut gates = Column::new().spacing(look.px(6.0));
    for gate in &receipt.gates {
        let (icon, colour, word) = match gate.answer {
            Answer::Absent => (Icon::Tick, colours.good, "absent"),
            Answer::NotApplicable => (Icon::Circle, colours.soft, "not here"),
            Answer::Setting => (Icon::Info, colours.accent, "by setting"),
            Answer::Present => (Icon::Warning, colours.bad, "present"),
            Answer::Unknown => (Icon::Warning, colours.bad, "unknown"),
        };
        gates = gates.push(
            row![
                container(say(escape(&gate.gate), small, STRONG, colours.ink)).width(Length::FillPortion(3)),
                row![icon.view(small, colour), say(word, small, STRONG, colour)]
                    .spacing(look.px(6.0))
                    .align_y(Alignment::Center)
                    .width(Length::FillPortion(2)),
                container(say(escape(&gate.saw), small, TEXT, colours.soft)).width(Length::FillPortion(6)),
            ]
            .spacing(look.px(12.0)),
        );
    }
    let proof = format!("Leaf {} · {}", hex::encode(receipt.leaf), escape(&receipt.proof));
    let close = Touch::new(look, Kind::Quiet, close()).width(look.px(160.0));
    let content = column![
        row![
            heading(look, 32.0, "The handoff before yours"),
            space::horizontal(),
            close.with_icon(Icon::Close, "Close")
        ]
        .align_y(Alignment::Center),
        say(sentence, look.px(24.0), STRONG, colours.ink),
        checked,
        soft(look, "What the gates saw afterwards"),
        gates,
        say(proof, look.px(16.0), MONO, colours.soft).wrapping(iced::widget::text::Wrapping::Glyph),
    ]
    .spacing(look.px(16.0));
    scrollable(container(content).padding(Padding::from([look.px(16.0), look.px(40.0)])))
        .id(PAGE)
        .width(Length::Fill)
        .height(Length::Fill)
        .style(move |_, _| theme::scroll(colours))
        .into()
}
