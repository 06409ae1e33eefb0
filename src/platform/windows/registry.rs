//! Reading the registry: single values, as they are.

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_SUCCESS};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, RRF_RT_ANY, RRF_RT_REG_DWORD, RRF_RT_REG_SZ, RRF_SUBKEY_WOW6464KEY,
    RegGetValueW,
};

/// The longest text that is read, in UTF-16 units.
const MOST: usize = 4096;

/// A text with the zero at its end that the system's calls want.
#[must_use]
pub fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

/// A text of the machine's hive, where it is there.
#[must_use]
pub fn machine_text(key: &str, name: &str) -> Option<String> {
    text(HKEY_LOCAL_MACHINE, key, name)
}

/// A number of the machine's hive, where it is there.
#[must_use]
pub fn machine_number(key: &str, name: &str) -> Option<u32> {
    number(HKEY_LOCAL_MACHINE, key, name)
}

/// Whether the machine's hive has a value of this name, of whatever type: also where it may not be read.
#[must_use]
#[expect(unsafe_code, reason = "the registry is asked through the system's own calls")]
pub fn machine_has(key: &str, name: &str) -> bool {
    let (key, name) = (wide(key), wide(name));
    // SAFETY: the names end with a zero and outlive the call; what it may leave out is null.
    let code = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_ANY | RRF_SUBKEY_WOW6464KEY,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    };
    code != ERROR_FILE_NOT_FOUND
}

/// A text, where it is there, is one and is no longer than a path may be.
#[must_use]
#[expect(unsafe_code, reason = "the registry is asked through the system's own calls")]
pub fn text(hive: HKEY, key: &str, name: &str) -> Option<String> {
    let (key, name) = (wide(key), wide(name));
    let mut found = vec![0_u16; MOST];
    let mut bytes = u32::try_from(found.len() * 2).ok()?;
    // SAFETY: the names end with a zero; the buffer has as many bytes as `bytes` says, and outlives the call.
    let code = unsafe {
        RegGetValueW(
            hive,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_SZ | RRF_SUBKEY_WOW6464KEY,
            std::ptr::null_mut(),
            found.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    if code != ERROR_SUCCESS {
        return None;
    }
    let end = found.iter().position(|unit| *unit == 0).unwrap_or(0);
    found.truncate(end);
    String::from_utf16(&found).ok()
}

/// A number, where it is there and is one.
#[must_use]
#[expect(unsafe_code, reason = "the registry is asked through the system's own calls")]
pub fn number(hive: HKEY, key: &str, name: &str) -> Option<u32> {
    let (key, name) = (wide(key), wide(name));
    let mut found = 0_u32;
    let mut bytes = 4_u32;
    // SAFETY: the names end with a zero; the buffer is the four bytes of a number, and outlives the call.
    let code = unsafe {
        RegGetValueW(
            hive,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_DWORD | RRF_SUBKEY_WOW6464KEY,
            std::ptr::null_mut(),
            (&raw mut found).cast(),
            &raw mut bytes,
        )
    };
    (code == ERROR_SUCCESS).then_some(found)
}
