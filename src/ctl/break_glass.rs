//! `cleanshiftctl break-glass`: named codes that open a station when nothing else does. A code is shown
//! once, to be sealed where it can be reached at night, and slowed down but never disabled.

use clap::Subcommand;
use serde_json::json;

use super::{GOOD, WANTING, say};
use crate::ports::{Clock, CodeRows, Stamp};
use crate::roster::{Pepper, break_glass_code};
use crate::store::Store;

/// Look after break-glass codes.
#[derive(Subcommand)]
pub enum BreakGlassCommand {
    /// Issue a code under this name, in place of an older one of the same name.
    Issue {
        /// What it is called: "Ward 4 envelope". It stands in the ledger for whoever uses the code.
        name: String,
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the names of the codes.
    List {
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Remove a code.
    Remove {
        /// Its name.
        name: String,
    },
}

/// Runs a command.
///
/// # Errors
/// What could not be done, for the terminal.
pub fn run(
    command: &BreakGlassCommand,
    store: &Store,
    pepper: &Pepper,
    clock: &dyn Clock,
    by: &str,
) -> Result<u8, String> {
    let failed = |error: crate::ports::PortError| format!("failed to {error}");
    let now: Stamp = clock.stamp();
    let codes = store.codes().map_err(failed)?;
    match command {
        BreakGlassCommand::Issue { name, json } => {
            let name = name.trim();
            if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
                eprintln!("a code's name is a line of 1 to 60 characters");
                eprintln!("help: name it for where it is kept, such as \"Ward 4 envelope\"");
                return Ok(WANTING);
            }
            let replaces = codes.iter().any(|code| code.name == name);
            let (digits, phc) = break_glass_code(pepper).map_err(failed)?;
            store.change_code(name, Some(&phc), by, &now).map_err(failed)?;
            let mut text = zeroize::Zeroizing::new(String::new());
            if *json {
                let told = json!({ "name": name, "code": &**digits, "replaced": replaces });
                text.push_str(&format!("{told}\n"));
            } else {
                text.push_str(&format!("{}  {name}\n", &**digits));
                text.push_str("Write it down now: it is not shown again. Seal it, and check the seal.\n");
                if replaces {
                    text.push_str(&format!(
                        "The code that was called {name} until now opens nothing any more.\n"
                    ));
                }
            }
            say(&text).map_err(|error| format!("{error}\nhelp: issue the code again under the same name"))
        }
        BreakGlassCommand::List { json } => {
            if *json {
                let names: Vec<_> = codes.iter().map(|code| json!({ "name": code.name })).collect();
                println!("{}", serde_json::Value::from(names));
            } else if codes.is_empty() {
                println!(
                    "There is no break-glass code: issue one, or nobody gets in when nothing else works."
                );
            } else {
                codes.iter().for_each(|code| println!("{}", code.name));
            }
            Ok(GOOD)
        }
        BreakGlassCommand::Remove { name } => {
            if !codes.iter().any(|code| code.name == *name) {
                eprintln!("there is no break-glass code called {name}");
                eprintln!("help: `cleanshiftctl break-glass list` names them; nothing was changed");
                return Ok(WANTING);
            }
            store.change_code(name, None, by, &now).map_err(failed)?;
            println!("the break-glass code {name} is removed");
            Ok(GOOD)
        }
    }
}
