//! Classes 3, 4 and 6: what Windows itself keeps of people who signed in to something: web accounts, the primary
//! refresh token, the keys that protect an account's secrets; and the account that a session had for itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use windows_sys::Win32::UI::Shell::{FOLDERID_LocalAppData, FOLDERID_RoamingAppData, FOLDERID_UserProfiles};

use super::account::{folder, own_sid};
use super::{Gate, Ground, Look, Trace, ask, folders, hive};

/// Why files that are deleted do not prove that an account is.
const PARTIAL: &str = "deleting the files is a partial deletion of a web account, by Microsoft's own word; only an \
                       account of the session's own (`[capsule] mode = \"account\"`) ends it. For IT: remove the \
                       account under Settings, Accounts, then partial.json in the station's run directory, and start \
                       Windows anew";

pub(super) const GATES: [Gate; 6] = [
    Gate {
        class: 3,
        name: "web accounts",
        what: "files of web accounts",
        method: "TokenBroker, OneAuth and IdentityCache folders",
        inside: true,
        partial: Some(PARTIAL),
        look: web_accounts,
        clear: Some(folders::delete),
    },
    Gate {
        class: 4,
        name: "primary refresh token",
        what: "primary refresh tokens",
        method: "dsregcmd",
        inside: false,
        partial: None,
        look: refresh_token,
        clear: None,
    },
    Gate {
        class: 6,
        name: "data protection keys",
        what: "",
        method: "the account's Protect folder",
        inside: false,
        partial: None,
        look: data_keys,
        clear: None,
    },
    Gate {
        class: 6,
        name: "Windows Hello",
        what: "keys of Windows Hello",
        method: "the registry's NgcPin",
        inside: false,
        partial: None,
        look: hello,
        clear: None,
    },
    Gate {
        class: 6,
        name: "session account",
        what: "",
        method: "ProfileList, the profile's folder",
        inside: false,
        partial: None,
        look: session_account,
        clear: None,
    },
    Gate {
        class: 6,
        name: "profiles",
        what: "profiles of other accounts",
        method: "the folder of all profiles",
        inside: false,
        partial: None,
        look: profiles,
        clear: None,
    },
];

/// The name under which a policy requires that every session has an account for itself.
pub(super) const ACCOUNT: &str = "session-account";
/// Where the accounts are that programs share through Windows.
const ACCOUNTS: [&str; 5] = [
    r"Packages\Microsoft.AAD.BrokerPlugin_cw5n1h2txyewy\AC\TokenBroker\Accounts",
    r"Packages\Microsoft.Windows.CloudExperienceHost_cw5n1h2txyewy\AC\TokenBroker\Accounts",
    r"Microsoft\TokenBroker\Accounts",
    r"Microsoft\IdentityCache",
    r"Microsoft\OneAuth\accounts",
];
/// How long dsregcmd may take.
const PATIENCE: Duration = Duration::from_secs(6);
/// Where Windows notes every profile.
const PROFILES: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
/// Where the sign-in screen notes who has a PIN.
const PINS: &str = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication\Credential Providers\{D6886603-9D2F-4EB2-B667-1971041FA96B}";

fn web_accounts(_: &Ground) -> Look {
    let Some(local) = folder(&FOLDERID_LocalAppData) else {
        return Look::unknown("Windows does not say where this account's data is");
    };
    let places: Vec<PathBuf> = ACCOUNTS.iter().map(|place| local.join(place)).collect();
    folders::look(&places.iter().map(PathBuf::as_path).collect::<Vec<&Path>>())
}

fn refresh_token(_: &Ground) -> Look {
    let Some(program) = ask::program("dsregcmd.exe") else {
        return Look::not_here("this Windows cannot be joined to Entra (it has no dsregcmd)");
    };
    match ask::heard(&program, &["/status"], PATIENCE) {
        Err(why) => Look::unknown(why),
        Ok(text) => match token_in(&text) {
            // One that was there before is of whoever the station's account belongs to, and stays the baseline's.
            Some(true) => Look::These(vec![Trace::shown("prt", "AzureAdPrt : YES")]),
            Some(false) => Look::These(Vec::new()),
            None => Look::unknown("dsregcmd does not say whether there is one"),
        },
    }
}

/// What dsregcmd says of the token.
fn token_in(text: &str) -> Option<bool> {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("AzureAdPrt"))?;
    match line.trim_start().strip_prefix(':')?.trim() {
        "YES" => Some(true),
        "NO" => Some(false),
        _ => None,
    }
}

/// The keys are the account's: where sessions share it, they outlive every session, and what was protected by them with
/// the files that hold it.
fn data_keys(ground: &Ground) -> Look {
    if ground.remains.account.is_some() {
        return Look::not_here("the session had an account for itself, whose keys end with it");
    }
    let (Some(roaming), Some(sid)) = (folder(&FOLDERID_RoamingAppData), own_sid()) else {
        return Look::unknown("Windows does not say where this account's data is");
    };
    let keys = match std::fs::read_dir(roaming.join(r"Microsoft\Protect").join(sid)) {
        Ok(entries) => entries.flatten().count(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
        Err(error) => return Look::unknown(format!("the account's keys could not be looked at: {error}")),
    };
    let saw = format!("{keys} files of keys, which all sessions of this account share");
    Look::setting(ground, ACCOUNT, false, saw)
}

fn hello(_: &Ground) -> Look {
    let Some(sid) = own_sid() else { return Look::unknown("Windows does not say which account this is") };
    match hive::machine_key(&format!(r"{PINS}\{sid}")) {
        Ok(true) => Look::These(vec![Trace::shown("pin", "a PIN of this account")]),
        Ok(false) => Look::These(Vec::new()),
        Err(code) => Look::unknown(format!("the registry did not say (error {code})")),
    }
}

/// Whether the account that a session had for itself is gone, with its profile (requirement W-10).
fn session_account(ground: &Ground) -> Look {
    let Some(sid) = &ground.remains.account else {
        return Look::setting(
            ground,
            ACCOUNT,
            false,
            "sessions share the station's account, which is swept (`[capsule] mode`)",
        );
    };
    let key = format!(r"{PROFILES}\{sid}");
    match hive::machine_key(&key) {
        Ok(true) => return Look::present("the session's account still has a profile"),
        Ok(false) => {}
        Err(code) => return Look::unknown(format!("the list of profiles could not be read (error {code})")),
    }
    match &ground.remains.profile {
        Some(profile) if profile.symlink_metadata().is_ok() => {
            Look::present("the folder of the session's account is still there")
        }
        Some(_) | None => Look::absent(
            "neither a profile nor a folder of the session's account",
            "ProfileList, the profile's folder",
        ),
    }
}

/// The folders of accounts that were not there before the first session: who made one has left it.
fn profiles(_: &Ground) -> Look {
    let Some(place) = folder(&FOLDERID_UserProfiles) else {
        return Look::unknown("Windows does not say where the profiles are");
    };
    let entries = match std::fs::read_dir(&place) {
        Ok(entries) => entries,
        Err(error) => return Look::unknown(format!("they could not be looked at: {error}")),
    };
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => found.push(Trace::file(&place, &entry.path(), "")),
            Err(error) => return Look::Partly(found, format!("not all could be looked at: {error}")),
        }
    }
    Look::These(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dsregcmd_says_is_read_and_not_guessed() {
        let said = |answer: &str| {
            format!(
                "| SSO State |\n\n                AzureAdPrt : {answer}\n      AzureAdPrtAuthority : NO\n"
            )
        };
        assert_eq!(token_in(&said("YES")), Some(true));
        assert_eq!(token_in(&said("NO")), Some(false));
        assert_eq!(token_in(&said("perhaps")), None);
        assert_eq!(token_in("AzureAdPrtAuthority : NO"), None);
    }
}
