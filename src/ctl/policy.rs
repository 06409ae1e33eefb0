//! `cleanshiftctl policy`: check files, print the schema.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use super::{COULD_NOT_RUN, GOOD, WANTING, say};
use crate::platform::native::places;
use crate::policy::{Policy, in_force, schema};

/// Check policy files, show the one in force, or print their JSON Schema.
#[derive(Subcommand)]
pub enum PolicyCommand {
    /// Check policy files and say what is wrong, where, and what to do.
    Check {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the policy as the station reads it, whose hash its log names: the station's file, or the one that
    /// --policy names, with what this machine's own policies (on Windows, group policy) set.
    Show,
    /// Print the JSON Schema of a policy file, for editors.
    Schema,
}

/// Runs the command.
///
/// # Errors
/// When it could not be told.
pub fn run(command: &PolicyCommand, station: &Path) -> Result<u8, String> {
    match command {
        PolicyCommand::Check { files, json } => check(files, *json),
        PolicyCommand::Show => show(station),
        PolicyCommand::Schema => say(&format!("{:#}\n", schema())),
    }
}

/// A wrong one is not in force anywhere.
fn show(path: &Path) -> Result<u8, String> {
    let switches = places::switches();
    let _ = Policy::in_force(path, &switches).map_err(|problems| problems.to_string())?;
    let file = std::fs::read(path).map_err(|error| format!("failed to read {}: {error}", path.display()))?;
    say(&String::from_utf8_lossy(&in_force(&file, &switches)))
}

fn check(files: &[PathBuf], as_json: bool) -> Result<u8, String> {
    let mut code = GOOD;
    let mut out = String::new();
    let mut reports = Vec::new();
    for file in files {
        let result = Policy::read(file);
        if let Err(problems) = &result {
            let there = std::fs::File::open(file).is_ok();
            code = code.max(if there { WANTING } else { COULD_NOT_RUN });
            if !as_json {
                eprint!("{problems}");
            }
        } else if !as_json {
            out.push_str(&format!("{}: good\n", file.display()));
        }
        let notes = result.as_ref().map(notes).unwrap_or_default();
        if !as_json {
            notes.iter().for_each(|note| out.push_str(&format!("note: {note}\n")));
        }
        let problems = result.err().map_or_else(Vec::new, |problems| {
            let one = |problem: &crate::policy::problem::Problem| {
                let at = problems.position(problem);
                json!({
                    "line": at.as_ref().map(|at| at.line),
                    "column": at.as_ref().map(|at| at.column),
                    "what": problem.what,
                    "help": problem.help,
                })
            };
            problems.list.iter().map(one).collect()
        });
        reports.push(json!({ "file": file.display().to_string(), "problems": problems, "notes": notes }));
    }
    if as_json {
        let verdict = if code == GOOD { "good" } else { "problems" };
        out = format!("{:#}\n", json!({ "verdict": verdict, "files": reports }));
    }
    say(&out).map(|_| code)
}

/// What a good policy may still lack on the machine where it is checked.
fn notes(policy: &Policy) -> Vec<String> {
    let mut notes = Vec::new();
    if policy.apps.is_empty() {
        notes.push("no app is permitted: there would be nothing to work with".to_owned());
    }
    for app in &policy.apps {
        if let Some(lacking) = places::lacking(app) {
            notes.push(format!("app `{}`: there is no {lacking} on this machine", app.name));
        }
    }
    notes
}
