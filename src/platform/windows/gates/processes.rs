//! Class 1: processes of a session, what the session's own account still has, services that were installed, and
//! consumers of WMI. The job object's proof first, then no process that a session could have left.

use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_MORE_DATA, GetLastError};
use windows_sys::Win32::System::RemoteDesktop::{
    WTS_CURRENT_SERVER_HANDLE, WTS_SESSION_INFOW, WTSActive, WTSEnumerateSessionsW, WTSFreeMemory,
};
use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ENUM_SERVICE_STATUS_PROCESSW, EnumServicesStatusExW, OpenSCManagerW,
    SC_ENUM_PROCESS_INFO, SC_MANAGER_ENUMERATE_SERVICE, SERVICE_STATE_ALL, SERVICE_WIN32,
};

use super::account::text_at;
use super::scan::{self, Scan};
use super::{Gate, Ground, Look, Trace, account, ask};

pub(super) const GATES: [Gate; 4] = [
    Gate {
        class: 1,
        name: "processes",
        what: "processes",
        method: "the job object's list, then the kernel's table",
        inside: true,
        partial: None,
        look,
        clear: Some(clear),
    },
    Gate {
        class: 1,
        name: "Windows sessions",
        what: "sessions",
        method: "the terminal service",
        inside: false,
        partial: None,
        look: sessions,
        clear: None,
    },
    Gate {
        class: 1,
        name: "services",
        what: "services",
        method: "the list of services",
        inside: false,
        partial: None,
        look: services,
        clear: None,
    },
    Gate {
        class: 1,
        name: "WMI consumers",
        what: "consumers",
        method: "root\\subscription",
        inside: false,
        partial: None,
        look: consumers,
        clear: None,
    },
];

/// How often a look that found something is repeated, every 20 ms: a program that was just ending is no trace, and one
/// that only hops from pid to pid is there in every look.
const TRIES: u32 = 20;
/// How long PowerShell may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// The most bytes that a list of services has, as Windows says.
const MOST: usize = 256 << 10;

fn look(ground: &Ground) -> Look {
    let mut scan = Scan::take();
    for _ in 0..if ground.remains.first_app.is_none() { 0 } else { TRIES } {
        if ground.suspects(&scan).0.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
        scan = Scan::take();
    }
    if !scan.whole {
        return Look::unknown("the kernel did not give its table of processes");
    }
    let (left, untold) = ground.suspects(&scan);
    if left.is_empty() && ground.remains.capsule && !ground.remains.proved {
        return Look::unknown("the session's job object was not seen empty");
    }
    let traces = left.iter().map(|process| {
        Trace::shown(
            format!("{} {}", process.pid, process.since),
            format!("{} ({})", process.name, process.pid),
        )
    });
    let traces = traces.collect();
    if untold > 0 {
        return Look::Partly(traces, format!("{untold} processes do not say whose they are"));
    }
    Look::These(traces)
}

/// What a session has left beside its job was started for it by a broker of Windows': it is of this account, and ended.
fn clear(ground: &Ground, _: &[Trace]) {
    let scan = Scan::take();
    ground.suspects(&scan).0.iter().for_each(|process| scan::end(process.pid));
    std::thread::sleep(Duration::from_millis(50));
}

/// Whether somebody else is signed in on this machine: a session over the network would outlive a handoff.
#[expect(unsafe_code, reason = "the terminal service is asked by pointers")]
fn sessions(_: &Ground) -> Look {
    let mut rows: *mut WTS_SESSION_INFOW = std::ptr::null_mut();
    let mut count = 0;
    // SAFETY: the places for the answer outlive the call; the version is the one there is.
    let got =
        unsafe { WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &raw mut rows, &raw mut count) };
    if got == 0 {
        return Look::unknown("the terminal service did not tell its sessions");
    }
    if rows.is_null() || count == 0 {
        return Look::These(Vec::new());
    }
    // SAFETY: Windows has made so many rows there.
    let table = unsafe { std::slice::from_raw_parts(rows, count as usize) };
    let active = table.iter().filter(|row| row.State == WTSActive);
    let traces = active
        .map(|row| Trace::shown(format!("session {}", row.SessionId), format!("number {}", row.SessionId)));
    let traces = traces.collect();
    // SAFETY: they were made for us to free, and are not used any more.
    unsafe { WTSFreeMemory(rows.cast()) };
    Look::These(traces)
}

fn services(_: &Ground) -> Look {
    match installed() {
        Ok(names) => Look::These(names.into_iter().map(Trace::of).collect()),
        Err(code) => Look::unknown(format!("the list of services was not given (error {code})")),
    }
}

/// The services that are installed, by name. Those that Windows makes anew for each sign-in bear its number, and count
/// by the rest of their names.
#[expect(unsafe_code, reason = "the list of services is asked for by pointers")]
fn installed() -> Result<Vec<String>, u32> {
    // SAFETY: without names this machine's own list is opened.
    let list = unsafe { OpenSCManagerW(std::ptr::null(), std::ptr::null(), SC_MANAGER_ENUMERATE_SERVICE) };
    if list.is_null() {
        // SAFETY: takes nothing.
        return Err(unsafe { GetLastError() });
    }
    let mut names = Vec::new();
    let mut resume = 0;
    let mut room = vec![0_u64; MOST / 8];
    let outcome = loop {
        let (mut needed, mut count) = (0, 0);
        // SAFETY: the room is as large as is said; the places for numbers outlive the call.
        let got = unsafe {
            EnumServicesStatusExW(
                list,
                SC_ENUM_PROCESS_INFO,
                SERVICE_WIN32,
                SERVICE_STATE_ALL,
                room.as_mut_ptr().cast(),
                u32::try_from(MOST).unwrap_or(0),
                &raw mut needed,
                &raw mut count,
                &raw mut resume,
                std::ptr::null(),
            )
        };
        // SAFETY: takes nothing, and is asked before anything else can fail.
        let code = if got == 0 { unsafe { GetLastError() } } else { 0 };
        if got == 0 && code != ERROR_MORE_DATA {
            break Err(code);
        }
        // SAFETY: Windows has written so many rows there, with their names behind them in the same room.
        let rows = unsafe {
            std::slice::from_raw_parts(room.as_ptr().cast::<ENUM_SERVICE_STATUS_PROCESSW>(), count as usize)
        };
        // SAFETY: each name is a text that ends with a zero.
        names.extend(rows.iter().map(|row| without_number(&unsafe { text_at(row.lpServiceName) })));
        if got != 0 {
            break Ok(());
        }
    };
    // SAFETY: it was opened above and is not used any more.
    let _ = unsafe { CloseServiceHandle(list) };
    names.sort_unstable();
    names.dedup();
    outcome.map(|()| names)
}

/// `CDPUserSvc_3f2a1` is Windows' own of one sign-in.
fn without_number(name: &str) -> String {
    match name.rsplit_once('_') {
        Some((start, end)) if end.len() >= 4 && end.chars().all(|letter| letter.is_ascii_hexdigit()) => {
            format!("{start}_")
        }
        Some(_) | None => name.to_owned(),
    }
}

/// Permanent consumers run programs for whoever has made them, which only an administrator may.
fn consumers(_: &Ground) -> Look {
    if !ask::windows().join(r"System32\wbem\Repository").exists() {
        return Look::not_here("this Windows keeps no repository of WMI");
    }
    match account::is_administrator() {
        Some(false) => {
            return Look::absent(
                "unreachable: only an administrator may make one, and sessions have no such rights",
                "unreachable",
            );
        }
        None => return Look::unknown("Windows does not say what rights this account has"),
        Some(true) => {}
    }
    let Some(shell) = ask::program(r"WindowsPowerShell\v1.0\powershell.exe") else {
        return Look::unknown("this account is an administrator, and there is no PowerShell to ask WMI");
    };
    let question = "Get-CimInstance -Namespace root/subscription -ClassName __EventConsumer -ErrorAction Stop | \
                    ForEach-Object { $_.CimClass.CimClassName + ' ' + $_.Name }";
    match ask::heard(&shell, &["-NoProfile", "-NonInteractive", "-Command", question], PATIENCE) {
        Ok(text) => Look::These(text.lines().filter(|line| !line.trim().is_empty()).map(Trace::of).collect()),
        Err(why) => Look::unknown(format!("this account is an administrator, and {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_a_sign_in_is_no_name() {
        assert_eq!(without_number("CDPUserSvc_3f2a1"), "CDPUserSvc_");
        assert_eq!(without_number("my_service"), "my_service");
        assert_eq!(without_number("Spooler"), "Spooler");
    }

    #[test]
    fn the_services_that_are_there_are_found() {
        let names = installed().expect("the list of services");
        assert!(names.iter().any(|name| name.eq_ignore_ascii_case("Spooler")), "{names:?}");
    }
}
