//! The station's account, and whether a session can have one for itself (requirements W-06, W-10).

use super::lockdown::set;
use crate::ctl::doctor::report::Requirement;
use crate::platform::native::service::runs;
use crate::platform::native::{lockdown, setting};

/// The service that makes accounts for sessions.
const SERVICE: &str = "CleanshiftService";

/// All of them; `require` are the settings that the policy requires.
pub(super) fn all(require: &[String]) -> Vec<Requirement> {
    let found = lockdown::account();
    vec![
        rights(found),
        local(found),
        signs_in(found),
        uac(found),
        remote(found),
        session_account(require.iter().any(|name| name == "session-account")),
    ]
}

fn rights(found: lockdown::Account) -> Requirement {
    let asked = Requirement::of(
        "account-rights",
        "the account's rights",
        "what an administrator starts can undo every gate; the shell refuses to open with such rights",
    );
    let mend =
        "net localgroup Administrators STATION-ACCOUNT /delete & rem then run this as the station's account";
    if lockdown::is_another() {
        let why = "this is not the station's account: its rights are not seen from here";
        return asked.unseen(why, "runas /user:STATION-ACCOUNT \"cleanshiftctl doctor\"");
    }
    match found.administrator {
        Some(false) => asked.good("an ordinary account"),
        Some(true) => asked.bad("this account has an administrator's rights", mend),
        None => asked.unseen("Windows does not say what rights this account has", mend),
    }
}

fn local(found: lockdown::Account) -> Requirement {
    let asked = Requirement::of(
        "account-local",
        "where the account is",
        "an account of a domain brings its tickets, its drives and its settings to every station",
    );
    if found.domain {
        return asked.reduced(
            "it is an account of a domain",
            "net user STATION-ACCOUNT * /add & rem and have the machine sign in to that one",
        );
    }
    asked.good("an account of this machine")
}

fn signs_in(found: lockdown::Account) -> Requirement {
    let asked = Requirement::of(
        "sign-in",
        "signing in to Windows",
        "after a restart the station must come back without somebody who knows a password",
    );
    let mend = "Autologon64.exe STATION-ACCOUNT . PASSWORD & rem of Sysinternals: keeps the password as a secret of the system";
    match (found.signs_in, found.password_readable) {
        (true, false) => asked.good("Windows signs in by itself, and the password is not readable"),
        (true, true) => asked.bad("the password lies readable in the registry (DefaultPassword)", mend),
        (false, _) => asked.reduced("Windows waits for somebody to sign in", mend),
    }
}

fn uac(found: lockdown::Account) -> Requirement {
    let asked = Requirement::of(
        "uac",
        "asking for rights (UAC)",
        "without it nothing asks before a program gets more rights",
    );
    if found.uac {
        return asked.good("it is on");
    }
    asked.reduced(
        "it is off",
        set(r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System", "EnableLUA", 1),
    )
}

fn remote(found: lockdown::Account) -> Requirement {
    let asked = Requirement::of(
        "remote-desktop",
        "remote desktop",
        "whoever comes in over the network takes the screen away from who is at the station",
    );
    if found.remote {
        let mend = set(r"SYSTEM\CurrentControlSet\Control\Terminal Server", "fDenyTSConnections", 1);
        return asked.reduced("this machine takes remote desktops", mend);
    }
    asked.good("this machine takes none")
}

fn session_account(required: bool) -> Requirement {
    let asked = Requirement::of(
        "session-account",
        "an account for every session",
        "web accounts, keys and indexes that Windows keeps of a person end with her account alone",
    );
    match setting::service(SERVICE).map(|_| runs(SERVICE)) {
        Some(Ok(true)) => asked.good(format!("the service that makes them ({SERVICE}) runs")),
        Some(Ok(false)) => asked.bad_if(
            required,
            format!("the service that makes them ({SERVICE}) is set up and does not run"),
            format!("sc.exe start {SERVICE}"),
        ),
        Some(Err(error)) => asked.unseen(
            format!("whether the service that makes them ({SERVICE}) runs: {error}"),
            format!("sc.exe query {SERVICE}"),
        ),
        None => asked.bad_if(
            required,
            "the service that makes them is not there: sessions share the station's account, which is swept, and their programs can reach what it can, the roster and the keys too",
            "msiexec /i cleanshift-VERSION-x64.msi STATIONACCOUNT=STATION-ACCOUNT /qn & rem then in the policy: [capsule] mode = \"account\"",
        ),
    }
}
