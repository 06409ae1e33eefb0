//! What a session is given of its sign-ins: tokens in the account's Credential Manager, for as long as the
//! session lives, and in the environment of apps. Pages of a provider are not opened: the station's address
//! inside a session would be the host's own loopback, open to every program on it.
//!
//! A credential is kept in memory for the logon session (`CRED_PERSIST_SESSION`) and never on a disk. Every
//! program of the account can read it while the session lasts; it is deleted with the capsule, before the
//! gates look.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use windows_sys::Win32::Foundation::ERROR_NOT_FOUND;
use windows_sys::Win32::Security::Credentials::{
    CRED_MAX_CREDENTIAL_BLOB_SIZE, CRED_PERSIST_SESSION, CRED_TYPE_GENERIC, CREDENTIALW, CredDeleteW,
    CredWriteW,
};
use zeroize::Zeroizing;

use super::job::done;
use super::wide::wide;
use crate::policy::AppPolicy;
use crate::ports::{Grant, PortError, Result, Secret};

/// What the name of every credential of a session begins with.
pub const CREDENTIALS: &str = "Cleanshift session: ";

/// The tokens of a capsule.
#[derive(Default)]
pub struct Holding(Mutex<Held>);

#[derive(Default)]
struct Held {
    session: Option<String>,
    over: bool,
    /// The names of the credentials that were written.
    credentials: Vec<String>,
    /// By sign-in and audience: the variable in which apps find the token, and the token.
    granted: BTreeMap<(String, String), (String, Secret)>,
}

impl Holding {
    /// Puts a token where the session's programs find it.
    ///
    /// # Errors
    /// When the grant is another session's, asks for what Windows does not have, or Credential Manager does
    /// not take it.
    pub fn hold(&self, grant: &Grant) -> Result<()> {
        let mut held = self.lock();
        if held.over || held.session.get_or_insert_with(|| grant.session.clone()) != &grant.session {
            return Err(PortError::new("put a token into the capsule: it is another session's"));
        }
        if let Some(file) = &grant.file {
            return Err(PortError(format!(
                "put a token into the file {file}: on Windows a session's profile lies on a disk. Name an \
                 `environment` in the policy instead, or let the app read Credential Manager"
            )));
        }
        if let Some(name) = &grant.environment {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            if name.is_empty() || !name.chars().all(plain) || grant.access.expose().contains('\0') {
                return Err(PortError(format!(
                    "put a token into the variable {name}: this cannot be a variable"
                )));
            }
            let named = (grant.provider.clone(), grant.audience.clone());
            let _ = held.granted.insert(named, (name.clone(), grant.access.clone()));
        }
        let target = target(grant);
        // Noted before it is written: what may be there is deleted.
        if !held.credentials.contains(&target) {
            held.credentials.push(target.clone());
        }
        match write(&target, &grant.provider, grant.access.expose()) {
            Ok(()) => Ok(()),
            // The apps that the policy gives the variable have the token all the same.
            Err(_) if grant.environment.is_some() => Ok(()),
            Err(error) => Err(PortError(format!("put a token into Credential Manager: {error}"))),
        }
    }

    /// The variables for an app that starts now.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let held = self.lock();
        held.granted.values().map(|(name, token)| (name.clone(), token.expose().to_owned())).collect()
    }

    /// Takes every token back, and takes none any more.
    ///
    /// # Errors
    /// When one cannot be deleted.
    pub fn over(&self) -> Result<()> {
        let mut held = self.lock();
        held.over = true;
        held.granted.clear();
        while let Some(target) = held.credentials.last() {
            forget(target)
                .map_err(|error| PortError(format!("delete a token from Credential Manager: {error}")))?;
            drop(held.credentials.pop());
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Under which name a grant's token is found.
#[must_use]
pub fn target(grant: &Grant) -> String {
    let about = if grant.audience.is_empty() { &grant.provider } else { &grant.audience };
    format!("{CREDENTIALS}{about}")
}

/// Why no app can open a page of a provider here.
///
/// # Errors
/// Always: a fragment with the remedy.
pub fn possible(app: &AppPolicy) -> Result<()> {
    Err(PortError(format!(
        "open the sign-in page in {}: on Windows sessions have no network of their own, and whatever listened for \
         its answer would be open to every program. Let the station sign operators in itself (`assertion` or \
         `exchange`)",
        app.name
    )))
}

#[expect(unsafe_code, reason = "keyrings of other systems cannot be told to forget with the logon session")]
fn write(target: &str, account: &str, token: &str) -> io::Result<()> {
    let mut bytes = Zeroizing::new(token.as_bytes().to_vec());
    let size = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    if size > CRED_MAX_CREDENTIAL_BLOB_SIZE {
        return Err(io::Error::other(format!(
            "it is larger than the {CRED_MAX_CREDENTIAL_BLOB_SIZE} bytes that one entry holds; name an `environment` \
             in the policy"
        )));
    }
    let (mut target, mut account) = (wide(target), wide(account));
    let credential = CREDENTIALW {
        Type: CRED_TYPE_GENERIC,
        TargetName: target.as_mut_ptr(),
        CredentialBlobSize: size,
        CredentialBlob: bytes.as_mut_ptr(),
        Persist: CRED_PERSIST_SESSION,
        UserName: account.as_mut_ptr(),
        ..CREDENTIALW::default()
    };
    // SAFETY: every text ends with a zero, the blob is as long as it says, and all outlive the call.
    done(unsafe { CredWriteW(&raw const credential, 0) })
}

#[expect(unsafe_code, reason = "keyrings of other systems cannot be told to forget with the logon session")]
fn forget(target: &str) -> io::Result<()> {
    let target = wide(target);
    // SAFETY: the name ends with a zero and outlives the call.
    match done(unsafe { CredDeleteW(target.as_ptr(), CRED_TYPE_GENERIC, 0) }) {
        Err(error) if error.raw_os_error() == i32::try_from(ERROR_NOT_FOUND).ok() => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Security::Credentials::{CredFree, CredReadW};

    use super::*;

    fn grant(session: &str) -> Grant {
        Grant {
            session: session.to_owned(),
            provider: "Ward".to_owned(),
            issuer: "https://id.example.org".to_owned(),
            audience: format!("https://api.example.org/{}", std::process::id()),
            access: Secret::new("token-1"),
            expires_utc_ms: 0,
            environment: None,
            file: None,
        }
    }

    /// What is kept under this name now.
    #[expect(unsafe_code, reason = "the look of another program")]
    fn kept(name: &str) -> Option<Vec<u8>> {
        let (name, mut found) = (wide(name), std::ptr::null_mut());
        // SAFETY: the name ends with a zero; the answer is given back after it was copied.
        unsafe {
            if CredReadW(name.as_ptr(), CRED_TYPE_GENERIC, 0, &raw mut found) == 0 {
                return None;
            }
            let size = usize::try_from((*found).CredentialBlobSize).unwrap();
            let bytes = std::slice::from_raw_parts((*found).CredentialBlob, size).to_vec();
            CredFree(found.cast());
            Some(bytes)
        }
    }

    #[test]
    fn tokens_are_there_for_the_session_and_gone_with_it() {
        let holding = Holding::default();
        let mut one = grant("a");
        one.environment = Some("WARD_TOKEN".to_owned());
        holding.hold(&one).unwrap();
        assert_eq!(kept(&target(&one)).as_deref(), Some(b"token-1".as_slice()));
        assert_eq!(holding.environment(), [("WARD_TOKEN".to_owned(), "token-1".to_owned())]);
        one.access = Secret::new("token-2");
        holding.hold(&one).unwrap();
        assert_eq!(kept(&target(&one)).as_deref(), Some(b"token-2".as_slice()));
        assert!(holding.hold(&grant("b")).unwrap_err().0.contains("another session's"));
        holding.over().unwrap();
        assert_eq!((kept(&target(&one)), holding.environment()), (None, Vec::new()));
        assert!(holding.hold(&one).is_err(), "one that comes late");
    }

    #[test]
    fn what_windows_does_not_have_is_refused_with_the_remedy() {
        let mut file = grant("a");
        file.file = Some("token".to_owned());
        assert!(Holding::default().hold(&file).unwrap_err().0.contains("`environment`"));
        let mut large = grant("a");
        large.access = Secret::new("x".repeat(5000));
        let holding = Holding::default();
        assert!(holding.hold(&large).unwrap_err().0.contains("larger than"));
        large.environment = Some("TOKEN".to_owned());
        holding.hold(&large).unwrap();
        large.environment = Some("A=B".to_owned());
        assert!(holding.hold(&large).is_err());
        holding.over().unwrap();
    }
}
