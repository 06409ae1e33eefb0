//! Class 14: what would start something for a session later: scheduled tasks, Startup folders, and the places of the
//! machine's registry that start programs. What the account's own registry has of it is `hive`'s.

use std::path::{Path, PathBuf};
use std::time::Duration;

use windows_sys::Win32::UI::Shell::{FOLDERID_CommonStartup, FOLDERID_Startup};

use super::account::folder;
use super::{Gate, Ground, Look, Trace, ask, folders, hive};

pub(super) const GATES: [Gate; 3] = [
    Gate {
        class: 14,
        name: "scheduled tasks",
        what: "tasks",
        method: "schtasks, System32\\Tasks",
        inside: true,
        partial: None,
        look: tasks,
        clear: Some(clear_tasks),
    },
    Gate {
        class: 14,
        name: "Startup folders",
        what: "files",
        method: "Startup of the account and of all",
        inside: true,
        partial: None,
        look: startup,
        clear: Some(folders::delete),
    },
    Gate {
        class: 14,
        name: "the machine's start list",
        what: "entries",
        method: "Run, RunOnce, Winlogon, AppInit_DLLs of the machine",
        inside: false,
        partial: None,
        look: machine,
        clear: None,
    },
];

/// How long schtasks may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// Where the machine's registry starts programs.
const STARTS: [&str; 6] = [
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
    r"SOFTWARE\Microsoft\Windows\CurrentVersion\RunOnce",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Run",
    r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\RunOnce",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon",
    r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Windows",
];
/// Of a key of this name only those values start programs; the others change all the time.
const OF_WINLOGON: [&str; 5] = ["AppInit_DLLs", "LoadAppInit_DLLs", "Shell", "Userinit", "Taskman"];

fn tasks(_: &Ground) -> Look {
    let place = tasks_folder();
    if !place.exists() {
        return Look::not_here("this Windows has no scheduled tasks");
    }
    let asked = ask::program("schtasks.exe")
        .ok_or_else(|| "there is no schtasks".to_owned())
        .and_then(|program| ask::heard(&program, &["/query", "/fo", "csv", "/nh"], PATIENCE));
    // An ordinary account may not list the folder. Where it may, a task that schtasks does not name is found by its file.
    let files = std::fs::read_dir(&place).is_ok().then(|| folders::look(&[&place]));
    match (asked, files) {
        (Err(why), None) => Look::unknown(why),
        // The files can convict; that schtasks failed leaves the rest unknown.
        (Err(why), Some(Look::These(found) | Look::Partly(found, _))) => Look::Partly(found, why),
        (Ok(text), None) => Look::These(named(&text).collect()),
        (Ok(text), Some(Look::These(found))) => Look::These(found.into_iter().chain(named(&text)).collect()),
        (Ok(text), Some(Look::Partly(found, why))) => {
            Look::Partly(found.into_iter().chain(named(&text)).collect(), why)
        }
        (_, Some(other)) => other,
    }
}

fn tasks_folder() -> PathBuf {
    ask::windows().join(r"System32\Tasks")
}

/// The tasks that schtasks lists: the first column is a task's whole name; the others are when it runs.
fn named(text: &str) -> impl Iterator<Item = Trace> + '_ {
    text.lines().filter_map(name).map(|name| Trace::shown(name, "one by name"))
}

/// The name in a line of schtasks.
fn name(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix('"')?.split('"').next()?;
    name.starts_with('\\').then_some(name)
}

fn clear_tasks(ground: &Ground, traces: &[Trace]) {
    if let Some(program) = ask::program("schtasks.exe") {
        let place = tasks_folder();
        for task in traces {
            let name = match &task.path {
                None => task.key.clone(),
                Some(path) => match path.strip_prefix(&place) {
                    Ok(below) => format!("\\{}", below.display()),
                    Err(_) => continue,
                },
            };
            // Whether it went is for the second look to tell.
            let _ = ask::heard(&program, &["/delete", "/f", "/tn", &name], PATIENCE);
        }
    }
    // A file that is no task of Windows' own any more.
    folders::delete(ground, traces);
}

fn startup(_: &Ground) -> Look {
    let places: Vec<PathBuf> =
        [folder(&FOLDERID_Startup), folder(&FOLDERID_CommonStartup)].into_iter().flatten().collect();
    folders::look(&places.iter().map(PathBuf::as_path).collect::<Vec<&Path>>())
}

/// An ordinary account may not change these; they are looked at all the same, and never changed back from here.
fn machine(_: &Ground) -> Look {
    let mut found = Vec::new();
    for key in STARTS {
        let chosen = key.contains("Windows NT");
        match hive::machine_values(key) {
            Ok(values) => found.extend(
                values.into_iter().filter(|(name, _)| !chosen || OF_WINLOGON.contains(&name.as_str())).map(
                    |(name, value)| {
                        Trace::shown(format!("{key}\\{name} {value}"), format!("{name} in HKLM\\{key}"))
                    },
                ),
            ),
            Err(code) => return Look::unknown(format!("HKLM\\{key} could not be read (error {code})")),
        }
    }
    Look::These(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_known_by_its_whole_name() {
        assert_eq!(name(r#""\Microsoft\Office\Update","N/A","Ready""#), Some(r"\Microsoft\Office\Update"));
        assert_eq!(name("INFO: There are no scheduled tasks"), None);
    }
}
