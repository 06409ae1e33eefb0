//! The doctor is shown hosts that are spoiled one thing at a time, and this machine: each requirement is good
//! before and not after, is told with its remedy, and never good where it could not be looked at.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "what fails in a test ends the test"
)]

#[path = "doctor/planted.rs"]
mod planted;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use planted::{POLICY, Planted, is_root, said};
use serde_json::Value;

/// Every requirement, by its name for programs: this list is stable, and others' programs rely on it.
const ALL: [&str; 60] = [
    "account",
    "apps",
    "browsers",
    "bubblewrap",
    "cleanshift-init",
    "clock",
    "control-group",
    "core-pattern",
    "dbus-daemon",
    "dbus-send",
    "disk",
    "display-keys",
    "fonts",
    "gnome-keyring-daemon",
    "hibernation",
    "init-on-free",
    "keymaps",
    "kiosk:/etc/X11/xorg.conf.d/60-cleanshift.conf",
    "kiosk:/etc/sysctl.d/60-cleanshift.conf",
    "kiosk:/etc/systemd/coredump.conf.d/60-cleanshift.conf",
    "kiosk:/etc/systemd/logind.conf.d/60-cleanshift.conf",
    "kiosk:/etc/systemd/sleep.conf.d/60-cleanshift.conf",
    "kiosk:/etc/systemd/system/autovt@.service",
    "kiosk:/etc/systemd/system/ctrl-alt-del.target",
    "kiosk:/etc/systemd/system/default.target",
    "kiosk:/etc/systemd/system/display-manager.service",
    "kiosk:/etc/systemd/system/getty@tty1.service",
    "kiosk:/etc/systemd/system/graphical.target.wants/cleanshift-display.service",
    "kiosk:/etc/systemd/system/graphical.target.wants/cleanshift.service",
    "kiosk:/etc/systemd/system/sockets.target.wants/cleanshift-looker.socket",
    "libraries",
    "linger",
    "login-prompts",
    "looker",
    "namespaces",
    "nested-sandbox",
    "openbox",
    "pcscd",
    "pepper",
    "policy",
    "polkit-rule",
    "print-retention",
    "private-network",
    "reader",
    "reader-driver",
    "sleep",
    "state",
    "subordinate-ids",
    "swap",
    "sysrq",
    "unit:cleanshift-display.service",
    "unit:cleanshift-looker.socket",
    "unit:cleanshift-looker@.service",
    "unit:cleanshift-out-of-service.service",
    "unit:cleanshift.service",
    "user-namespaces",
    "virtual-reader",
    "xephyr",
    "xkbcomp",
    "xorg",
];

/// What only a machine that runs can show.
const REAL: [&str; 5] = ["clock", "control-group", "pcscd", "reader", "sleep"];

/// What only root can plant as it should be.
const OF_ROOT: [&str; 2] = ["cleanshift-init", "looker"];

fn json(host: &Planted) -> (Option<i32>, Value) {
    let output = host.ctl(&["doctor", "--json"]);
    let report = serde_json::from_slice(&output.stdout);
    (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {}", said(&output))))
}

fn find<'a>(report: &'a Value, id: &str) -> &'a Value {
    let all = report["requirements"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("no requirement {id}"))
}

/// A planted host on which the kiosk is enabled, too: nothing that can be looked at is wanting.
fn fit() -> Planted {
    let host = Planted::fit();
    let output = host.ctl(&["kiosk", "enable", "--anyway"]);
    assert!(output.status.success(), "{}", said(&output));
    host
}

#[test]
fn a_fit_host_is_good_but_for_what_cannot_be_looked_at() {
    let host = fit();
    let (code, report) = json(&host);
    let mut ids: Vec<_> =
        report["requirements"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, ALL);
    for one in report["requirements"].as_array().unwrap() {
        let keys: Vec<_> = one.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "kiosk", "looked", "mend", "saw", "state", "title", "why"]);
        let id = one["id"].as_str().unwrap();
        let looked = !REAL.contains(&id);
        if OF_ROOT.contains(&id) && !is_root() {
            continue;
        }
        assert_eq!(one["looked"], looked, "{one:#}");
        assert_eq!(one["state"], if looked { "good" } else { "reduced" }, "{one:#}");
        assert_eq!(one["mend"].as_array().unwrap().is_empty(), looked, "{one:#}");
    }
    let keys: Vec<_> = report.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["account", "counts", "requirements", "verdict"]);
    if is_root() {
        assert_eq!((code, &report["verdict"]), (Some(0), &Value::from("reduced")));
        assert_eq!(report["counts"]["unseen"], REAL.len());
    }
}

/// A way to spoil a host, the requirement that must tell, as what, and parts of what is told.
type Spoiled = (fn(&Planted), &'static str, &'static str, &'static str, &'static str);

/// A bwrap that is refused, in the words of the real one.
fn refuse(host: &Planted, switch: &str, value: &str) {
    host.program(
        "usr/bin/bwrap",
        "[ \"$1\" = --version ] && echo bubblewrap 0.9.0 && exit 0\n\
         echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1",
    );
    if !switch.is_empty() {
        host.write(&format!("proc/sys/{switch}"), value);
    }
}

fn passwd(host: &Planted, line: &str) {
    host.write("etc/passwd", &format!("root:x:0:0::/root:/bin/sh\n{line}"));
}

const SPOILED: [Spoiled; 53] = [
    (|host| host.remove("usr/bin/bwrap"), "bubblewrap", "bad", "not installed", "apt install bubblewrap"),
    (|host| host.remove("usr/bin/bwrap"), "user-namespaces", "bad", "not installed", "cleanshiftctl doctor"),
    (
        |host| refuse(host, "kernel/apparmor_restrict_unprivileged_userns", "1\n"),
        "user-namespaces",
        "bad",
        "AppArmor",
        "apparmor_parser -r /etc/apparmor.d/cleanshift-bwrap",
    ),
    (
        |host| refuse(host, "kernel/unprivileged_userns_clone", "0\n"),
        "user-namespaces",
        "bad",
        "kernel.unprivileged_userns_clone is 0",
        "kernel.unprivileged_userns_clone = 1",
    ),
    (
        |host| refuse(host, "user/max_user_namespaces", "0\n"),
        "user-namespaces",
        "bad",
        "user.max_user_namespaces is 0",
        "sysctl --system",
    ),
    (
        |host| refuse(host, "", ""),
        "user-namespaces",
        "bad",
        "setting up uid map: Permission denied",
        "--unshare-user",
    ),
    (|host| refuse(host, "", ""), "namespaces", "bad", "refused", "cleanshiftctl doctor"),
    (
        // One that says yes to everything makes no namespace.
        |host| host.program("usr/bin/bwrap", "echo bubblewrap 0.9.0"),
        "namespaces",
        "bad",
        "pid (processes",
        "CONFIG_PID_NS",
    ),
    (
        |host| {
            let real = "for word; do [ \"$word\" = /usr/bin/bwrap ] && echo no space left >&2 && exit 1; done\n\
                        exec /usr/bin/bwrap \"$@\"";
            host.program("usr/bin/bwrap", real);
        },
        "nested-sandbox",
        "bad",
        "no space left",
        "max_user_namespaces",
    ),
    (|host| host.remove("usr/bin/pasta"), "private-network", "reduced", "not installed", "apt install passt"),
    (
        |host| {
            host.program("usr/bin/pasta", "echo 'Failed to open() /dev/net/tun' >&2; exit 1");
            host.remove("dev/net/tun");
        },
        "private-network",
        "reduced",
        "no /dev/net/tun",
        "modprobe tun",
    ),
    (
        |host| {
            host.program("usr/bin/pasta", "echo 'Failed to open() /dev/net/tun' >&2; exit 1");
            host.mode("dev/net/tun", 0o600);
        },
        "private-network",
        "reduced",
        "mode 0600",
        "chmod 666",
    ),
    (|host| passwd(host, ""), "account", "bad", "no account cleanshift", "systemd-sysusers"),
    (|host| passwd(host, "cleanshift:x:0:0::/:/usr/sbin/nologin\n"), "account", "bad", "root", "userdel"),
    (
        |host| {
            let (uid, gid) = host.account();
            passwd(host, &format!("cleanshift:x:{uid}:{gid}::/:/bin/bash\n"));
        },
        "account",
        "reduced",
        "/bin/bash",
        "usermod --shell",
    ),
    (
        |host| host.write("etc/subuid", "cleanshift:100000:65536\n"),
        "subordinate-ids",
        "bad",
        "/etc/subuid",
        "sed -i",
    ),
    (
        |host| host.write("var/lib/systemd/linger/cleanshift", ""),
        "linger",
        "bad",
        "lingers",
        "disable-linger",
    ),
    (
        |host| host.remove("usr/lib/cleanshift/cleanshift-init"),
        "cleanshift-init",
        "bad",
        "not installed",
        "apt install",
    ),
    (
        |host| host.mode("usr/lib/cleanshift/cleanshift-init", 0o777),
        "cleanshift-init",
        "bad",
        "0777",
        "apt install",
    ),
    (
        |host| host.remove("usr/lib/cleanshift/cleanshift-looker"),
        "looker",
        "reduced",
        "not installed",
        "apt install",
    ),
    (
        |host| host.mode("usr/lib/cleanshift/cleanshift-looker", 0o4777),
        "looker",
        "bad",
        "4777",
        "apt install",
    ),
    (
        |host| host.remove("etc/cleanshift/policy.toml"),
        "policy",
        "bad",
        "no /etc/cleanshift/policy.toml",
        "--policy FILE",
    ),
    (
        |host| {
            host.write("etc/cleanshift/policy.toml", &POLICY.replace("mode = \"hold\"", "mode = \"hover\""));
        },
        "policy",
        "bad",
        "/etc/cleanshift/policy.toml:8:8",
        "cleanshiftctl policy check /etc/cleanshift/policy.toml",
    ),
    (|host| host.mode("etc/cleanshift/policy.toml", 0o666), "policy", "bad", "0666", "chmod 644"),
    (|host| host.mode("var/lib/cleanshift", 0o750), "state", "bad", "0750", "chmod 700"),
    (|host| host.remove("var/lib/cleanshift"), "state", "bad", "no directory", "systemd-tmpfiles"),
    (|host| host.write("var/lib/cleanshift/pepper", "x"), "pepper", "bad", "0644", "chmod 600"),
    (|host| host.write("var/lib/cleanshift/station.db", "x"), "pepper", "reduced", "was lost", "roster list"),
    (
        |host| host.write("etc/reader.conf.d/vpcd", ""),
        "virtual-reader",
        "bad",
        "/etc/reader.conf.d/vpcd",
        "apt purge",
    ),
    (
        |host| host.write("usr/lib/pcsc/drivers/serial/libifdvpcd.so", ""),
        "virtual-reader",
        "bad",
        "libifdvpcd.so",
        "vsmartcard-vpcd",
    ),
    (
        |host| host.remove("usr/lib/pcsc/drivers/ifd-ccid.bundle"),
        "reader-driver",
        "bad",
        "none",
        "apt install libccid",
    ),
    (|host| host.remove("usr/sbin/pcscd"), "pcscd", "bad", "not installed", "apt install pcscd"),
    (
        |host| host.write("usr/share/polkit-1/rules.d/60-cleanshift.rules", "// x"),
        "polkit-rule",
        "reduced",
        "not the package's",
        "apt install",
    ),
    (
        |host| host.write("proc/sys/kernel/sysrq", "438\n"),
        "sysrq",
        "bad",
        "438",
        "cleanshiftctl kiosk enable",
    ),
    (
        |host| {
            host.write(
                "etc/X11/xorg.conf.d/60-cleanshift.conf",
                "# Option \"DontZap\" \"true\"\nOption \"DontVTSwitch\"\n",
            );
        },
        "display-keys",
        "bad",
        "not told DontZap",
        "cleanshiftctl kiosk enable",
    ),
    (
        // The later file wins.
        |host| host.write("etc/X11/xorg.conf.d/90-site.conf", "Option \"DontVTSwitch\" \"false\"\n"),
        "display-keys",
        "bad",
        "not told DontVTSwitch",
        "cleanshiftctl kiosk enable",
    ),
    (
        |host| host.write("etc/systemd/logind.conf.d/90-site.conf", "[Login]\nNAutoVTs=6\n"),
        "login-prompts",
        "bad",
        "NAutoVTs is 6",
        "cleanshiftctl kiosk enable",
    ),
    (|host| host.remove("usr/bin/Xephyr"), "xephyr", "bad", "not installed", "apt install xserver-xephyr"),
    (
        |host| host.program("usr/bin/openbox", "echo 'error while loading shared libraries' >&2; exit 127"),
        "openbox",
        "bad",
        "does not run: error while loading",
        "--reinstall openbox",
    ),
    (
        |host| host.remove("usr/lib/x86_64-linux-gnu/libXi.so.6"),
        "libraries",
        "bad",
        "libXi.so.6",
        "apt install libxi6",
    ),
    (|host| host.remove("usr/share/X11"), "keymaps", "bad", "not installed", "xkb-data"),
    (|host| host.remove("usr/share/fonts"), "fonts", "reduced", "no font", "fonts-dejavu-core"),
    (|host| host.remove("usr/bin/chromium"), "browsers", "reduced", "none", "apt install chromium"),
    (|host| host.remove("usr/bin/chromium"), "apps", "reduced", "Chart (chromium)", "policy check"),
    (
        |host| host.write("proc/swaps", "Filename\n/dev/sda2 partition\n"),
        "swap",
        "reduced",
        "1 areas",
        "swapoff",
    ),
    (
        |host| {
            host.write("etc/cleanshift/policy.toml", &format!("require = [\"swap\"]\n{POLICY}"));
            host.write("proc/swaps", "Filename\n/dev/sda2 partition\n");
        },
        "swap",
        "bad",
        "the policy requires otherwise",
        "zram",
    ),
    (|host| host.remove("proc/swaps"), "swap", "reduced", "could not be read", "swapoff"),
    (
        |host| host.write("sys/power/state", "freeze mem disk\n"),
        "hibernation",
        "reduced",
        "can hibernate",
        "nohibernate",
    ),
    (
        |host| host.write("proc/cmdline", "init_on_free=0\n"),
        "init-on-free",
        "reduced",
        "was not told",
        "init_on_free=1",
    ),
    (
        |host| host.write("proc/sys/kernel/core_pattern", "|/usr/lib/systemd/systemd-coredump %P\n"),
        "core-pattern",
        "reduced",
        "systemd-coredump",
        "cleanshiftctl kiosk enable",
    ),
    (
        |host| {
            host.program("usr/sbin/cupsd", "");
            host.write("etc/cups/cupsd.conf", "PreserveJobFiles No\n");
        },
        "print-retention",
        "reduced",
        "jobs' names",
        "cupsctl PreserveJobFiles=No PreserveJobHistory=No",
    ),
    (
        |host| host.write("usr/lib/systemd/system/cleanshift.service", "[Service]\n"),
        "unit:cleanshift.service",
        "reduced",
        "changed",
        "--reinstall cleanshift",
    ),
    (
        |host| host.remove("etc/systemd/system/getty@tty1.service"),
        "kiosk:/etc/systemd/system/getty@tty1.service",
        "reduced",
        "not there",
        "cleanshiftctl kiosk enable",
    ),
];

/// What is wrong with what is told of a host that was spoiled in this way.
fn wrong(fit: &Planted, before: &Value, (spoil, id, state, saw, mend): &Spoiled) -> Option<String> {
    let host = fit.again();
    spoil(&host);
    let (code, after) = json(&host);
    let found = find(&after, id);
    let bad = after["counts"]["bad"].as_u64().unwrap();
    if (code == Some(1)) != (bad > 0) || (state == &"bad" && bad == 0) {
        return Some(format!("{id}: ended with {code:?}, {bad} are bad"));
    }
    let mended = found["mend"].to_string();
    if found["state"] != *state || !found["saw"].as_str().unwrap().contains(saw) || !mended.contains(mend) {
        return Some(format!("{id}: {state}, {saw}, {mend}: {found:#}"));
    }
    // It was another before, so that it is this that has been seen.
    let of_root = OF_ROOT.contains(id) && !is_root();
    (find(before, id)["saw"] == found["saw"] && !of_root)
        .then(|| format!("{id}: the same on a host that is fit"))
}

#[test]
fn each_spoiled_host_is_told_its_remedy() {
    let fit = fit();
    let (_, before) = json(&fit);
    // The hosts are one another's strangers: some at a time.
    let told: Vec<_> = std::thread::scope(|scope| {
        let parts: Vec<_> = SPOILED
            .chunks(14)
            .map(|part| {
                scope.spawn(|| part.iter().filter_map(|one| wrong(&fit, &before, one)).collect::<Vec<_>>())
            })
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[test]
fn a_state_of_another_account_is_bad() {
    if !is_root() {
        return;
    }
    let host = fit();
    chown(host.at("var/lib/cleanshift"), Some(1), Some(1)).unwrap();
    let (code, report) = json(&host);
    let state = find(&report, "state");
    assert!(code == Some(1) && state["state"] == "bad", "{state:#}");
    assert!(state["saw"].as_str().unwrap().contains("account 1's"), "{state:#}");
}

#[test]
fn people_read_the_worst_first_in_80_columns() {
    let host = fit();
    host.remove("usr/bin/bwrap");
    host.write("proc/swaps", "Filename\n/dev/sda2 partition\n");
    let output = host.ctl(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let rank = |line: &str| {
        ["bad ", "reduced ", "not seen ", "good "].iter().position(|label| line.starts_with(label))
    };
    let ranks: Vec<_> = text.lines().filter_map(rank).collect();
    assert!(ranks.is_sorted() && ranks.contains(&0) && ranks.contains(&3), "{text}");
    for line in text.lines().filter(|line| !line.trim_start().starts_with('$')) {
        // A path may be longer than a line.
        assert!(line.chars().count() <= 80 || line.trim().split(' ').any(|word| word.len() > 60), "{line}");
    }
    let (_, report) = json(&host);
    let counts = &report["counts"];
    let summary = format!(
        "{} bad, {} reduced ({} of them not seen), {} good.",
        counts["bad"], counts["reduced"], counts["unseen"], counts["good"]
    );
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains(&summary), "{summary}: {text}");
    assert!(flat.ends_with("This host is not fit for a station yet: mend what is bad."), "{text}");
}

#[test]
fn what_could_not_run_ends_with_2() {
    let host = Planted::fit();
    fs::remove_dir_all(&host.root).unwrap();
    let output = host.ctl(&["doctor"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("failed to look at"), "{}", said(&output));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"));
    let output = command.args(["doctor", "--json"]).stdin(Stdio::null()).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
}

#[test]
fn the_gate_leaves_what_the_screen_shows() {
    let host = fit();
    let shown = host.at("../doctor.txt");
    let place = shown.display().to_string();
    if is_root() {
        let output = host.ctl(&["doctor", "--gate", &place]);
        assert_eq!((output.status.code(), said(&output)), (Some(0), String::new()));
        assert!(fs::read_to_string(&shown).unwrap().contains("journalctl -u cleanshift"));
    }
    host.write("etc/reader.conf.d/vpcd", "");
    let output = host.ctl(&["doctor", "--gate", &place]);
    assert_eq!(output.status.code(), Some(1));
    let text = fs::read_to_string(&shown).unwrap();
    assert!(text.contains("virtual readers") && text.contains("$ apt purge vsmartcard-vpcd"), "{text}");
    assert!(!text.contains("good "), "{text}");
    // Where it can leave nothing, the shell must not start.
    let output = host.ctl(&["doctor", "--gate", "/proc/no/such"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn this_machine_is_looked_at_and_not_inferred() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"));
    let output = command.args(["doctor", "--json"]).stdin(Stdio::null()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["requirements"].as_array().unwrap().len(), ALL.len());
    // The same try by other means.
    let mut bwrap = Command::new("/usr/bin/setpriv");
    if is_root() {
        let _ = bwrap.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    let made =
        bwrap.args(["/usr/bin/bwrap", "--unshare-user", "--ro-bind", "/", "/", "true"]).output().unwrap();
    let good = find(&report, "user-namespaces")["state"] == "good";
    assert_eq!(good, made.status.success(), "{:#}", find(&report, "user-namespaces"));
    let swaps = fs::read_to_string("/proc/swaps").unwrap().lines().count();
    assert_eq!(find(&report, "swap")["state"] == "good", swaps <= 1, "{:#}", find(&report, "swap"));
    let vpcd = Path::new("/usr/lib/pcsc/drivers/serial/libifdvpcd.so").exists();
    assert_eq!(find(&report, "virtual-reader")["state"] == "bad", vpcd);
}

/// The most that `systemd-analyze security` may find exposed, in tenths: the shell makes namespaces, a display
/// opens devices, the others do nearly nothing.
const EXPOSED: [(&str, u32); 4] = [
    ("cleanshift.service", 63),
    ("cleanshift-display.service", 17),
    ("cleanshift-out-of-service.service", 9),
    ("cleanshift-looker@.service", 12),
];

#[test]
fn systemd_reads_the_units_and_finds_them_confined() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let analyze = |words: &[&str]| {
        let mut command = Command::new("/usr/bin/systemd-analyze");
        let output = command.args(words).stdin(Stdio::null()).output();
        output
            .unwrap_or_else(|error| panic!("systemd-analyze (packaging/setup.sh test installs it): {error}"))
    };
    for (unit, most) in EXPOSED {
        let path = place.join(unit).display().to_string();
        let most = format!("--threshold={most}");
        let output = analyze(&["security", "--offline=yes", "--no-pager", &most, &path]);
        assert!(output.status.success(), "{unit}: {}", said(&output));
        let output = analyze(&["security", "--offline=yes", "--no-pager", "--threshold=1", &path]);
        assert!(!output.status.success(), "{unit}: the look is blind");
    }
    let complaints = |path: &Path| {
        let output = analyze(&["verify", "--man=no", &path.display().to_string()]);
        // The programs are not installed where this is built.
        let said = said(&output);
        let lines =
            said.lines().filter(|line| !line.contains("is not executable") && line.contains("cleanshift"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let wrong = dir.path().join("cleanshift-wrong.service");
    fs::write(&wrong, "[Service]\nExecStart=/bin/true\nRestrt=always\n").unwrap();
    assert!(!complaints(&wrong).is_empty(), "the look is blind");
    for unit in fs::read_dir(place).unwrap().flatten().filter(|unit| unit.path().is_file()) {
        assert_eq!(complaints(&unit.path()), Vec::<String>::new());
    }
}

#[test]
fn the_looker_behind_a_socket_counts_for_whoever_asks() {
    use cleanshift::platform::linux::looker;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let socket = dir.path().join("looker");
    // A table of cron's that is nobody's, in a spool that only the looker sees.
    let script = "mount -t tmpfs none /var/spool/cron && mkdir /var/spool/cron/crontabs &&
        touch /var/spool/cron/crontabs/x && chown 65534 /var/spool/cron/crontabs/x || [ \"$(id -u)\" != 0 ] || exit 1
        exec systemd-socket-activate --accept --inetd -l \"$0\" \"$1\"";
    let mut command = if is_root() {
        let mut command = Command::new("unshare");
        let _ = command.args(["--mount", "--propagation", "private", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    let looker = env!("CARGO_BIN_EXE_cleanshift-looker");
    let _ = command.args(["-c", script]).arg(&socket).arg(looker);
    let mut server = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !socket.exists() && server.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let own = looker::ask_socket(&socket);
    let mut client = Command::new("setpriv");
    if is_root() {
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        let _ = client.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    let read = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(s.recv(1024).decode())";
    let theirs = client.args(["/usr/bin/python3", "-c", read]).arg(&socket).output().unwrap();
    let _ = server.kill();
    let _ = server.wait();
    if is_root() {
        // It counts for the account at the other end: root has no table, nobody has one.
        assert_eq!(own.unwrap().cron, Some(0));
        assert!(said(&theirs).contains("\"cron\":1"), "{}", said(&theirs));
    } else {
        // Whoever is not root neither is believed nor looks.
        assert_eq!(own, None);
        assert!(!said(&theirs).contains("cron"), "{}", said(&theirs));
    }
}
