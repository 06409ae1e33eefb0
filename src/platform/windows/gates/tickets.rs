//! Class 5: Kerberos tickets of this sign-in: purged, and counted afterwards.

use windows_sys::Win32::Foundation::{HANDLE, STATUS_SUCCESS};
use windows_sys::Win32::Security::Authentication::Identity::{
    KERB_PURGE_TKT_CACHE_REQUEST, KERB_QUERY_TKT_CACHE_REQUEST, KERB_QUERY_TKT_CACHE_RESPONSE,
    KerbPurgeTicketCacheMessage, KerbQueryTicketCacheMessage, LSA_STRING, LsaCallAuthenticationPackage,
    LsaConnectUntrusted, LsaDeregisterLogonProcess, LsaFreeReturnBuffer, LsaLookupAuthenticationPackage,
};

use super::{Gate, Ground, Look, Trace};

pub(super) const GATES: [Gate; 1] = [Gate {
    class: 5,
    name: "Kerberos tickets",
    what: "tickets",
    method: "the security authority's count",
    inside: true,
    partial: None,
    look,
    clear: Some(clear),
}];

/// What the security authority answered.
enum Counted {
    Tickets(u32),
    /// It knows no Kerberos.
    NoKerberos,
    /// It has none of this sign-in's, or did not say; by its code.
    Silent(i32),
}

/// A way to the security authority and the number by which it knows Kerberos.
struct Authority {
    way: HANDLE,
    kerberos: u32,
}

impl Authority {
    #[expect(unsafe_code, reason = "the security authority is asked by pointers")]
    fn open() -> Result<Option<Self>, i32> {
        let mut way = std::ptr::null_mut();
        // SAFETY: the place for the way outlives the call.
        let code = unsafe { LsaConnectUntrusted(&raw mut way) };
        if code != STATUS_SUCCESS {
            return Err(code);
        }
        let mut name = *b"Kerberos\0";
        let text = LSA_STRING { Length: 8, MaximumLength: 9, Buffer: name.as_mut_ptr().cast() };
        let mut found = Self { way, kerberos: 0 };
        // SAFETY: the way is open; the name and the place for the number outlive the call.
        let code = unsafe { LsaLookupAuthenticationPackage(way, &raw const text, &raw mut found.kerberos) };
        Ok((code == STATUS_SUCCESS).then_some(found))
    }

    /// Asks Kerberos something. Answers its two codes, and a number that `read` takes from the answer.
    #[expect(unsafe_code, reason = "the security authority is asked by pointers")]
    fn call<Q>(&self, question: &Q, read: fn(*const core::ffi::c_void) -> u32) -> Result<u32, i32> {
        let (mut answer, mut bytes, mut code) = (std::ptr::null_mut(), 0, 0);
        let size = u32::try_from(std::mem::size_of::<Q>()).unwrap_or(0);
        // SAFETY: the way is open; the question is of the size that is said and stands for itself; the places for the
        // answer outlive the call.
        let called = unsafe {
            LsaCallAuthenticationPackage(
                self.way,
                self.kerberos,
                std::ptr::from_ref(question).cast(),
                size,
                &raw mut answer,
                &raw mut bytes,
                &raw mut code,
            )
        };
        let number = if answer.is_null() { 0 } else { read(answer) };
        if !answer.is_null() {
            // SAFETY: it was made for us to free, and is not used any more.
            let _ = unsafe { LsaFreeReturnBuffer(answer) };
        }
        match (called, code) {
            (STATUS_SUCCESS, STATUS_SUCCESS) => Ok(number),
            (STATUS_SUCCESS, code) | (code, _) => Err(code),
        }
    }
}

impl Drop for Authority {
    #[expect(unsafe_code, reason = "the way is closed by its own call")]
    fn drop(&mut self) {
        // SAFETY: it was opened by `open` and is not used any more.
        let _ = unsafe { LsaDeregisterLogonProcess(self.way) };
    }
}

fn count() -> Counted {
    let authority = match Authority::open() {
        Ok(Some(authority)) => authority,
        Ok(None) => return Counted::NoKerberos,
        Err(code) => return Counted::Silent(code),
    };
    // A sign-in of zero is the one that asks.
    let question = KERB_QUERY_TKT_CACHE_REQUEST {
        MessageType: KerbQueryTicketCacheMessage,
        LogonId: Default::default(),
    };
    #[expect(unsafe_code, reason = "the answer is read by a pointer")]
    // SAFETY: Kerberos answers this question by this structure.
    let tickets = |answer: *const core::ffi::c_void| unsafe {
        (*answer.cast::<KERB_QUERY_TKT_CACHE_RESPONSE>()).CountOfTickets
    };
    match authority.call(&question, tickets) {
        Ok(tickets) => Counted::Tickets(tickets),
        Err(code) => Counted::Silent(code),
    }
}

/// Tickets that were there before are taken as well: whoever needs them gets them again.
fn look(_: &Ground) -> Look {
    match count() {
        Counted::Tickets(0) => Look::absent("no tickets", "the security authority's count"),
        Counted::Tickets(some) => {
            let ticket = |number| Trace::shown(format!("ticket {number} of {some}"), "in the cache");
            Look::Anew((0..some).map(ticket).collect())
        }
        Counted::NoKerberos => Look::not_here("this Windows has no Kerberos"),
        Counted::Silent(code) => Look::unknown(format!(
            "the security authority did not count them (status 0x{:08x})",
            code.cast_unsigned()
        )),
    }
}

fn clear(_: &Ground, _: &[Trace]) {
    let Ok(Some(authority)) = Authority::open() else { return };
    let question = KERB_PURGE_TKT_CACHE_REQUEST {
        MessageType: KerbPurgeTicketCacheMessage,
        LogonId: Default::default(),
        ServerName: Default::default(),
        RealmName: Default::default(),
    };
    // Whether it worked is for the second look to tell.
    let _ = authority.call(&question, |_| 0);
}
