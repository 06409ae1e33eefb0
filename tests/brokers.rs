//! The services of a host that keep things for a session beyond its end: CUPS, cron and at, real ones
//! in a mount namespace of their own, with the looker installed as the package installs it. The drill
//! plants in each, the gates see it and clear it by the account's own rights, and nothing is left.
//!
//! Needs root, for the namespace; without it the test says `skipped`.

#![expect(clippy::disallowed_methods, reason = "a test starts programs of its own")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Sets the services up and runs the drill; what it told is on standard output.
const HOST: &str = r#"
dir=$1 ctl=$2
spool() { mount -t tmpfs -o "mode=$2,uid=$(id -u "$3"),gid=$(getent group "$4" | cut -d: -f3)" tmpfs "$1"; }
spool /var/spool/cron/crontabs 1730 root crontab
spool /var/spool/cron/atjobs 1770 daemon daemon
spool /var/spool/cron/atspool 1770 daemon daemon
echo 0 > /var/spool/cron/atjobs/.SEQ
chown daemon:daemon /var/spool/cron/atjobs/.SEQ && chmod 600 /var/spool/cron/atjobs/.SEQ
spool /var/spool/cups 0710 root lp
spool /run/cups 0755 root lp
spool /usr/lib/cleanshift 0755 root root
cp "$(dirname "$ctl")/cleanshift-looker" /usr/lib/cleanshift/
chmod 4755 /usr/lib/cleanshift/cleanshift-looker
mkdir -p /var/spool/cups/tmp /run/cups/certs "$dir/etc" "$dir/cache" "$dir/log"
cat > "$dir/files.conf" <<E
ServerRoot $dir/etc
CacheDir $dir/cache
StateDir /run/cups
RequestRoot /var/spool/cups
TempDir /var/spool/cups/tmp
ErrorLog $dir/log/error
AccessLog $dir/log/access
PageLog $dir/log/page
FileDevice Yes
SystemGroup root
E
cat > "$dir/cupsd.conf" <<E
Listen /run/cups/cups.sock
LogLevel info
DefaultAuthType Basic
WebInterface No
<Location />
Order allow,deny
Allow all
</Location>
E
cupsd -f -c "$dir/cupsd.conf" -s "$dir/files.conf" >/dev/null 2>&1 & cups=$!
trap 'kill $cups' EXIT
for _ in $(seq 200); do [ -S /run/cups/cups.sock ] && break; sleep 0.05; done
lpadmin -p ward -E -v file:/dev/null && lpadmin -d ward
"$ctl" --state "$dir/state" drill --json || true
{ ls /var/spool/cron/crontabs /var/spool/cron/atjobs; find /var/spool/cups -type f; } >&2
grep -c 'Purged by' "$dir/log/error" >&2
"#;

#[test]
fn what_services_of_the_host_keep_is_seen_and_cleared() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root may lay other directories over the host's spools");
        return;
    }
    // Places to lay them over; one that is there stays as it is.
    let made: Vec<&Path> = ["/run/cups", "/usr/lib/cleanshift"]
        .map(Path::new)
        .into_iter()
        .filter(|place| std::fs::create_dir(place).is_ok())
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "bash", "-ec", HOST, "host"])
        .arg(dir.path())
        .arg(env!("CARGO_BIN_EXE_cleanshiftctl"))
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .unwrap();
    for place in made {
        let _ = std::fs::remove_dir(place);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(told["verdict"], "clean", "{told:#}\n{said}");
    for (class, planted) in [(4, 2), (17, 1)] {
        let row = &told["classes"][class - 1];
        assert_eq!(row["escaped"].as_array().unwrap().len(), planted, "{row}");
        assert_eq!((&row["seen_outside"], &row["answer"]), (&"yes".into(), &"absent".into()), "{row}");
        assert!(row["left"].as_array().unwrap().is_empty(), "{row}");
    }
    // It was the gate's own clearing that purged the job, and no document is left of it.
    assert!(said.trim_end().ends_with('1') && !said.contains("/var/spool/cups/"), "{said}");
}
