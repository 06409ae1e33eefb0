//! Class 2: Credential Manager. What came since the baseline is a session's, and is deleted; what the station keeps there
//! for itself stays, and is a trace where a session has written over it.

use std::os::windows::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_FLAGS, ERROR_NO_SUCH_LOGON_SESSION, ERROR_NOT_FOUND, FILETIME, GetLastError,
};
use windows_sys::Win32::Security::Credentials::{
    CRED_ENUMERATE_ALL_CREDENTIALS, CREDENTIALW, CredDeleteW, CredEnumerateW, CredFree,
};
use windows_sys::Win32::UI::Shell::{FOLDERID_LocalAppData, FOLDERID_RoamingAppData};

use super::account::{folder, text_at};
use super::{Gate, Ground, Look, SEAM, Trace, folders, scan};

pub(super) const GATES: [Gate; 2] = [
    Gate {
        class: 2,
        name: "credentials",
        what: "credentials",
        method: "Credential Manager",
        inside: true,
        partial: None,
        look,
        clear: Some(clear),
    },
    Gate {
        class: 2,
        name: "web credentials",
        what: "files of vaults",
        method: "the account's vault folders",
        inside: true,
        partial: None,
        look: vaults,
        clear: Some(folders::delete),
    },
];

/// What the names end with under which the station keeps its own secrets.
const STATION: &str = ".cleanshift";
/// The kind of a credential that programs keep (CRED_TYPE_GENERIC).
const GENERIC: u32 = 1;

/// One credential.
struct Credential {
    name: String,
    kind: u32,
    written: i64,
}

impl Credential {
    /// Whether it is one of the station's own, by its name.
    fn of_station(&self) -> bool {
        self.kind == GENERIC && self.name.ends_with(STATION)
    }

    /// Its name can be a person's: it is known by it here, and shown by its kind.
    fn trace(&self) -> Trace {
        let shown = if self.of_station() {
            format!("the station's own {}", self.name)
        } else {
            format!("one of type {}", self.kind)
        };
        Trace::shown(format!("{}{SEAM}{}{SEAM}{}", self.name, self.kind, self.written), shown)
    }
}

#[expect(unsafe_code, reason = "Credential Manager is asked by pointers")]
fn all() -> Result<Vec<Credential>, u32> {
    let mut rows: *mut *mut CREDENTIALW = std::ptr::null_mut();
    let mut count = 0;
    // The flag brings those of targets that are not asked for by name as well; where there is none such, none is needed.
    for flags in [CRED_ENUMERATE_ALL_CREDENTIALS, 0] {
        // SAFETY: without a filter all are given; the places for the answer outlive the call.
        let got = unsafe { CredEnumerateW(std::ptr::null(), flags, &raw mut count, &raw mut rows) };
        if got != 0 {
            break;
        }
        // SAFETY: takes nothing.
        match unsafe { GetLastError() } {
            ERROR_INVALID_FLAGS if flags != 0 => {}
            ERROR_NOT_FOUND => return Ok(Vec::new()),
            code => return Err(code),
        }
    }
    // SAFETY: Windows has made so many pointers there, each to a credential.
    let table = unsafe { std::slice::from_raw_parts(rows, count as usize) };
    let found = table.iter().map(|row| {
        // SAFETY: as above, wherever it lies; the name is a text that ends with a zero.
        let (row, name) = unsafe {
            let row = row.read_unaligned();
            (row, text_at(row.TargetName))
        };
        Credential { name, kind: row.Type, written: ticks(row.LastWritten) }
    });
    let found = found.collect();
    // SAFETY: they were made for us to free, and are not used any more.
    unsafe { CredFree(rows.cast()) };
    Ok(found)
}

fn ticks(time: FILETIME) -> i64 {
    (i64::from(time.dwHighDateTime) << 32) | i64::from(time.dwLowDateTime)
}

fn look(ground: &Ground) -> Look {
    let first = ground.remains.first_app.map(scan::ticks);
    match all() {
        // The station may write its own before any session: only what was written since an app could is a trace.
        Ok(found) => Look::These(
            found
                .iter()
                .filter(|one| !one.of_station() || first.is_some_and(|first| one.written >= first))
                .map(Credential::trace)
                .collect(),
        ),
        Err(ERROR_NO_SUCH_LOGON_SESSION) => Look::not_here("this account has no credentials of its own"),
        Err(code) => Look::unknown(format!("Credential Manager did not answer (error {code})")),
    }
}

/// Deletes what came since the baseline, but for the station's own names: what is wrong there is for people.
#[expect(unsafe_code, reason = "Credential Manager is asked by pointers")]
fn clear(_: &Ground, traces: &[Trace]) {
    for one in all().unwrap_or_default() {
        let key = one.trace().key;
        if one.of_station() || !traces.iter().any(|trace| trace.key == key) {
            continue;
        }
        // A name as the list gives it for domains bears a prefix that the call does not want.
        let short = one.name.rsplit_once(":target=").map_or(one.name.as_str(), |(_, name)| name);
        for name in [one.name.as_str(), short] {
            let name: Vec<u16> = std::ffi::OsStr::new(name).encode_wide().chain([0]).collect();
            // SAFETY: the name ends with a zero.
            if unsafe { CredDeleteW(name.as_ptr(), one.kind, 0) } != 0 {
                break;
            }
        }
    }
}

fn places() -> Vec<PathBuf> {
    let local = folder(&FOLDERID_LocalAppData);
    let roaming = folder(&FOLDERID_RoamingAppData);
    let below = |base: Option<PathBuf>, name: &str| base.map(|base| base.join(name));
    [below(local, r"Microsoft\Vault"), below(roaming, r"Microsoft\Vault")].into_iter().flatten().collect()
}

/// What browsers and apps of the Store keep is in vaults of files.
fn vaults(_: &Ground) -> Look {
    folders::look(&places().iter().map(PathBuf::as_path).collect::<Vec<&Path>>())
}

#[cfg(test)]
pub(super) mod tests {
    use windows_sys::Win32::Security::Credentials::{CRED_PERSIST_LOCAL_MACHINE, CredWriteW};

    use super::*;
    use crate::platform::windows::registry::wide;

    /// Keeps a secret under this name, as a program would.
    #[expect(unsafe_code, reason = "Credential Manager is told by pointers")]
    pub(in crate::platform::windows::gates) fn keep(name: &str) {
        let mut target = wide(name);
        let mut blob = *b"secret";
        let credential = CREDENTIALW {
            Type: GENERIC,
            TargetName: target.as_mut_ptr(),
            CredentialBlobSize: 6,
            CredentialBlob: blob.as_mut_ptr(),
            Persist: CRED_PERSIST_LOCAL_MACHINE,
            ..Default::default()
        };
        // SAFETY: the name ends with a zero; the secret is as long as is said.
        assert_ne!(unsafe { CredWriteW(&raw const credential, 0) }, 0, "the credential was not taken");
    }

    pub(in crate::platform::windows::gates) fn has(name: &str) -> bool {
        all().unwrap_or_default().iter().any(|one| one.name.ends_with(name))
    }

    #[expect(unsafe_code, reason = "Credential Manager is told by pointers")]
    pub(in crate::platform::windows::gates) fn forget(name: &str) {
        let name = wide(name);
        // SAFETY: the name ends with a zero.
        let _ = unsafe { CredDeleteW(name.as_ptr(), GENERIC, 0) };
    }
}
