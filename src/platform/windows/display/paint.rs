//! What the native bar is drawn with: fields of one colour and lines of text, first in memory and then on the
//! window as one, so that nothing flickers.

#![expect(unsafe_code, reason = "pictures are drawn through the system's own calls")]

use std::sync::OnceLock;

use windows_sys::Win32::Foundation::{COLORREF, HWND, RECT};
use windows_sys::Win32::Graphics::Gdi::{
    AddFontMemResourceEx, BeginPaint, BitBlt, CLEARTYPE_QUALITY, CreateCompatibleBitmap, CreateCompatibleDC,
    CreateFontW, CreateSolidBrush, DEFAULT_CHARSET, DT_CENTER, DT_END_ELLIPSIS, DT_LEFT, DT_NOPREFIX,
    DT_SINGLELINE, DT_VCENTER, DeleteDC, DeleteObject, DrawTextW, EndPaint, FillRect, GetStockObject, HDC,
    HFONT, HGDIOBJ, NULL_PEN, PAINTSTRUCT, RoundRect, SRCCOPY, SelectObject, SetBkMode, SetTextColor,
    TRANSPARENT,
};

use super::wide;

/// The family of the screens' letters.
const FAMILY: &str = "Cleanshift Sans";
/// How strong the letters are that must stand out.
const STRONG: i32 = 600;
/// How strong all others are.
const PLAIN: i32 = 400;

/// The embedded letters, which need not be installed on the machine.
fn load_letters() {
    static LOADED: OnceLock<()> = OnceLock::new();
    const FILES: [&[u8]; 2] = [
        include_bytes!("../../../../assets/fonts/CleanshiftSans-Regular.ttf"),
        include_bytes!("../../../../assets/fonts/CleanshiftSans-SemiBold.ttf"),
    ];
    let _ = LOADED.get_or_init(|| {
        for file in FILES {
            let (mut count, size) = (0_u32, u32::try_from(file.len()).unwrap_or(0));
            // SAFETY: the bytes are the program's own and never go; the count outlives the call.
            let _ =
                unsafe { AddFontMemResourceEx(file.as_ptr().cast(), size, std::ptr::null(), &raw mut count) };
        }
    });
}

/// Letters of one size.
pub(super) struct Letters(HFONT);

impl Letters {
    /// Letters of this height in pixels.
    pub(super) fn of(height: i32, strong: bool) -> Self {
        load_letters();
        let family = wide(FAMILY);
        let weight = if strong { STRONG } else { PLAIN };
        let (charset, quality) = (u32::from(DEFAULT_CHARSET), u32::from(CLEARTYPE_QUALITY));
        // SAFETY: the name ends with a zero and outlives the call. Where the system refuses, it gives none, and
        // draws with its own.
        Self(unsafe {
            CreateFontW(-height, 0, 0, 0, weight, 0, 0, 0, charset, 0, 0, quality, 0, family.as_ptr())
        })
    }
}

impl Drop for Letters {
    fn drop(&mut self) {
        // SAFETY: the font is this value's own, and is selected only while a line is drawn.
        let _ = unsafe { DeleteObject(self.0) };
    }
}

/// A colour as the screens name it (0xRRGGBB), as the system takes it.
fn colour(rgb: u32) -> COLORREF {
    rgb >> 16 & 0xff | rgb & 0xff00 | (rgb & 0xff) << 16
}

/// Where a line of text stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// In the middle.
    Centre,
    /// At the left.
    Left,
}

/// The window's picture while it is drawn.
pub(super) struct Picture {
    context: HDC,
}

impl Picture {
    pub(super) fn fill(&self, place: RECT, rgb: u32) {
        // SAFETY: the brush is made, used and given back here.
        unsafe {
            let brush = CreateSolidBrush(colour(rgb));
            let _ = FillRect(self.context, &place, brush);
            let _ = DeleteObject(brush);
        }
    }

    pub(super) fn round(&self, place: RECT, rgb: u32, radius: i32) {
        // SAFETY: what is selected is taken out again before it is given back.
        unsafe {
            let brush = CreateSolidBrush(colour(rgb));
            let brush_before = SelectObject(self.context, brush);
            let pen_before = SelectObject(self.context, GetStockObject(NULL_PEN));
            let RECT { left, top, right, bottom } = place;
            let _ = RoundRect(self.context, left, top, right + 1, bottom + 1, radius * 2, radius * 2);
            let _ = SelectObject(self.context, pen_before);
            let _ = SelectObject(self.context, brush_before);
            let _ = DeleteObject(brush);
        }
    }

    pub(super) fn text(&self, place: RECT, text: &str, letters: &Letters, rgb: u32, stands: Stands) {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut place = place;
        let side = if stands == Stands::Centre { DT_CENTER } else { DT_LEFT };
        let how = side | DT_SINGLELINE | DT_VCENTER | DT_END_ELLIPSIS | DT_NOPREFIX;
        // SAFETY: the text and its length belong together; the font is taken out again.
        unsafe {
            let before = SelectObject(self.context, letters.0);
            let _ = SetBkMode(self.context, i32::try_from(TRANSPARENT).unwrap_or(1));
            let _ = SetTextColor(self.context, colour(rgb));
            let length = i32::try_from(units.len()).unwrap_or(0);
            let _ = DrawTextW(self.context, units.as_ptr(), length, &raw mut place, how);
            let _ = SelectObject(self.context, before);
        }
    }
}

/// Draws a window that has to be drawn (WM_PAINT), by the thread that made it.
pub(super) fn draw(window: HWND, (width, height): (i32, i32), picture: impl FnOnce(&Picture)) {
    let mut paint = PAINTSTRUCT::default();
    // SAFETY: the calls are in the order that the system asks for: what is begun is ended, what is made is
    // given back, what is selected is taken out before.
    unsafe {
        let context = BeginPaint(window, &mut paint);
        let memory = CreateCompatibleDC(context);
        let bitmap = CreateCompatibleBitmap(context, width, height);
        let before: HGDIOBJ = SelectObject(memory, bitmap);
        picture(&Picture { context: memory });
        let _ = BitBlt(context, 0, 0, width, height, memory, 0, 0, SRCCOPY);
        let _ = SelectObject(memory, before);
        let _ = DeleteObject(bitmap);
        let _ = DeleteDC(memory);
        let _ = EndPaint(window, &paint);
    }
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_turned_round() {
        assert_eq!(colour(0x11_22_33), 0x33_22_11);
    }
}
