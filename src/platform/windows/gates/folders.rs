//! Class 13, and the look of every gate that looks into folders: every file is known by where it is and by its state,
//! so that one that was changed is another one. No way is taken through a reparse point, and none is deleted through one.

use std::fs;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Authorization::{GetNamedSecurityInfoW, SE_FILE_OBJECT};
use windows_sys::Win32::Security::OWNER_SECURITY_INFORMATION;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, GetFileInformationByHandle,
};
use windows_sys::Win32::UI::Shell::{
    FOLDERID_Desktop, FOLDERID_Documents, FOLDERID_Downloads, FOLDERID_LocalAppData,
    FOLDERID_LocalAppDataLow, FOLDERID_Music, FOLDERID_Pictures, FOLDERID_Profile, FOLDERID_ProgramData,
    FOLDERID_Public, FOLDERID_Videos,
};

use super::account::{folder, own_sid, sid_text};
use super::{Gate, Ground, Look, Trace, ask};

pub(super) const GATES: [Gate; 4] = [
    Gate {
        class: 13,
        name: "temporary files",
        what: "files",
        method: "the account's and Windows' Temp",
        inside: true,
        partial: None,
        look: temporary,
        clear: Some(delete),
    },
    Gate {
        class: 13,
        name: "saved files",
        what: "files",
        method: "the account's own folders",
        inside: true,
        partial: None,
        look: saved,
        clear: Some(|ground, traces| delete_new(ground, "saved files", traces)),
    },
    Gate {
        class: 13,
        name: "files for all accounts",
        what: "files",
        method: "ProgramData, the public profile and the drive's root, by owner",
        inside: true,
        partial: None,
        look: for_all,
        clear: Some(|ground, traces| delete_new(ground, "files for all accounts", traces)),
    },
    Gate {
        class: 13,
        name: "crash reports",
        what: "reports",
        method: "folders of Windows Error Reporting",
        inside: true,
        partial: None,
        look: crashes,
        clear: Some(delete),
    },
];

/// How deep a place is walked; what is deeper cannot be vouched for.
const DEPTH: usize = 24;
/// The most files that are told apart in one place; beyond them a look cannot vouch for all.
const MOST: usize = 40_000;

/// A path that Windows takes whatever its length, and as it is spelled.
pub(super) fn long(path: &Path) -> PathBuf {
    let text = path.as_os_str().to_string_lossy();
    if text.starts_with(r"\\") || !path.is_absolute() {
        return path.to_owned();
    }
    let mut whole = std::ffi::OsString::from(r"\\?\");
    whole.push(path);
    PathBuf::from(whole)
}

/// The number by which its file system knows a file.
#[expect(unsafe_code, reason = "Windows is asked by a handle")]
pub(super) fn number(path: &Path) -> Option<u64> {
    use std::os::windows::fs::OpenOptionsExt as _;
    use std::os::windows::io::AsRawHandle as _;
    let flags = FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT;
    let file = fs::OpenOptions::new().access_mode(0).custom_flags(flags).open(long(path)).ok()?;
    let mut found = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the file is open; the place for the answer outlives the call.
    let got = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) };
    (got != 0).then(|| u64::from(found.nFileIndexHigh) << 32 | u64::from(found.nFileIndexLow))
}

/// Whether it is a link of any kind, or stands for something elsewhere.
fn leads_away(data: &fs::Metadata) -> bool {
    data.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0
}

fn state(data: &fs::Metadata) -> String {
    format!("{} {} {}", data.file_size(), data.last_write_time(), data.creation_time())
}

/// Whether it is one of these or below one. Windows takes names for the same whatever their case.
fn is_below(path: &Path, places: &[PathBuf]) -> bool {
    let folded = |path: &Path| PathBuf::from(path.to_string_lossy().to_lowercase());
    let path = folded(path);
    // Everything would be below a place without a name.
    places.iter().filter(|place| place.is_absolute()).any(|place| path.starts_with(folded(place)))
}

/// Whether a place is not where Windows keeps this account's files and its own: a folder that is redirected to a server,
/// or a link to another. What is new there can be anybody's, and is never deleted.
fn leads_out(place: &Path) -> bool {
    let Ok(real) = fs::canonicalize(long(place)) else { return false };
    let ids = [FOLDERID_Profile, FOLDERID_ProgramData, FOLDERID_Public];
    let homes = ids.iter().filter_map(folder).chain([ask::windows(), std::env::temp_dir()]);
    let homes: Vec<PathBuf> = homes.filter_map(|home| fs::canonicalize(home).ok()).collect();
    !is_below(&real, &homes)
}

/// Everything in these places.
pub(super) fn look(places: &[&Path]) -> Look {
    look_but(places, &[], &|_| true)
}

/// Everything in these places but below `without` that is `wanted`.
pub(super) fn look_but(places: &[&Path], without: &[PathBuf], wanted: &dyn Fn(&Path) -> bool) -> Look {
    let mut found = Vec::new();
    let mut blind = None;
    for place in places {
        if leads_out(place) {
            blind =
                Some(format!("{} leads to another place, which is not the station's alone", place.display()));
        } else if let Err(why) = walk(place, place, DEPTH, without, wanted, &mut found) {
            blind = Some(why);
        }
    }
    match blind {
        Some(why) => Look::Partly(found, why),
        None => Look::These(found),
    }
}

fn walk(
    place: &Path,
    path: &Path,
    depth: usize,
    without: &[PathBuf],
    wanted: &dyn Fn(&Path) -> bool,
    found: &mut Vec<Trace>,
) -> Result<(), String> {
    if is_below(path, without) {
        return Ok(());
    }
    let blind = |error: io::Error| format!("{} could not be looked at: {error}", place.display());
    let data = match fs::symlink_metadata(long(path)) {
        Ok(data) => data,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(blind(error)),
    };
    if data.is_dir() && !leads_away(&data) {
        if depth == 0 {
            return Err(format!("{} is deeper than can be looked at", place.display()));
        }
        let entries = match fs::read_dir(long(path)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(blind(error)),
        };
        let mut empty = true;
        for entry in entries {
            empty = false;
            walk(place, &path.join(entry.map_err(blind)?.file_name()), depth - 1, without, wanted, found)?;
        }
        // An empty folder's name can say something as well.
        if empty && path != place && wanted(path) && !is_kept(path) {
            found.push(Trace::file(place, path, "folder"));
        }
        return Ok(());
    }
    if found.len() >= MOST {
        return Err("there are more files than can be told apart".to_owned());
    }
    if wanted(path) {
        found.push(Trace::file(place, path, &state(&data)));
    }
    Ok(())
}

/// Deletes what was found.
pub(super) fn delete(_: &Ground, traces: &[Trace]) {
    for path in traces.iter().filter_map(|trace| trace.path.as_deref()) {
        remove(path);
    }
}

/// Deletes what was found, but for what stood before the first session: what a session has changed there cannot be put
/// back, and is for people.
fn delete_new(ground: &Ground, gate: &str, traces: &[Trace]) {
    for path in traces.iter().filter_map(|trace| trace.path.as_deref()) {
        if !ground.stood(gate, path) {
            remove(path);
        }
    }
}

/// Removes a file, or a folder that is empty, or a reparse point itself; whether it went is for a second look to tell.
fn remove(path: &Path) {
    let path = long(path);
    let Ok(data) = fs::symlink_metadata(&path) else { return };
    let mut rights = data.permissions();
    if rights.readonly() {
        #[expect(clippy::permissions_set_readonly_false, reason = "on Windows this gives nobody a right")]
        rights.set_readonly(false);
        let _ = fs::set_permissions(&path, rights);
    }
    // On Windows a junction is removed as a folder, and what it leads to stays.
    let folder = data.is_dir() || data.file_attributes() & 0x10 != 0;
    let _ = if folder { fs::remove_dir(&path) } else { fs::remove_file(&path) };
    // The folders that a session has made around it are gone when they are empty; others are not.
    let mut above = path.parent();
    for _ in 0..DEPTH {
        let Some(folder) = above else { break };
        let new = fs::metadata(folder).is_ok_and(|data| data.is_dir()) && is_empty(folder);
        if !new || is_kept(folder) || fs::remove_dir(folder).is_err() {
            break;
        }
        above = folder.parent();
    }
}

/// Folders that Windows has for every account, and misses when they are gone.
const KEPT: [&str; 16] = [
    "Accounts",
    "AutomaticDestinations",
    "CrashDumps",
    "CustomDestinations",
    "Desktop",
    "Documents",
    "Downloads",
    "Explorer",
    "Music",
    "Pictures",
    "Public",
    "Recent",
    "Startup",
    "Temp",
    "Videos",
    "WER",
];

/// Windows takes names for the same whatever their case, and writes some of these in more than one.
fn is_kept(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept)))
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether a file belongs to this account.
#[expect(unsafe_code, reason = "Windows is asked by pointers")]
fn is_own(path: &Path, own: &str) -> bool {
    let name: Vec<u16> = long(path).as_os_str().encode_wide().chain([0]).collect();
    let (mut owner, mut all) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the name ends with a zero; the places for the answer outlive the call.
    let code = unsafe {
        GetNamedSecurityInfoW(
            name.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut all,
        )
    };
    if code != ERROR_SUCCESS {
        // Whoever takes his own right to look away from the station has something to hide from it.
        return true;
    }
    let sid = sid_text(owner);
    // SAFETY: it was made for us to free, and is not used any more.
    let _ = unsafe { LocalFree(all) };
    sid.is_none_or(|sid| sid == own)
}

fn temporary(ground: &Ground) -> Look {
    let own = std::env::temp_dir();
    let local = folder(&FOLDERID_LocalAppData).map(|local| local.join("Temp"));
    let windows = ask::windows().join("Temp");
    // Where the two are one, it is looked into once.
    let known = local.as_deref().filter(|local| !is_below(local, std::slice::from_ref(&own)));
    let mut places: Vec<&Path> = known.into_iter().chain([own.as_path()]).collect();
    // An ordinary account may write into this one, and not list it: what is there then is Windows' own to keep apart.
    if fs::read_dir(&windows).is_ok() {
        places.push(&windows);
    }
    look_but(&places, &[ground.remains.run_dir.clone()], &|_| true)
}

fn saved(ground: &Ground) -> Look {
    let ids = [
        FOLDERID_Desktop,
        FOLDERID_Documents,
        FOLDERID_Downloads,
        FOLDERID_Music,
        FOLDERID_Pictures,
        FOLDERID_Videos,
        FOLDERID_LocalAppDataLow,
    ];
    let mut places: Vec<PathBuf> = ids.iter().filter_map(folder).collect();
    // Wine has some of them be links to a person's own home: they are looked into all the same.
    places.sort();
    places.dedup();
    look_but(&places.iter().map(PathBuf::as_path).collect::<Vec<&Path>>(), &ground.shared, &|_| true)
}

/// Where every account may write, the files that are this account's. Folders that it may not look into are not its own.
fn for_all(ground: &Ground) -> Look {
    let Some(own) = own_sid() else { return Look::unknown("Windows does not say which account this is") };
    let mut found = Vec::new();
    let mut without = ground.shared.clone();
    without.push(ground.remains.run_dir.clone());
    for place in [folder(&FOLDERID_ProgramData), folder(&FOLDERID_Public)].into_iter().flatten() {
        without.extend([place.join("Cleanshift"), place.join(r"Microsoft\Windows\WER")]);
        reachable(&place, &place, DEPTH, &without, &own, &mut found);
    }
    let windows = ask::windows();
    // Every account may make folders beside Windows' own.
    if let Some(root) = windows.parent() {
        let known = ["Windows", "Users", "ProgramData", "Program Files", "Program Files (x86)"];
        without.extend(known.iter().map(|name| root.join(name)));
        reachable(root, root, DEPTH, &without, &own, &mut found);
    }
    if found.len() >= MOST {
        return Look::Partly(found, "there are more files than can be told apart".to_owned());
    }
    Look::These(found)
}

fn reachable(place: &Path, dir: &Path, depth: usize, without: &[PathBuf], own: &str, found: &mut Vec<Trace>) {
    for entry in fs::read_dir(long(dir)).into_iter().flatten().flatten() {
        let path = dir.join(entry.file_name());
        let Ok(data) = entry.metadata() else { continue };
        if found.len() >= MOST || is_below(&path, without) {
            continue;
        }
        if data.is_dir() && !leads_away(&data) {
            if depth > 0 {
                reachable(place, &path, depth - 1, without, own, found);
            }
            if is_empty(&long(&path)) && !is_kept(&path) && is_own(&path, own) {
                found.push(Trace::file(place, &path, "folder"));
            }
        } else if is_own(&path, own) {
            found.push(Trace::file(place, &path, &state(&data)));
        }
    }
}

fn crashes(_: &Ground) -> Look {
    let mut places = Vec::new();
    if let Some(local) = folder(&FOLDERID_LocalAppData) {
        places.extend([local.join("CrashDumps"), local.join(r"Microsoft\Windows\WER")]);
    }
    if let Some(data) = folder(&FOLDERID_ProgramData) {
        let shared = data.join(r"Microsoft\Windows\WER");
        for name in ["ReportArchive", "ReportQueue"] {
            if fs::read_dir(shared.join(name)).is_ok() {
                places.push(shared.join(name));
            }
        }
    }
    look(&places.iter().map(PathBuf::as_path).collect::<Vec<&Path>>())
}
