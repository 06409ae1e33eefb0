//! The keys of accessibility that lead out (five Shifts, a Shift held for eight seconds, NumLock held): their
//! shortcuts, sounds and questions are off while the shell runs, and put back as they were when it stops.
//!
//! What they were is on the disk before they are changed: a shell that was killed has them put back by the next
//! one. An operator who needs one of these aids keeps it: only the shortcuts are off, not the aid itself.

#![expect(unsafe_code, reason = "settings are read and set through the system's own calls")]

use std::path::{Path, PathBuf};

use windows_sys::Win32::UI::Accessibility::{FILTERKEYS, HIGHCONTRASTW, MOUSEKEYS, STICKYKEYS, TOGGLEKEYS};
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

/// The bits that are an aid's shortcut, the same in each of them: ..._HOTKEYACTIVE and ..._CONFIRMHOTKEY.
const SHORTCUT: u32 = 0x4 | 0x8;

/// One aid: its name, and how it is read and set.
struct Aid {
    name: &'static str,
    get: u32,
    set: u32,
    size: usize,
}

const AIDS: [Aid; 5] = [
    Aid {
        name: "sticky-keys",
        get: SPI_GETSTICKYKEYS,
        set: SPI_SETSTICKYKEYS,
        size: size_of::<STICKYKEYS>(),
    },
    Aid {
        name: "filter-keys",
        get: SPI_GETFILTERKEYS,
        set: SPI_SETFILTERKEYS,
        size: size_of::<FILTERKEYS>(),
    },
    Aid {
        name: "toggle-keys",
        get: SPI_GETTOGGLEKEYS,
        set: SPI_SETTOGGLEKEYS,
        size: size_of::<TOGGLEKEYS>(),
    },
    Aid { name: "mouse-keys", get: SPI_GETMOUSEKEYS, set: SPI_SETMOUSEKEYS, size: size_of::<MOUSEKEYS>() },
    Aid {
        name: "high-contrast",
        get: SPI_GETHIGHCONTRAST,
        set: SPI_SETHIGHCONTRAST,
        size: size_of::<HIGHCONTRASTW>(),
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

/// The aids of a system: those of the machine, or of a test.
trait Aids {
    /// An aid's flags; `None` where this system does not have it.
    fn flags(&self, aid: &Aid) -> Option<u32>;
    /// Sets them.
    fn set(&self, aid: &Aid, flags: u32) -> std::result::Result<(), String>;
}

/// Those of this machine.
struct Machine;

impl Aids for Machine {
    fn flags(&self, aid: &Aid) -> Option<u32> {
        aid.read().ok().map(|words| words.0[1])
    }

    fn set(&self, aid: &Aid, flags: u32) -> std::result::Result<(), String> {
        aid.set_flags(flags)
    }
}

/// The shortcuts are off while this lives.
pub struct Accessibility {
    state: PathBuf,
}

impl Accessibility {
    /// Turns the shortcuts off. How they were is kept in the station's state; where a shell that was killed has
    /// left that, it is what counts.
    ///
    /// # Errors
    /// When it cannot be kept, or the system refuses: then what was changed is put back.
    pub fn off(state: &Path) -> Result<Self> {
        turn_off(&Machine, state)?;
        Ok(Self { state: state.to_owned() })
    }
}

impl Drop for Accessibility {
    fn drop(&mut self) {
        if let Err(error) = restore(&self.state) {
            tracing::warn!(%error, "the shortcuts of accessibility stay off until the next start");
        }
    }
}

/// Puts back what a shell that was killed has left off. Nothing where nothing was left.
///
/// # Errors
/// When what it has left cannot be read, or the system refuses.
pub fn restore(state: &Path) -> Result<()> {
    put_back(&Machine, state)
}

/// What the capability report says: the aids whose shortcut is on now.
#[must_use]
pub fn report() -> String {
    let on = on(&Machine);
    if on.is_empty() {
        "no shortcut leads out".to_owned()
    } else {
        format!("shortcuts on: {}", on.join(", "))
    }
}

fn on(aids: &dyn Aids) -> Vec<&'static str> {
    let on = |aid: &&Aid| aids.flags(aid).is_some_and(|flags| flags & SHORTCUT != 0);
    AIDS.iter().filter(on).map(|aid| aid.name).collect()
}

fn turn_off(aids: &dyn Aids, state: &Path) -> Result<()> {
    let failed = |why: String| PortError(format!("turn off the shortcuts of accessibility: {why}"));
    put_back(aids, state)?;
    let known = AIDS.iter().filter_map(|aid| Some(format!("{} {}\n", aid.name, aids.flags(aid)?)));
    let kept = state.join(KEPT);
    std::fs::write(&kept, known.collect::<String>())
        .and_then(|()| std::fs::File::options().write(true).open(&kept)?.sync_all())
        .map_err(|error| failed(format!("{}: {error}", kept.display())))?;
    for aid in &AIDS {
        let Some(flags) = aids.flags(aid).filter(|flags| flags & SHORTCUT != 0) else { continue };
        if let Err(why) = aids.set(aid, flags & !SHORTCUT) {
            let _ = put_back(aids, state);
            return Err(failed(format!("{}: {why}", aid.name)));
        }
    }
    let left = on(aids);
    if left.is_empty() { Ok(()) } else { Err(failed(format!("the system keeps {}", left.join(", ")))) }
}

fn put_back(aids: &dyn Aids, state: &Path) -> Result<()> {
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
        let (Some(before), Some(flags)) = (line, aids.flags(aid)) else { continue };
        let back = flags & !SHORTCUT | before & SHORTCUT;
        if back != flags {
            aids.set(aid, back).map_err(|why| failed(format!("{}: {why}", aid.name)))?;
        }
    }
    std::fs::remove_file(&kept).map_err(|error| failed(format!("{}: {error}", kept.display())))
}

#[cfg(all(test, windows))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "what cannot be made fails the test")]

    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    /// A system that keeps what it is told; Wine does not.
    struct Memory(RefCell<BTreeMap<&'static str, u32>>, Option<&'static str>);

    impl Aids for Memory {
        fn flags(&self, aid: &Aid) -> Option<u32> {
            self.0.borrow().get(aid.name).copied()
        }

        fn set(&self, aid: &Aid, flags: u32) -> std::result::Result<(), String> {
            if self.1 == Some(aid.name) {
                return Err("no".to_owned());
            }
            let _ = self.0.borrow_mut().insert(aid.name, flags);
            Ok(())
        }
    }

    fn memory(refuses: Option<&'static str>) -> Memory {
        // Sticky keys on with all of its flags, filter keys without a shortcut, toggle keys without its question.
        let flags = [("sticky-keys", 0x1ff), ("filter-keys", 0x72), ("toggle-keys", 0x4)];
        Memory(RefCell::new(flags.into()), refuses)
    }

    #[test]
    fn shortcuts_are_off_while_the_shell_runs_and_as_they_were_after() {
        let state = tempfile::tempdir().unwrap();
        let aids = memory(None);
        let before = aids.0.borrow().clone();
        assert_eq!(on(&aids), ["sticky-keys", "toggle-keys"], "the look is blind");
        turn_off(&aids, state.path()).unwrap();
        assert_eq!(on(&aids), Vec::<&str>::new());
        assert_eq!(aids.0.borrow().get("sticky-keys"), Some(&0x1f3), "the aid itself was changed");
        // The shell was killed: the next one does not take off for how it was.
        turn_off(&aids, state.path()).unwrap();
        assert_eq!(on(&aids), Vec::<&str>::new());
        put_back(&aids, state.path()).unwrap();
        assert_eq!(*aids.0.borrow(), before);
        // There is nothing left to put back: what IT sets later stays.
        let _ = aids.0.borrow_mut().insert("sticky-keys", 0);
        put_back(&aids, state.path()).unwrap();
        assert_eq!(aids.0.borrow().get("sticky-keys"), Some(&0));
    }

    #[test]
    fn a_system_that_refuses_is_an_error_and_keeps_what_it_had() {
        let state = tempfile::tempdir().unwrap();
        let aids = memory(Some("toggle-keys"));
        let before = aids.0.borrow().clone();
        assert!(turn_off(&aids, state.path()).is_err());
        assert_eq!(*aids.0.borrow(), before);
    }
}
