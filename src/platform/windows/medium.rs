//! Removable media that a copy of the log may go to: the drives that the policy names, as far as they are removable
//! and something lies in them. A copy is there whole and durable, or not at all.

use std::path::{Path, PathBuf};

use windows_sys::Win32::Storage::FileSystem::{GetDriveTypeW, GetVolumeInformationW};
use windows_sys::Win32::System::SystemServices::FILE_READ_ONLY_VOLUME;
use windows_sys::Win32::System::WindowsProgramming::DRIVE_REMOVABLE;

use super::registry::wide;
use crate::platform::media::copy;
use crate::ports::{Media, PortError, Result, Written};

/// The drives that the policy names: `E:\`.
pub struct Mounted(Vec<PathBuf>);

impl Mounted {
    /// Media in these drives.
    #[must_use]
    pub fn below(directories: &[PathBuf]) -> Self {
        Self(directories.to_vec())
    }
}

/// Whether a drive is removable, and a volume lies in it that can be written to.
#[expect(unsafe_code, reason = "drives are asked through the system's own calls")]
fn can_take(drive: &Path) -> bool {
    let root = wide(&drive.display().to_string());
    let mut flags = 0;
    // SAFETY: the name ends with a zero; the flags outlive the call, and nothing else is asked for.
    unsafe {
        GetDriveTypeW(root.as_ptr()) == DRIVE_REMOVABLE
            && GetVolumeInformationW(
                root.as_ptr(),
                std::ptr::null_mut(),
                0,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
                &raw mut flags,
                std::ptr::null_mut(),
                0,
            ) != 0
            && flags & FILE_READ_ONLY_VOLUME == 0
    }
}

impl Media for Mounted {
    fn mounted(&self) -> Result<Vec<String>> {
        Ok(self.0.iter().filter(|drive| can_take(drive)).map(|drive| drive.display().to_string()).collect())
    }

    fn export(
        &self,
        medium: &str,
        name: &str,
        checkpoint: &str,
        parts: &mut dyn FnMut() -> Result<Vec<Written>>,
    ) -> Result<String> {
        if !self.mounted()?.iter().any(|mounted| mounted == medium) {
            return Err(PortError::new(format!("export to {medium}: it is not there any more")));
        }
        copy(Path::new(medium), name, checkpoint, parts)
    }
}
