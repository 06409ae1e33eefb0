//! The processes of this machine, read once for all gates of a look. The kernel's own table is read, which no
//! process can leave; whose a process is, is asked of the process and, where that is refused, of the terminal service.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, NTSTATUS};
use windows_sys::Win32::System::RemoteDesktop::{
    ProcessIdToSessionId, WTS_CURRENT_SERVER_HANDLE, WTS_PROCESS_INFOW, WTSEnumerateProcessesW, WTSFreeMemory,
};
use windows_sys::Win32::System::Threading::{
    OpenProcess, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_TERMINATE, TerminateProcess,
};

use super::account::{own_sid, sid_of, sid_text};
use super::ask::Ours;
use super::{Baseline, Ground};

/// Units of 100 ns from 1601, where Windows begins to count, to 1970.
const TO_1970: u64 = 116_444_736_000_000_000;
/// The kernel's table of processes (SystemProcessInformation).
const TABLE: u32 = 5;
/// The most bytes that the table may have.
const MOST: usize = 64 << 20;

#[link(name = "ntdll")]
#[expect(unsafe_code, reason = "the kernel's table of processes is read through its own call")]
unsafe extern "system" {
    fn NtQuerySystemInformation(what: u32, room: *mut u8, bytes: u32, used: *mut u32) -> NTSTATUS;
}

/// A process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// When it began: with the pid, its name for ever.
    pub(super) since: i64,
    /// The name of its program.
    pub(super) name: String,
    parent: u32,
    /// The session of Windows' that it is in.
    session: u32,
}

/// All live processes.
pub(super) struct Scan {
    pub(super) all: Vec<Process>,
    /// Whether the kernel gave its table.
    pub(super) whole: bool,
}

/// Whose a process is.
#[derive(PartialEq, Eq)]
enum Whose {
    Own,
    Other,
    Untold,
}

impl Scan {
    pub(super) fn take() -> Self {
        match table() {
            Some(all) => Self { all, whole: true },
            None => Self { all: Vec::new(), whole: false },
        }
    }

    fn named(&self, pid: u32) -> Option<&Process> {
        self.all.iter().find(|process| process.pid == pid)
    }
}

#[expect(unsafe_code, reason = "the kernel's table of processes is read through its own call")]
fn table() -> Option<Vec<Process>> {
    let mut room = vec![0_u64; 64 << 10];
    loop {
        let bytes = u32::try_from(room.len() * 8).ok()?;
        let mut used = 0;
        // SAFETY: the room is as large as is said.
        let code = unsafe { NtQuerySystemInformation(TABLE, room.as_mut_ptr().cast(), bytes, &raw mut used) };
        if code >= 0 {
            break;
        }
        if room.len() * 16 > MOST {
            return None;
        }
        room = vec![0_u64; room.len() * 2];
    }
    let start = room.as_ptr().cast::<u8>();
    let length = room.len() * 8;
    // SAFETY: these are the bytes of the room.
    let bytes = unsafe { std::slice::from_raw_parts(start, length) };
    let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let long = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let next = word(at)?;
        // The name stands behind the table's rows, in the same room.
        let name_bytes = usize::from(u16::try_from(word(at + 0x38)? & 0xffff).ok()?);
        let place = usize::try_from(long(at + 0x40)?).ok()?.checked_sub(start.addr());
        let name = place.and_then(|place| bytes.get(place..place.checked_add(name_bytes)?));
        let units: Vec<u16> = name
            .unwrap_or_default()
            .chunks_exact(2)
            .map(|pair| {
                u16::from_le_bytes([pair.first().copied().unwrap_or(0), pair.get(1).copied().unwrap_or(0)])
            })
            .collect();
        found.push(Process {
            pid: u32::try_from(long(at + 0x50)?).ok()?,
            since: long(at + 0x20)?.cast_signed(),
            name: String::from_utf16_lossy(&units).chars().filter(|letter| !letter.is_control()).collect(),
            parent: u32::try_from(long(at + 0x58)? & 0xffff_ffff).ok()?,
            session: word(at + 0x64)?,
        });
        if next == 0 {
            return Some(found);
        }
        at += usize::try_from(next).ok()?;
    }
}

/// A time as the kernel tells when a process began.
pub(super) fn ticks(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let units = u64::try_from(since.as_nanos() / 100).unwrap_or(u64::MAX).saturating_add(TO_1970);
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// Does something with a process that is opened for it.
#[expect(unsafe_code, reason = "processes are opened by Windows' own call")]
fn opened<T>(pid: u32, access: u32, deed: impl FnOnce(HANDLE) -> T) -> Option<T> {
    // SAFETY: takes numbers alone.
    let process = unsafe { OpenProcess(access, 0, pid) };
    if process.is_null() {
        return None;
    }
    let done = deed(process);
    // SAFETY: it was opened above and is not used any more.
    let _ = unsafe { CloseHandle(process) };
    Some(done)
}

/// Ends a process; whether it did is for a second look to tell.
#[expect(unsafe_code, reason = "processes are ended by Windows' own call")]
pub(super) fn end(pid: u32) {
    // SAFETY: the process is open with the right to end it.
    let _ = opened(pid, PROCESS_TERMINATE, |process| unsafe { TerminateProcess(process, 1) });
}

/// Whose each process is, by the terminal service, which no process can refuse.
#[expect(unsafe_code, reason = "the terminal service is asked by pointers")]
fn owners() -> BTreeMap<u32, Option<String>> {
    let mut rows: *mut WTS_PROCESS_INFOW = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: the places for the answer outlive the call; the version is the one there is.
    let got =
        unsafe { WTSEnumerateProcessesW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &raw mut rows, &raw mut count) };
    if got == 0 || rows.is_null() {
        return BTreeMap::new();
    }
    // SAFETY: Windows has made so many rows there.
    let table = unsafe { std::slice::from_raw_parts(rows, count as usize) };
    let owners = table.iter().map(|row| (row.ProcessId, sid_text(row.pUserSid))).collect();
    // SAFETY: they were made for us to free, and are not used any more.
    unsafe { WTSFreeMemory(rows.cast()) };
    owners
}

/// The session of Windows' that the shell is in.
#[expect(unsafe_code, reason = "Windows is asked by pointers")]
fn own_session() -> Option<u32> {
    let mut session = 0;
    // SAFETY: the place for the answer outlives the call.
    let got = unsafe { ProcessIdToSessionId(std::process::id(), &raw mut session) };
    (got != 0).then_some(session)
}

impl Baseline {
    pub(super) fn note(&mut self, scan: &Scan) {
        self.processes = scan.all.iter().map(|process| (process.pid, process.since)).collect();
    }
}

impl Ground {
    /// The processes that could be a session's: of its own account all, of the station's those that came after the
    /// first app was started, and that the shell has not started for itself. Beside them, how many of them nobody says
    /// whose they are.
    pub(super) fn suspects<'a>(&self, scan: &'a Scan) -> (Vec<&'a Process>, usize) {
        let Some(first) = self.remains.first_app.map(ticks) else { return (Vec::new(), 0) };
        let (us, own, session) = (std::process::id(), own_sid(), own_session());
        let ended = self.remains.ended.map_or(i64::MAX, ticks);
        let new = scan.all.iter().filter(|process| {
            process.pid != 0
                && process.pid != us
                && process.since >= first
                && !self.baseline.processes.contains(&(process.pid, process.since))
                && !Ours::has(process.pid)
                && !self.of_windows(scan, process, ended)
        });
        let mut told: Option<BTreeMap<u32, Option<String>>> = None;
        let (mut suspects, mut untold) = (Vec::new(), 0);
        for process in new {
            let sid = opened(process.pid, PROCESS_QUERY_LIMITED_INFORMATION, sid_of).flatten();
            let sid = sid.or_else(|| told.get_or_insert_with(owners).get(&process.pid).cloned().flatten());
            let whose = match &sid {
                Some(sid) if Some(sid) == own.as_ref() || Some(sid) == self.remains.account.as_ref() => {
                    Whose::Own
                }
                Some(_) => Whose::Other,
                None => Whose::Untold,
            };
            match whose {
                Whose::Own => suspects.push(process),
                // One that has just ended is in nobody's table any more.
                Whose::Untold if Some(process.session) == session && still(process) => untold += 1,
                Whose::Untold | Whose::Other => {}
            }
        }
        (suspects, untold)
    }

    /// Whether Windows has started it for itself: a service, or, after the session's end, what its brokers start. Their
    /// rows are those of the baseline: an app can choose a parent, but no such one, which it may not open.
    fn of_windows(&self, scan: &Scan, process: &Process, ended: i64) -> bool {
        let Some(parent) = scan.named(process.parent) else { return false };
        if !self.baseline.processes.contains(&(parent.pid, parent.since)) {
            return false;
        }
        match parent.name.to_ascii_lowercase().as_str() {
            "services.exe" => true,
            "svchost.exe" => process.since > ended,
            _ => false,
        }
    }
}

/// Whether it is still there.
fn still(process: &Process) -> bool {
    Scan::take().all.iter().any(|now| (now.pid, now.since) == (process.pid, process.since))
}
