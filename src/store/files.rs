//! Every file of the store is its owner's alone, whatever the umask, and is on the disk before
//! anything relies on it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::ports::{PortError, Result};
use crate::private;

/// No secret is longer than this, bytes.
const SECRET: u64 = 4096;

/// Makes the directory where it is missing, and closes it to others where it is open to them.
pub(super) fn private_dir(dir: &Path) -> Result<()> {
    if is_foreign(dir) {
        return Err(PortError::new(format!(
            "make the state directory: {} holds other files than a station's; name a directory of its own, which is \
             closed to others",
            dir.display()
        )));
    }
    private::dir(dir).map_err(|error| wrong("make the state directory", dir, &error))
}

/// Whether a directory is somebody else's: it is open to others, and holds something, but nothing of a
/// station's. What a file system has at its root by itself is nobody's.
fn is_foreign(dir: &Path) -> bool {
    const OWN: [&str; 4] = ["station.", "pepper", "drill", "lost+found"];
    if private::is_closed(dir).unwrap_or(false) {
        return false;
    }
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).peekable();
    names.peek().is_some() && !names.any(|name| OWN.iter().any(|own| name.starts_with(own)))
}

/// Opens a file for writing and makes it where it is missing; only its owner may read it. Root makes
/// it for the owner of the directory, so that IT's first command does not lock the station out.
pub(super) fn private_file(path: &Path) -> Result<File> {
    let say = |error: std::io::Error| wrong("open", path, &error);
    let file = private::file(path).map_err(say)?;
    if let Some(dir) = path.parent() {
        private::hand_over(&file, dir).map_err(say)?;
    }
    Ok(file)
}

/// Takes the lock file for as long as the answer lives; `None` where another process has it.
pub(super) fn lock(path: &Path) -> Result<Option<File>> {
    let file = private_file(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(wrong("lock", path, &error)),
    }
}

/// Whether another process has the lock file; makes none. Two that look at the same moment do not take
/// each other for the holder.
pub(super) fn is_locked(path: &Path) -> Result<bool> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(wrong("open", path, &error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(wrong("lock", path, &error)),
    }
}

/// Writes a secret into a file; on return it is on the disk.
pub(super) fn write_secret(path: &Path, secret: &[u8]) -> Result<()> {
    let say = |error: std::io::Error| wrong("write", path, &error);
    let mut file = private_file(path)?;
    file.set_len(0).map_err(say)?;
    let sealed = private::seal(secret).map_err(say)?;
    file.write_all(&sealed).map_err(say)?;
    file.sync_all().map_err(say)?;
    sync_dir(path)
}

/// Reads a secret of a known size; `None` where there is no such file.
pub(super) fn read_secret(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(wrong("read", path, &error)),
    };
    let mut kept = Zeroizing::new(Vec::with_capacity(128));
    let _ = file.take(SECRET).read_to_end(&mut kept).map_err(|error| wrong("read", path, &error))?;
    let secret = private::unseal(&kept).map_err(|error| wrong("read", path, &error))?;
    match <[u8; 32]>::try_from(secret.as_slice()) {
        Ok(secret) => Ok(Some(Zeroizing::new(secret))),
        Err(_) => Err(PortError::new(format!(
            "read {}: it is not a key of 32 bytes; put the right one back",
            path.display()
        ))),
    }
}

/// Gives a file its final name; on return that is on the disk.
pub(super) fn rename(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|error| wrong("rename", from, &error))?;
    sync_dir(to)
}

/// Overwrites a secret with zeros where it lies; on return they are on the disk.
pub(super) fn overwrite(path: &Path) -> Result<()> {
    let say = |error: std::io::Error| wrong("overwrite", path, &error);
    let mut file = OpenOptions::new().write(true).open(path).map_err(say)?;
    let length = file.metadata().map_err(say)?.len().min(SECRET);
    file.write_all(&vec![0; usize::try_from(length).unwrap_or_default()]).map_err(say)?;
    file.sync_all().map_err(say)
}

/// Removes a file; on return that is on the disk.
pub(super) fn remove(path: &Path) -> Result<()> {
    std::fs::remove_file(path).map_err(|error| wrong("remove", path, &error))?;
    sync_dir(path)
}

/// Makes the names in a file's directory durable.
pub(super) fn sync_dir(path: &Path) -> Result<()> {
    let Some(dir) = path.parent() else { return Ok(()) };
    private::sync_dir(dir).map_err(|error| wrong("sync", dir, &error))
}

fn wrong(doing: &str, path: &Path, error: &std::io::Error) -> PortError {
    PortError::new(format!("{doing} {}: {error}", path.display()))
}
