//! Accounts that live as long as one session: made with a random password that nobody keeps, ordinary, hidden
//! from the sign-in screen, and deleted with their profile. Windows gives no account the number (RID) of one
//! that was before it.

#![expect(unsafe_code, reason = "accounts are made through the system's own calls")]

use std::ffi::c_void;
use std::io;
use std::mem::size_of_val;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::path::PathBuf;
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, HANDLE};
use windows_sys::Win32::NetworkManagement::NetManagement::{
    FILTER_NORMAL_ACCOUNT, LOCALGROUP_MEMBERS_INFO_0, MAX_PREFERRED_LENGTH, NERR_Success, NERR_UserNotFound,
    NetApiBufferFree, NetLocalGroupAddMembers, NetUserAdd, NetUserDel, NetUserEnum, UF_DONT_EXPIRE_PASSWD,
    UF_NORMAL_ACCOUNT, UF_PASSWD_CANT_CHANGE, UF_SCRIPT, USER_INFO_1, USER_PRIV_USER,
};
use windows_sys::Win32::Security::{
    CreateWellKnownSid, LOGON32_LOGON_INTERACTIVE, LOGON32_PROVIDER_DEFAULT, LogonUserW, LookupAccountNameW,
    LookupAccountSidW, SECURITY_MAX_SID_SIZE, SetTokenInformation, TokenSessionId, WinBuiltinUsersSid,
};
use windows_sys::Win32::System::Registry::{
    HKEY, HKEY_LOCAL_MACHINE, KEY_SET_VALUE, KEY_WOW64_64KEY, REG_DWORD, REG_OPTION_NON_VOLATILE,
    RegCloseKey, RegCreateKeyExW, RegDeleteKeyValueW, RegSetValueExW,
};
use windows_sys::Win32::UI::Shell::{
    DeleteProfileW, GetUserProfileDirectoryW, LoadUserProfileW, PROFILEINFOW, UnloadUserProfile,
};
use zeroize::Zeroizing;

use crate::platform::windows::clock::monotonic;
use crate::platform::windows::job::done;
use crate::platform::windows::profile::random_hex;
use crate::platform::windows::registry;
use crate::platform::windows::security::{self, Sid};
use crate::platform::windows::wide::{text, wide};

/// What the name of every account of a session begins with. None else is ever deleted.
const NAME: &str = "cs-";
/// What stands in its description, and must for it to be deleted.
const COMMENT: &str = "Cleanshift session";
/// Where the sign-in screen is told whom not to show.
const HIDDEN: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon\SpecialAccounts\UserList";
/// Where Windows keeps which profiles there are.
const PROFILES: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
/// `PI_NOUI`: what cannot be loaded is an error, not a window.
const NO_WINDOW: u32 = 1;
/// How long a profile may still be in use after its last process.
const PATIENCE: Duration = Duration::from_secs(6);

/// An account of one session, signed in.
pub struct Account {
    name: String,
    /// Its SID, as text.
    pub sid: String,
    token: OwnedHandle,
    hive: HANDLE,
    profile: PathBuf,
}

// SAFETY: its handles are of the process, not of a thread.
unsafe impl Send for Account {}

impl Account {
    /// Makes an account and signs it in, for programs in this session of Windows.
    ///
    /// # Errors
    /// Those of the system; nothing is left then.
    pub fn make(session: u32) -> io::Result<Self> {
        let name = format!("{NAME}{}", random_hex(6)?);
        let password = password()?;
        hide(&name)?;
        let made = add(&name, &password).and_then(|()| Self::sign_in(&name, &password, session));
        made.inspect_err(|_| drop(delete(&name)))
    }

    fn sign_in(name: &str, password: &str, session: u32) -> io::Result<Self> {
        let sid = sid_of(name)?.text()?;
        let (account, here) = (wide(name), wide("."));
        let secret = Zeroizing::new(wide(password));
        let mut token: HANDLE = null_mut();
        // SAFETY: every text ends with a zero and outlives the call; the token's handle is new.
        let token = unsafe {
            done(LogonUserW(
                account.as_ptr(),
                here.as_ptr(),
                secret.as_ptr(),
                LOGON32_LOGON_INTERACTIVE,
                LOGON32_PROVIDER_DEFAULT,
                &raw mut token,
            ))?;
            OwnedHandle::from_raw_handle(token)
        };
        // Its programs belong where the station is seen, not where services are.
        let size = u32::try_from(size_of_val(&session)).map_err(io::Error::other)?;
        // SAFETY: the number is of the class and outlives the call.
        done(unsafe {
            SetTokenInformation(token.as_raw_handle(), TokenSessionId, (&raw const session).cast(), size)
        })?;
        let mut named = wide(name);
        let mut load = PROFILEINFOW {
            dwSize: u32::try_from(size_of::<PROFILEINFOW>()).map_err(io::Error::other)?,
            dwFlags: NO_WINDOW,
            lpUserName: named.as_mut_ptr(),
            ..PROFILEINFOW::default()
        };
        // SAFETY: the structure and the name in it outlive the call.
        done(unsafe { LoadUserProfileW(token.as_raw_handle(), &raw mut load) })?;
        let mut place = [0_u16; 1024];
        let mut room = 1024;
        // SAFETY: the buffer has as many units as is said.
        let told = done(unsafe {
            GetUserProfileDirectoryW(token.as_raw_handle(), place.as_mut_ptr(), &raw mut room)
        });
        let profile = PathBuf::from(text(&place));
        let account = Self { name: name.to_owned(), sid, token, hive: load.hProfile, profile };
        match told {
            Ok(()) if account.profile.is_absolute() => Ok(account),
            Ok(()) => Err(io::Error::other("the account has no profile directory")),
            Err(error) => Err(error),
        }
    }

    /// The token under which its programs are started.
    #[must_use]
    pub fn token(&self) -> HANDLE {
        self.token.as_raw_handle()
    }

    /// Where its profile is.
    #[must_use]
    pub fn profile(&self) -> &PathBuf {
        &self.profile
    }

    /// Deletes its profile and itself, and looks that both are gone.
    ///
    /// # Errors
    /// When either is still there.
    pub fn end(self) -> io::Result<String> {
        let Self { name, sid, token, hive, profile } = self;
        // SAFETY: the hive was loaded with this token, and is used no more.
        let _ = unsafe { UnloadUserProfile(token.as_raw_handle(), hive) };
        drop(token);
        let profile_gone = delete_profile(&sid, &profile);
        // The account goes in any case: nobody can sign in to what is left of it.
        delete(&name)?;
        profile_gone?;
        Ok(", account and its profile deleted".to_owned())
    }
}

/// Deletes every account of sessions that is still there: what a service before has left.
///
/// # Errors
/// When one cannot be deleted, or the system does not tell which there are.
pub fn sweep() -> io::Result<usize> {
    let left = standing()?;
    for name in &left {
        if let Ok(sid) = sid_of(name).and_then(|sid| sid.text()) {
            let place = registry::machine_text(&format!(r"{PROFILES}\{sid}"), "ProfileImagePath");
            delete_profile(&sid, &PathBuf::from(place.unwrap_or_default()))?;
        }
        delete(name)?;
    }
    Ok(left.len())
}

/// The accounts of sessions that there are, by name.
///
/// # Errors
/// When the system does not tell.
pub fn standing() -> io::Result<Vec<String>> {
    let (mut rows, mut read, mut all, mut resume) = (null_mut::<u8>(), 0_u32, 0_u32, 0_u32);
    // SAFETY: every answer has a place of its own.
    let code = unsafe {
        NetUserEnum(
            null(),
            1,
            FILTER_NORMAL_ACCOUNT,
            &raw mut rows,
            MAX_PREFERRED_LENGTH,
            &raw mut read,
            &raw mut all,
            &raw mut resume,
        )
    };
    if code != NERR_Success {
        return Err(security::error(code));
    }
    let mut found = Vec::new();
    for row in 0..usize::try_from(read).unwrap_or(0) {
        // SAFETY: the system has written so many rows, whose texts end with a zero, and they are ours until
        // they are given back below.
        let (name, comment) = unsafe {
            let row = rows.cast::<USER_INFO_1>().add(row).read_unaligned();
            (text_at(row.usri1_name), text_at(row.usri1_comment))
        };
        if name.starts_with(NAME) && comment == COMMENT {
            found.push(name);
        }
    }
    // SAFETY: the memory came from the call above and is used no more.
    let _ = unsafe { NetApiBufferFree(rows.cast()) };
    Ok(found)
}

/// # Safety
/// `place` is null or leads to a text that ends with a zero.
unsafe fn text_at(place: *const u16) -> String {
    if place.is_null() {
        return String::new();
    }
    let mut units = Vec::new();
    // SAFETY: the caller's promise: every unit up to the zero may be read.
    unsafe {
        while units.len() < 1024 && *place.add(units.len()) != 0 {
            units.push(*place.add(units.len()));
        }
    }
    text(&units)
}

fn add(name: &str, password: &str) -> io::Result<()> {
    let (mut name, mut comment) = (wide(name), wide(COMMENT));
    let mut secret = Zeroizing::new(wide(password));
    let info = USER_INFO_1 {
        usri1_name: name.as_mut_ptr(),
        usri1_password: secret.as_mut_ptr(),
        usri1_priv: USER_PRIV_USER,
        usri1_comment: comment.as_mut_ptr(),
        usri1_flags: UF_SCRIPT | UF_NORMAL_ACCOUNT | UF_DONT_EXPIRE_PASSWD | UF_PASSWD_CANT_CHANGE,
        ..USER_INFO_1::default()
    };
    // SAFETY: every text of the structure ends with a zero and outlives the call.
    let code = unsafe { NetUserAdd(null(), 1, (&raw const info).cast(), null_mut()) };
    if code != NERR_Success {
        return Err(security::error(code));
    }
    let group = wide(ordinary_group()?);
    let sid = sid_of(&text(&name))?;
    let member = LOCALGROUP_MEMBERS_INFO_0 { lgrmi0_sid: sid.as_ptr() };
    // SAFETY: the name ends with a zero, and the SID outlives the call.
    let code = unsafe { NetLocalGroupAddMembers(null(), group.as_ptr(), 0, (&raw const member).cast(), 1) };
    if code == NERR_Success { Ok(()) } else { Err(security::error(code)) }
}

/// The name of the group of ordinary accounts, which each language has its own for.
fn ordinary_group() -> io::Result<String> {
    let mut sid = [0_u8; SECURITY_MAX_SID_SIZE as usize];
    let mut size = SECURITY_MAX_SID_SIZE;
    let (mut name, mut domain) = ([0_u16; 256], [0_u16; 256]);
    let (mut name_room, mut domain_room, mut kind) = (256, 256, 0);
    let place: *mut c_void = sid.as_mut_ptr().cast();
    // SAFETY: every answer has a place of the size that is said.
    unsafe {
        done(CreateWellKnownSid(WinBuiltinUsersSid, null_mut(), place, &raw mut size))?;
        done(LookupAccountSidW(
            null(),
            place,
            name.as_mut_ptr(),
            &raw mut name_room,
            domain.as_mut_ptr(),
            &raw mut domain_room,
            &raw mut kind,
        ))?;
    }
    Ok(text(&name))
}

/// The SID of an account of this machine.
///
/// # Errors
/// When there is none of this name.
pub fn sid_of(name: &str) -> io::Result<Sid> {
    let name = wide(name);
    let mut sid = [0_u64; 16];
    let mut domain = [0_u16; 256];
    let (mut size, mut room, mut kind) = (128, 256, 0);
    // SAFETY: the name ends with a zero, and every answer has a place of the size that is said.
    unsafe {
        done(LookupAccountNameW(
            null(),
            name.as_ptr(),
            sid.as_mut_ptr().cast(),
            &raw mut size,
            domain.as_mut_ptr(),
            &raw mut room,
            &raw mut kind,
        ))?;
        Sid::copy(sid.as_mut_ptr().cast())
    }
}

fn delete(name: &str) -> io::Result<()> {
    let account = wide(name);
    // SAFETY: the name ends with a zero and outlives the call.
    let code = unsafe { NetUserDel(null(), account.as_ptr()) };
    if code != NERR_Success && code != NERR_UserNotFound {
        return Err(security::error(code));
    }
    let key = wide(HIDDEN);
    // SAFETY: both names end with a zero. What is not there need not be deleted.
    let _ = unsafe { RegDeleteKeyValueW(HKEY_LOCAL_MACHINE, key.as_ptr(), account.as_ptr()) };
    Ok(())
}

/// Deletes a profile and looks that it is gone, from the list and from the disk.
fn delete_profile(sid: &str, place: &std::path::Path) -> io::Result<()> {
    let began = monotonic();
    let named = wide(sid);
    loop {
        // SAFETY: the name ends with a zero; neither place nor machine is named.
        let deleted = done(unsafe { DeleteProfileW(named.as_ptr(), null(), null()) });
        let listed = registry::machine_text(&format!(r"{PROFILES}\{sid}"), "ProfileImagePath").is_some();
        if !listed && (place.as_os_str().is_empty() || !place.exists()) {
            return Ok(());
        }
        if monotonic().saturating_sub(began) >= PATIENCE {
            let why = deleted.err().map_or_else(|| "it is still there".to_owned(), |error| error.to_string());
            return Err(io::Error::other(format!("delete the profile of a session's account: {why}")));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Keeps the account off the sign-in screen, before it is there.
fn hide(name: &str) -> io::Result<()> {
    let (key, name) = (wide(HIDDEN), wide(name));
    let shown = 0_u32;
    let mut opened: HKEY = null_mut();
    // SAFETY: the names end with a zero, the answer has its place, and the number is of the size that is said.
    let code = unsafe {
        let code = RegCreateKeyExW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            0,
            null(),
            REG_OPTION_NON_VOLATILE,
            KEY_SET_VALUE | KEY_WOW64_64KEY,
            null(),
            &raw mut opened,
            null_mut(),
        );
        if code == ERROR_SUCCESS {
            let set = RegSetValueExW(opened, name.as_ptr(), 0, REG_DWORD, (&raw const shown).cast(), 4);
            let _ = RegCloseKey(opened);
            set
        } else {
            code
        }
    };
    if code == ERROR_SUCCESS { Ok(()) } else { Err(security::error(code)) }
}

/// Random, and of every kind of letter that a policy for passwords may want.
fn password() -> io::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(format!("aA1!{}", *Zeroizing::new(random_hex(24)?))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_of_every_kind_and_never_the_same() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one, other);
        let kinds: [fn(char) -> bool; 4] = [
            char::is_lowercase,
            char::is_uppercase,
            |letter| letter.is_ascii_digit(),
            |letter| !letter.is_alphanumeric(),
        ];
        assert!(kinds.iter().all(|kind| one.chars().any(kind)) && one.len() == 52);
    }

    #[test]
    fn an_account_of_this_machine_has_a_sid_and_others_have_none() {
        let own = Sid::own().unwrap();
        assert_eq!(Sid::parse(&own.text().unwrap()).unwrap(), own);
        assert!(sid_of("no-such-account-here").is_err());
        assert!(Sid::parse("S-1-x").is_err());
    }
}
