//! The kiosk is enabled and disabled on trees of files: what was there before comes back byte for byte, with
//! owner, mode and time, and nothing is changed where it is refused.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "what fails in a test ends the test")]

#[path = "doctor/planted.rs"]
mod planted;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use planted::{POLICY, Planted, is_root, said};

const SYSCTL: &str = "etc/sysctl.d/60-cleanshift.conf";
const MANAGER: &str = "etc/systemd/system/display-manager.service";

/// Everything in a tree: path → kind, mode, owner, and the bytes with their time, or the target.
fn fingerprint(root: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut places = vec![root.to_owned()];
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(&place).unwrap().flatten() {
            let path = entry.path();
            let data = fs::symlink_metadata(&path).unwrap();
            let what = if data.is_symlink() {
                format!("link {}", fs::read_link(&path).unwrap().display())
            } else if data.is_dir() {
                places.push(path.clone());
                "directory".to_owned()
            } else {
                format!("{:?} at {}.{}", fs::read(&path).unwrap(), data.mtime(), data.mtime_nsec())
            };
            let what = format!("{:o} {}:{} {what}", data.mode(), data.uid(), data.gid());
            let _ = found.insert(path.strip_prefix(root).unwrap().display().to_string(), what);
        }
    }
    found
}

/// A host that has something of every kind where the kiosk's files go.
fn lived_in() -> Planted {
    let host = Planted::fit().again();
    host.write(SYSCTL, "kernel.sysrq = 438\n");
    host.mode(SYSCTL, 0o640);
    if is_root() {
        chown(host.at(SYSCTL), Some(7), Some(8)).unwrap();
    }
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_111_111_111, 222_222_222);
    fs::File::options().write(true).open(host.at(SYSCTL)).unwrap().set_modified(long_ago).unwrap();
    fs::create_dir_all(host.at("etc/systemd/system/graphical.target.wants")).unwrap();
    symlink("/lib/systemd/system/lightdm.service", host.at(MANAGER)).unwrap();
    symlink("/lib/systemd/system/multi-user.target", host.at("etc/systemd/system/default.target")).unwrap();
    // A file where a link goes, which the kiosk has just as well.
    host.write("etc/systemd/system/ctrl-alt-del.target", "[Unit]\n");
    host
}

fn enabled(host: &Planted, more: &[&str]) {
    let output = host.ctl(&[&["kiosk", "enable", "--anyway"], more].concat());
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
}

fn disabled(host: &Planted) -> String {
    let output = host.ctl(&["kiosk", "disable"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    said(&output)
}

#[test]
fn disable_puts_back_what_enable_has_replaced() {
    for host in [Planted::fit(), lived_in()] {
        // A tree without /var is given back without it.
        let bare = !host.at(MANAGER).is_symlink();
        if bare {
            host.remove("var");
        }
        let before = fingerprint(&host.root);
        assert_eq!(host.ctl(&["kiosk", "status"]).status.code(), Some(1));
        for _ in 0..2 {
            enabled(&host, &[]);
            let status = host.ctl(&["kiosk", "status"]);
            assert_eq!(status.status.code(), Some(0), "{}", said(&status));
        }
        let during = fingerprint(&host.root);
        let touched = during.iter().filter(|(path, what)| before.get(*path) != Some(*what)).count();
        assert!(touched > 13, "only {touched} paths were touched");
        assert!(fs::read_to_string(host.at(SYSCTL)).unwrap().contains("kernel.sysrq = 0\n"));
        assert_eq!(
            fs::read_link(host.at(MANAGER)).unwrap(),
            Path::new("/usr/lib/systemd/system/cleanshift-display.service")
        );
        let _ = disabled(&host);
        assert_eq!(fingerprint(&host.root), before);
        assert!(disabled(&host).contains("not enabled"));
    }
}

#[test]
fn the_doctor_finds_what_was_enabled() {
    let host = Planted::fit();
    let kiosk = |host: &Planted| -> BTreeMap<String, String> {
        let report = host.ctl(&["doctor", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
        let all = report["requirements"].as_array().unwrap();
        let mended = all
            .iter()
            .filter(|one| one["kiosk"] == true && one["id"] != "core-pattern" || one["id"] == "display-keys");
        mended
            .map(|one| (one["id"].as_str().unwrap().to_owned(), one["state"].as_str().unwrap().to_owned()))
            .collect()
    };
    assert!(kiosk(&host).values().all(|state| state != "good"), "{:?}", kiosk(&host));
    // What the kiosk puts right itself does not stand in its way.
    let output = host.ctl(&["kiosk", "enable"]);
    assert_eq!(output.status.code(), Some(if is_root() { 0 } else { 1 }), "{}", said(&output));
    enabled(&host, &[]);
    assert!(kiosk(&host).values().all(|state| state == "good"), "{:?}", kiosk(&host));
    host.write(SYSCTL, "kernel.sysrq = 1\n");
    host.remove("etc/X11/xorg.conf.d/60-cleanshift.conf");
    let spoiled: Vec<_> = kiosk(&host).into_iter().filter(|(_, state)| state != "good").collect();
    assert_eq!(spoiled.len(), 3, "{spoiled:?}");
    let status = host.ctl(&["kiosk", "status"]);
    assert_eq!(status.status.code(), Some(1), "{}", said(&status));
    assert!(said(&status).contains("changed    /etc/sysctl.d/60-cleanshift.conf"), "{}", said(&status));
    assert!(
        said(&status).contains("missing    /etc/X11/xorg.conf.d/60-cleanshift.conf"),
        "{}",
        said(&status)
    );
}

#[test]
fn what_was_changed_meanwhile_is_kept_aside() {
    let host = lived_in();
    let before = fingerprint(&host.root);
    enabled(&host, &[]);
    host.write(SYSCTL, "# by hand\n");
    let told = disabled(&host);
    assert!(told.contains("/etc/sysctl.d/60-cleanshift.conf was changed since"), "{told}");
    let aside = host.at("var/lib/cleanshift-kiosk.changed");
    let kept = fs::read_dir(&aside).unwrap().flatten().next().unwrap().path();
    assert_eq!(fs::read_to_string(kept).unwrap(), "# by hand\n");
    fs::remove_dir_all(aside).unwrap();
    assert_eq!(fingerprint(&host.root), before);
}

#[test]
fn a_disable_that_was_cut_off_is_finished_by_the_next() {
    let host = lived_in();
    let before = fingerprint(&host.root);
    enabled(&host, &[]);
    // As far as one could have got: some put back, some not.
    host.remove(MANAGER);
    symlink("/lib/systemd/system/lightdm.service", host.at(MANAGER)).unwrap();
    host.remove("etc/systemd/sleep.conf.d/60-cleanshift.conf");
    let _ = disabled(&host);
    assert_eq!(fingerprint(&host.root), before);
}

#[test]
fn what_is_refused_changes_nothing() {
    // The doctor finds something that the kiosk does not mend.
    let host = lived_in();
    host.write("etc/reader.conf.d/vpcd", "");
    let before = fingerprint(&host.root);
    let output = host.ctl(&["kiosk", "enable"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).contains("virtual readers") && said(&output).contains("--anyway"),
        "{}",
        said(&output)
    );
    assert_eq!(fingerprint(&host.root), before);
    let output = host.ctl(&["kiosk", "enable", "--anyway"]);
    assert!(output.status.success() && said(&output).contains("enabled anyway"), "{}", said(&output));
    let _ = disabled(&host);
    // A policy that is wrong.
    host.write("../wrong.toml", "colour = 1\n");
    let wrong = host.at("../wrong.toml").display().to_string();
    let output = host.ctl(&["kiosk", "enable", "--anyway", "--policy", &wrong]);
    assert!(output.status.code() == Some(2) && said(&output).contains("wrong.toml:1:1"), "{}", said(&output));
    assert_eq!(fingerprint(&host.root), before);
    // A directory where a file goes.
    let occupied = "etc/systemd/logind.conf.d/60-cleanshift.conf";
    fs::create_dir_all(host.at(occupied)).unwrap();
    let before = fingerprint(&host.root);
    let output = host.ctl(&["kiosk", "enable", "--anyway"]);
    assert!(output.status.code() == Some(2) && said(&output).contains(occupied), "{}", said(&output));
    assert_eq!(fingerprint(&host.root), before);
    host.remove(occupied);
    // A directory that leads out of the tree.
    let outside = tempfile::tempdir().unwrap();
    host.remove("etc/systemd");
    symlink(outside.path(), host.at("etc/systemd")).unwrap();
    let output = host.ctl(&["kiosk", "enable", "--anyway"]);
    assert!(output.status.code() == Some(2) && said(&output).contains("leads out"), "{}", said(&output));
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn the_policy_is_put_where_the_station_reads_it_and_taken_back() {
    let host = lived_in();
    let before = fingerprint(&host.root);
    let other = POLICY.replace("Station 12", "Station 13");
    host.write("../other.toml", &other);
    let path = host.at("../other.toml").display().to_string();
    enabled(&host, &["--policy", &path]);
    assert_eq!(fs::read_to_string(host.at("etc/cleanshift/policy.toml")).unwrap(), other);
    let _ = disabled(&host);
    assert_eq!(fingerprint(&host.root), before);
}
