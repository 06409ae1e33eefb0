//! Accounts and access lists, as Windows has them.

use std::ffi::c_void;
use std::io::{Error, Result};
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, ConvertStringSecurityDescriptorToSecurityDescriptorW, ConvertStringSidToSidW,
    SDDL_REVISION_1,
};
use windows_sys::Win32::Security::{
    ACCESS_ALLOWED_ACE, ACE_HEADER, ACL, ACL_SIZE_INFORMATION, AclSizeInformation, CopySid, GetAce,
    GetAclInformation, GetLengthSid, GetTokenInformation, INHERIT_ONLY_ACE, IsValidSid, PSECURITY_DESCRIPTOR,
    PSID, TOKEN_ELEVATION, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER, TokenElevation, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::registry::{self, wide};

/// An entry that allows: ACCESS_ALLOWED_ACE_TYPE.
const ALLOWS: u8 = 0;
/// An entry that denies: ACCESS_DENIED_ACE_TYPE. Whoever it names gets less, never more.
const DENIES: u8 = 1;
/// What asks for all: GENERIC_ALL and GENERIC_READ, in a list that was set so.
const GENERIC: u32 = 0x9000_0000;

/// The error of a code that a call answered.
#[must_use]
pub fn error(code: u32) -> Error {
    Error::from_raw_os_error(i32::from_ne_bytes(code.to_ne_bytes()))
}

/// Where the station's account is written, in the machine's hive, by its SID.
pub const STATION: (&str, &str) = (r"SOFTWARE\Cleanshift", "StationAccount");

/// An account or group, by its security identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sid(Vec<u8>);

impl Sid {
    /// The account of this process.
    ///
    /// # Errors
    /// Those of the system.
    #[expect(unsafe_code, reason = "tokens are asked through the system's own calls")]
    pub fn own() -> Result<Self> {
        let bytes = of_token(TokenUser)?;
        // SAFETY: the answer begins with a TOKEN_USER, whose pointer points into the same answer, which lives on.
        unsafe {
            let user: TOKEN_USER = bytes.as_ptr().cast::<TOKEN_USER>().read_unaligned();
            Self::copy(user.User.Sid)
        }
    }

    /// The station's account, where the package was told of it (STATIONACCOUNT): administrators alone write it there.
    #[must_use]
    pub fn station() -> Option<Self> {
        registry::machine_text(STATION.0, STATION.1).and_then(|text| Self::parse(&text).ok())
    }

    /// A copy of what this points to.
    ///
    /// # Errors
    /// Where that is no security identifier.
    ///
    /// # Safety
    /// It is null, or points to a security identifier that lives as long as this call.
    #[expect(unsafe_code, reason = "the system hands out pointers")]
    pub unsafe fn copy(from: PSID) -> Result<Self> {
        // SAFETY: the caller's promise; null is asked for first.
        unsafe {
            if from.is_null() || IsValidSid(from) == 0 {
                return Err(Error::other("the system names no account"));
            }
            let length = GetLengthSid(from);
            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
            if CopySid(length, bytes.as_mut_ptr().cast(), from) == 0 {
                return Err(Error::last_os_error());
            }
            Ok(Self(bytes))
        }
    }

    /// Reads one as people and lists write it.
    ///
    /// # Errors
    /// Where that is none.
    #[expect(unsafe_code, reason = "the system reads its own language")]
    pub fn parse(text: &str) -> Result<Self> {
        let (text, mut found) = (wide(text), null_mut());
        // SAFETY: the text ends with a zero; the answer is the system's memory, which is copied and given back.
        unsafe {
            if ConvertStringSidToSidW(text.as_ptr(), &raw mut found) == 0 {
                return Err(Error::last_os_error());
            }
            let copy = Self::copy(found);
            let _ = LocalFree(found);
            copy
        }
    }

    /// For the system's calls; lives as long as this.
    #[must_use]
    pub fn as_ptr(&self) -> PSID {
        self.0.as_ptr().cast_mut().cast()
    }

    /// As people and lists write it: `S-1-5-18`.
    ///
    /// # Errors
    /// Those of the system.
    #[expect(unsafe_code, reason = "the system hands out pointers")]
    pub fn text(&self) -> Result<String> {
        let mut text = null_mut();
        // SAFETY: the bytes are a security identifier; the answer is a text with a zero at its end, which is ours to
        // free and is read before.
        unsafe {
            if ConvertSidToStringSidW(self.0.as_ptr().cast_mut().cast(), &raw mut text) == 0 {
                return Err(Error::last_os_error());
            }
            let mut length = 0;
            while *text.add(length) != 0 {
                length += 1;
            }
            let found = String::from_utf16_lossy(std::slice::from_raw_parts(text, length));
            let _ = LocalFree(text.cast());
            Ok(found)
        }
    }

    /// Whether it stands for the system, its services or the machine's administrators, or for whoever owns a thing.
    #[must_use]
    pub fn is_system(&self) -> bool {
        const KNOWN: [&str; 6] = ["S-1-5-18", "S-1-5-19", "S-1-5-20", "S-1-5-32-544", "S-1-3-0", "S-1-3-4"];
        self.text().is_ok_and(|text| KNOWN.contains(&text.as_str()))
    }
}

/// Whether this process has the rights of the system or of an administrator.
///
/// # Errors
/// Those of the system.
#[expect(unsafe_code, reason = "tokens are asked through the system's own calls")]
pub fn is_elevated() -> Result<bool> {
    let bytes = of_token(TokenElevation)?;
    // SAFETY: the answer begins with a TOKEN_ELEVATION.
    let elevation: TOKEN_ELEVATION = unsafe { bytes.as_ptr().cast::<TOKEN_ELEVATION>().read_unaligned() };
    Ok(elevation.TokenIsElevated != 0 || Sid::own()?.is_system())
}

/// What the token of this process says about this.
#[expect(unsafe_code, reason = "tokens are asked through the system's own calls")]
fn of_token(class: TOKEN_INFORMATION_CLASS) -> Result<Vec<u8>> {
    let mut token: HANDLE = null_mut();
    // SAFETY: the handle of the own process is no handle that must be closed; the token's is closed below.
    if unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) } == 0 {
        return Err(Error::last_os_error());
    }
    let mut bytes = vec![0_u8; 512];
    let mut length = 0;
    let size = u32::try_from(bytes.len()).unwrap_or_default();
    // SAFETY: the buffer has as many bytes as is said and outlives the call.
    let asked =
        unsafe { GetTokenInformation(token, class, bytes.as_mut_ptr().cast(), size, &raw mut length) };
    let result = if asked == 0 { Err(Error::last_os_error()) } else { Ok(bytes) };
    // SAFETY: opened above, used no more.
    let _ = unsafe { CloseHandle(token) };
    result
}

/// A security descriptor of the system's memory, which is given back when this is dropped.
pub struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    /// Reads one in the language for it (SDDL).
    ///
    /// # Errors
    /// Where it is not in that language.
    #[expect(unsafe_code, reason = "the system reads its own language")]
    pub fn parse(text: &str) -> Result<Self> {
        let (text, mut found) = (wide(text), null_mut());
        // SAFETY: the text ends with a zero; the answer is written into a pointer of ours.
        let read = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                text.as_ptr(),
                SDDL_REVISION_1,
                &raw mut found,
                null_mut(),
            )
        };
        if read == 0 { Err(Error::last_os_error()) } else { Ok(Self(found)) }
    }

    /// Takes one that a call has answered and that is to be given back with LocalFree.
    pub(super) fn of(found: PSECURITY_DESCRIPTOR) -> Self {
        Self(found)
    }

    /// For the system's calls.
    #[must_use]
    pub fn as_ptr(&self) -> PSECURITY_DESCRIPTOR {
        self.0
    }
}

impl Drop for Descriptor {
    #[expect(unsafe_code, reason = "the system's memory is given back to it")]
    fn drop(&mut self) {
        // SAFETY: the memory came from a call that says so, and is used no more.
        let _ = unsafe { LocalFree(self.0) };
    }
}

/// Whom a list allows this right, or all.
///
/// # Errors
/// Where there is no list, which allows everybody everything, or where it has entries of another kind.
///
/// # Safety
/// It is null, or points to a list that lives as long as this call.
#[expect(unsafe_code, reason = "the system hands out pointers")]
pub unsafe fn allowed(list: *const ACL, right: u32) -> Result<Vec<Sid>> {
    if list.is_null() {
        return Err(Error::other("everybody may do everything: there is no access list"));
    }
    let mut size = ACL_SIZE_INFORMATION::default();
    let bytes = u32::try_from(size_of::<ACL_SIZE_INFORMATION>()).unwrap_or_default();
    let mut found = Vec::new();
    // SAFETY: the caller's promise; every entry begins with a header that tells its kind, and what allows is an
    // ACCESS_ALLOWED_ACE, which ends with the security identifier.
    unsafe {
        if GetAclInformation(list, (&raw mut size).cast(), bytes, AclSizeInformation) == 0 {
            return Err(Error::last_os_error());
        }
        for index in 0..size.AceCount {
            let mut entry: *mut c_void = null_mut();
            if GetAce(list, index, &raw mut entry) == 0 {
                return Err(Error::last_os_error());
            }
            let header: ACE_HEADER = entry.cast::<ACE_HEADER>().read_unaligned();
            match header.AceType {
                DENIES => {}
                // What only children inherit is told by them.
                ALLOWS if u32::from(header.AceFlags) & INHERIT_ONLY_ACE != 0 => {}
                ALLOWS => {
                    let allows = entry.cast::<ACCESS_ALLOWED_ACE>();
                    if (*allows).Mask & (right | GENERIC) != 0 {
                        found.push(Sid::copy((&raw mut (*allows).SidStart).cast())?);
                    }
                }
                _ => return Err(Error::other("the access list has entries that cannot be judged")),
            }
        }
    }
    Ok(found)
}
