//! A text as a QR code in the terminal: a phone keeps what is shown on it, with no cable and no network.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

use crate::ports::{PortError, Result};

/// The light border that a reader needs, in modules (ISO/IEC 18004).
const QUIET: usize = 4;

/// Draws the text, two modules a character, one above the other. With `painted`, dark is black on white
/// whatever the terminal's own colours are; without, a light module is a full block, as on a dark terminal.
///
/// # Errors
/// When the text is too long for a QR code.
pub(super) fn draw(text: &str, painted: bool) -> Result<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .map_err(|error| PortError::new(format!("draw the QR code: {error}; print the text instead")))?;
    let width = code.width();
    let colors = code.to_colors();
    let light = |x: usize, y: usize| {
        let inside = (QUIET..width + QUIET).contains(&x) && (QUIET..width + QUIET).contains(&y);
        !inside || colors.get((y - QUIET) * width + (x - QUIET)) != Some(&Color::Dark)
    };
    let side = width + 2 * QUIET;
    let mut drawn = String::new();
    for y in (0..side).step_by(2) {
        let line: String = (0..side)
            .map(|x| match (light(x, y), light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })
            .collect();
        let _ = if painted {
            // Bright white on black, then the terminal's own again.
            writeln!(drawn, "\u{1b}[97;40m{line}\u{1b}[0m")
        } else {
            writeln!(drawn, "{line}")
        };
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What somebody else's decoder reads from the characters, each module drawn as 4 × 4 points.
    fn scanned(drawn: &str) -> String {
        let lines: Vec<Vec<char>> = drawn
            .lines()
            .map(|line| {
                line.trim_start_matches("\u{1b}[97;40m").trim_end_matches("\u{1b}[0m").chars().collect()
            })
            .collect();
        let light = |x: usize, y: usize| {
            let character = lines[y / 2][x];
            character == '█' || character == if y.is_multiple_of(2) { '▀' } else { '▄' }
        };
        let (wide, high) = (lines[0].len() * 4, lines.len() * 8);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(wide, high, |x, y| {
            if light(x / 4, y / 4) { 255 } else { 0 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "there is no code in\n{drawn}");
        grids[0].decode().unwrap().1
    }

    #[test]
    fn what_is_drawn_is_read_by_a_decoder_of_another_hand() {
        let seal = crate::evidence::StationSeal::new(
            crate::evidence::checkpoint::origin("Station 12, Ward 4 · Bay B"),
            &[7; 32],
        );
        let checkpoint = seal.sign(1_234_567, &[9; 32]).unwrap();
        for painted in [false, true] {
            for text in [checkpoint.as_str(), &seal.public(), "x"] {
                assert_eq!(scanned(&draw(text, painted).unwrap()), text);
            }
        }
        assert!(draw(&"x".repeat(3000), false).is_err());
    }
}
