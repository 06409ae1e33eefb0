//! `cleanshiftctl policy`: check files, print the schema.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::{GOOD, WANTING, say};
use crate::platform::native::places;
use crate::policy::{Policy, schema};

/// Check policy files, or print their JSON Schema.
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
    /// Print the JSON Schema of a policy file, for editors.
    Schema,
}

/// Runs the command.
///
/// # Errors
/// When it could not be told.
pub fn run(command: &PolicyCommand) -> Result<u8, String> {
    match command {
        PolicyCommand::Check { files, json } => check(files, *json),
        PolicyCommand::Schema => say(&format!("{:#}\n", schema())),
    }
}

fn check(files: &[PathBuf], as_json: bool) -> Result<u8, String> {
    let mut code = GOOD;
    let mut out = String::new();
    let mut reports = Vec::new();
    for file in files {
        let result = Policy::read(file);
        if let Err(problems) = &result {
            code = WANTING;
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
