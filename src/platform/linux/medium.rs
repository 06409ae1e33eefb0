//! Removable media that a copy of the log may go to: what is mounted below the directories that the
//! policy names. A copy is there whole and durable, or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use crate::platform::media::copy;
use crate::ports::{Media, PortError, Result, Written};

/// The directories that the policy names.
pub struct Mounted(Vec<PathBuf>);

impl Mounted {
    /// Media that are mounted below these directories.
    #[must_use]
    pub fn below(directories: &[PathBuf]) -> Self {
        Self(directories.to_vec())
    }
}

/// The mount points of this table (the form of `/proc/self/mountinfo`, proc(5)) that lie below one of
/// these directories and can be written to.
fn among(table: &str, directories: &[PathBuf]) -> Vec<String> {
    let mut found = Vec::new();
    for line in table.lines() {
        let mut fields = line.split(' ');
        let (Some(point), Some(options)) = (fields.nth(4), fields.next()) else { continue };
        let kind = line.split_once(" - ").and_then(|(_, rest)| rest.split(' ').next());
        // What is mounted only once it is looked into is no medium yet.
        if kind.is_none_or(|kind| kind == "autofs") || options.split(',').any(|option| option == "ro") {
            continue;
        }
        let point = plain(point);
        let below = |directory: &PathBuf| {
            Path::new(&point).strip_prefix(directory).is_ok_and(|rest| !rest.as_os_str().is_empty())
        };
        if directories.iter().any(below) && !found.contains(&point) {
            found.push(point);
        }
    }
    found
}

/// A path as the kernel writes it in tables: blanks and the like stand as `\040`.
fn plain(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| after.get(..3)).flatten();
        let value = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { after.get(3..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Media for Mounted {
    fn mounted(&self) -> Result<Vec<String>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let table = fs::read_to_string("/proc/self/mountinfo")
            .map_err(|error| PortError::new(format!("look for media: {error}")))?;
        Ok(among(&table, &self.0))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_are_what_is_mounted_below() {
        let table = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
            30 22 8:17 / /media/ward/USB\\040STICK rw,nosuid shared:9 - vfat /dev/sdb1 rw\n\
            31 22 8:33 / /media/ward/READONLY ro,nosuid shared:9 - vfat /dev/sdc1 ro\n\
            32 22 0:50 / /media rw - tmpfs tmpfs rw\n\
            33 22 0:51 / /media/auto rw - autofs systemd-1 rw\n\
            34 22 8:49 / /mediated/x rw - vfat /dev/sdd1 rw\n";
        assert_eq!(among(table, &[PathBuf::from("/media")]), ["/media/ward/USB STICK"]);
        assert_eq!(among(table, &[PathBuf::from("/run/media")]), Vec::<String>::new());
    }
}
