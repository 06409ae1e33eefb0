//! Destroying a directory and all that is in it, by handle: what is opened is what is deleted.
//!
//! Everything below the root is opened relative to the handle of its own directory and never through a
//! reparse point, so that a junction or a link that a session has laid leads nowhere: it is deleted itself,
//! and what it points at is not touched. Read-only files, denied permissions, long paths and depth do not
//! keep anything. What another program holds open is named, never passed over.

#![expect(unsafe_code, reason = "the standard library does not say what it could not delete")]

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::mem::{offset_of, size_of};
use std::os::windows::ffi::OsStringExt as _;
use std::os::windows::io::{AsRawHandle, FromRawHandle, HandleOrInvalid, OwnedHandle};
use std::path::{Path, PathBuf};
use std::ptr::{null, null_mut};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_NO_MORE_FILES, HANDLE, RtlNtStatusToDosError, UNICODE_STRING,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, InitializeSecurityDescriptor, PSECURITY_DESCRIPTOR, SECURITY_DESCRIPTOR,
    SetKernelObjectSecurity, SetSecurityDescriptorDacl,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, CreateFileW, DELETE, FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_NORMAL,
    FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_TAG_INFO, FILE_BASIC_INFO, FILE_DISPOSITION_FLAG_DELETE,
    FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE, FILE_DISPOSITION_FLAG_POSIX_SEMANTICS,
    FILE_DISPOSITION_INFO, FILE_DISPOSITION_INFO_EX, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_FULL_DIR_INFO, FILE_INFO_BY_HANDLE_CLASS, FILE_LIST_DIRECTORY,
    FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE, FILE_WRITE_ATTRIBUTES,
    FileAttributeTagInfo, FileBasicInfo, FileDispositionInfo, FileDispositionInfoEx, FileFullDirectoryInfo,
    FileFullDirectoryRestartInfo, GetFileInformationByHandle, GetFileInformationByHandleEx,
    MOVEFILE_DELAY_UNTIL_REBOOT, MoveFileExW, OPEN_EXISTING, SYNCHRONIZE, SetFileInformationByHandle,
    WRITE_DAC,
};
use windows_sys::Win32::System::IO::IO_STATUS_BLOCK;

use super::clock::monotonic;
use super::job::done;
use super::wide::wide;

/// How deep a directory is gone into before what lies deeper is moved up: handles and memory stay bounded.
const DEEP: usize = 48;
/// How long a program that has just ended, or a scanner, may still hold a file.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long between two tries.
const PAUSE: Duration = Duration::from_millis(25);
/// Others may go on with what they have open.
const SHARED: u32 = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
/// What is asked of everything that is to be deleted.
const TAKEN: u32 = DELETE | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | SYNCHRONIZE;

/// Something that could not be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Where it lies now.
    pub path: PathBuf,
    /// Why it is still there: a lowercase fragment.
    pub why: String,
    /// Whether it could be moved out of the session's profile.
    pub moved: bool,
    /// Whether the system deletes it at the next restart.
    pub at_restart: bool,
}

/// Deletes `root` and all below it. What cannot be deleted is moved into `aside` where it can be, and
/// is deleted by the system at the next restart where this account may order that. `Ok` where there was none.
///
/// # Errors
/// When the root itself cannot be opened.
pub fn tree(root: &Path, aside: &Path) -> io::Result<Vec<Left>> {
    let began = monotonic();
    loop {
        let left = pass(root)?;
        if left.is_empty() {
            return Ok(left);
        }
        if monotonic().saturating_sub(began) >= PATIENCE {
            return Ok(set_aside(root, aside, left));
        }
        std::thread::sleep(PAUSE);
    }
}

/// A directory that is being emptied.
struct Open {
    handle: OwnedHandle,
    path: PathBuf,
    /// What is still to be deleted in it, and whether it was listed as a directory.
    entries: Vec<(Vec<u16>, bool)>,
    /// Whether something in it stays.
    keeps: bool,
}

/// Goes through the tree once and answers what could not be deleted.
fn pass(root: &Path) -> io::Result<Vec<Left>> {
    let mut left = Vec::new();
    let handle = match open(root, TAKEN | FILE_LIST_DIRECTORY) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(left),
        handle => handle?,
    };
    if !is_plain_directory(&handle)? {
        return dispose(&handle).map(|()| left);
    }
    let entries = list(&handle)?;
    let mut stack = vec![Open { handle, path: root.to_owned(), entries, keeps: false }];
    // Names for what is moved up, which nothing in the root has.
    let mut moved_up = 0_u32;
    let keep = |stack: &mut Vec<Open>| stack.iter_mut().for_each(|open| open.keeps = true);
    while let Some(top) = stack.last_mut() {
        let Some((name, directory)) = top.entries.pop() else {
            let Some(top) = stack.pop() else { break };
            if !top.keeps
                && let Err(error) = dispose(&top.handle)
            {
                keep(&mut stack);
                left.push(Left::new(top.path, &error));
            }
            continue;
        };
        let path = top.path.join(OsString::from_wide(&name));
        let access = if directory { TAKEN | FILE_LIST_DIRECTORY } else { TAKEN };
        let opened = match open_below(&top.handle, &name, access) {
            Err(error) if is(&error, ERROR_ACCESS_DENIED) => {
                allow(&top.handle, &name);
                open_below(&top.handle, &name, access)
            }
            opened => opened,
        };
        let outcome = opened.and_then(|handle| {
            if !directory || !is_plain_directory(&handle)? {
                return dispose(&handle).map(|()| None);
            }
            Ok(Some((list(&handle)?, handle)))
        });
        match outcome {
            Ok(None) => {}
            Ok(Some((entries, handle))) if stack.len() < DEEP => {
                stack.push(Open { handle, path, entries, keeps: false });
            }
            // Too deep to go on from here: it goes up to the root, and is gone into from there.
            Ok(Some((_, handle))) => {
                drop(handle);
                moved_up += 1;
                let up = format!(".deep-{moved_up}-{}", std::process::id());
                match rename(&path, &root.join(&up)) {
                    Ok(()) => {
                        if let Some(bottom) = stack.first_mut() {
                            bottom.entries.push((up.encode_utf16().collect(), true));
                        }
                    }
                    Err(error) => {
                        keep(&mut stack);
                        left.push(Left::new(path, &error));
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                keep(&mut stack);
                left.push(Left::new(path, &error));
            }
        }
    }
    Ok(left)
}

impl Left {
    /// What IT finds it by, without its name: the number that the file system has for it.
    #[must_use]
    pub fn identity(&self) -> String {
        let mut info = BY_HANDLE_FILE_INFORMATION::default();
        let told = open(&self.path, FILE_READ_ATTRIBUTES).is_ok_and(|handle| {
            // SAFETY: the handle is open and the answer has its place.
            unsafe { GetFileInformationByHandle(handle.as_raw_handle(), &raw mut info) != 0 }
        });
        if told {
            format!("file {:#x}", u64::from(info.nFileIndexHigh) << 32 | u64::from(info.nFileIndexLow))
        } else {
            "a file".to_owned()
        }
    }

    fn new(path: PathBuf, error: &io::Error) -> Self {
        let why = match error.raw_os_error() {
            Some(32 | 33) => "another program holds it open".to_owned(),
            Some(5) => "the system does not let it be deleted".to_owned(),
            _ => error.to_string(),
        };
        Self { path, why, moved: false, at_restart: false }
    }
}

/// Moves what is left out of the way, and has the system delete it at the next restart.
fn set_aside(root: &Path, aside: &Path, mut left: Vec<Left>) -> Vec<Left> {
    let _ = std::fs::create_dir_all(aside);
    let mut holding = BTreeSet::new();
    for (number, left) in left.iter_mut().enumerate() {
        let stem = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let place = aside.join(format!("{stem}-{number}"));
        if rename(&left.path, &place).is_ok() {
            left.path = place;
            left.moved = true;
        } else {
            let above = left.path.ancestors().skip(1).take_while(|above| above.starts_with(root));
            holding.extend(above.map(Path::to_owned));
        }
        left.at_restart = at_restart(&left.path);
    }
    if left.iter().all(|left| left.moved) {
        // Nothing of the session is in its profile any more: what is left of that are empty directories.
        let _ = pass(root);
    }
    // Those that hold others after what they hold.
    for directory in holding.iter().rev() {
        let _ = at_restart(directory);
    }
    left
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (long(from), long(to));
    // SAFETY: both paths end with a zero and outlive the call.
    done(unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), 0) })
}

fn at_restart(path: &Path) -> bool {
    let path = long(path);
    // SAFETY: the path ends with a zero and outlives the call; no other path means: delete it.
    unsafe { MoveFileExW(path.as_ptr(), null(), MOVEFILE_DELAY_UNTIL_REBOOT) != 0 }
}

/// The path in the form that has no limit of 260 letters.
#[must_use]
pub fn long(path: &Path) -> Vec<u16> {
    let text = path.as_os_str();
    let plain = text.to_string_lossy();
    if path.is_absolute() && !plain.starts_with(r"\\") {
        let mut longer = OsString::from(r"\\?\");
        longer.push(text);
        return wide(longer);
    }
    wide(text)
}

fn open(path: &Path, access: u32) -> io::Result<OwnedHandle> {
    let path = long(path);
    let flags = FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS;
    // SAFETY: the path ends with a zero and outlives the call.
    let handle =
        unsafe { CreateFileW(path.as_ptr(), access, SHARED, null(), OPEN_EXISTING, flags, null_mut()) };
    // SAFETY: the handle is new and nobody else's.
    unsafe { HandleOrInvalid::from_raw_handle(handle) }.try_into().map_err(|_| io::Error::last_os_error())
}

/// The native call: the only one that opens a name below a handle.
#[repr(C)]
struct ObjectAttributes {
    length: u32,
    root: HANDLE,
    name: *const UNICODE_STRING,
    attributes: u32,
    security: *const core::ffi::c_void,
    quality: *const core::ffi::c_void,
}

#[link(name = "ntdll")]
unsafe extern "system" {
    fn NtOpenFile(
        handle: *mut HANDLE,
        access: u32,
        what: *const ObjectAttributes,
        status: *mut IO_STATUS_BLOCK,
        share: u32,
        options: u32,
    ) -> i32;
}

/// `FILE_SYNCHRONOUS_IO_NONALERT`, `FILE_OPEN_FOR_BACKUP_INTENT` and `FILE_OPEN_REPARSE_POINT`.
const AS_IT_IS: u32 = 0x20 | 0x4000 | 0x20_0000;

fn open_below(directory: &OwnedHandle, name: &[u16], access: u32) -> io::Result<OwnedHandle> {
    let bytes = u16::try_from(size_of_val(name)).map_err(io::Error::other)?;
    let name = UNICODE_STRING { Length: bytes, MaximumLength: bytes, Buffer: name.as_ptr().cast_mut() };
    let what = ObjectAttributes {
        length: u32::try_from(size_of::<ObjectAttributes>()).map_err(io::Error::other)?,
        root: directory.as_raw_handle(),
        name: &raw const name,
        attributes: 0,
        security: null(),
        quality: null(),
    };
    let mut handle = null_mut();
    let mut status = IO_STATUS_BLOCK::default();
    // SAFETY: every structure outlives the call, and the name is as long as it says.
    let code =
        unsafe { NtOpenFile(&raw mut handle, access, &raw const what, &raw mut status, SHARED, AS_IT_IS) };
    if code < 0 {
        // SAFETY: the call takes a plain number.
        let error = unsafe { RtlNtStatusToDosError(code) };
        return Err(io::Error::from_raw_os_error(i32::try_from(error).unwrap_or(i32::MAX)));
    }
    // SAFETY: the handle is new and nobody else's.
    Ok(unsafe { OwnedHandle::from_raw_handle(handle) })
}

/// Whether this is a directory itself, and no reparse point of any kind.
fn is_plain_directory(handle: &OwnedHandle) -> io::Result<bool> {
    let mut info = FILE_ATTRIBUTE_TAG_INFO::default();
    let size = u32::try_from(size_of_val(&info)).map_err(io::Error::other)?;
    // SAFETY: the handle is open and the answer has its size.
    done(unsafe {
        GetFileInformationByHandleEx(
            handle.as_raw_handle(),
            FileAttributeTagInfo,
            (&raw mut info).cast(),
            size,
        )
    })?;
    let kind = info.FileAttributes & (FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_REPARSE_POINT);
    Ok(kind == FILE_ATTRIBUTE_DIRECTORY)
}

/// The names in a directory, and whether each is listed as a directory.
fn list(directory: &OwnedHandle) -> io::Result<Vec<(Vec<u16>, bool)>> {
    const ROOM: usize = 64 << 10;
    let mut found = Vec::new();
    let mut class = FileFullDirectoryRestartInfo;
    // Of numbers as large as the structure's alignment.
    let mut room = vec![0_u64; ROOM / 8];
    loop {
        let place = room.as_mut_ptr();
        let size = u32::try_from(ROOM).map_err(io::Error::other)?;
        // SAFETY: the place is `size` bytes large and aligned for the structure.
        let told = done(unsafe {
            GetFileInformationByHandleEx(directory.as_raw_handle(), class, place.cast(), size)
        });
        match told {
            Err(error) if is(&error, ERROR_NO_MORE_FILES) => return Ok(found),
            told => told?,
        }
        class = FileFullDirectoryInfo;
        let bytes: Vec<u8> = room.iter().flat_map(|number| number.to_ne_bytes()).collect();
        let mut at = 0;
        while let Some((name, attributes, next)) = entry(&bytes, at) {
            if name != [46] && name != [46, 46] {
                found.push((name, attributes & FILE_ATTRIBUTE_DIRECTORY != 0));
            }
            if next == 0 {
                break;
            }
            at += next;
        }
    }
}

/// The name and attributes of the entry that begins here, and how far it is to the next.
fn entry(bytes: &[u8], at: usize) -> Option<(Vec<u16>, u32, usize)> {
    let number = |offset: usize| {
        let four = bytes.get(at + offset..at + offset + 4)?;
        Some(u32::from_ne_bytes(four.try_into().ok()?))
    };
    let next = number(offset_of!(FILE_FULL_DIR_INFO, NextEntryOffset))?;
    let attributes = number(offset_of!(FILE_FULL_DIR_INFO, FileAttributes))?;
    let length = usize::try_from(number(offset_of!(FILE_FULL_DIR_INFO, FileNameLength))?).ok()?;
    let begin = at + offset_of!(FILE_FULL_DIR_INFO, FileName);
    let name = bytes.get(begin..begin.checked_add(length)?)?;
    let units = name.chunks_exact(2).filter_map(|two| Some(u16::from_ne_bytes(two.try_into().ok()?)));
    Some((units.collect(), attributes, usize::try_from(next).ok()?))
}

/// Deletes what the handle is of. Its name is gone at once, even where another program has it open and
/// lets it be deleted; systems of files that do not know this have it gone with the last handle.
fn dispose(handle: &OwnedHandle) -> io::Result<()> {
    let flags = FILE_DISPOSITION_FLAG_DELETE
        | FILE_DISPOSITION_FLAG_POSIX_SEMANTICS
        | FILE_DISPOSITION_FLAG_IGNORE_READONLY_ATTRIBUTE;
    if set(handle, FileDispositionInfoEx, &FILE_DISPOSITION_INFO_EX { Flags: flags }).is_ok() {
        return Ok(());
    }
    let plain = FILE_BASIC_INFO { FileAttributes: FILE_ATTRIBUTE_NORMAL, ..FILE_BASIC_INFO::default() };
    let _ = set(handle, FileBasicInfo, &plain);
    set(handle, FileDispositionInfo, &FILE_DISPOSITION_INFO { DeleteFile: true })
}

fn set<T>(handle: &OwnedHandle, class: FILE_INFO_BY_HANDLE_CLASS, what: &T) -> io::Result<()> {
    let size = u32::try_from(size_of::<T>()).map_err(io::Error::other)?;
    // SAFETY: the structure is that of the class, of this size, and outlives the call.
    done(unsafe {
        SetFileInformationByHandle(handle.as_raw_handle(), class, (&raw const *what).cast(), size)
    })
}

/// Takes back permissions that a session has denied: their owner always may. The next try tells whether.
fn allow(directory: &OwnedHandle, name: &[u16]) {
    let Ok(handle) = open_below(directory, name, WRITE_DAC | SYNCHRONIZE) else { return };
    let mut open_to_all = SECURITY_DESCRIPTOR::default();
    let place: PSECURITY_DESCRIPTOR = (&raw mut open_to_all).cast();
    // SAFETY: the descriptor is written before it is read, and outlives both calls. It names nobody: what is
    // about to be deleted is denied to none.
    let _ = unsafe {
        InitializeSecurityDescriptor(place, 1) != 0
            && SetSecurityDescriptorDacl(place, 1, null(), 0) != 0
            && SetKernelObjectSecurity(handle.as_raw_handle(), DACL_SECURITY_INFORMATION, place) != 0
    };
}

fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == i32::try_from(code).ok()
}
