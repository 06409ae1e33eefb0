//! Class 17: what a smart card leaves: certificates in the account's own store.

use std::ptr::null;

use windows_sys::Win32::Security::Cryptography::{
    CERT_CONTEXT, CERT_STORE_CTRL_COMMIT, CertCloseStore, CertControlStore, CertDeleteCertificateFromStore,
    CertDuplicateCertificateContext, CertEnumCertificatesInStore, CertOpenSystemStoreW,
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
    let mut goes = Vec::new();
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
            // SAFETY: the certificate is one that the store gave; the copy is given back when it is deleted.
            goes.push(unsafe { CertDuplicateCertificateContext(one) });
        }
    }
    // Once the walk is over: one that is taken away under it can lead it round for ever.
    for one in goes {
        // SAFETY: the copy was made above, and is given back by this whether it works or not.
        let _ = unsafe { CertDeleteCertificateFromStore(one) };
    }
    // SAFETY: the store is open; nothing comes with the order to write down what has changed.
    let _ = unsafe { CertControlStore(store, 0, CERT_STORE_CTRL_COMMIT, null()) };
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

#[cfg(test)]
pub(super) mod tests {
    use windows_sys::Win32::Security::Cryptography::{
        CERT_STORE_ADD_REPLACE_EXISTING, CertAddEncodedCertificateToStore, X509_ASN_ENCODING,
    };

    use super::*;

    /// Keeps a certificate in the account's store, as Windows does for a card.
    #[expect(unsafe_code, reason = "the store is written by pointers")]
    pub(in crate::platform::windows::gates) fn keep(certificate: &[u8]) {
        let name = wide("MY");
        let length = u32::try_from(certificate.len()).expect("a certificate is small");
        // SAFETY: the name ends with a zero; the certificate is as long as is said; the store is closed after its use.
        unsafe {
            let store = CertOpenSystemStoreW(0, name.as_ptr());
            let kept = CertAddEncodedCertificateToStore(
                store,
                X509_ASN_ENCODING,
                certificate.as_ptr(),
                length,
                CERT_STORE_ADD_REPLACE_EXISTING,
                std::ptr::null_mut(),
            );
            let _ = CertCloseStore(store, 0);
            assert_ne!(kept, 0, "the certificate was not taken");
        }
    }
}
