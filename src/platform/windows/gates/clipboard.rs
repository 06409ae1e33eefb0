//! Class 8: the clipboard, which all desktops and accounts of one sign-in share, and the history that Windows keeps of it.
//! A history that is on is emptied and looked at once more by Windows' own calls; where they do not answer, it is
//! unknown, and never passed over.

use std::time::Duration;

use windows::ApplicationModel::DataTransfer::{
    Clipboard, ClipboardHistoryItem, ClipboardHistoryItemsResultStatus,
};
use windows_sys::Win32::System::DataExchange::{
    CloseClipboard, CountClipboardFormats, EmptyClipboard, GetClipboardSequenceNumber, OpenClipboard,
};

use super::{Gate, Ground, Look, Trace};
use crate::platform::windows::setting::{self, Setting};

pub(super) const GATES: [Gate; 3] = [
    Gate {
        class: 8,
        name: "clipboard",
        what: "formats",
        method: "the clipboard's count of formats",
        inside: true,
        partial: None,
        look,
        clear: Some(clear),
    },
    Gate {
        class: 8,
        name: "clipboard history",
        what: "items",
        method: "AllowClipboardHistory, EnableClipboardHistory, then the history's own list",
        inside: true,
        partial: None,
        look: history,
        clear: Some(clear_history),
    },
    Gate {
        class: 8,
        name: "cloud clipboard",
        what: "",
        method: "AllowCrossDeviceClipboard, EnableCloudClipboard",
        inside: false,
        partial: None,
        look: cloud,
        clear: None,
    },
];

/// How often an open clipboard is waited for, every 20 ms.
const TRIES: u32 = 40;

/// The number of the clipboard's last change; it grows with every one.
#[must_use]
#[expect(unsafe_code, reason = "the clipboard is asked by Windows' own call")]
fn sequence() -> u32 {
    // SAFETY: takes nothing.
    unsafe { GetClipboardSequenceNumber() }
}

/// Does something with the clipboard open; `None` where somebody keeps it open all the time.
#[expect(unsafe_code, reason = "the clipboard is opened by Windows' own call")]
fn opened<T>(deed: impl Fn() -> T) -> Option<T> {
    for _ in 0..TRIES {
        // SAFETY: without a window it is opened for this thread.
        if unsafe { OpenClipboard(std::ptr::null_mut()) } != 0 {
            let done = deed();
            // SAFETY: this thread has it open.
            let _ = unsafe { CloseClipboard() };
            return Some(done);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    None
}

#[expect(unsafe_code, reason = "the clipboard is asked by Windows' own call")]
fn formats() -> Option<i32> {
    // SAFETY: takes nothing; the clipboard is open, so that nobody changes it meanwhile.
    opened(|| unsafe { CountClipboardFormats() })
}

/// What is on it is never the station's.
fn look(_: &Ground) -> Look {
    match formats() {
        None => Look::unknown("a program keeps the clipboard open"),
        Some(count) => Look::Anew(
            (0..count)
                .map(|number| {
                    Trace::shown(format!("format {number}"), format!("change number {}", sequence()))
                })
                .collect(),
        ),
    }
}

#[expect(unsafe_code, reason = "the clipboard is emptied by Windows' own call")]
fn clear(_: &Ground, _: &[Trace]) {
    // SAFETY: takes nothing; the clipboard is open.
    let _ = opened(|| unsafe { EmptyClipboard() });
}

/// What is in the history is never the station's. It is known and shown by its number: what it says is a person's.
fn history(ground: &Ground) -> Look {
    let found = setting::clipboard_history();
    let required = ground.require.iter().any(|name| name == "clipboard-history");
    if required || !found.on {
        return Look::setting(ground, "clipboard-history", found.kept, found.saw);
    }
    match kept() {
        Ok(items) => {
            let numbers = 1..=items.len();
            Look::Anew(numbers.map(|number| Trace::shown(format!("item {number}"), "in its list")).collect())
        }
        Err(why) => Look::unknown(format!(
            "{}, and {why}. For IT: set the policy AllowClipboardHistory = 0",
            found.saw
        )),
    }
}

/// How the history is set and, where it is on, whether Windows lets the station empty it.
#[must_use]
pub fn clipboard_history() -> Setting {
    let found = setting::clipboard_history();
    match found.on.then(kept) {
        None => found,
        Some(Ok(_)) => Setting { on: false, saw: format!("{}: the station empties it", found.saw), ..found },
        Some(Err(why)) => Setting { saw: format!("{}, and {why}", found.saw), ..found },
    }
}

/// What Windows keeps in the clipboard's history.
fn kept() -> Result<Vec<ClipboardHistoryItem>, String> {
    // The calls are Windows' own runtime's, which is asked for them when they are called: one that has none says so.
    let silent = |error: windows::core::Error| {
        format!("what is in it was not told (error 0x{:08x})", error.code().0.cast_unsigned())
    };
    let answer = Clipboard::GetHistoryItemsAsync().and_then(|asked| asked.join()).map_err(silent)?;
    match answer.Status().map_err(silent)? {
        ClipboardHistoryItemsResultStatus::Success => {
            Ok(answer.Items().map_err(silent)?.into_iter().collect())
        }
        ClipboardHistoryItemsResultStatus::ClipboardHistoryDisabled => Ok(Vec::new()),
        _ => Err("Windows lets only the program in front look into it".to_owned()),
    }
}

/// Empties it. What somebody has pinned stays when all is cleared, and is deleted by itself.
fn clear_history(_: &Ground, _: &[Trace]) {
    // Whether it worked is for the second look to tell.
    let _ = Clipboard::ClearHistory();
    for item in kept().unwrap_or_default() {
        let _ = Clipboard::DeleteItemFromHistory(&item);
    }
}

fn cloud(ground: &Ground) -> Look {
    let found = setting::cloud_clipboard();
    if found.on {
        return Look::present(format!(
            "{}: what is copied leaves this machine. For IT: set the policy AllowCrossDeviceClipboard = 0",
            found.saw
        ));
    }
    Look::setting(ground, "clipboard-history", found.kept, found.saw)
}

#[cfg(test)]
pub(super) mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by it")]

    use windows_sys::Win32::System::DataExchange::SetClipboardData;
    use windows_sys::Win32::System::Memory::{GMEM_MOVEABLE, GlobalAlloc, GlobalLock, GlobalUnlock};

    use super::*;

    /// CF_UNICODETEXT.
    const TEXT: u32 = 13;

    /// Puts a text on the clipboard.
    #[expect(unsafe_code, reason = "the clipboard is filled by pointers")]
    pub(in crate::platform::windows::gates) fn copy(text: &str) {
        let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
        opened(|| {
            // SAFETY: the memory is as large as what is copied into it, and is the clipboard's afterwards.
            unsafe {
                let _ = EmptyClipboard();
                let memory = GlobalAlloc(GMEM_MOVEABLE, units.len() * 2);
                let place = GlobalLock(memory).cast::<u16>();
                place.copy_from_nonoverlapping(units.as_ptr(), units.len());
                let _ = GlobalUnlock(memory);
                assert!(!SetClipboardData(TEXT, memory).is_null(), "the text was not taken");
            }
        })
        .unwrap();
    }
}
