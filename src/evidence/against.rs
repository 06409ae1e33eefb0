//! Checkpoints that were kept elsewhere, held against a ledger: what one covers was cut off, was
//! rewritten, or stands as it stood.

use tlog_tiles::Checkpoint;

use super::checkpoint::{Signature, StationKey};
use super::tree::Hash;
use super::verify::{Bad, Fault, Verdict};

/// A checkpoint that was kept elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Whose it is.
    pub origin: String,
    /// How many entries it is over.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// The signed note.
    pub text: String,
}

/// What a comparison came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// The ledger goes on from what it covers.
    Holds,
    /// It is another station's, or signed by a key that is none of this ledger's.
    Foreign,
    /// An entry that it covers is another one now.
    Rewritten,
    /// An entry that it covers is not there.
    Truncated,
    /// The ledger is broken before the last entry that it covers.
    Unknown,
}

impl Came {
    /// In a word, for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Foreign => "foreign",
            Self::Rewritten => "rewritten",
            Self::Truncated => "truncated",
            Self::Unknown => "unknown",
        }
    }
}

impl Kept {
    /// Reads one or more checkpoints from a text, one after the other.
    ///
    /// # Errors
    /// A fragment, when there is none in it or one is malformed.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let mut notes: Vec<String> = Vec::new();
        let mut signed = true;
        for line in text.lines().map(str::trim_end) {
            let signature = line.starts_with("— ");
            // A line that is no signature begins the next note; empty lines between notes say nothing.
            if signed && !signature {
                if line.is_empty() {
                    continue;
                }
                notes.push(String::new());
            }
            signed = signature;
            if let Some(note) = notes.last_mut() {
                note.push_str(line);
                note.push('\n');
            }
        }
        if notes.is_empty() {
            return Err("read the checkpoint: there is none in it".to_owned());
        }
        notes.into_iter().map(Self::read).collect()
    }

    fn read(text: String) -> Result<Self, String> {
        let malformed = || {
            "read the checkpoint: it is not the text of a checkpoint (`cleanshiftctl log checkpoint` prints it)"
                .to_owned()
        };
        let read = Checkpoint::from_reader(&mut text.as_bytes(), false).map_err(|_| malformed())?;
        if read.size() == 0 || !read.extension().is_empty() || !text.contains("\n\n— ") {
            return Err(malformed());
        }
        let (origin, size, root) = (read.origin().to_owned(), read.size(), read.hash().0);
        Ok(Self { origin, size, root, text })
    }

    /// Whether one of these keys has signed it.
    #[must_use]
    pub fn signature(&self, keys: &[StationKey]) -> Signature {
        let mut found = Signature::Other;
        for key in keys {
            match key.check(&self.text) {
                Signature::Good => return Signature::Good,
                Signature::Bad => found = Signature::Bad,
                Signature::Other => {}
            }
        }
        found
    }
}

/// Holds checkpoints against a ledger that was verified; `root_at` gives the root over so many entries.
/// What does not hold becomes the verdict's first bad entry, unless an earlier one is there.
///
/// # Errors
/// A fragment, when the signature of a checkpoint is by a key of the ledger's and does not hold: it was
/// damaged where it was kept, and says nothing of the ledger.
pub fn compare(
    kept: &[Kept],
    verdict: &mut Verdict,
    root_at: impl Fn(u64) -> Option<Hash>,
) -> Result<(), String> {
    let mut kept: Vec<&Kept> = kept.iter().collect();
    kept.sort_by_key(|kept| kept.size);
    let (whole, mut held) = (verdict.whole(), 0);
    for one in kept {
        let signature = one.signature(&verdict.keys);
        if signature == Signature::Bad {
            return Err(format!(
                "hold the ledger against the checkpoint over {} entries: its signature does not hold, it was \
                 changed where it was kept; take another copy of it",
                one.size
            ));
        }
        let ours = verdict.keys.first().is_none_or(|key| key.origin() == one.origin);
        let missing = one.size > verdict.entries;
        let (came, bad) = if !ours {
            let what =
                format!("wrong key: the checkpoint kept elsewhere is of another station, {}", one.origin);
            (Came::Foreign, Some((0, Fault::WrongKey, what)))
        } else if missing && !(whole || cut(verdict)) {
            (Came::Unknown, None)
        } else if missing {
            let by = match signature {
                Signature::Good | Signature::Bad => "",
                Signature::Other => " (and signed by a key that this ledger does not know)",
            };
            let what = format!(
                "truncated below a known checkpoint: one kept elsewhere is over {} entries{by}, and there are {}; \
                 an old copy was put back, or the newest entries were cut off",
                one.size, verdict.entries
            );
            (Came::Truncated, Some((verdict.entries, Fault::Truncated, what)))
        } else if signature == Signature::Other {
            let what = format!(
                "wrong key: the checkpoint kept elsewhere over {} entries is signed by a key that this ledger does not know",
                one.size
            );
            (Came::Foreign, Some((0, Fault::WrongKey, what)))
        } else if root_at(one.size) == Some(one.root) {
            held = one.size;
            (Came::Holds, None)
        } else {
            let what = format!(
                "rewritten: one of the entries {held} to {} is not the one that the checkpoint kept elsewhere covers; \
                 an old copy was put back and written on, or the ledger was forged with the station's key",
                one.size - 1
            );
            (Came::Rewritten, Some((held, Fault::Rewritten, what)))
        };
        verdict.against.push((one.size, came));
        if let Some((index, fault, what)) = bad
            && (verdict.whole() || (cut(verdict) && fault == Fault::Truncated))
        {
            verdict.first_bad = Some(Bad { index, fault, what });
        }
    }
    Ok(())
}

/// Whether all that is wrong is that the end is missing.
fn cut(verdict: &Verdict) -> bool {
    let end = verdict.entries;
    verdict.first_bad.as_ref().is_some_and(|bad| bad.fault == Fault::Missing && bad.index == end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::checkpoint::{StationSeal, origin};

    #[test]
    fn checkpoints_are_read_one_after_the_other() {
        let seal = StationSeal::new(origin("S 1"), &[7; 32]);
        let next = StationSeal::new(origin("S 1"), &[8; 32]);
        let (one, two) = (seal.sign(5, &[1; 32]).unwrap(), seal.sign_over_to(&next, 6, &[2; 32]).unwrap());
        for text in
            [format!("{one}{two}"), format!("\n{one}\n\n{two}\r\n"), format!("{one}{}", two.trim_end())]
        {
            let read = Kept::read_all(&text).unwrap();
            assert_eq!(read.iter().map(|kept| kept.size).collect::<Vec<_>>(), [5, 6], "{text}");
            assert_eq!((&read[0].text, &read[1].text), (&one, &two));
        }
        let key = StationKey::read(&next.public()).unwrap();
        let read = Kept::read_all(&two).unwrap();
        assert_eq!(read[0].signature(&[key]), Signature::Good);
        for wrong in ["", "x", "cleanshift.station/S\n5\nAQ==\n\n— x y\n", &one.replace("\n\n", "\nmore\n\n")]
        {
            assert!(Kept::read_all(wrong).is_err(), "{wrong}");
        }
    }
}
