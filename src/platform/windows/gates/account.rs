//! The account that the station runs as: its SID, its rights, and where Windows keeps its folders. The folders are
//! asked for from Windows, not from the environment: an app of a session that asks Windows gets the same ones.

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt;
use std::path::PathBuf;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{
    CheckTokenMembership, CreateWellKnownSid, GetTokenInformation, PSID, SECURITY_MAX_SID_SIZE, TOKEN_QUERY,
    TOKEN_USER, TokenUser, WinBuiltinAdministratorsSid,
};
use windows_sys::Win32::System::Com::CoTaskMemFree;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::Win32::UI::Shell::{KF_FLAG_DONT_VERIFY, SHGetKnownFolderPath};
use windows_sys::core::{GUID, PWSTR};

/// The text that a pointer of Windows' leads to.
///
/// # Safety
/// `text` must be null or lead to units that end with a zero.
#[expect(unsafe_code, reason = "texts of Windows' end with a zero")]
pub(super) unsafe fn text_at(text: *const u16) -> String {
    if text.is_null() {
        return String::new();
    }
    let mut length = 0;
    // SAFETY: the caller promises a zero at the end, up to which every unit may be read.
    while unsafe { *text.add(length) } != 0 {
        length += 1;
    }
    // SAFETY: these are the units that were just read.
    String::from_utf16_lossy(unsafe { std::slice::from_raw_parts(text, length) })
}

/// The SID of whoever a process runs as; the caller keeps the process open.
#[expect(unsafe_code, reason = "Windows is asked by pointers")]
pub(super) fn sid_of(process: HANDLE) -> Option<String> {
    let mut token = std::ptr::null_mut();
    // SAFETY: the process is open; the place for the token outlives the call.
    if unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) } == 0 {
        return None;
    }
    // Aligned as the structure that is read from it.
    let mut room = [0_u64; 32];
    let mut used = 0;
    let bytes = u32::try_from(std::mem::size_of_val(&room)).unwrap_or(0);
    // SAFETY: the token is open; the room is as large as is said.
    let got =
        unsafe { GetTokenInformation(token, TokenUser, room.as_mut_ptr().cast(), bytes, &raw mut used) };
    // SAFETY: it was opened above and is not used any more.
    let _ = unsafe { CloseHandle(token) };
    if got == 0 {
        return None;
    }
    // SAFETY: Windows has written this structure there, with the SID behind it in the same room.
    let sid = unsafe { (*room.as_ptr().cast::<TOKEN_USER>()).User.Sid };
    sid_text(sid)
}

/// A SID as people write it.
#[expect(unsafe_code, reason = "Windows is asked by pointers")]
pub(super) fn sid_text(sid: PSID) -> Option<String> {
    let mut text: PWSTR = std::ptr::null_mut();
    // SAFETY: the SID is one that Windows gave; the place for the text outlives the call.
    if sid.is_null() || unsafe { ConvertSidToStringSidW(sid, &raw mut text) } == 0 {
        return None;
    }
    // SAFETY: Windows has made a text that ends with a zero.
    let found = unsafe { text_at(text) };
    // SAFETY: it was made for us to free, and is not used any more.
    let _ = unsafe { LocalFree(text.cast()) };
    Some(found)
}

/// The SID of the account that this process runs as.
#[must_use]
#[expect(unsafe_code, reason = "Windows is asked by pointers")]
pub fn own_sid() -> Option<String> {
    // SAFETY: takes nothing; the handle it gives needs no closing.
    sid_of(unsafe { GetCurrentProcess() })
}

/// Whether this process has the rights of an administrator; `None` where Windows does not say.
#[must_use]
#[expect(unsafe_code, reason = "Windows is asked by pointers")]
pub fn is_administrator() -> Option<bool> {
    let mut sid = [0_u64; SECURITY_MAX_SID_SIZE as usize / 8 + 1];
    let mut bytes = u32::try_from(std::mem::size_of_val(&sid)).ok()?;
    let place: PSID = sid.as_mut_ptr().cast();
    // SAFETY: the place is as large as is said, which is the most that a SID needs.
    let made = unsafe {
        CreateWellKnownSid(WinBuiltinAdministratorsSid, std::ptr::null_mut(), place, &raw mut bytes)
    };
    let mut member = 0;
    // SAFETY: the SID was just made; without a token this thread's own is asked.
    let asked =
        made != 0 && unsafe { CheckTokenMembership(std::ptr::null_mut(), place, &raw mut member) } != 0;
    asked.then_some(member != 0)
}

/// Where Windows keeps one of this account's folders, whether or not it is there: one that a session has taken away can
/// come back, and is looked for all the same.
#[expect(unsafe_code, reason = "Windows is asked by pointers")]
pub(super) fn folder(id: &GUID) -> Option<PathBuf> {
    let mut path: PWSTR = std::ptr::null_mut();
    let flags = KF_FLAG_DONT_VERIFY.cast_unsigned();
    // SAFETY: the id is a known one; the place for the path outlives the call.
    let code = unsafe { SHGetKnownFolderPath(id, flags, std::ptr::null_mut(), &raw mut path) };
    let found = (code >= 0 && !path.is_null()).then(|| {
        // SAFETY: Windows has made a text that ends with a zero.
        let text = unsafe { text_at(path) };
        let units: Vec<u16> = text.encode_utf16().collect();
        PathBuf::from(OsString::from_wide(&units))
    });
    // SAFETY: freed as the call wants it, whether it worked or not.
    unsafe { CoTaskMemFree(path.cast()) };
    found
}
