//! Time: the interrupt time for the core (it counts sleep and never goes back), the wall clock and the
//! boot's id for the ledger.
//!
//! Windows has no random id of a boot as Linux has. Where the kernel counts its boots, the id is the hash of
//! that count and the machine's own id. Where it does not, the id is random and of this process alone: the
//! same id then still says that two times are of one boot, and another id says nothing.

use std::sync::OnceLock;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use windows_sys::Win32::Foundation::FILETIME;
use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
use windows_sys::Win32::System::SystemInformation::{GetSystemTimePreciseAsFileTime, GetTickCount64};

use super::registry::{self, wide};
use crate::handoff::Moment;
use crate::ports::{Clock, Stamp};

/// Units of 100 ns in a second.
const SECOND: u64 = 10_000_000;
/// From 1601, where Windows begins to count, to 1970, in seconds.
const TO_1970: u64 = 11_644_473_600;
/// Where the kernel shows every process its count of boots: `BootId` of KUSER_SHARED_DATA.
const BOOTS: usize = 0x7ffe_0000 + 0x2c4;

/// The host's clocks, counted from when this was made.
pub struct HostClock {
    started: Duration,
    boot_id: String,
}

impl HostClock {
    /// A clock that begins now.
    #[must_use]
    pub fn begin() -> Self {
        Self { started: since_boot(), boot_id: boot_id() }
    }

    fn elapsed(&self) -> Duration {
        since_boot().saturating_sub(self.started)
    }
}

impl Clock for HostClock {
    fn now(&self) -> Moment {
        Moment(u64::try_from(self.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn micros(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn stamp(&self) -> Stamp {
        Stamp {
            utc_ms: i64::try_from(wall().as_millis()).unwrap_or(i64::MAX),
            boot_ms: u64::try_from(since_boot().as_millis()).unwrap_or(u64::MAX),
            boot_id: self.boot_id.clone(),
        }
    }
}

/// For measuring how long something took.
#[must_use]
pub fn monotonic() -> Duration {
    since_boot()
}

/// How long ago the kernel was started, counting sleep and hibernation.
#[must_use]
#[expect(unsafe_code, reason = "no crate in use asks for a clock that counts sleep")]
pub fn since_boot() -> Duration {
    static PRECISE: OnceLock<Option<Precise>> = OnceLock::new();
    match PRECISE.get_or_init(precise) {
        Some(ask) => {
            let mut units = 0;
            // SAFETY: the number outlives the call, which cannot fail.
            unsafe { ask(&raw mut units) };
            duration(units)
        }
        // SAFETY: has no arguments that could be wrong.
        None => Duration::from_millis(unsafe { GetTickCount64() }),
    }
}

/// QueryInterruptTimePrecise, which counts as GetTickCount64 does, in units of 100 ns.
type Precise = unsafe extern "system" fn(*mut u64);

/// Where the system has it: all that Cleanshift runs on do, and Wine has not.
#[expect(unsafe_code, reason = "a program that names a call which is not there does not start at all")]
fn precise() -> Option<Precise> {
    let library = wide("kernelbase.dll");
    // SAFETY: the names end with a zero; the library is in every process and stays; the call that has this name has
    // this form.
    unsafe {
        let library = GetModuleHandleW(library.as_ptr());
        if library.is_null() {
            return None;
        }
        let found = GetProcAddress(library, c"QueryInterruptTimePrecise".as_ptr().cast())?;
        Some(std::mem::transmute::<unsafe extern "system" fn() -> isize, Precise>(found))
    }
}

/// The wall clock, since 1970.
#[expect(unsafe_code, reason = "the wall clock beside the other one, from the same source")]
fn wall() -> Duration {
    let mut time = FILETIME::default();
    // SAFETY: the structure outlives the call, which cannot fail.
    unsafe { GetSystemTimePreciseAsFileTime(&raw mut time) };
    let units = (u64::from(time.dwHighDateTime) << 32) | u64::from(time.dwLowDateTime);
    duration(units).saturating_sub(Duration::from_secs(TO_1970))
}

fn duration(units: u64) -> Duration {
    Duration::new(units / SECOND, u32::try_from(units % SECOND * 100).unwrap_or(0))
}

fn boot_id() -> String {
    let machine = registry::machine_text(r"SOFTWARE\Microsoft\Cryptography", "MachineGuid");
    let id: [u8; 16] = match (machine, boots()) {
        (Some(machine), boots) if boots != 0 && !machine.is_empty() => {
            let hash = Sha256::new().chain_update(b"cleanshift boot\0").chain_update(machine);
            let hash: [u8; 32] = hash.chain_update(boots.to_be_bytes()).finalize().into();
            hash.first_chunk().copied().unwrap_or_default()
        }
        _ => {
            let mut own = [0; 16];
            if getrandom::fill(&mut own).is_err() {
                // No id at all is told as none.
                return String::new();
            }
            own
        }
    };
    hex::encode(id)
}

/// The kernel's count of boots; 0 where it keeps none.
#[expect(unsafe_code, reason = "the page that the kernel shows every process has no call of its own")]
fn boots() -> u32 {
    // SAFETY: Windows maps this page at this address into every process, readable, for as long as it lives.
    unsafe { std::ptr::with_exposed_provenance::<u32>(BOOTS).read_volatile() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_and_the_year_is_one_of_ours() {
        let clock = HostClock::begin();
        let (first, stamp) = (clock.micros(), clock.stamp());
        std::thread::sleep(Duration::from_millis(20));
        assert!(clock.micros() >= first + 15_000);
        assert!(stamp.utc_ms > 1_700_000_000_000 && stamp.boot_ms > 0);
        assert_eq!(stamp.boot_id.len(), 32);
        let far = i64::try_from(
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis(),
        );
        assert!((far.unwrap() - stamp.utc_ms).abs() < 5_000);
    }
}
