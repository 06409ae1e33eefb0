//! The keys of accessibility that lead out (five Shifts, a Shift held for eight seconds, NumLock held): their
//! shortcuts, sounds and questions are off while the shell runs, and put back as they were when it stops.
//!
//! What they were is on the disk before they are changed: a shell that was killed has them put back by the next
//! one. An operator who needs one of these aids keeps it: only the shortcuts are off, not the aid itself.

use std::path::{Path, PathBuf};

use windows_sys::Win32::UI::Accessibility::{
    FILTERKEYS, FKF_CONFIRMHOTKEY, FKF_HOTKEYACTIVE, HCF_CONFIRMHOTKEY, HCF_HOTKEYACTIVE, HIGHCONTRASTW,
    MKF_CONFIRMHOTKEY, MKF_HOTKEYACTIVE, MOUSEKEYS, SKF_CONFIRMHOTKEY, SKF_HOTKEYACTIVE, STICKYKEYS,
    TKF_CONFIRMHOTKEY, TKF_HOTKEYACTIVE, TOGGLEKEYS,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    SPI_GETFILTERKEYS, SPI_GETHIGHCONTRAST, SPI_GETMOUSEKEYS, SPI_GETSTICKYKEYS, SPI_GETTOGGLEKEYS,
    SPI_SETFILTERKEYS, SPI_SETHIGHCONTRAST, SPI_SETMOUSEKEYS, SPI_SETSTICKYKEYS, SPI_SETTOGGLEKEYS,
    SystemParametersInfoW,
};

use super::refused;
use crate::ports::{PortError, Result};

/// The file in the station's state that says how the shortcuts were.
const KEPT: &str = "accessibility-before";
/// The longest such file.
const MOST: u64 = 4096;

/// One aid: its name, how it is read and set, and the bits that are its shortcut.
struct Aid {
    name: &'static str,
    get: u32,
    set: u32,
    size: usize,
    shortcut: u32,
}

const AIDS: [Aid; 5] = [
    Aid {
        name: "sticky-keys",
        get: SPI_GETSTICKYKEYS,
        set: SPI_SETSTICKYKEYS,
        size: size_of::<STICKYKEYS>(),
        shortcut: SKF_HOTKEYACTIVE | SKF_CONFIRMHOTKEY,
    },
    Aid {
        name: "filter-keys",
        get: SPI_GETFILTERKEYS,
        set: SPI_SETFILTERKEYS,
        size: size_of::<FILTERKEYS>(),
        shortcut: FKF_HOTKEYACTIVE | FKF_CONFIRMHOTKEY,
    },
    Aid {
        name: "toggle-keys",
        get: SPI_GETTOGGLEKEYS,
        set: SPI_SETTOGGLEKEYS,
        size: size_of::<TOGGLEKEYS>(),
        shortcut: TKF_HOTKEYACTIVE | TKF_CONFIRMHOTKEY,
    },
    Aid {
        name: "mouse-keys",
        get: SPI_GETMOUSEKEYS,
        set: SPI_SETMOUSEKEYS,
        size: size_of::<MOUSEKEYS>(),
        shortcut: MKF_HOTKEYACTIVE | MKF_CONFIRMHOTKEY,
    },
    Aid {
        name: "high-contrast",
        get: SPI_GETHIGHCONTRAST,
        set: SPI_SETHIGHCONTRAST,
        size: size_of::<HIGHCONTRASTW>(),
        shortcut: HCF_HOTKEYACTIVE | HCF_CONFIRMHOTKEY,
    },
];

/// The most words that any aid's structure has.
const WORDS: usize = 16;

impl Aid {
    /// Its structure as words of 32 bits, aligned as the structure needs: the first is the size, the second the
    /// flags, in each of them.
    fn read(&self) -> std::result::Result<Words, String> {
        let mut words = Words([0; WORDS]);
        let size = u32::try_from(self.size).unwrap_or(0);
        words.0[0] = size;
        // SAFETY: the buffer is larger than each of the structures, aligned as they need, and says its size.
        let got = unsafe { SystemParametersInfoW(self.get, size, words.0.as_mut_ptr().cast(), 0) };
        if got == 0 { Err(refused()) } else { Ok(words) }
    }

    fn flags(&self) -> std::result::Result<u32, String> {
        self.read().map(|words| words.0[1])
    }

    /// Sets its flags and leaves the rest as it is. Not for the account's next sign-in: only for now.
    fn set_flags(&self, flags: u32) -> std::result::Result<(), String> {
        let mut words = self.read()?;
        words.0[1] = flags;
        let size = u32::try_from(self.size).unwrap_or(0);
        // SAFETY: the buffer holds what the system has given for this structure, with other flags.
        let set = unsafe { SystemParametersInfoW(self.set, size, words.0.as_mut_ptr().cast(), 0) };
        if set == 0 { Err(refused()) } else { Ok(()) }
    }
}

#[repr(align(8))]
struct Words([u32; WORDS]);

/// The shortcuts are off while this lives.
pub struct Accessibility {
    kept: PathBuf,
}

impl Accessibility {
    /// Turns the shortcuts off. How they were is kept in the station's state; where a shell that was killed has
    /// left that, it is what counts.
    ///
    /// # Errors
    /// When it cannot be kept, or the system refuses: then what was changed is put back.
    pub fn off(state: &Path) -> Result<Self> {
        let failed = |why: String| PortError(format!("turn off the shortcuts of accessibility: {why}"));
        let kept = state.join(KEPT);
        restore(state)?;
        let mut before = String::new();
        for aid in &AIDS {
            // One that this system does not have has no shortcut.
            if let Ok(flags) = aid.flags() {
                before.push_str(&format!("{} {flags}\n", aid.name));
            }
        }
        std::fs::write(&kept, &before)
            .and_then(|()| std::fs::File::options().write(true).open(&kept)?.sync_all())
            .map_err(|error| failed(format!("{}: {error}", kept.display())))?;
        let off = Self { kept };
        for aid in &AIDS {
            if let Ok(flags) = aid.flags()
                && flags & aid.shortcut != 0
            {
                aid.set_flags(flags & !aid.shortcut).map_err(|why| failed(format!("{}: {why}", aid.name)))?;
            }
        }
        Ok(off)
    }
}

impl Drop for Accessibility {
    fn drop(&mut self) {
        if let Some(state) = self.kept.parent()
            && let Err(error) = restore(state)
        {
            tracing::warn!(%error, "the shortcuts of accessibility stay off until the next start");
        }
    }
}

/// Puts back what a shell that was killed has left off. Nothing where nothing was left.
///
/// # Errors
/// When what it has left cannot be read, or the system refuses.
pub fn restore(state: &Path) -> Result<()> {
    use std::io::Read as _;
    let failed = |why: String| PortError(format!("put the shortcuts of accessibility back: {why}"));
    let kept = state.join(KEPT);
    let mut text = String::new();
    match std::fs::File::open(&kept).and_then(|file| file.take(MOST).read_to_string(&mut text)) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(format!("{}: {error}", kept.display()))),
    }
    for aid in &AIDS {
        let line = text.lines().find_map(|line| line.strip_prefix(aid.name)?.trim().parse::<u32>().ok());
        let (Some(before), Ok(flags)) = (line, aid.flags()) else { continue };
        let back = flags & !aid.shortcut | before & aid.shortcut;
        if back != flags {
            aid.set_flags(back).map_err(|why| failed(format!("{}: {why}", aid.name)))?;
        }
    }
    std::fs::remove_file(&kept).map_err(|error| failed(format!("{}: {error}", kept.display())))
}

/// What the capability report says: the aids whose shortcut is on now.
#[must_use]
pub fn report() -> String {
    let on = |aid: &&Aid| aid.flags().is_ok_and(|flags| flags & aid.shortcut != 0);
    let on: Vec<&str> = AIDS.iter().filter(on).map(|aid| aid.name).collect();
    if on.is_empty() { "no shortcut leads out".to_owned() } else { format!("shortcuts on: {}", on.join(", ")) }
}

#[cfg(all(test, windows))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what cannot be made fails the test")]

    use super::*;

    fn on() -> Vec<&'static str> {
        AIDS.iter().filter(|aid| aid.flags().unwrap_or(0) & aid.shortcut != 0).map(|aid| aid.name).collect()
    }

    /// One test, because the settings are the whole system's.
    #[test]
    fn shortcuts_are_off_while_it_lives_and_as_they_were_after() {
        let state = tempfile::tempdir().unwrap();
        for aid in &AIDS {
            if let Ok(flags) = aid.flags() {
                let _ = aid.set_flags(flags | aid.shortcut);
            }
        }
        let before = on();
        assert!(before.contains(&"sticky-keys"), "the look is blind: {before:?}");
        let off = Accessibility::off(state.path()).unwrap();
        assert_eq!(on(), Vec::<&str>::new());
        drop(off);
        assert_eq!(on(), before);
        // Killed: nothing is dropped, and the next start finds what was kept.
        std::mem::forget(Accessibility::off(state.path()).unwrap());
        assert_eq!(on(), Vec::<&str>::new());
        let again = Accessibility::off(state.path()).unwrap();
        assert_eq!(on(), Vec::<&str>::new());
        drop(again);
        assert_eq!(on(), before, "what was off after the kill was taken for how it was");
    }
}
