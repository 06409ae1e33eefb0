//! A host of files that is fit for a station, to be spoiled one thing at a time.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A policy that is good.
pub(crate) const POLICY: &str = r#"roles = ["nurse", "supervisor"]

[station]
name = "Station 12"
help = "IT: 4411"

[badge]
mode = "hold"

[supervisors]
roles = ["supervisor"]

[[apps]]
name = "Chart"
icon = "globe"
command = "chromium"
"#;

/// The programs of this machine that a planted host has, too; of the others it has scripts.
const PROGRAMS: [&str; 2] = ["bwrap", "openbox"];

/// A planted host.
pub(crate) struct Planted {
    dir: tempfile::TempDir,
    /// Its root.
    pub(crate) root: PathBuf,
}

impl Planted {
    /// One that is fit, but for what only a machine that runs can show.
    pub(crate) fn fit() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // The account that tries must be able to enter.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let root = dir.path().join("host");
        let host = Self { dir, root };
        let (uid, gid) = host.account();
        host.write(
            "etc/passwd",
            &format!("root:x:0:0::/root:/bin/sh\ncleanshift:x:{uid}:{gid}::/:/usr/sbin/nologin\n"),
        );
        host.write("etc/cleanshift/policy.toml", POLICY);
        host.write("var/lib/cleanshift/.keep", "");
        fs::set_permissions(host.at("var/lib/cleanshift"), fs::Permissions::from_mode(0o700)).unwrap();
        if is_root() {
            chown(host.at("var/lib/cleanshift"), Some(uid), Some(gid)).unwrap();
        }
        fs::create_dir_all(host.at("usr/bin")).unwrap();
        for program in PROGRAMS {
            symlink(Path::new("/usr/bin").join(program), host.at("usr/bin").join(program)).unwrap();
        }
        for program in [
            "usr/lib/xorg/Xorg",
            "usr/bin/Xephyr",
            "usr/bin/pasta",
            "usr/bin/dbus-daemon",
            "usr/bin/gnome-keyring-daemon",
            "usr/bin/xkbcomp",
            "usr/bin/dbus-send",
            "usr/bin/chromium",
            "usr/bin/systemctl",
            "usr/sbin/pcscd",
            "usr/lib/cleanshift/cleanshift-init",
        ] {
            host.program(program, "exit 0");
        }
        host.program("usr/lib/cleanshift/cleanshift-looker", "exit 0");
        host.mode("usr/lib/cleanshift/cleanshift-looker", 0o4755);
        for library in [
            "libX11.so.6",
            "libX11-xcb.so.1",
            "libXcursor.so.1",
            "libXi.so.6",
            "libxkbcommon.so.0",
            "libxkbcommon-x11.so.0",
        ] {
            host.write(&format!("usr/lib/x86_64-linux-gnu/{library}"), "");
        }
        for empty in [
            "usr/share/X11/xkb/rules/evdev",
            "usr/share/fonts/a.ttf",
            "usr/lib/pcsc/drivers/ifd-ccid.bundle/x",
            "usr/lib/polkit-1/polkitd",
            "dev/net/tun",
        ] {
            host.write(empty, "");
        }
        host.mode("dev/net/tun", 0o666);
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging");
        host.copy(&made.join("host/60-cleanshift.rules"), "usr/share/polkit-1/rules.d/60-cleanshift.rules");
        for unit in fs::read_dir(made.join("systemd")).unwrap().flatten().filter(|unit| unit.path().is_file())
        {
            let name = unit.file_name().into_string().unwrap();
            host.copy(&unit.path(), &format!("usr/lib/systemd/system/{name}"));
        }
        host.write("proc/sys/kernel/sysrq", "0\n");
        host.write("proc/sys/kernel/core_pattern", "core\n");
        host.write("proc/swaps", "Filename Type Size Used Priority\n");
        host.write("proc/cmdline", "quiet init_on_free=1\n");
        host.write("sys/power/state", "freeze mem\n");
        host
    }

    /// Another that is the same, to be spoiled.
    pub(crate) fn again(&self) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let root = dir.path().join("host");
        let copied = Command::new("cp").arg("-a").arg(&self.root).arg(&root).status().unwrap();
        assert!(copied.success());
        Self { dir, root }
    }

    /// The station's account: an ordinary one, which this test can make the owner of files.
    pub(crate) fn account(&self) -> (u32, u32) {
        let own = fs::metadata(self.dir.path()).unwrap();
        if own.uid() == 0 { (65_534, 65_534) } else { (own.uid(), own.gid()) }
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), text).unwrap();
    }

    fn copy(&self, from: &Path, path: &str) {
        self.write(path, &fs::read_to_string(from).unwrap());
    }

    /// A program that is a script.
    pub(crate) fn program(&self, path: &str, script: &str) {
        let _ = fs::remove_file(self.at(path));
        self.write(path, &format!("#!/bin/sh\n{script}\n"));
        self.mode(path, 0o755);
    }

    pub(crate) fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) fn remove(&self, path: &str) {
        let full = self.at(path);
        if full.is_dir() && !full.is_symlink() { fs::remove_dir_all(full) } else { fs::remove_file(full) }
            .unwrap();
    }

    /// `cleanshiftctl` with these words, and the root.
    pub(crate) fn ctl(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl"));
        let _ = command.args(words).arg("--root").arg(&self.root).stdin(Stdio::null());
        command.output().unwrap()
    }
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}
