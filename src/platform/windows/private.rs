//! Files and directories that the station's account alone may read, by their access lists; and what stands
//! in them for a secret, sealed.
//!
//! A closed directory inherits nothing. Its list names the system, the machine's administrators and one account, the
//! station's; what is made in it inherits that, whoever makes it. Where the package was told of the station's account, it
//! is that one also when IT's first command makes the directory; else it is the one that makes it.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, GENERIC_READ, GENERIC_WRITE, LocalFree};
use windows_sys::Win32::Security::Authorization::{GetSecurityInfo, SE_FILE_OBJECT};
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData,
    CryptUnprotectData,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION,
    SetKernelObjectSecurity,
};
use windows_sys::Win32::Storage::FileSystem::{FILE_FLAG_BACKUP_SEMANTICS, READ_CONTROL, WRITE_DAC};

use zeroize::{Zeroize as _, Zeroizing};

#[cfg(test)]
use super::security::STATION;
use super::security::{self, Descriptor, Sid};

/// What is said of a file that is closed to others.
pub const OF_ACCOUNT: &str = "file of this account (its access list names no other)";

/// What lets one read a file or list a directory: FILE_READ_DATA.
const READ: u32 = 1;

/// Makes a directory and those above it where they are missing, and closes it to others where it is open to them.
///
/// # Errors
/// Those of the file system.
pub fn dir(place: &Path) -> Result<()> {
    let new = !place.exists();
    DirBuilder::new().recursive(true).create(place)?;
    if new || !is_closed(place)? { close(place) } else { Ok(()) }
}

/// Makes a directory that is not there yet.
///
/// # Errors
/// Those of the file system; also where there is one already.
pub fn new_dir(place: &Path) -> Result<()> {
    DirBuilder::new().create(place)?;
    close(place)
}

/// Whether a directory is closed to others.
///
/// # Errors
/// Those of the file system.
pub fn is_closed(place: &Path) -> Result<bool> {
    let found = Found::of(&open_dir(place, READ_CONTROL)?)?;
    // One account besides the system and its administrators is the station's.
    Ok(found.readers.iter().filter(|reader| !reader.is_system()).count() <= 1)
}

/// Opens a file for reading and writing, makes it where it is missing, and closes it to others.
///
/// # Errors
/// Those of the file system.
pub fn file(place: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let _ = options.read(true).write(true).create(true).truncate(false);
    let _ = options.access_mode(GENERIC_READ | GENERIC_WRITE | READ_CONTROL);
    let file = options.open(place)?;
    if Found::of(&file)?.is_open(place) {
        close_file(place)?;
    }
    Ok(file)
}

/// Makes a file that is not there yet, for writing.
///
/// # Errors
/// Those of the file system; also where there is one already.
pub fn new_file(place: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let _ = options.write(true).create_new(true).access_mode(GENERIC_WRITE | READ_CONTROL);
    let file = options.open(place)?;
    if Found::of(&file)?.is_open(place) {
        close_file(place)?;
    }
    Ok(file)
}

/// Does nothing: what is made in the station's directory inherits that the station's account may read it.
///
/// # Errors
/// None.
pub fn hand_over(_: &File, _: &Path) -> Result<()> {
    Ok(())
}

/// The same for a directory.
///
/// # Errors
/// None.
pub fn hand_over_dir(_: &Path, _: &Path) -> Result<()> {
    Ok(())
}

/// Whether others than the station's account, the system and its administrators may read an open file.
///
/// # Errors
/// Those of the file system.
pub fn is_open_to_others(file: &File) -> Result<bool> {
    let found = Found::of(file)?;
    let own = Sid::own()?;
    // The station's account where IT looks, is the one that owns it or that alone is named besides.
    let station = Sid::station();
    let others = found
        .readers
        .iter()
        .filter(|reader| !reader.is_system() && **reader != own && Some(*reader) != station.as_ref());
    Ok(others.filter(|reader| **reader != found.owner).count() > usize::from(own.is_system()))
}

/// The command that closes a file to others.
#[must_use]
pub fn remedy(place: &Path) -> String {
    let inherited = if place.is_dir() { "(OI)(CI)" } else { "" };
    let full = |account: &str| format!("{account}:{inherited}F");
    format!(
        "icacls \"{}\" /inheritance:r /grant:r {} {} {}",
        place.display(),
        full("*S-1-5-18"),
        full("*S-1-5-32-544"),
        full("STATION-ACCOUNT")
    )
}

/// How what is sealed begins: a mark of ours, since the blob behind it is Windows' own affair.
const SEALED: &[u8] = b"cleanshift sealed by DPAPI\n";

/// What is written into a file for a secret: sealed by DPAPI for this machine, for whichever account, so that a copy
/// of the file, or of the disk without the machine's own keys, is worth nothing. Who may read it is its list's to say.
///
/// # Errors
/// What Windows said.
#[expect(unsafe_code, reason = "secrets are sealed through the system's own calls")]
pub fn seal(secret: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let given = blob(secret)?;
    let mut made = CRYPT_INTEGER_BLOB::default();
    // SAFETY: `given` names bytes that outlive the call; what it may leave out is null.
    let done = unsafe {
        CryptProtectData(
            &raw const given,
            null(),
            null(),
            null(),
            null(),
            CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN,
            &raw mut made,
        )
    };
    let sealed = taken(done, made)?;
    Ok(Zeroizing::new([SEALED, &sealed].concat()))
}

/// The secret for which this was written into a file. One that is not sealed was put there by somebody, who is
/// believed: the file's list let her.
///
/// # Errors
/// What Windows said, such as for what another machine has sealed.
#[expect(unsafe_code, reason = "secrets are sealed through the system's own calls")]
pub fn unseal(kept: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let Some(sealed) = kept.strip_prefix(SEALED) else {
        return Ok(Zeroizing::new(kept.to_vec()));
    };
    let given = blob(sealed)?;
    let mut made = CRYPT_INTEGER_BLOB::default();
    // SAFETY: `given` names bytes that outlive the call; what it may leave out is null.
    let done = unsafe {
        CryptUnprotectData(
            &raw const given,
            null_mut(),
            null(),
            null(),
            null(),
            CRYPTPROTECT_UI_FORBIDDEN,
            &raw mut made,
        )
    };
    taken(done, made)
        .map_err(|error| Error::other(format!("another machine has sealed it, or it is damaged: {error}")))
}

fn blob(bytes: &[u8]) -> Result<CRYPT_INTEGER_BLOB> {
    let length = u32::try_from(bytes.len()).map_err(Error::other)?;
    Ok(CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() })
}

/// Takes what a call has made, and leaves nothing of it where it lay.
#[expect(unsafe_code, reason = "secrets are sealed through the system's own calls")]
fn taken(done: i32, made: CRYPT_INTEGER_BLOB) -> Result<Zeroizing<Vec<u8>>> {
    if done == 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: the call has succeeded, so that these are its bytes, which are ours until they are freed.
    let bytes = unsafe { std::slice::from_raw_parts_mut(made.pbData, made.cbData as usize) };
    let copy = Zeroizing::new(bytes.to_vec());
    bytes.zeroize();
    // SAFETY: it was allocated by the call and is used no more.
    let _ = unsafe { LocalFree(made.pbData.cast()) };
    Ok(copy)
}

/// Whether this process runs as the station's account: the one that the package was told of, else the owner of a
/// directory, or who would make it.
#[must_use]
pub fn is_own(place: &Path) -> bool {
    if let Some(station) = Sid::station() {
        return Sid::own().is_ok_and(|own| own == station);
    }
    let found = open_dir(place, READ_CONTROL).and_then(|dir| Found::of(&dir));
    match (found, Sid::own()) {
        (Ok(found), Ok(own)) => found.owner == own || found.readers.contains(&own),
        (Err(error), _) => error.kind() == ErrorKind::NotFound,
        (Ok(_), Err(_)) => false,
    }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// Those of the file system.
pub fn sync_dir(place: &Path) -> Result<()> {
    open_dir(place, GENERIC_WRITE)?.sync_all()
}

/// Makes all files of a directory durable, one after the other: only an administrator may flush a volume.
///
/// # Errors
/// Those of the file system.
pub fn sync_files(place: &Path) -> Result<()> {
    for entry in std::fs::read_dir(place)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            OpenOptions::new().write(true).open(entry.path())?.sync_all()?;
        }
    }
    sync_dir(place)
}

fn open_dir(place: &Path, access: u32) -> Result<File> {
    OpenOptions::new().access_mode(access).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(place)
}

/// Gives a directory the list of a closed one.
fn close(place: &Path) -> Result<()> {
    set(&open_dir(place, READ_CONTROL | WRITE_DAC)?, &list("OICI")?)
}

/// Gives a file the list of a closed one.
fn close_file(place: &Path) -> Result<()> {
    let file = OpenOptions::new().access_mode(READ_CONTROL | WRITE_DAC).open(place)?;
    set(&file, &list("")?)
}

/// The list of what is closed, in Windows' own language: full control for the system, its administrators and the station's
/// account, by entries that are inherited as is said.
fn list(inherited: &str) -> Result<String> {
    let named = Sid::station().map_or_else(Sid::own, Ok)?.text()?;
    let all = ["SY", "BA", &named].map(|who| format!("(A;{inherited};FA;;;{who})"));
    Ok(format!("D:P{}", all.concat()))
}

/// Not SetSecurityInfo: it looks for what the list could inherit, and this one inherits nothing.
#[expect(unsafe_code, reason = "access lists are set through the system's own calls")]
fn set(file: &File, list: &str) -> Result<()> {
    let wanted = Descriptor::parse(list)?;
    let information = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    // SAFETY: the handle and the descriptor outlive the call.
    let done = unsafe { SetKernelObjectSecurity(file.as_raw_handle(), information, wanted.as_ptr()) };
    if done == 0 { Err(Error::last_os_error()) } else { Ok(()) }
}

/// What a file's or directory's security says.
struct Found {
    owner: Sid,
    /// Who may read it.
    readers: Vec<Sid>,
}

impl Found {
    #[expect(unsafe_code, reason = "access lists are read through the system's own calls")]
    fn of(file: &File) -> Result<Self> {
        let (mut owner, mut list, mut whole) = (null_mut(), null_mut(), null_mut());
        // SAFETY: the handle outlives the call; the answers are written into pointers of ours.
        let code = unsafe {
            GetSecurityInfo(
                file.as_raw_handle(),
                SE_FILE_OBJECT,
                OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                &raw mut owner,
                null_mut(),
                &raw mut list,
                null_mut(),
                &raw mut whole,
            )
        };
        if code != ERROR_SUCCESS {
            return Err(security::error(code));
        }
        // Owner and list lie in it.
        let _whole = Descriptor::of(whole);
        // SAFETY: owner and list point into the descriptor, which lives until the end of this function.
        let (owner, readers) = unsafe { (Sid::copy(owner)?, security::allowed(list, READ)?) };
        Ok(Self { owner, readers })
    }

    /// Whether a file in this place may be read by others than those that its directory is closed to.
    fn is_open(&self, place: &Path) -> bool {
        let above =
            place.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
        let directory = above.and_then(|above| Self::of(&open_dir(above, READ_CONTROL).ok()?).ok());
        let own = Sid::own().ok();
        let known = |reader: &&Sid| {
            reader.is_system()
                || Some(*reader) == own.as_ref()
                || directory.as_ref().is_some_and(|directory| {
                    directory.readers.iter().filter(|named| !named.is_system()).count() == 1
                        && directory.readers.contains(reader)
                })
        };
        !self.readers.iter().all(|reader| known(&reader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_sealed_in_its_file_and_what_was_changed_since_is_refused() {
        let secret = [0x5a; 32];
        let sealed = seal(&secret).unwrap();
        assert!(
            sealed.starts_with(SEALED) && !sealed.windows(8).any(|part| part == &secret[..8]),
            "{sealed:02x?}"
        );
        assert_eq!(unseal(&sealed).unwrap().as_slice(), secret);
        // Wine takes no notice of some bytes of its blobs: then it is the secret still, and never another one.
        let mut refused = 0;
        for at in SEALED.len()..sealed.len() {
            let mut changed = sealed.to_vec();
            changed[at] ^= 1;
            match unseal(&changed) {
                Ok(taken) => assert_eq!(taken.as_slice(), secret, "byte {at}"),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > secret.len(), "{refused} of {} were refused", sealed.len() - SEALED.len());
        assert!(unseal(&sealed[..sealed.len() - 1]).is_err(), "half of one was taken");
        // What IT has put back in the clear is itself.
        assert_eq!(unseal(&secret).unwrap().as_slice(), secret);
    }

    #[test]
    fn what_is_closed_names_no_other_account() {
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("state");
        dir(&state).unwrap();
        assert!(is_closed(&state).unwrap() && is_own(&state));
        let path = state.join("secret");
        let made = file(&path).unwrap();
        assert!(!is_open_to_others(&made).unwrap());
        // A list that names everybody is seen, and taken back.
        let open = OpenOptions::new().access_mode(READ_CONTROL | WRITE_DAC).open(&path).unwrap();
        set(&open, "D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;WD)").unwrap();
        assert!(is_open_to_others(&open).unwrap(), "everybody was not seen");
        assert!(!is_open_to_others(&file(&path).unwrap()).unwrap());
        let others = open_dir(&state, READ_CONTROL | WRITE_DAC).unwrap();
        set(&others, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;WD)(A;OICI;FA;;;OW)").unwrap();
        assert!(!is_closed(&state).unwrap(), "everybody was not seen");
        dir(&state).unwrap();
        assert!(is_closed(&state).unwrap());
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the account is written by Windows' own program")]
    fn what_it_makes_is_the_stations_where_the_package_was_told_of_it() {
        let reg = |words: &[&str]| {
            let (key, name) = STATION;
            let key = format!(r"HKLM\{key}");
            let all = [&[words[0], &key, "/v", name][..], &words[1..], &["/f"]].concat();
            assert!(std::process::Command::new("reg").args(all).status().unwrap().success());
        };
        let place = tempfile::tempdir().unwrap();
        let before = place.path().join("before");
        dir(&before).unwrap();
        assert!(is_own(&before));
        // An account that is not this one: LocalService. Wine keeps it in no list, so that the list itself is looked at.
        let ours = list("OICI").unwrap();
        reg(&["add", "/d", "S-1-5-19"]);
        let (theirs, own) = (list("OICI"), is_own(&before));
        reg(&["delete"]);
        assert!(!ours.contains("S-1-5-19)"));
        assert!(
            theirs.unwrap().ends_with("(A;OICI;FA;;;S-1-5-19)"),
            "the station could not read its own state"
        );
        assert!(!own, "IT's own account passes for the station's");
        assert!(is_own(&before));
    }

    #[test]
    fn names_and_files_can_be_made_durable() {
        let place = tempfile::tempdir().unwrap();
        drop(new_file(&place.path().join("a")).unwrap());
        assert!(new_file(&place.path().join("a")).is_err());
        sync_files(place.path()).unwrap();
        sync_dir(place.path()).unwrap();
    }
}
