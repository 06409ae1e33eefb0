//! Files and directories that their owner alone may read, by their modes, whatever the umask; and what stands
//! in them for a secret.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Error, Result};
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, fchown,
};
use std::path::Path;

use zeroize::Zeroizing;

/// What is said of a file that is closed to others.
pub const OF_ACCOUNT: &str = "file of this account (0600)";

/// The mode of a directory.
const DIRECTORY: u32 = 0o700;
/// The mode of a file.
const FILE: u32 = 0o600;

/// Makes a directory and those above it where they are missing, and closes it to others where it is open to them.
///
/// # Errors
/// Those of the file system.
pub fn dir(place: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(DIRECTORY).create(place)?;
    if !is_closed(place)? {
        std::fs::set_permissions(place, Permissions::from_mode(DIRECTORY))?;
    }
    Ok(())
}

/// Makes a directory that is not there yet.
///
/// # Errors
/// Those of the file system; also where there is one already.
pub fn new_dir(place: &Path) -> Result<()> {
    DirBuilder::new().mode(DIRECTORY).create(place)
}

/// Whether a directory is closed to others.
///
/// # Errors
/// Those of the file system.
pub fn is_closed(place: &Path) -> Result<bool> {
    Ok(std::fs::metadata(place)?.mode() & 0o7777 == DIRECTORY)
}

/// Opens a file for reading and writing, makes it where it is missing, and closes it to others.
///
/// # Errors
/// Those of the file system.
pub fn file(place: &Path) -> Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(FILE).open(place)?;
    if file.metadata()?.mode() & 0o7777 != FILE {
        file.set_permissions(Permissions::from_mode(FILE))?;
    }
    Ok(file)
}

/// Makes a file that is not there yet, for writing.
///
/// # Errors
/// Those of the file system; also where there is one already.
pub fn new_file(place: &Path) -> Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE).open(place)
}

/// What root has made is given to the owner of this directory, so that IT's first command does not lock the
/// station out.
///
/// # Errors
/// Those of the file system.
pub fn hand_over(file: &File, directory: &Path) -> Result<()> {
    let Ok(directory) = std::fs::metadata(directory) else { return Ok(()) };
    let own = file.metadata()?;
    if own.uid() == 0 && (directory.uid(), directory.gid()) != (own.uid(), own.gid()) {
        fchown(file, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(())
}

/// The same for a directory.
///
/// # Errors
/// Those of the file system.
pub fn hand_over_dir(place: &Path, above: &Path) -> Result<()> {
    let Ok(above) = std::fs::metadata(above) else { return Ok(()) };
    if std::fs::metadata(place)?.uid() == 0 && above.uid() != 0 {
        chown(place, Some(above.uid()), Some(above.gid()))?;
    }
    Ok(())
}

/// Whether others than its owner may read an open file.
///
/// # Errors
/// Those of the file system.
pub fn is_open_to_others(file: &File) -> Result<bool> {
    Ok(file.metadata()?.mode() & 0o077 != 0)
}

/// The command that closes a file to others.
#[must_use]
pub fn remedy(place: &Path) -> String {
    format!("chmod 600 {}", place.display())
}

/// How what a Windows station has sealed begins.
const OF_WINDOWS: &[u8] = b"cleanshift sealed by DPAPI\n";

/// What is written into a file for a secret: itself, since its mode alone protects it here.
///
/// # Errors
/// None.
pub fn seal(secret: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(secret.to_vec()))
}

/// The secret for which this was written into a file.
///
/// # Errors
/// Where a Windows station has written it, which seals it for its machine.
pub fn unseal(kept: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    if kept.starts_with(OF_WINDOWS) {
        return Err(Error::other("it is sealed for the Windows machine on which it was made"));
    }
    Ok(Zeroizing::new(kept.to_vec()))
}

/// Whether this process runs as the owner of a directory, or would make it.
#[must_use]
pub fn is_own(place: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    std::fs::metadata(place).map_or(true, |data| data.uid() == own)
}

/// Makes the names in a directory durable.
///
/// # Errors
/// Those of the file system.
pub fn sync_dir(place: &Path) -> Result<()> {
    File::open(place)?.sync_all()
}

/// Makes all files of a directory durable, at once.
///
/// # Errors
/// Those of the file system.
pub fn sync_files(place: &Path) -> Result<()> {
    Ok(rustix::fs::syncfs(File::open(place)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_windows_has_sealed_is_told_and_not_taken_for_a_secret() {
        let sealed = [OF_WINDOWS, &[0; 200]].concat();
        assert!(unseal(&sealed).unwrap_err().to_string().contains("Windows machine"));
        assert_eq!(unseal(&seal(&[7; 32]).unwrap()).unwrap().as_slice(), [7; 32]);
    }
}
