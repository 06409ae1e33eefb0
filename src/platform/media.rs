//! How a copy of the log goes to a medium: it is there whole and durable, or not at all.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::path::Path;

use super::native::private;
use crate::ports::{PortError, Result, Written};

/// Copies the parts to the medium under this name; answers where they are.
///
/// # Errors
/// When not all of it is there.
pub(super) fn copy(
    medium: &Path,
    name: &str,
    checkpoint: &str,
    parts: &mut dyn FnMut() -> Result<Vec<Written>>,
) -> Result<String> {
    let (lines, head) = (medium.join(name), medium.join(format!("{name}.checkpoint")));
    let (new, new_head) = (medium.join(format!(".{name}.new")), medium.join(format!(".{name}.head.new")));
    let mut write = || -> Result<()> {
        let wrong = |error: std::io::Error| PortError::new(format!("write to {}: {error}", medium.display()));
        let fresh = |path: &Path| OpenOptions::new().write(true).create_new(true).open(path).map_err(wrong);
        let mut file = BufWriter::new(fresh(&new)?);
        loop {
            let part = parts()?;
            if part.is_empty() {
                break;
            }
            for entry in part {
                line(&mut file, &entry).map_err(wrong)?;
            }
        }
        file.into_inner()
            .map_err(std::io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(wrong)?;
        let mut file = fresh(&new_head)?;
        file.write_all(checkpoint.as_bytes()).and_then(|()| file.sync_all()).map_err(wrong)?;
        // Whoever finds the lines finds what vouches for them.
        fs::rename(&new_head, &head).and_then(|()| fs::rename(&new, &lines)).map_err(wrong)?;
        private::sync_dir(medium).map_err(wrong)
    };
    let written = write();
    if written.is_err() {
        for path in [&new, &new_head] {
            let _ = fs::remove_file(path);
        }
    }
    written.map(|()| lines.display().to_string())
}

/// One entry: its number, leaf and checkpoint, and the receipt as it was hashed.
fn line(file: &mut impl std::io::Write, entry: &Written) -> std::io::Result<()> {
    let checkpoint = serde_json::to_string(&*entry.checkpoint)?;
    let leaf = hex::encode(entry.leaf);
    write!(file, "{{\"index\":{},\"leaf\":\"{leaf}\",\"checkpoint\":{checkpoint},\"receipt\":", entry.index)?;
    file.write_all(&entry.json)?;
    file.write_all(b"}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_there_whole_or_not_at_all() {
        let medium = tempfile::tempdir().unwrap();
        let entry = |index| Written {
            index,
            json: br#"{"kind":"opened"}"#.as_slice().into(),
            leaf: [1; 32],
            checkpoint: "s\n2\nroot\n".into(),
        };
        let mut parts = vec![Ok(Vec::new()), Ok(vec![entry(0)]), Ok(vec![entry(2), entry(1)])];
        let path = copy(medium.path(), "log.jsonl", "head\n", &mut || parts.pop().unwrap()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let numbers: Vec<u64> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["index"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, [2, 1, 0]);
        assert_eq!(fs::read_to_string(format!("{path}.checkpoint")).unwrap(), "head\n");
        let mut parts = vec![Err(PortError::new("read the ledger")), Ok(vec![entry(0)])];
        assert!(copy(medium.path(), "other.jsonl", "head\n", &mut || parts.pop().unwrap()).is_err());
        assert_eq!(fs::read_dir(medium.path()).unwrap().count(), 2, "something of a failed copy was left");
    }
}
