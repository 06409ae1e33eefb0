//! What a host was like before the kiosk was enabled: recorded before anything is touched, and put back byte
//! for byte, with owner, mode and time.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt as _, PermissionsExt, fchown, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::files::{Laid, What};

/// Where it is kept on the host.
const PLACE: &str = "var/lib/cleanshift-kiosk";
/// The file in it.
const FILE: &str = "manifest.json";
/// The form of the file.
const VERSION: u32 = 1;

/// What a path was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Before {
    /// Nothing.
    Absent,
    /// A file; its bytes lie beside the manifest.
    File { copy: String, mode: u32, uid: u32, gid: u32, seconds: i64, nanos: i64 },
    /// A symbolic link.
    Link { target: PathBuf, uid: u32, gid: u32 },
}

/// One path that was touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// From the host's root.
    path: String,
    before: Before,
    /// What was laid there: `link TARGET`, or the SHA-256 of a file.
    laid: String,
}

/// What was touched on a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    version: u32,
    /// Directories that were made, outer ones first.
    directories: Vec<String>,
    entries: Vec<Entry>,
}

/// A host's tree, and the record of what was touched in it.
pub struct Tree {
    root: PathBuf,
}

/// How a touched path is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Now {
    /// As it was laid.
    Unchanged,
    /// Somebody has changed it since.
    Changed,
    /// Somebody has taken it away.
    Missing,
}

fn fingerprint(what: &What) -> String {
    match what {
        What::File(bytes) => hex::encode(Sha256::digest(bytes)),
        What::Link(target) => format!("link {}", target.display()),
    }
}

/// The fingerprint of what lies at a path; `None` where nothing does.
fn lies(path: &Path) -> io::Result<Option<String>> {
    let data = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    Ok(Some(if data.is_symlink() {
        fingerprint(&What::Link(fs::read_link(path)?))
    } else if data.is_file() {
        fingerprint(&What::File(fs::read(path)?))
    } else {
        "something else".to_owned()
    }))
}

impl Tree {
    /// The tree below `root`.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn below(root: &Path) -> io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }

    /// Where the record lies.
    #[must_use]
    pub fn record(&self) -> PathBuf {
        self.root.join(PLACE)
    }

    /// The record, where there is one.
    ///
    /// # Errors
    /// When it cannot be read or is of another version.
    pub fn read(&self) -> Result<Option<Manifest>, String> {
        let path = self.record().join(FILE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| format!("failed to read {}: {error}", path.display()))?,
        };
        let manifest: Manifest = serde_json::from_slice(&text)
            .map_err(|error| format!("failed to understand {}: {error}", path.display()))?;
        if manifest.version != VERSION {
            return Err(format!(
                "failed to understand {}: it is of version {}, this program knows version {VERSION}\nhelp: use the \
                 program that wrote it",
                path.display(),
                manifest.version
            ));
        }
        Ok(Some(manifest))
    }

    /// A path of the host's, whose directory lies really within the tree.
    fn at(&self, path: &str) -> io::Result<PathBuf> {
        let full = self.root.join(path.trim_start_matches('/'));
        let there = full.ancestors().skip(1).find(|place| place.exists()).unwrap_or(&self.root);
        if !there.canonicalize()?.starts_with(&self.root) {
            return Err(io::Error::other(format!("{} leads out of the tree", there.display())));
        }
        Ok(full)
    }

    /// Records what is at these paths now, then lays on them what belongs there. What was recorded by an
    /// earlier call stays as recorded: that is what the host was like before.
    ///
    /// # Errors
    /// A path and what the system said. What was recorded can be put back by [`Self::put_back`].
    pub fn lay(&self, all: &[Laid]) -> Result<(), String> {
        let mut manifest = self.read()?.unwrap_or(Manifest { version: VERSION, ..Manifest::default() });
        // Nothing is written before all can be recorded.
        let mut copies = Vec::new();
        self.missing(&format!("/{PLACE}/{FILE}"), &mut manifest.directories)
            .map_err(|error| format!("failed to record {}: {error}", self.record().display()))?;
        for one in all {
            let failed = |error: io::Error| format!("failed to record {}: {error}", one.path);
            let known = manifest.entries.iter_mut().find(|entry| entry.path == one.path);
            match known {
                Some(entry) => entry.laid = fingerprint(&one.what),
                None => {
                    let copy = format!("before-{}", manifest.entries.len());
                    let before = self.before(&one.path, copy, &mut copies).map_err(failed)?;
                    self.missing(&one.path, &mut manifest.directories).map_err(failed)?;
                    let laid = fingerprint(&one.what);
                    manifest.entries.push(Entry { path: one.path.clone(), before, laid });
                }
            }
        }
        self.write(&manifest, &copies)
            .map_err(|error| format!("failed to write {}: {error}", self.record().display()))?;
        for one in all {
            self.place(one).map_err(|error| format!("failed to write {}: {error}", one.path))?;
        }
        Ok(())
    }

    /// What is at a path now; a file's bytes go to `copies`, by the name under which they are kept.
    fn before(&self, path: &str, copy: String, copies: &mut Vec<(String, Vec<u8>)>) -> io::Result<Before> {
        let full = self.at(path)?;
        let data = match fs::symlink_metadata(&full) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Before::Absent),
            other => other?,
        };
        let (uid, gid) = (data.uid(), data.gid());
        if data.is_symlink() {
            return Ok(Before::Link { target: fs::read_link(&full)?, uid, gid });
        }
        if !data.is_file() {
            return Err(io::Error::other("it is neither a file nor a link"));
        }
        copies.push((copy.clone(), fs::read(&full)?));
        let (seconds, nanos) = (data.mtime(), data.mtime_nsec());
        Ok(Before::File { copy, mode: data.mode() & 0o7777, uid, gid, seconds, nanos })
    }

    /// The directories above a path that are not there yet, outer ones first.
    fn missing(&self, path: &str, known: &mut Vec<String>) -> io::Result<()> {
        let full = self.at(path)?;
        let mut missing: Vec<_> = full.ancestors().skip(1).take_while(|place| !place.exists()).collect();
        missing.reverse();
        for place in missing {
            let below = place.strip_prefix(&self.root).map_err(io::Error::other)?;
            let below = format!("/{}", below.display());
            if !known.contains(&below) {
                known.push(below);
            }
        }
        Ok(())
    }

    /// Writes the record, and the copies before it.
    fn write(&self, manifest: &Manifest, copies: &[(String, Vec<u8>)]) -> io::Result<()> {
        let record = self.record();
        fs::create_dir_all(&record)?;
        fs::set_permissions(&record, fs::Permissions::from_mode(0o700))?;
        for (name, bytes) in copies {
            durable(&record.join(name), bytes, 0o600)?;
        }
        let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
        durable(&record.join(FILE), &text, 0o600)
    }

    fn place(&self, one: &Laid) -> io::Result<()> {
        let full = self.at(&one.path)?;
        if lies(&full)?.as_deref() == Some(&fingerprint(&one.what)) {
            return Ok(());
        }
        fs::create_dir_all(full.parent().unwrap_or(&self.root))?;
        match &one.what {
            What::File(bytes) => durable(&full, bytes, 0o644),
            What::Link(target) => link(&full, target).map(drop),
        }
    }

    /// How each touched path is found.
    ///
    /// # Errors
    /// What the system said.
    pub fn now(&self, manifest: &Manifest) -> io::Result<Vec<(String, Now)>> {
        let one = |entry: &Entry| {
            let now = match lies(&self.at(&entry.path)?)? {
                None => Now::Missing,
                Some(found) if found == entry.laid => Now::Unchanged,
                Some(_) => Now::Changed,
            };
            Ok((entry.path.clone(), now))
        };
        manifest.entries.iter().map(one).collect()
    }

    /// Puts back what was there before, and takes the record away. What somebody has changed since is kept
    /// beside it under the name that is answered for it.
    ///
    /// # Errors
    /// A path and what the system said; the record stays, so that it can be tried again.
    pub fn put_back(&self, manifest: &Manifest) -> Result<Vec<(String, PathBuf)>, String> {
        let mut kept = Vec::new();
        for (number, entry) in manifest.entries.iter().enumerate().rev() {
            let failed = |error: io::Error| format!("failed to put back {}: {error}", entry.path);
            let full = self.at(&entry.path).map_err(failed)?;
            if self.is_back(&full, &entry.before).map_err(failed)? {
                continue;
            }
            let now = lies(&full).map_err(failed)?;
            if now.is_some_and(|now| now != entry.laid) {
                let aside = self.root.join(format!("{PLACE}.changed"));
                fs::create_dir_all(&aside).map_err(failed)?;
                let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let aside = aside.join(format!("{number}-{name}"));
                move_aside(&full, &aside).map_err(failed)?;
                kept.push((entry.path.clone(), aside));
            }
            self.restore(&full, &entry.before).map_err(failed)?;
        }
        self.take_directories(manifest);
        let record = self.record();
        self.forget(manifest).map_err(|error| format!("failed to remove {}: {error}", record.display()))?;
        // Those above the record's own.
        self.take_directories(manifest);
        Ok(kept)
    }

    /// Takes the record away: the manifest last, so that what was cut off can be gone on with.
    fn forget(&self, manifest: &Manifest) -> io::Result<()> {
        let record = self.record();
        for entry in &manifest.entries {
            if let Before::File { copy, .. } = &entry.before {
                absent(fs::remove_file(record.join(copy)))?;
            }
        }
        absent(fs::remove_file(record.join(FILE)))?;
        fs::remove_dir(&record)
    }

    /// Takes away the directories that were made; what others have put something into stays.
    fn take_directories(&self, manifest: &Manifest) {
        for below in manifest.directories.iter().rev() {
            let _ = self.at(below).and_then(fs::remove_dir);
        }
    }

    /// Whether a path is as before already: it was put back by a call that was cut off, or never touched.
    fn is_back(&self, full: &Path, before: &Before) -> io::Result<bool> {
        let lies = lies(full)?;
        Ok(match before {
            Before::Absent => lies.is_none(),
            // Owner and mode may still differ.
            Before::File { .. } => false,
            Before::Link { target, .. } => lies.as_deref() == Some(&fingerprint(&What::Link(target.clone()))),
        })
    }

    fn restore(&self, full: &Path, before: &Before) -> io::Result<()> {
        match before {
            Before::Absent => absent(fs::remove_file(full)),
            Before::File { copy, mode, uid, gid, seconds, nanos } => {
                let bytes = fs::read(self.record().join(copy))?;
                durable(full, &bytes, *mode)?;
                let file = fs::File::open(full)?;
                own(file.metadata()?, (*uid, *gid), |uid, gid| fchown(&file, uid, gid))?;
                // A change of owner takes the setuid bit.
                fs::set_permissions(full, fs::Permissions::from_mode(*mode))?;
                let since =
                    Duration::new(u64::try_from(*seconds).unwrap_or(0), u32::try_from(*nanos).unwrap_or(0));
                fs::File::options().write(true).open(full)?.set_modified(SystemTime::UNIX_EPOCH + since)
            }
            Before::Link { target, uid, gid } => {
                let data = link(full, target)?;
                own(data, (*uid, *gid), |uid, gid| lchown(full, uid, gid))
            }
        }
    }
}

/// Gives it to an account, where it is not that account's already.
fn own(
    data: fs::Metadata,
    (uid, gid): (u32, u32),
    give: impl Fn(Option<u32>, Option<u32>) -> io::Result<()>,
) -> io::Result<()> {
    if (data.uid(), data.gid()) == (uid, gid) { Ok(()) } else { give(Some(uid), Some(gid)) }
}

/// That it is gone already is as good as to have removed it.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Moves to a place that may lie on another file system.
fn move_aside(from: &Path, to: &Path) -> io::Result<()> {
    if fs::rename(from, to).is_ok() {
        return Ok(());
    }
    let _ = fs::copy(from, to)?;
    fs::remove_file(from)
}

/// A name beside a path, which no program reads: the directories are searched for `*.conf` and units.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    path.with_file_name(format!(".{name}.cleanshift-new"))
}

/// Writes beside the place, makes it durable, and names it last.
fn durable(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let new = beside(path);
    let _ = fs::remove_file(&new);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.set_permissions(fs::Permissions::from_mode(mode))?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    path.parent().map_or(Ok(()), |place| fs::File::open(place)?.sync_all())
}

/// Makes a symbolic link beside the place, and names it last.
fn link(path: &Path, target: &Path) -> io::Result<fs::Metadata> {
    let new = beside(path);
    let _ = fs::remove_file(&new);
    symlink(target, &new)?;
    fs::rename(&new, path)?;
    fs::symlink_metadata(path)
}
