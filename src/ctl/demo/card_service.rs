//! A card service of one's own: pcscd with vpcd's virtual reader in a private mount namespace, as an
//! ordinary account, on ports that the kernel picked. Many can run at once, and none touches the host's.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::account::{Account, Part, wait_for};

/// The reader has two slots, on neighbouring ports.
pub const SLOTS: u16 = 2;
/// Where vpcd's Debian package puts the driver.
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";

/// A card service; killed when dropped.
pub struct CardService {
    account: Account,
    dir: PathBuf,
    port: u16,
    running: Option<Part>,
}

impl CardService {
    /// Starts a card service that keeps its files in `dir`, which is to exist and to be the account's,
    /// and waits until its reader is there.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(account: Account, dir: &Path) -> io::Result<Self> {
        let port = free_ports()?;
        let configuration = dir.join("readers");
        account.make_dir(&configuration)?;
        let file = configuration.join("vpcd");
        fs::write(&file, reader_conf(port))?;
        account.give(&file)?;
        let mut service = Self { account, dir: dir.to_owned(), port, running: None };
        service.revive()?;
        Ok(service)
    }

    /// The port of the first slot.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What `PCSCLITE_CSOCK_NAME` is to be for programs that use this service. The name stays the
    /// same when the service is killed and revived.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.dir.join("pcscd.comm")
    }

    /// Starts the service again after [`CardService::kill`].
    ///
    /// # Errors
    /// When it does not come up.
    pub fn revive(&mut self) -> io::Result<()> {
        if self.running.is_some() {
            return Ok(());
        }
        // /run/pcscd is compiled into pcscd: a /run of its own makes it private. The death signal is
        // set last, because making a namespace clears it.
        // Where it asks polkit who may use it (2.x), it would ask the host's about a stage that is none of its.
        let script = "mount -t tmpfs tmpfs /run && mkdir /run/pcscd && \
                      if pcscd --help | grep -q disable-polkit; then set -- \"$1\" --disable-polkit; fi && \
                      exec setpriv --pdeathsig KILL -- pcscd -f -c \"$@\"";
        let mut command = self.account.part("unshare");
        let _ = command.args(["-Urm", "bash", "-c", script, "pcscd"]).arg(self.dir.join("readers"));
        let _ = command.stdout(Stdio::null()).stderr(Stdio::null());
        let running = Part::start(command)?;
        let inside = format!("/proc/{}/root/run/pcscd/pcscd.comm", running.pid());
        let there = wait_for(|| {
            UnixStream::connect(&inside).is_ok() && (self.port..self.port + SLOTS).all(|port| !is_free(port))
        });
        if !there {
            return Err(io::Error::other(
                "the card service did not come up: are pcscd and vsmartcard-vpcd installed?",
            ));
        }
        let socket = self.socket();
        let _ = fs::remove_file(&socket);
        symlink(inside, &socket)?;
        self.running = Some(running);
        Ok(())
    }

    /// Kills the service as a crash would, and waits until its ports are free again.
    ///
    /// # Errors
    /// When they are not: the service could not be revived.
    pub fn kill(&mut self) -> io::Result<()> {
        drop(self.running.take());
        let free = wait_for(|| (self.port..self.port + SLOTS).all(is_free));
        if free { Ok(()) } else { Err(io::Error::other("the virtual reader's port is not free again")) }
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}

/// Two neighbouring ports that are free.
fn free_ports() -> io::Result<u16> {
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && is_free(port + 1) {
            return Ok(port);
        }
    }
    Err(io::Error::other("no two neighbouring ports are free"))
}

fn reader_conf(port: u16) -> String {
    format!(
        "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x{port:04X}\nLIBPATH {DRIVER}\nCHANNELID 0x{port:04X}\n"
    )
}
