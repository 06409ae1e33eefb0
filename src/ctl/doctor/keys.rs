//! Ways past the lock screen that a keyboard opens, and the host's sleep.

use super::host::Host;
use super::report::Requirement;
use crate::platform::linux::sleep::Sleep;

const KIOSK: &str = "cleanshiftctl kiosk enable && reboot";

/// All of them.
#[must_use]
pub fn all(host: &Host) -> Vec<Requirement> {
    vec![sysrq(host), switching(host), logind(host), sleep(host)]
}

fn sysrq(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "sysrq",
        "the kernel's own keys (SysRq)",
        "with Alt+SysRq anybody at the keyboard kills the lock screen or starts the machine anew",
    );
    match host.read("/proc/sys/kernel/sysrq") {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => asked.good("this kernel has none"),
        Err(error) => asked.unseen(format!("it could not be read: {error}"), "sysctl kernel.sysrq"),
        Ok(value) if value.trim() == "0" => asked.good("kernel.sysrq is 0"),
        Ok(value) => asked.bad(format!("kernel.sysrq is {}", value.trim()), KIOSK).by_kiosk(),
    }
}

/// Whether a text of Xorg's, without its comments, sets an option to true.
fn sets(text: &str, option: &str) -> bool {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let words = lines.map(|line| line.split('"').map(str::trim).collect::<Vec<_>>());
    let mut values = words.filter_map(|words| match words.as_slice() {
        [keyword, name, rest @ ..]
            if keyword.eq_ignore_ascii_case("option") && name.eq_ignore_ascii_case(option) =>
        {
            Some(rest.get(1).is_none_or(|value| {
                matches!(value.to_lowercase().as_str(), "" | "true" | "yes" | "on" | "1")
            }))
        }
        _ => None,
    });
    values.next_back().unwrap_or(false)
}

fn switching(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "display-keys",
        "the display's own keys",
        "Ctrl+Alt+F2 leaves the lock screen for another terminal, Ctrl+Alt+Backspace ends it",
    );
    // As the server reads them: by name, the later one wins.
    let mut texts = Vec::new();
    for place in ["/usr/share/X11/xorg.conf.d", "/etc/X11/xorg.conf.d"] {
        let entries = std::fs::read_dir(host.at(place)).into_iter().flatten().flatten();
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort_unstable();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "conf")) {
            match std::fs::read_to_string(path) {
                Ok(text) => texts.push(text),
                Err(error) => {
                    return asked.unseen(format!("{}: {error}", host.shown(path)), KIOSK).by_kiosk();
                }
            }
        }
    }
    texts.extend(host.read("/etc/X11/xorg.conf"));
    let all = texts.join("\n");
    let open: Vec<_> = ["DontVTSwitch", "DontZap"].into_iter().filter(|option| !sets(&all, option)).collect();
    if open.is_empty() {
        return asked.good("DontVTSwitch and DontZap are set for Xorg");
    }
    asked.bad(format!("Xorg is not told {}", open.join(" and ")), KIOSK).by_kiosk()
}

fn logind(host: &Host) -> Requirement {
    let asked = Requirement::of(
        "login-prompts",
        "login prompts on other terminals",
        "each is a way to another account at the station's own keyboard",
    );
    if host.program("systemctl").is_none() {
        return asked.unseen("systemd does not run this host", "grep -r getty /etc/inittab /etc/init.d");
    }
    let value = |name: &str| {
        let mut found = None;
        for place in
            ["/usr/lib/systemd/logind.conf.d", "/etc/systemd/logind.conf", "/etc/systemd/logind.conf.d"]
        {
            let path = host.at(place);
            let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
            let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
            paths.sort_unstable();
            paths.extend(path.is_file().then_some(path));
            for text in paths.iter().filter_map(|path| std::fs::read_to_string(path).ok()) {
                let line = text.lines().rfind(|line| line.trim_start().starts_with(&format!("{name}=")));
                found = line
                    .and_then(|line| line.split('=').nth(1))
                    .map(|value| value.trim().to_owned())
                    .or(found);
            }
        }
        found
    };
    let open: Vec<_> = ["NAutoVTs", "ReserveVT"]
        .into_iter()
        .filter(|name| value(name).as_deref() != Some("0"))
        .map(|name| format!("{name} is {}", value(name).unwrap_or_else(|| "not set".to_owned())))
        .collect();
    if open.is_empty() {
        return asked.good("logind starts none (NAutoVTs=0, ReserveVT=0)");
    }
    asked.bad(format!("logind: {}", open.join(", ")), KIOSK).by_kiosk()
}

fn sleep(host: &Host) -> Requirement {
    let asked =
        Requirement::of("sleep", "sleep", "else the first picture after waking is the last operator's");
    if !host.real {
        return asked.unseen("this is not the machine that runs", "cleanshiftctl doctor   # on the station");
    }
    match Sleep::delay() {
        Ok(_) => asked.good("logind lets it hold up a sleep (tried)"),
        Err(why) => {
            asked.reduced(format!("a sleep is not announced here: {why}"), "systemctl start systemd-logind")
        }
    }
}
