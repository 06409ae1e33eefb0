//! Class 17: what a smart card leaves: certificates in the account's own store.

use std::ptr::null;

use windows_sys::Win32::Security::Cryptography::{
    CERT_CONTEXT, CertCloseStore, CertDeleteCertificateFromStore, CertDuplicateCertificateContext,
    CertEnumCertificatesInStore, CertOpenSystemStoreW,
};

use super::{Gate, Ground, Look, Trace};
use crate::platform::windows::registry::wide;
use crate::platform::windows::setting;

pub(super) const GATES: [Gate; 2] = [
    Gate {
        class: 17,
        name: "card certificates",
        what: "certificates",
        method: "the account's store MY",
        inside: true,
        partial: None,
        look,
        clear: Some(clear),
    },
    Gate {
        class: 17,
        name: "certificate propagation",
        what: "",
        method: "the service CertPropSvc",
        inside: false,
        partial: None,
        look: |ground| {
            let found = setting::card_certificates();
            Look::setting(ground, "card-certificates", found.kept, found.saw)
        },
        clear: None,
    },
];

/// Goes through the account's certificates; what `deed` answers for each is whether it is to be deleted.
#[expect(unsafe_code, reason = "the store is read by pointers")]
fn through(mut deed: impl FnMut(Trace) -> bool) -> bool {
    let name = wide("MY");
    // SAFETY: the name ends with a zero.
    let store = unsafe { CertOpenSystemStoreW(0, name.as_ptr()) };
    if store.is_null() {
        return false;
    }
    let mut last: *const CERT_CONTEXT = null();
    loop {
        // SAFETY: the store is open; the last certificate is null or one that this call gave, which it frees.
        let one: *mut CERT_CONTEXT = unsafe { CertEnumCertificatesInStore(store, last) };
        if one.is_null() {
            break;
        }
        last = one;
        // SAFETY: the certificate is one that the store gave, and has as many bytes as it says.
        let bytes =
            unsafe { std::slice::from_raw_parts((*one).pbCertEncoded, (*one).cbCertEncoded as usize) };
        use sha2::Digest as _;
        let hash = hex::encode(sha2::Sha256::digest(bytes));
        let shown = format!("with hash {}", hash.get(..16).unwrap_or_default());
        if deed(Trace::shown(hash, shown)) {
            // SAFETY: a copy is deleted, because deleting frees what it is given, and the walk still needs this one.
            let _ = unsafe { CertDeleteCertificateFromStore(CertDuplicateCertificateContext(one)) };
        }
    }
    // SAFETY: it was opened above and is not used any more.
    let _ = unsafe { CertCloseStore(store, 0) };
    true
}

fn look(_: &Ground) -> Look {
    let mut found = Vec::new();
    let looked = through(|trace| {
        found.push(trace);
        false
    });
    if looked { Look::These(found) } else { Look::unknown("the account's store did not open") }
}

fn clear(_: &Ground, traces: &[Trace]) {
    let _ = through(|trace| traces.contains(&trace));
}
