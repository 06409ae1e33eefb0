//! The station cannot run: the same words that `cleanshiftctl` prints, large, and whom to call.

use iced::widget::{column, container, row, scrollable};
use iced::{Alignment, Element, Length};

use crate::evidence::escape;
use crate::ui::icon::Icon;
use crate::ui::parts::{Look, card, disc, heading, page, say, soft, width};
use crate::ui::screen::PAGE;
use crate::ui::theme::{self, MONO};
use crate::ui::{Message, words};

/// The screen.
pub fn view<'a>(look: Look<'a>, problem: &str) -> Element<'a, Message> {
    let colours = look.colours;
    let title = row![
        disc(look, Icon::Wrench, 96.0, colours.bad, colours.bad_tint),
        column![
            heading(look, 44.0, words::OUT_OF_SERVICE),
            soft(
                look,
                words::call("This station stays locked until this is put right.", &look.scene.station.help)
            ),
        ]
        .spacing(look.px(4.0)),
    ]
    .spacing(look.px(24.0))
    .align_y(Alignment::Center);
    // Lines that point at a place must not wrap: all is set smaller for them, as far as it can be
    // read.
    let problem: Vec<String> = problem.trim_end().lines().map(escape).collect();
    let room = look.size.width - look.px(80.0 + 32.0 + 40.0);
    let widest =
        problem.iter().filter(|line| is_drawn(line)).map(|line| width(line, 20.0, MONO)).fold(1.0, f32::max);
    let size = (20.0 * room / widest).floor().clamp(look.px(16.0), look.px(20.0));
    let text =
        say(problem.join("\n"), size, MONO, colours.ink).wrapping(iced::widget::text::Wrapping::WordOrGlyph);
    let printed = scrollable(container(text).padding(look.px(8.0)).width(Length::Fill))
        .id(PAGE)
        .width(Length::Fill)
        .style(move |_, _| theme::scroll(colours));
    let content = column![title, card(look, 16.0, printed).width(Length::Fill)].spacing(look.px(24.0));
    page(look, container(content).padding(iced::Padding::ZERO.top(look.px(16.0))), None)
}

/// Whether a line belongs to the drawing that points at a place.
fn is_drawn(line: &str) -> bool {
    line.chars().any(|c| matches!(c, '\u{2500}'..='\u{257f}'))
}
