//! The monitors that are there, and the strip of the first one that the bar has.

#![expect(unsafe_code, reason = "monitors are asked for through the system's own calls")]

use windows_sys::Win32::Foundation::{LPARAM, RECT};
use windows_sys::Win32::Graphics::Gdi::{
    EnumDisplayMonitors, GetDC, GetDeviceCaps, GetMonitorInfoW, HDC, HMONITOR, LOGPIXELSY, MONITORINFO,
    ReleaseDC,
};
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};

use super::{BAR_HEIGHT, wide};

/// The dots per inch for which sizes are given.
const DOTS: i32 = 96;
/// MONITORINFOF_PRIMARY.
const FIRST: u32 = 1;

/// One monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Monitor {
    /// Its place on the whole screen, in pixels: left, top, right, bottom.
    pub(super) place: (i32, i32, i32, i32),
    /// Whether it is the first, on which the shell's window is.
    pub(super) first: bool,
}

impl Monitor {
    /// Its place as the system takes it.
    pub(super) fn rect(&self) -> RECT {
        let (left, top, right, bottom) = self.place;
        RECT { left, top, right, bottom }
    }
}

/// All of them, the first one first. Empty where the system shows nothing.
pub(super) fn all() -> Vec<Monitor> {
    unsafe extern "system" fn one(monitor: HMONITOR, _: HDC, _: *mut RECT, list: LPARAM) -> i32 {
        let mut info = MONITORINFO {
            cbSize: u32::try_from(size_of::<MONITORINFO>()).unwrap_or(0),
            ..MONITORINFO::default()
        };
        // SAFETY: the structure says its own size; the list is the one that was given below.
        unsafe {
            if GetMonitorInfoW(monitor, &mut info) != 0 {
                let RECT { left, top, right, bottom } = info.rcMonitor;
                let list = list as *mut Vec<Monitor>;
                (*list).push(Monitor { place: (left, top, right, bottom), first: info.dwFlags & FIRST != 0 });
            }
        }
        1
    }
    let mut list: Vec<Monitor> = Vec::new();
    // SAFETY: the list outlives the call, which ends before it is read.
    let _ = unsafe {
        EnumDisplayMonitors(std::ptr::null_mut(), std::ptr::null(), Some(one), &raw mut list as LPARAM)
    };
    list.sort_by_key(|monitor| !monitor.first);
    list
}

/// From now on this process counts in the screen's own pixels, on each monitor: before anything is measured or made.
/// Where the system is too old for that, or the program's manifest has said it already, nothing changes.
pub(super) fn own_pixels() {
    /// DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2.
    const EACH_MONITOR: isize = -4;
    let user32 = wide("user32.dll");
    // SAFETY: both names end with a zero; the function has this face since it is there (Windows 10, 1703).
    unsafe {
        let module = GetModuleHandleW(user32.as_ptr());
        if let Some(found) = GetProcAddress(module, c"SetProcessDpiAwarenessContext".as_ptr().cast()) {
            let set: unsafe extern "system" fn(isize) -> i32 = std::mem::transmute(found);
            let _ = set(EACH_MONITOR);
        }
    }
}

/// A length in pixels of this screen.
pub(super) fn scaled(pixels: i32) -> i32 {
    // SAFETY: the context of the whole screen is given back after its only use.
    let dots = unsafe {
        let screen = GetDC(std::ptr::null_mut());
        let dots = GetDeviceCaps(screen, i32::try_from(LOGPIXELSY).unwrap_or(90));
        let _ = ReleaseDC(std::ptr::null_mut(), screen);
        dots
    };
    if dots > DOTS { pixels * dots / DOTS } else { pixels }
}

/// Where the bar is: the upper edge of the first monitor.
pub(super) fn bar() -> Option<RECT> {
    let first = all().first()?.rect();
    let bottom = first.top + scaled(i32::from(BAR_HEIGHT)).min((first.bottom - first.top) / 2);
    Some(RECT { bottom, ..first })
}

/// The first monitor without the bar's strip.
pub(super) fn below_bar() -> Option<RECT> {
    let (first, bar) = (all().first()?.rect(), bar()?);
    Some(RECT { top: bar.bottom, ..first })
}

#[cfg(all(test, windows))]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_at_the_upper_edge_and_the_rest_is_the_sessions() {
        let (Some(bar), Some(rest)) = (bar(), below_bar()) else { return };
        let first = all().first().map(Monitor::rect);
        assert_eq!(first.map(|first| (first.top, first.bottom)), Some((bar.top, rest.bottom)));
        assert_eq!(bar.bottom, rest.top);
        assert!(bar.bottom - bar.top >= 44, "too small for a finger");
    }
}
