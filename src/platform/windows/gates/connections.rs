//! Class 12: connections to other machines that outlive a program: mapped drives and shares, and dialled or tunnelled
//! networks. Sessions on other machines' screens (RDP, Citrix) end with their programs, class 1.

use windows_sys::Win32::Foundation::{ERROR_NO_MORE_ITEMS, ERROR_SUCCESS};
use windows_sys::Win32::NetworkManagement::WNet::{
    CONNECT_UPDATE_PROFILE, NETRESOURCEW, RESOURCE_CONNECTED, RESOURCE_REMEMBERED, RESOURCETYPE_ANY,
    WNetCancelConnection2W, WNetCloseEnum, WNetEnumResourceW, WNetOpenEnumW,
};

use super::account::text_at;
use super::{Gate, Ground, Look, SEAM, Trace};
use crate::platform::windows::registry::wide;

pub(super) const GATES: [Gate; 2] = [
    Gate {
        class: 12,
        name: "mapped drives and shares",
        what: "connections",
        method: "the network providers' list",
        inside: true,
        partial: None,
        look,
        clear: Some(clear),
    },
    Gate {
        class: 12,
        name: "dialled networks",
        what: "connections",
        method: "remote access",
        inside: true,
        partial: None,
        look: dialled,
        clear: None,
    },
];

/// No provider of networks answers (ERROR_NO_NETWORK).
const NO_NETWORK: u32 = 1222;
/// Remote access needs more room than it was given (ERROR_BUFFER_TOO_SMALL).
const TOO_SMALL: u32 = 603;
/// The bytes of one row of remote access (RASCONNW, packed by four).
const ROW: u32 = 1388;
/// The most connections that are told apart.
const MOST: usize = 4096;

#[link(name = "rasapi32", kind = "raw-dylib")]
#[expect(unsafe_code, reason = "remote access is asked through its own call")]
unsafe extern "system" {
    fn RasEnumConnectionsW(rows: *mut u8, bytes: *mut u32, count: *mut u32) -> u32;
}

/// A connection: the drive's letter where it has one, and what it leads to.
struct Connection {
    local: String,
    remote: String,
}

impl Connection {
    fn trace(&self) -> Trace {
        let shown = if self.local.is_empty() { "without a letter".to_owned() } else { self.local.clone() };
        Trace::shown(format!("{}{SEAM}{}", self.local, self.remote), shown)
    }
}

#[expect(unsafe_code, reason = "the providers of networks are asked by pointers")]
fn listed(scope: u32) -> Result<Vec<Connection>, u32> {
    let mut list = std::ptr::null_mut();
    // SAFETY: the place for the list outlives the call; nothing narrows it.
    let code = unsafe { WNetOpenEnumW(scope, RESOURCETYPE_ANY, 0, std::ptr::null(), &raw mut list) };
    match code {
        ERROR_SUCCESS => {}
        NO_NETWORK => return Ok(Vec::new()),
        code => return Err(code),
    }
    let mut found = Vec::new();
    let mut room = vec![0_u64; 8 << 10];
    let outcome = loop {
        let (mut count, mut bytes) = (u32::MAX, u32::try_from(room.len() * 8).unwrap_or(0));
        // SAFETY: the list is open; the room is as large as is said.
        let code =
            unsafe { WNetEnumResourceW(list, &raw mut count, room.as_mut_ptr().cast(), &raw mut bytes) };
        match code {
            ERROR_SUCCESS if found.len() < MOST => {}
            ERROR_NO_MORE_ITEMS => break Ok(()),
            code => break Err(code),
        }
        // SAFETY: so many rows were written there, with their names behind them in the same room.
        let table =
            unsafe { std::slice::from_raw_parts(room.as_ptr().cast::<NETRESOURCEW>(), count as usize) };
        found.extend(table.iter().map(|row| {
            // SAFETY: each name is null or a text that ends with a zero.
            let (local, remote) = unsafe { (text_at(row.lpLocalName), text_at(row.lpRemoteName)) };
            Connection { local, remote }
        }));
    };
    // SAFETY: it was opened above and is not used any more.
    let _ = unsafe { WNetCloseEnum(list) };
    outcome.map(|()| found)
}

/// Those that stand, and those that stand again at the next sign-in.
fn all() -> Result<Vec<Connection>, u32> {
    let mut found = listed(RESOURCE_CONNECTED)?;
    for one in listed(RESOURCE_REMEMBERED)? {
        if !found.iter().any(|known| known.trace() == one.trace()) {
            found.push(one);
        }
    }
    Ok(found)
}

fn look(_: &Ground) -> Look {
    match all() {
        Ok(found) => Look::These(found.iter().map(Connection::trace).collect()),
        Err(code) => Look::unknown(format!("the providers of networks did not list them (error {code})")),
    }
}

#[expect(unsafe_code, reason = "connections are ended by pointers")]
fn clear(_: &Ground, traces: &[Trace]) {
    for one in all().unwrap_or_default() {
        if traces.contains(&one.trace()) {
            let name = wide(if one.local.is_empty() { &one.remote } else { &one.local });
            // SAFETY: the name ends with a zero. Files that are open on it do not hold it.
            let _ = unsafe { WNetCancelConnection2W(name.as_ptr(), CONNECT_UPDATE_PROFILE, 1) };
        }
    }
}

/// How many there are is enough: an app that dials out can be ended, its network by people alone.
#[expect(unsafe_code, reason = "remote access is asked by pointers")]
fn dialled(_: &Ground) -> Look {
    let mut room = vec![0_u32; ROW as usize / 4 * 16];
    if let Some(first) = room.first_mut() {
        *first = ROW;
    }
    let (mut bytes, mut count) = (u32::try_from(room.len() * 4).unwrap_or(0), 0);
    // SAFETY: the room is as large as is said, and its first row says how large a row is.
    let code = unsafe { RasEnumConnectionsW(room.as_mut_ptr().cast(), &raw mut bytes, &raw mut count) };
    match code {
        ERROR_SUCCESS | TOO_SMALL => {
            Look::These((0..count).map(|number| Trace::of(format!("number {}", number + 1))).collect())
        }
        code => Look::unknown(format!("remote access did not list them (error {code})")),
    }
}
