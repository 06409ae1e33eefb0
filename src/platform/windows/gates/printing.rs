//! Class 11: what waits to be printed for this account, what the spooler keeps on the disk, and whether it keeps what was
//! printed.

use windows_sys::Win32::Foundation::{ERROR_INSUFFICIENT_BUFFER, GetLastError};
use windows_sys::Win32::Graphics::Printing::{
    ClosePrinter, EnumJobsW, EnumPrintersW, JOB_CONTROL_DELETE, JOB_INFO_1W, OpenPrinterW,
    PRINTER_ATTRIBUTE_KEEPPRINTEDJOBS, PRINTER_ENUM_CONNECTIONS, PRINTER_ENUM_LOCAL, PRINTER_HANDLE,
    PRINTER_INFO_4W, PRINTER_INFO_5W, SetJobW,
};

use super::account::text_at;
use super::{Gate, Ground, Look, SEAM, Trace, ask, folders};
use crate::platform::windows::registry::wide;

pub(super) const GATES: [Gate; 3] = [
    Gate {
        class: 11,
        name: "print jobs",
        what: "jobs",
        method: "the spooler's list of jobs",
        inside: true,
        partial: None,
        look,
        clear: Some(clear),
    },
    Gate {
        class: 11,
        name: "spool folder",
        what: "documents",
        method: r"System32\spool\PRINTERS",
        inside: false,
        partial: None,
        look: spool,
        clear: None,
    },
    Gate {
        class: 11,
        name: "printed documents",
        what: "",
        method: "the printers' attributes",
        inside: false,
        partial: None,
        look: kept,
        clear: None,
    },
];

/// No spooler runs (RPC_S_SERVER_UNAVAILABLE).
const RPC_S_SERVER_UNAVAILABLE: u32 = 1722;
/// The most jobs of one printer that are looked at.
const JOBS: u32 = 10_000;

/// Asks for rows of unknown size: `ask` is given room, its bytes, and a place for the bytes that are needed.
#[expect(unsafe_code, reason = "the last error is asked for")]
fn rows(ask: impl Fn(*mut u8, u32, *mut u32) -> i32) -> Result<Vec<u64>, u32> {
    let mut needed = 0;
    let mut room: Vec<u64> = Vec::new();
    for _ in 0..4 {
        let bytes = u32::try_from(room.len() * 8).unwrap_or(0);
        if ask(room.as_mut_ptr().cast(), bytes, &raw mut needed) != 0 {
            return Ok(room);
        }
        // SAFETY: takes nothing.
        match unsafe { GetLastError() } {
            // It may grow between two calls.
            ERROR_INSUFFICIENT_BUFFER => room = vec![0; needed as usize / 8 + 512],
            code => return Err(code),
        }
    }
    Err(ERROR_INSUFFICIENT_BUFFER)
}

/// The printers of this account.
#[expect(unsafe_code, reason = "the spooler is asked by pointers")]
fn printers() -> Result<Vec<String>, u32> {
    let count = std::cell::Cell::new(0);
    let room = rows(|place, bytes, needed| {
        let mut found = 0;
        // SAFETY: the room is as large as is said; the places for numbers outlive the call.
        let got = unsafe {
            EnumPrintersW(
                PRINTER_ENUM_LOCAL | PRINTER_ENUM_CONNECTIONS,
                std::ptr::null(),
                4,
                place,
                bytes,
                needed,
                &raw mut found,
            )
        };
        count.set(found);
        got
    })?;
    if room.is_empty() {
        return Ok(Vec::new());
    }
    // SAFETY: the spooler has written so many rows there, with their names behind them in the same room.
    let table =
        unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<PRINTER_INFO_4W>(), count.get() as usize) };
    // SAFETY: each name is a text that ends with a zero.
    Ok(table.iter().map(|row| unsafe { text_at(row.pPrinterName) }).collect())
}

/// Does something with a printer open.
#[expect(unsafe_code, reason = "the spooler is asked by pointers")]
fn opened<T>(printer: &str, deed: impl FnOnce(PRINTER_HANDLE) -> T) -> Result<T, u32> {
    let name = wide(printer);
    let mut handle = PRINTER_HANDLE::default();
    // SAFETY: the name ends with a zero; the place for the handle outlives the call.
    if unsafe { OpenPrinterW(name.as_ptr(), &raw mut handle, std::ptr::null()) } == 0 {
        // SAFETY: takes nothing.
        return Err(unsafe { GetLastError() });
    }
    let done = deed(handle);
    // SAFETY: it was opened above and is not used any more.
    let _ = unsafe { ClosePrinter(handle) };
    Ok(done)
}

/// A job that waits.
struct Waiting {
    printer: String,
    id: u32,
    when: [u16; 8],
}

impl Waiting {
    /// A job's name can be a patient's: it is known and shown by its number.
    fn trace(&self) -> Trace {
        let key = format!("{}{SEAM}{}{SEAM}{:?}", self.printer, self.id, self.when);
        Trace::shown(key, format!("number {} of {}", self.id, self.printer))
    }
}

#[expect(unsafe_code, reason = "the spooler is asked by pointers")]
fn jobs() -> Result<Vec<Waiting>, u32> {
    let mut found = Vec::new();
    for printer in printers()? {
        let count = std::cell::Cell::new(0);
        let room = opened(&printer, |handle| {
            rows(|place, bytes, needed| {
                let mut many = 0;
                // SAFETY: the printer is open; the room is as large as is said; the places for numbers outlive the call.
                let got = unsafe { EnumJobsW(handle, 0, JOBS, 1, place, bytes, needed, &raw mut many) };
                count.set(many);
                got
            })
        })??;
        if room.is_empty() {
            continue;
        }
        // SAFETY: the spooler has written so many rows there.
        let table =
            unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<JOB_INFO_1W>(), count.get() as usize) };
        found.extend(table.iter().map(|row| {
            let at = row.Submitted;
            let when = [
                at.wYear,
                at.wMonth,
                at.wDayOfWeek,
                at.wDay,
                at.wHour,
                at.wMinute,
                at.wSecond,
                at.wMilliseconds,
            ];
            Waiting { printer: printer.clone(), id: row.JobId, when }
        }));
    }
    Ok(found)
}

fn look(_: &Ground) -> Look {
    match jobs() {
        Ok(jobs) => Look::These(jobs.iter().map(Waiting::trace).collect()),
        Err(RPC_S_SERVER_UNAVAILABLE) => Look::not_here("the spooler does not run: nothing can be printed"),
        Err(code) => Look::unknown(format!("the spooler did not list its jobs (error {code})")),
    }
}

/// Deletes the jobs that came since the baseline; of those the spooler lets this account delete its own alone.
#[expect(unsafe_code, reason = "jobs are deleted by the spooler's own call")]
fn clear(_: &Ground, traces: &[Trace]) {
    for job in jobs().unwrap_or_default() {
        if traces.contains(&job.trace()) {
            // SAFETY: the printer is open; no structure comes with the order.
            let _ = opened(&job.printer, |handle| unsafe {
                SetJobW(handle, job.id, 0, std::ptr::null(), JOB_CONTROL_DELETE)
            });
        }
    }
}

fn spool(ground: &Ground) -> Look {
    let place = ask::windows().join(r"System32\spool\PRINTERS");
    match std::fs::read_dir(&place) {
        Ok(_) => folders::look(&[&place]),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Look::not_here("there is no spool folder")
        }
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Look::setting(
            ground,
            "spool-folder",
            false,
            "only an administrator may look into it; the spooler's own list of jobs is asked instead",
        ),
        Err(error) => Look::unknown(format!("it could not be looked at: {error}")),
    }
}

/// The printers that keep what they have printed.
#[expect(unsafe_code, reason = "the spooler is asked by pointers")]
fn keeping() -> Result<Vec<String>, u32> {
    let count = std::cell::Cell::new(0);
    let room = rows(|place, bytes, needed| {
        let mut found = 0;
        // SAFETY: the room is as large as is said; the places for numbers outlive the call.
        let got = unsafe {
            EnumPrintersW(
                PRINTER_ENUM_LOCAL | PRINTER_ENUM_CONNECTIONS,
                std::ptr::null(),
                5,
                place,
                bytes,
                needed,
                &raw mut found,
            )
        };
        count.set(found);
        got
    })?;
    if room.is_empty() {
        return Ok(Vec::new());
    }
    // SAFETY: the spooler has written so many rows there, with their names behind them in the same room.
    let table =
        unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<PRINTER_INFO_5W>(), count.get() as usize) };
    let keeping = table.iter().filter(|row| row.Attributes & PRINTER_ATTRIBUTE_KEEPPRINTEDJOBS != 0);
    // SAFETY: each name is a text that ends with a zero.
    Ok(keeping.map(|row| unsafe { text_at(row.pPrinterName) }).collect())
}

fn kept(ground: &Ground) -> Look {
    match keeping() {
        Ok(none) if none.is_empty() => {
            Look::setting(ground, "printed-documents", true, "no printer keeps what it has printed")
        }
        Ok(some) => Look::setting(
            ground,
            "printed-documents",
            false,
            format!("printers that keep what they have printed: {}", some.join(", ")),
        ),
        Err(RPC_S_SERVER_UNAVAILABLE) => Look::not_here("the spooler does not run: nothing can be printed"),
        Err(code) => Look::unknown(format!("the spooler did not list its printers (error {code})")),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use windows_sys::Win32::Graphics::Printing::{AddPrinterW, DeletePrinter, PRINTER_INFO_2W};

    use super::*;

    /// Has a printer of this name, which keeps what it prints, for as long as this lives.
    pub(in crate::platform::windows::gates) struct Printer(PRINTER_HANDLE);

    impl Printer {
        /// By the driver that the registry was told of.
        #[expect(unsafe_code, reason = "the spooler is told by pointers")]
        pub(in crate::platform::windows::gates) fn add(name: &str, driver: &str) -> Self {
            let [mut name, mut driver, mut port, mut how, mut kind] =
                [name, driver, "FILE:", "WinPrint", "RAW"].map(wide);
            let printer = PRINTER_INFO_2W {
                pPrinterName: name.as_mut_ptr(),
                pPortName: port.as_mut_ptr(),
                pDriverName: driver.as_mut_ptr(),
                pPrintProcessor: how.as_mut_ptr(),
                pDatatype: kind.as_mut_ptr(),
                Attributes: PRINTER_ATTRIBUTE_KEEPPRINTEDJOBS,
                ..Default::default()
            };
            // SAFETY: every text ends with a zero and outlives the call.
            let handle = unsafe { AddPrinterW(std::ptr::null(), 2, (&raw const printer).cast()) };
            assert!(!handle.is_null(), "the printer was not taken");
            Self(PRINTER_HANDLE { Value: handle })
        }
    }

    impl Drop for Printer {
        #[expect(unsafe_code, reason = "the spooler is told by pointers")]
        fn drop(&mut self) {
            // SAFETY: it was added by this value, and is not used any more.
            unsafe {
                let _ = DeletePrinter(self.0);
                let _ = ClosePrinter(self.0);
            }
        }
    }
}
