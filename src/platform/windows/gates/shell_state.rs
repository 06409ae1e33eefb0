//! Class 18: how the shell of Windows stood before the first session: keyboard, pointer, accessibility. What a session
//! has changed is put back.

use serde::{Deserialize, Serialize};
use windows_sys::Win32::UI::Accessibility::{FILTERKEYS, HIGHCONTRASTW, MOUSEKEYS, STICKYKEYS, TOGGLEKEYS};
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{
    GetKeyboardLayoutList, HKL, SwapMouseButton, UnloadKeyboardLayout,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    GetSystemMetrics, SM_SWAPBUTTON, SPI_GETFILTERKEYS, SPI_GETHIGHCONTRAST, SPI_GETKEYBOARDDELAY,
    SPI_GETKEYBOARDSPEED, SPI_GETMOUSEKEYS, SPI_GETMOUSESPEED, SPI_GETSCREENREADER, SPI_GETSTICKYKEYS,
    SPI_GETTOGGLEKEYS, SPI_SETFILTERKEYS, SPI_SETHIGHCONTRAST, SPI_SETKEYBOARDDELAY, SPI_SETKEYBOARDSPEED,
    SPI_SETMOUSEKEYS, SPI_SETMOUSESPEED, SPI_SETSCREENREADER, SPI_SETSTICKYKEYS, SPI_SETTOGGLEKEYS,
    SPIF_SENDCHANGE, SPIF_UPDATEINIFILE, SystemParametersInfoW,
};

use super::{Gate, Ground, Look, Trace};

pub(super) const GATES: [Gate; 1] = [Gate {
    class: 18,
    name: "keyboard, pointer and accessibility",
    what: "changes",
    method: "SystemParametersInfo against its baseline",
    inside: true,
    partial: None,
    look,
    clear: Some(clear),
}];

/// The most keyboard layouts that are looked at.
const LAYOUTS: usize = 64;

/// How it stood.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    taken: bool,
    /// Numbers by name, as [`NUMBERS`] and [`FLAGS`] read them.
    numbers: Vec<(String, Option<u32>)>,
    swapped: bool,
    layouts: Vec<usize>,
    /// How loud it was, where there is anything to be heard.
    pub(super) volume: Option<super::volume::Volume>,
}

/// A number that is asked for by a pointer and set by value or by pointer.
struct Number {
    name: &'static str,
    get: u32,
    set: u32,
    /// Whether it is set by the pointer's place, as the mouse's speed is.
    placed: bool,
}

const NUMBERS: [Number; 4] = [
    Number { name: "keyboard delay", get: SPI_GETKEYBOARDDELAY, set: SPI_SETKEYBOARDDELAY, placed: false },
    Number { name: "keyboard speed", get: SPI_GETKEYBOARDSPEED, set: SPI_SETKEYBOARDSPEED, placed: false },
    Number { name: "mouse speed", get: SPI_GETMOUSESPEED, set: SPI_SETMOUSESPEED, placed: true },
    Number { name: "screen reader", get: SPI_GETSCREENREADER, set: SPI_SETSCREENREADER, placed: false },
];

/// A structure of accessibility, of which the flags are compared; it begins with its size and its flags.
struct Flags {
    name: &'static str,
    get: u32,
    set: u32,
    size: usize,
}

const FLAGS: [Flags; 5] = [
    Flags {
        name: "sticky keys",
        get: SPI_GETSTICKYKEYS,
        set: SPI_SETSTICKYKEYS,
        size: size_of::<STICKYKEYS>(),
    },
    Flags {
        name: "filter keys",
        get: SPI_GETFILTERKEYS,
        set: SPI_SETFILTERKEYS,
        size: size_of::<FILTERKEYS>(),
    },
    Flags {
        name: "toggle keys",
        get: SPI_GETTOGGLEKEYS,
        set: SPI_SETTOGGLEKEYS,
        size: size_of::<TOGGLEKEYS>(),
    },
    Flags { name: "mouse keys", get: SPI_GETMOUSEKEYS, set: SPI_SETMOUSEKEYS, size: size_of::<MOUSEKEYS>() },
    Flags {
        name: "high contrast",
        get: SPI_GETHIGHCONTRAST,
        set: SPI_SETHIGHCONTRAST,
        size: size_of::<HIGHCONTRASTW>(),
    },
];

/// The room of the largest of these structures, aligned as all of them.
type Room = [u64; 8];

impl Flags {
    fn room(&self) -> (Room, u32) {
        let mut room: Room = [0; 8];
        let size = u32::try_from(self.size).unwrap_or(0);
        if let Some(first) = room.first_mut() {
            *first = u64::from(size);
        }
        (room, size)
    }

    /// The whole structure as it is now.
    #[expect(unsafe_code, reason = "Windows is asked by pointers")]
    fn read(&self) -> Option<Room> {
        let (mut room, size) = self.room();
        // SAFETY: the room is larger than the structure, which says its own size first.
        let got = unsafe { SystemParametersInfoW(self.get, size, room.as_mut_ptr().cast(), 0) };
        (got != 0).then_some(room)
    }

    fn flags(&self) -> Option<u32> {
        let first = *self.read()?.first()?;
        u32::try_from(first >> 32).ok()
    }

    #[expect(unsafe_code, reason = "Windows is told by pointers")]
    fn put(&self, flags: u32) {
        let Some(mut room) = self.read() else { return };
        let size = u32::try_from(self.size).unwrap_or(0);
        if let Some(first) = room.first_mut() {
            *first = u64::from(size) | u64::from(flags) << 32;
        }
        // SAFETY: as above; what it leads to is Windows' own, from the reading just before.
        let _ = unsafe {
            SystemParametersInfoW(
                self.set,
                size,
                room.as_mut_ptr().cast(),
                SPIF_UPDATEINIFILE | SPIF_SENDCHANGE,
            )
        };
    }
}

impl Number {
    #[expect(unsafe_code, reason = "Windows is asked by pointers")]
    fn read(&self) -> Option<u32> {
        let mut number = 0_u32;
        // SAFETY: each of these is four bytes; the place outlives the call.
        let got = unsafe { SystemParametersInfoW(self.get, 0, (&raw mut number).cast(), 0) };
        (got != 0).then_some(number)
    }

    #[expect(unsafe_code, reason = "Windows is told by pointers")]
    fn put(&self, number: u32) {
        let (by_value, place) = if self.placed {
            (0, number as usize as *mut core::ffi::c_void)
        } else {
            (number, std::ptr::null_mut())
        };
        // SAFETY: one of both is the number, as Windows wants it for this setting; nothing is read behind it.
        let _ =
            unsafe { SystemParametersInfoW(self.set, by_value, place, SPIF_UPDATEINIFILE | SPIF_SENDCHANGE) };
    }
}

impl State {
    /// How it stands now.
    #[expect(unsafe_code, reason = "Windows is asked by pointers")]
    pub(super) fn take() -> Self {
        let numbers = NUMBERS.iter().map(|one| (one.name.to_owned(), one.read()));
        let flags = FLAGS.iter().map(|one| (one.name.to_owned(), one.flags()));
        let mut layouts: [HKL; LAYOUTS] = [std::ptr::null_mut(); LAYOUTS];
        // SAFETY: there is as much room as is said.
        let count =
            unsafe { GetKeyboardLayoutList(i32::try_from(LAYOUTS).unwrap_or(0), layouts.as_mut_ptr()) };
        let count = usize::try_from(count).unwrap_or(0);
        Self {
            taken: true,
            numbers: numbers.chain(flags).collect(),
            // SAFETY: takes a number alone.
            swapped: unsafe { GetSystemMetrics(SM_SWAPBUTTON) } != 0,
            volume: super::volume::Volume::take(),
            layouts: layouts.iter().take(count).map(|layout| layout.addr()).collect(),
        }
    }

    fn changes(&self, now: &Self) -> Vec<String> {
        let numbers = self.numbers.iter().zip(&now.numbers);
        let mut found: Vec<_> = numbers
            .filter(|(old, now)| old.1.is_some() && old.1 != now.1)
            .map(|(old, _)| old.0.clone())
            .collect();
        if self.swapped != now.swapped {
            found.push("mouse buttons".to_owned());
        }
        if now.layouts.iter().any(|layout| !self.layouts.contains(layout)) {
            found.push("keyboard layouts".to_owned());
        }
        found
    }
}

fn look(ground: &Ground) -> Look {
    let old = &ground.baseline.state;
    if !old.taken {
        return Look::Anew(Vec::new());
    }
    Look::Anew(old.changes(&State::take()).into_iter().map(Trace::of).collect())
}

#[expect(unsafe_code, reason = "Windows is told by its own calls")]
fn clear(ground: &Ground, traces: &[Trace]) {
    let old = &ground.baseline.state;
    for trace in traces {
        let before = old.numbers.iter().find(|(name, _)| name == &trace.key).and_then(|(_, number)| *number);
        if let Some(before) = before {
            NUMBERS.iter().filter(|one| one.name == trace.key).for_each(|one| one.put(before));
            FLAGS.iter().filter(|one| one.name == trace.key).for_each(|one| one.put(before));
        }
        if trace.key == "mouse buttons" {
            // SAFETY: takes a number alone.
            let _ = unsafe { SwapMouseButton(i32::from(old.swapped)) };
        }
        if trace.key == "keyboard layouts" {
            for layout in State::take().layouts.into_iter().filter(|layout| !old.layouts.contains(layout)) {
                // SAFETY: it is one that Windows has just named.
                let _ = unsafe { UnloadKeyboardLayout(layout as HKL) };
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Turns the pointer's buttons round, or back.
    #[expect(unsafe_code, reason = "Windows is told by its own calls")]
    pub(in crate::platform::windows::gates) fn swap_buttons(swapped: bool) {
        // SAFETY: takes a number alone.
        let _ = unsafe { SwapMouseButton(i32::from(swapped)) };
    }

    #[test]
    fn what_is_read_is_read_alike_twice() {
        let state = State::take();
        assert!(state.numbers.iter().any(|(_, number)| number.is_some()), "Windows answers nothing");
        assert!(state.changes(&State::take()).is_empty());
    }
}
