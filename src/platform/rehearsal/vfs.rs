//! The rehearsal's disks under SQLite: one VFS for all of them, told apart by their directories.
//!
//! A crate for this (`sqlite-plugin`) was looked at: it needs libclang to build, and would stand
//! between SQLite and the faults with a lock table of its own. This is what the store needs: files,
//! locks between the connections of one shell, and the shared index of a write-ahead log.

#![expect(unsafe_code, reason = "SQLite calls a VFS through pointers")]

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use rusqlite::ffi;

use super::disk::{Disk, Weather};

/// The name under which SQLite knows the disks.
pub const NAME: &str = "cleanshift-rehearsal";
/// The same for C.
const C_NAME: &CStr = c"cleanshift-rehearsal";
/// The longest path.
const LONGEST: usize = 128;
/// The size of a part of the shared index that SQLite asks for.
const REGION: usize = 32 * 1024;

/// Makes the disks known to SQLite, once.
pub fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let vfs = ffi::sqlite3_vfs {
            iVersion: 1,
            szOsFile: size_of::<Handle>() as c_int,
            mxPathname: LONGEST as c_int,
            pNext: std::ptr::null_mut(),
            zName: C_NAME.as_ptr(),
            pAppData: std::ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_path),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: None,
            xCurrentTimeInt64: None,
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        };
        // SAFETY: the table is leaked, so that it lives as long as SQLite may call it.
        let _ = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(vfs)), 0) };
    });
}

/// What SQLite holds for an open file. It allocates it; `open` fills it in.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    file: *mut Open,
}

/// An open file.
struct Open {
    disk: Arc<Disk>,
    life: u32,
    path: String,
    node: Arc<Node>,
    /// Which of the file's handles this is.
    number: u64,
    /// Deleted when it is closed.
    passing: bool,
}

/// What the handles of one file share: who has locked what, and the index of its log.
#[derive(Default)]
struct Node {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    /// The lock level of each handle.
    locks: BTreeMap<u64, c_int>,
    /// For each handle, the places of the index that it has locked for itself and with others.
    index: BTreeMap<u64, (u16, u16)>,
    /// Boxes of words, so that each is aligned and stays where it is.
    regions: Vec<Box<[u64; REGION / 8]>>,
}

impl Node {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The node of each file that is open, by path and life.
static NODES: Mutex<BTreeMap<(String, u32), std::sync::Weak<Node>>> = Mutex::new(BTreeMap::new());

fn node(path: &str, life: u32) -> Arc<Node> {
    let mut nodes = NODES.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (path.to_owned(), life);
    if let Some(node) = nodes.get(&key).and_then(std::sync::Weak::upgrade) {
        return node;
    }
    nodes.retain(|_, node| node.strong_count() > 0);
    let node = Arc::new(Node::default());
    let _ = nodes.insert(key, Arc::downgrade(&node));
    node
}

/// The methods of an open file. Version 2: with a shared index, without memory mapping.
static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(characteristics),
    xShmMap: Some(index_map),
    xShmLock: Some(index_lock),
    xShmBarrier: Some(index_barrier),
    xShmUnmap: Some(index_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// SQLite's word for a failure. `otherwise` is what it calls a failing disk in this place.
fn code(how: Weather, otherwise: c_int) -> c_int {
    match how {
        Weather::Failing => otherwise,
        Weather::Forbidden => ffi::SQLITE_PERM,
        Weather::Full => ffi::SQLITE_FULL,
        Weather::ReadOnly => ffi::SQLITE_READONLY,
    }
}

fn said(result: Result<(), Weather>, otherwise: c_int) -> c_int {
    result.map_or_else(|how| code(how, otherwise), |()| ffi::SQLITE_OK)
}

/// A path as SQLite gives it.
fn text<'a>(path: *const c_char) -> Option<&'a str> {
    if path.is_null() {
        return None;
    }
    // SAFETY: SQLite gives a string that ends with a zero and lives as long as the call.
    unsafe { CStr::from_ptr(path) }.to_str().ok()
}

/// The open file behind what SQLite holds.
fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a Open {
    // SAFETY: SQLite gives only what `open` has filled in, and nothing after `close`.
    unsafe { &*(*file.cast::<Handle>()).file }
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let handle = file.cast::<Handle>();
    // SAFETY: SQLite gives room for a handle; without methods it will not be closed.
    unsafe { (*handle).base.pMethods = std::ptr::null() };
    let Some(path) = text(path) else { return ffi::SQLITE_CANTOPEN };
    let Some(disk) = Disk::of(path) else { return ffi::SQLITE_CANTOPEN };
    if !disk.exists(path) {
        if flags & ffi::SQLITE_OPEN_CREATE == 0 {
            return ffi::SQLITE_CANTOPEN;
        }
        disk.make(path);
    }
    let life = disk.life();
    let node = node(path, life);
    let number = {
        let mut state = node.state();
        state.next += 1;
        state.next
    };
    let passing = flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
    let open = Box::new(Open { disk, life, path: path.to_owned(), node, number, passing });
    // SAFETY: as above; `out` is null or SQLite's own.
    unsafe {
        (*handle).file = Box::into_raw(open);
        (*handle).base.pMethods = &raw const METHODS;
        if !out.is_null() {
            *out = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: the box is the one that `open` has left there, and SQLite closes once.
    let open = unsafe { Box::from_raw((*file.cast::<Handle>()).file) };
    let mut state = open.node.state();
    let _ = state.locks.remove(&open.number);
    let _ = state.index.remove(&open.number);
    drop(state);
    if open.passing {
        let _ = open.disk.delete(&open.path, open.life, false);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let open = opened(file);
    let (Ok(amount), Ok(at)) = (usize::try_from(amount), usize::try_from(at)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    // SAFETY: SQLite gives room for `amount` bytes.
    let into = unsafe { std::slice::from_raw_parts_mut(into.cast::<u8>(), amount) };
    match open.disk.read(&open.path, open.life, at, into) {
        Ok(read) if read == amount => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(how) => code(how, ffi::SQLITE_IOERR_READ),
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    amount: c_int,
    at: ffi::sqlite3_int64,
) -> c_int {
    let open = opened(file);
    let (Ok(amount), Ok(at)) = (usize::try_from(amount), usize::try_from(at)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: SQLite gives `amount` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), amount) };
    said(open.disk.write(&open.path, open.life, at, bytes), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    let open = opened(file);
    let size = usize::try_from(size).unwrap_or(0);
    said(open.disk.truncate(&open.path, open.life, size), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    let open = opened(file);
    said(open.disk.sync(&open.path, open.life), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut ffi::sqlite3_int64) -> c_int {
    let open = opened(file);
    match open.disk.size(&open.path, open.life) {
        Ok(len) => {
            // SAFETY: SQLite gives a place for the answer.
            unsafe { *size = ffi::sqlite3_int64::try_from(len).unwrap_or(ffi::sqlite3_int64::MAX) };
            ffi::SQLITE_OK
        }
        Err(how) => code(how, ffi::SQLITE_IOERR_FSTAT),
    }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    let open = opened(file);
    let mut state = open.node.state();
    let own = state.locks.get(&open.number).copied().unwrap_or(ffi::SQLITE_LOCK_NONE);
    if own >= level {
        return ffi::SQLITE_OK;
    }
    let others = state.locks.iter().filter(|(number, _)| **number != open.number);
    let highest = others.map(|(_, level)| *level).max().unwrap_or(ffi::SQLITE_LOCK_NONE);
    let free = match level {
        ffi::SQLITE_LOCK_SHARED => highest < ffi::SQLITE_LOCK_PENDING,
        ffi::SQLITE_LOCK_RESERVED => highest < ffi::SQLITE_LOCK_RESERVED,
        _ => highest < ffi::SQLITE_LOCK_SHARED,
    };
    if free {
        let _ = state.locks.insert(open.number, level);
        return ffi::SQLITE_OK;
    }
    if level == ffi::SQLITE_LOCK_EXCLUSIVE && highest < ffi::SQLITE_LOCK_RESERVED {
        let _ = state.locks.insert(open.number, ffi::SQLITE_LOCK_PENDING);
    }
    ffi::SQLITE_BUSY
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    let open = opened(file);
    let _ = open.node.state().locks.insert(open.number, level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved(file: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    let reserved = opened(file).node.state().locks.values().any(|level| *level >= ffi::SQLITE_LOCK_RESERVED);
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *out = c_int::from(reserved) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    4096
}

unsafe extern "C" fn characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    // As SQLite takes a disk of Linux to be: a write that is torn harms nothing beside it.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn index_map(
    file: *mut ffi::sqlite3_file,
    region: c_int,
    size: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    let open = opened(file);
    let (Ok(region), Ok(REGION)) = (usize::try_from(region), usize::try_from(size)) else {
        return ffi::SQLITE_IOERR;
    };
    let mut state = open.node.state();
    let _ = state.index.entry(open.number).or_default();
    while extend != 0 && state.regions.len() <= region {
        state.regions.push(Box::new([0; REGION / 8]));
    }
    let place = state.regions.get_mut(region);
    let place = place.map_or(std::ptr::null_mut(), |words| words.as_mut_ptr().cast::<c_void>());
    // SAFETY: SQLite gives a place for the answer. The box stays where it is until the last handle of
    // the file is gone, and is touched by SQLite alone.
    unsafe { *out = place };
    ffi::SQLITE_OK
}

unsafe extern "C" fn index_lock(file: *mut ffi::sqlite3_file, at: c_int, many: c_int, flags: c_int) -> c_int {
    let open = opened(file);
    let wanted =
        (0..many).fold(0_u16, |mask, place| mask | 1_u16.checked_shl((at + place) as u32).unwrap_or(0));
    let mut state = open.node.state();
    let others = state.index.iter().filter(|(number, _)| **number != open.number);
    let (alone, shared) = others.fold((0, 0), |(a, s), (_, (alone, shared))| (a | alone, s | shared));
    let (own_alone, own_shared) = state.index.entry(open.number).or_default();
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        *own_alone &= !wanted;
        *own_shared &= !wanted;
        return ffi::SQLITE_OK;
    }
    if flags & ffi::SQLITE_SHM_EXCLUSIVE != 0 {
        if (alone | shared) & wanted != 0 {
            return ffi::SQLITE_BUSY;
        }
        *own_alone |= wanted;
    } else {
        if alone & wanted != 0 {
            return ffi::SQLITE_BUSY;
        }
        *own_shared |= wanted;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn index_barrier(_: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn index_unmap(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    let open = opened(file);
    let mut state = open.node.state();
    let _ = state.index.remove(&open.number);
    if state.index.is_empty() {
        state.regions.clear();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, path: *const c_char, durably: c_int) -> c_int {
    let Some(path) = text(path) else { return ffi::SQLITE_IOERR_DELETE };
    let Some(disk) = Disk::of(path) else { return ffi::SQLITE_IOERR_DELETE };
    if !disk.exists(path) {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    said(disk.delete(path, disk.life(), durably != 0), ffi::SQLITE_IOERR_DELETE)
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    _: c_int,
    out: *mut c_int,
) -> c_int {
    let there = text(path).is_some_and(|path| Disk::of(path).is_some_and(|disk| disk.exists(path)));
    // SAFETY: SQLite gives a place for the answer.
    unsafe { *out = c_int::from(there) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_path(
    _: *mut ffi::sqlite3_vfs,
    path: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // Windows joins names with another sign; the disk knows one.
    let Some(path) = text(path).map(|path| path.replace('\\', "/")) else { return ffi::SQLITE_CANTOPEN };
    if path.len() >= usize::try_from(room).unwrap_or(0) {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: there is room for the text and the zero behind it.
    unsafe {
        out.copy_from_nonoverlapping(path.as_ptr().cast::<c_char>(), path.len());
        *out.add(path.len()) = 0;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, many: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite gives room for so many bytes.
    unsafe { out.write_bytes(7, usize::try_from(many).unwrap_or(0)) };
    many
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, micros: c_int) -> c_int {
    // Nobody waits in a rehearsal; whoever waits for a lock counts its tries.
    micros
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite gives a place for the answer; the store asks for no dates.
    unsafe { *out = 2_461_000.5 };
    ffi::SQLITE_OK
}
