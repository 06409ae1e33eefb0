//! An export is there wholly or not at all, is its owner's alone, and replaces nothing unasked: it is
//! written beside its place under a name of its own, and gets its name last.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use crate::evidence::escape;
use crate::ports::{PortError, Result};
use crate::private;

/// Where a stream goes.
pub(super) enum Sink {
    /// To the terminal, or whoever reads there.
    Terminal(BufWriter<std::io::Stdout>),
    /// Into a file.
    File(Pending),
}

/// A file that has not its name yet. It goes away when it is dropped before.
pub(super) struct Pending {
    out: BufWriter<File>,
    new: PathBuf,
    place: PathBuf,
    named: bool,
}

impl Sink {
    pub(super) fn open(place: Option<&Path>, force: bool) -> Result<Self> {
        let Some(place) = place else {
            return Ok(Self::Terminal(BufWriter::new(std::io::stdout())));
        };
        if place.is_dir() {
            return Err(wrong(place, "it is a directory; name a file in it"));
        }
        if !force && place.symlink_metadata().is_ok() {
            return Err(wrong(place, "it is there already; name another file, or replace it with --force"));
        }
        Pending::beside(place).map(Self::File)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self {
            Self::Terminal(out) => {
                out.write_all(bytes).map_err(|error| PortError::new(format!("write the export: {error}")))
            }
            Self::File(file) => {
                file.out.write_all(bytes).map_err(|error| wrong(&file.place, &error.to_string()))
            }
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        match self {
            Self::Terminal(mut out) => {
                out.flush().map_err(|error| PortError::new(format!("write the export: {error}")))
            }
            Self::File(file) => file.name(true),
        }
    }
}

impl Pending {
    fn beside(place: &Path) -> Result<Self> {
        let new = new_name(place)?;
        let file = private::new_file(&new).map_err(|error| wrong(place, &error.to_string()))?;
        Ok(Self { out: BufWriter::new(file), new, place: place.to_owned(), named: false })
    }

    fn name(mut self, durable: bool) -> Result<()> {
        let say = |error: std::io::Error| wrong(&self.place, &error.to_string());
        self.out.flush().map_err(say)?;
        if durable {
            self.out.get_ref().sync_all().map_err(say)?;
        }
        std::fs::rename(&self.new, &self.place).map_err(say)?;
        self.named = true;
        if durable { sync(&self.place) } else { Ok(()) }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.named {
            let _ = std::fs::remove_file(&self.new);
        }
    }
}

/// A directory of files. A new one gets its name when all of them are there.
pub(super) struct Folder {
    new: Option<PathBuf>,
    place: PathBuf,
}

impl Folder {
    pub(super) fn open(place: &Path, force: bool) -> Result<Self> {
        let say = |error: std::io::Error| wrong(place, &error.to_string());
        if place.symlink_metadata().is_err() {
            let new = new_name(place)?;
            private::new_dir(&new).map_err(say)?;
            return Ok(Self { new: Some(new), place: place.to_owned() });
        }
        if !place.is_dir() {
            return Err(wrong(place, "it is no directory, and each proof is a file; name a directory"));
        }
        if !force && std::fs::read_dir(place).map_err(say)?.next().is_some() {
            let what = "there are files in it; name another directory, or replace those of the same name with --force";
            return Err(wrong(place, what));
        }
        Ok(Self { new: None, place: place.to_owned() })
    }

    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let place = self.new.as_deref().unwrap_or(&self.place).join(name);
        let mut file = Pending::beside(&place)?;
        file.out.write_all(bytes).map_err(|error| wrong(&place, &error.to_string()))?;
        // One sync at the end stands for all: a directory that has its name has its files.
        file.name(false)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let say = |error: std::io::Error| wrong(&self.place, &error.to_string());
        let whole = self.new.as_deref().unwrap_or(&self.place);
        private::sync_files(whole).map_err(say)?;
        if let Some(new) = self.new.take() {
            std::fs::rename(&new, &self.place).map_err(say)?;
        }
        sync(&self.place)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What was begun and not finished holds nothing but files of this export.
        let Some(new) = self.new.take() else { return };
        for file in std::fs::read_dir(&new).into_iter().flatten().flatten() {
            let _ = std::fs::remove_file(file.path());
        }
        let _ = std::fs::remove_dir(&new);
    }
}

fn new_name(place: &Path) -> Result<PathBuf> {
    let name = place.file_name().ok_or_else(|| wrong(place, "it has no name of its own"))?;
    let new = format!(".{}.{}.new", name.to_string_lossy(), std::process::id());
    Ok(place.with_file_name(new))
}

fn sync(place: &Path) -> Result<()> {
    let dir = place.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    private::sync_dir(dir).map_err(|error| wrong(place, &error.to_string()))
}

fn wrong(place: &Path, what: &str) -> PortError {
    PortError::new(format!("write {}: {what}", escape(&place.display().to_string())))
}
