//! `cleanshiftctl sign-in` and `secret`: the station's own key at identity providers, and the secrets of the policy's
//! calls. A secret is read from standard input and never shown again.

use std::io::{IsTerminal, Read};

use clap::Subcommand;
use serde_json::json;
use zeroize::Zeroizing;

use super::{GOOD, WANTING, say};
use crate::policy::Policy;
use crate::revoke::{StationKey, Vault, secret_name};

/// The longest secret, bytes.
const MOST: u64 = 16 * 1024;

/// Look after how the station signs operators in.
#[derive(Subcommand)]
pub enum SignInCommand {
    /// Print the public half of the station's key as a JWK Set, for its registration at identity providers. Makes the
    /// key where there is none.
    Key {
        /// Print nothing but the JWK Set.
        #[arg(long)]
        json: bool,
    },
}

/// Look after the secrets of the policy's calls.
#[derive(Subcommand)]
pub enum SecretCommand {
    /// Keep the secret of a call, read from standard input.
    Set {
        /// The call's name in the policy.
        name: String,
    },
    /// List the calls of the policy, and whether each has its secret.
    List {
        /// Print the result as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Forget the secret of a call.
    Remove {
        /// The call's name.
        name: String,
    },
}

/// Runs `sign-in`.
///
/// # Errors
/// What could not be done, for the terminal.
pub fn run(command: &SignInCommand, vault: &Vault) -> Result<u8, String> {
    let SignInCommand::Key { json } = command;
    let (key, made) = StationKey::find_or_make(vault).map_err(|error| format!("failed to {error}"))?;
    let set = key.jwks();
    if *json && made {
        eprintln!("A new key was made: {}.", key.home().report());
    }
    if !*json {
        let what = if made { "A new key was made" } else { "The station has its key" };
        eprintln!(
            "{what}: {}. Register this JWK Set for the station's client at each provider,",
            key.home().report()
        );
        eprintln!("with private_key_jwt (ES256). The private half never leaves this station.");
    }
    let text = if *json { set.to_string() } else { serde_json::to_string_pretty(&set).unwrap_or_default() };
    say(&format!("{text}\n"))
}

/// Runs `secret`.
///
/// # Errors
/// What could not be done, for the terminal.
pub fn run_secret(command: &SecretCommand, vault: &Vault, policy: &Policy) -> Result<u8, String> {
    let failed = |error: crate::ports::PortError| format!("failed to {error}");
    let calls: Vec<&str> = policy.revoke.calls.iter().map(|call| call.name.as_str()).collect();
    match command {
        SecretCommand::Set { name } => {
            if !calls.contains(&name.as_str()) {
                eprintln!("the policy has no call named {name}");
                eprintln!("help: `cleanshiftctl secret list` names them; nothing was changed");
                return Ok(WANTING);
            }
            let secret = match read() {
                Ok(secret) => secret,
                Err(why) => {
                    eprintln!("{why}");
                    eprintln!("help: cleanshiftctl secret set \"{name}\" < FILE; nothing was changed");
                    return Ok(WANTING);
                }
            };
            let home = vault.set(&secret_name(name), &secret).map_err(failed)?;
            say(&format!("the secret of {name} is kept: {}\n", home.report()))
        }
        SecretCommand::List { json } => {
            let mut rows = Vec::new();
            for name in &calls {
                let home = vault.get(&secret_name(name)).map_err(failed)?.map(|(_, home)| home.report());
                rows.push((*name, home));
            }
            if *json {
                let rows: Vec<_> =
                    rows.iter().map(|(name, home)| json!({ "name": name, "kept": home })).collect();
                return say(&format!("{}\n", serde_json::Value::from(rows)));
            }
            if rows.is_empty() {
                return say("The policy has no calls, so there are no secrets to keep.\n");
            }
            let line =
                |(name, home): &(&str, Option<&str>)| format!("{name}  {}\n", home.unwrap_or("no secret"));
            say(&rows.iter().map(line).collect::<String>())
        }
        SecretCommand::Remove { name } => {
            if !vault.remove(&secret_name(name)).map_err(failed)? {
                eprintln!("there is no secret of a call named {name}");
                eprintln!("help: `cleanshiftctl secret list` names them; nothing was changed");
                return Ok(WANTING);
            }
            println!("the secret of {name} is removed");
            Ok(GOOD)
        }
    }
}

/// Standard input without the line's end that an editor leaves.
fn read() -> Result<Zeroizing<Vec<u8>>, String> {
    if std::io::stdin().is_terminal() {
        eprintln!("Type the secret, then Enter and Ctrl-D. It is shown while you type.");
    }
    let mut secret = Zeroizing::new(Vec::with_capacity(1024));
    let mut from = std::io::stdin().lock().take(MOST + 1);
    let _ =
        from.read_to_end(&mut secret).map_err(|error| format!("standard input cannot be read: {error}"))?;
    while secret.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        let _ = secret.pop();
    }
    if secret.is_empty() {
        return Err("standard input holds no secret".to_owned());
    }
    if secret.iter().any(u8::is_ascii_control) {
        return Err("the secret has more than one line, or signs that cannot be sent".to_owned());
    }
    if secret.len() as u64 > MOST || std::str::from_utf8(&secret).is_err() {
        return Err(format!("standard input is no text of at most {MOST} bytes"));
    }
    Ok(secret)
}
