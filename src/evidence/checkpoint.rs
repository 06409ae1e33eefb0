//! Only the station's key makes a checkpoint: a C2SP `tlog-checkpoint` (origin, size, root) as a
//! signed note with Ed25519. See <https://c2sp.org/tlog-checkpoint> and <https://c2sp.org/signed-note>.

use std::fmt::Write as _;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use signed_note::{Note, NoteError, StandardVerifier, Verifier as _, VerifierList};
use tlog_tiles::{Checkpoint, Hash as TileHash};

use super::tree::Hash;

/// The origin of a station's checkpoints, which is its key's name too: `cleanshift.station/<name>`.
/// A note's key name may hold neither spaces nor pluses; every byte of the name that is no letter,
/// digit, `-`, `.`, `_` or `~` is written as in a URL, `%20` for a space.
#[must_use]
pub fn origin(station: &str) -> String {
    let mut origin = String::from("cleanshift.station/");
    for byte in station.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            origin.push(char::from(byte));
        } else {
            let _ = write!(origin, "%{byte:02X}");
        }
    }
    origin
}

/// What a checkpoint says, up to its signatures: `origin\nsize\nbase64 root\n`.
pub(super) fn text_into(text: &mut String, origin: &str, size: u64, root: &Hash) {
    text.clear();
    let _ = write!(text, "{origin}\n{size}\n{}\n", TileHash(*root));
}

/// The size and the root that a checkpoint says, whoever has signed it; `None` where it is none.
#[must_use]
pub fn says(checkpoint: &str) -> Option<(u64, Hash)> {
    read(checkpoint).map(|said| (said.size(), said.hash().0))
}

/// What a checkpoint says, up to its signatures.
pub(super) fn read(checkpoint: &str) -> Option<Checkpoint> {
    let (text, _) = checkpoint.split_once("\n\n")?;
    Checkpoint::from_bytes(format!("{text}\n").as_bytes()).ok()
}

/// The station's signing key under its origin. Debug shows the public half alone.
pub struct StationSeal {
    origin: String,
    key: SigningKey,
}

impl std::fmt::Debug for StationSeal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StationSeal").field(&self.public()).finish()
    }
}

impl StationSeal {
    /// The seal of this origin from an Ed25519 seed (RFC 8032).
    #[must_use]
    pub fn new(origin: String, seed: &[u8; 32]) -> Self {
        Self { origin, key: SigningKey::from_bytes(seed) }
    }

    /// The public key as a note's verifier key, `origin+id+base64`: what an auditor keeps.
    #[must_use]
    pub fn public(&self) -> String {
        signed_note::new_ed25519_verifier_key(&self.origin, &self.key.verifying_key())
    }

    /// Signs the head of a tree.
    ///
    /// # Errors
    /// A fragment, when the origin cannot be a key's name.
    pub fn sign(&self, size: u64, root: &Hash) -> Result<String, String> {
        self.sign_with(&[self], size, root)
    }

    /// Signs the head of a tree together with the key that takes over from this one.
    ///
    /// # Errors
    /// As [`StationSeal::sign`].
    pub fn sign_over_to(&self, next: &Self, size: u64, root: &Hash) -> Result<String, String> {
        self.sign_with(&[self, next], size, root)
    }

    fn sign_with(&self, seals: &[&Self], size: u64, root: &Hash) -> Result<String, String> {
        let wrong = |what: String| format!("sign the checkpoint: {what}");
        let text =
            Checkpoint::new(&self.origin, size, TileHash(*root), "").map_err(|e| wrong(e.to_string()))?;
        let mut note = Note::new(&text.to_bytes(), &[]).map_err(|e| wrong(e.to_string()))?;
        let signers: Vec<&dyn signed_note::Signer> = seals.iter().map(|seal| *seal as _).collect();
        note.add_sigs(&signers).map_err(|e| wrong(e.to_string()))?;
        String::from_utf8(note.to_bytes()).map_err(|e| wrong(e.to_string()))
    }
}

impl signed_note::Signer for StationSeal {
    fn name(&self) -> &str {
        &self.origin
    }

    fn key_id(&self) -> u32 {
        key_id(&self.origin, &self.key.verifying_key())
    }

    fn sign(&self, text: &[u8]) -> Result<Vec<u8>, ed25519_dalek::SignatureError> {
        Ok(self.key.try_sign(text)?.to_vec())
    }
}

fn key_id(name: &str, key: &VerifyingKey) -> u32 {
    // 1 is Ed25519's number in C2SP signed-note.
    signed_note::key_id(name, &[&[1], key.as_bytes().as_slice()].concat())
}

/// A station's public key, as an auditor has it.
#[derive(Clone)]
pub struct StationKey {
    text: String,
    verifier: StandardVerifier,
}

impl std::fmt::Debug for StationKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("StationKey").field(&self.text).finish()
    }
}

impl PartialEq for StationKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for StationKey {}

/// How the signature of a checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// The key has signed it.
    Good,
    /// It carries the key's name and id, and the signature does not hold, or it is no signed note.
    Bad,
    /// It is signed by another key.
    Other,
}

impl StationKey {
    /// A key from its text, `origin+id+base64`.
    ///
    /// # Errors
    /// A sentence fragment, when the text is no such key.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let verifier = StandardVerifier::new(text).map_err(|error| {
            format!("read the key: {error}; `cleanshiftctl log key` prints it as NAME+ID+BASE64")
        })?;
        Ok(Self { text: text.to_owned(), verifier })
    }

    /// What an entry of kind `key` says of it: the SHA-256 of its text, hexadecimal.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.text))
    }

    /// Its text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The origin whose checkpoints it signs.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.verifier.name()
    }

    /// Checks the signature of a checkpoint.
    #[must_use]
    pub fn check(&self, checkpoint: &str) -> Signature {
        let Ok(note) = Note::from_bytes(checkpoint.as_bytes()) else {
            return Signature::Bad;
        };
        match note.verify(&VerifierList::new(vec![Box::new(self.verifier.clone())])) {
            Ok(_) => Signature::Good,
            Err(NoteError::UnverifiedNote) => Signature::Other,
            Err(
                NoteError::MalformedNote
                | NoteError::InvalidSigner
                | NoteError::InvalidSignature { .. }
                | NoteError::MismatchedVerifier
                | NoteError::VerificationError(_)
                | NoteError::SignatureError(_),
            ) => Signature::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_three_lines_and_one_signature() {
        let seal = StationSeal::new(origin("Station 12"), &[7; 32]);
        let key = StationKey::read(&seal.public()).unwrap();
        assert_eq!(key.origin(), "cleanshift.station/Station%2012");
        let checkpoint = seal.sign(5, &[1; 32]).unwrap();
        let lines: Vec<_> = checkpoint.lines().collect();
        assert_eq!(lines[..2], ["cleanshift.station/Station%2012", "5"]);
        assert_eq!(lines[2], "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        assert_eq!(lines[3], "");
        assert!(lines[4].starts_with("— cleanshift.station/Station%2012 "));
        assert_eq!(key.check(&checkpoint), Signature::Good);
        assert_eq!(key.check(&checkpoint.replace("\n5\n", "\n6\n")), Signature::Bad);
        let other = StationSeal::new(origin("Station 12"), &[8; 32]);
        assert_eq!(key.check(&other.sign(5, &[1; 32]).unwrap()), Signature::Other);
        assert_eq!(key.check("nothing"), Signature::Bad);
        let mut text = String::new();
        text_into(&mut text, key.origin(), 5, &[1; 32]);
        assert!(checkpoint.starts_with(&text));
    }

    #[test]
    fn no_two_stations_share_an_origin() {
        assert_eq!(origin("ward-4.b_2~x"), "cleanshift.station/ward-4.b_2~x");
        assert_ne!(origin("a b"), origin("a+b"));
        assert_ne!(origin("a b"), origin("a%20b"));
        assert!(signed_note::is_key_name_valid(&origin("Bay\u{a0}B + 1")));
    }
}
