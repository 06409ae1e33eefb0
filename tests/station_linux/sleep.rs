//! The host's sleep, by a logind of the test's own on a private bus.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cleanshift::ctl::demo::account::Part;
use cleanshift::ctl::demo::stage::{Stage, wait_for};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zbus::blocking::{Connection, connection, object_server::InterfaceRef};

use super::ground::*;

/// logind as far as a station asks it.
struct Logind {
    /// The other ends of the inhibitors that were given out, newest last.
    given: Arc<Mutex<Vec<File>>>,
}

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Logind {
    fn inhibit(&self, what: &str, _who: &str, why: &str, mode: &str) -> zbus::zvariant::OwnedFd {
        assert!(what == "sleep" && mode == "delay" && !why.is_empty(), "{what} {mode} {why}");
        let (seen, given) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        self.given.lock().unwrap().push(File::from(seen));
        given.into()
    }

    #[zbus(property, name = "InhibitDelayMaxUSec")]
    fn inhibit_delay_max_usec(&self) -> u64 {
        30_000_000
    }

    #[zbus(signal)]
    async fn prepare_for_sleep(
        emitter: &zbus::object_server::SignalEmitter<'_>,
        start: bool,
    ) -> zbus::Result<()>;
}

/// A session of logind's, which tells lockers to lock and to unlock.
struct Session;

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl Session {
    #[zbus(signal)]
    async fn unlock(emitter: &zbus::object_server::SignalEmitter<'_>) -> zbus::Result<()>;
}

/// A private bus with logind on it; gone when dropped.
pub(super) struct Bus {
    pub(super) address: String,
    given: Arc<Mutex<Vec<File>>>,
    manager: InterfaceRef<Logind>,
    session: InterfaceRef<Session>,
    _connection: Connection,
    _daemon: Part,
}

impl Bus {
    pub(super) fn start(stage: &Stage) -> Self {
        let socket = stage.dir.join("run/system-bus");
        let text = format!(
            r#"<busconfig><listen>unix:path={}</listen><auth>EXTERNAL</auth><policy context="default">
<allow user="*"/><allow own="*"/><allow eavesdrop="true"/><allow send_destination="*" eavesdrop="true"/></policy></busconfig>"#,
            socket.display()
        );
        let file = stage.write("bus.conf", &text).unwrap();
        let mut command = stage.account.part("dbus-daemon");
        command.arg(format!("--config-file={}", file.display())).args(["--nofork", "--print-address=1"]);
        command.stdout(Stdio::piped());
        let mut daemon = Part::start(command).unwrap();
        let mut address = String::new();
        BufReader::new(daemon.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        let given = Arc::default();
        let connection = connection::Builder::address(address.as_str()).unwrap();
        let (root, user) = ("/org/freedesktop/login1", "/org/freedesktop/login1/session/_31");
        let connection = connection.serve_at(root, Logind { given: Arc::clone(&given) }).unwrap();
        let connection = connection.serve_at(user, Session).unwrap();
        let connection = connection.name("org.freedesktop.login1").unwrap().build().unwrap();
        let manager = connection.object_server().interface(root).unwrap();
        let session = connection.object_server().interface(user).unwrap();
        Self { address, given, manager, session, _connection: connection, _daemon: daemon }
    }

    fn given(&self) -> usize {
        self.given.lock().unwrap().len()
    }

    /// Whether the newest inhibitor is held by somebody; waits a bounded time for its end.
    fn held(&self, seconds: i64) -> bool {
        let newest = OwnedFd::from(self.given.lock().unwrap().last().unwrap().try_clone().unwrap());
        let patience = Timespec { tv_sec: seconds, tv_nsec: 0 };
        poll(&mut [PollFd::new(&newest, PollFlags::IN)], Some(&patience)).unwrap() == 0
    }

    fn sleep(&self, start: bool) {
        zbus::block_on(Logind::prepare_for_sleep(self.manager.signal_emitter(), start)).unwrap();
    }

    /// Tells whoever locks the screen to open it, as `loginctl unlock-session` does.
    pub(super) fn unlock(&self) {
        zbus::block_on(Session::unlock(self.session.signal_emitter())).unwrap();
    }
}

#[test]
fn a_sleep_waits_until_the_session_is_covered_and_gone() {
    let (mut stage, issued) = stage("");
    let bus = Bus::start(&stage);
    stage.environment.push(("DBUS_SYSTEM_BUS_ADDRESS".to_owned(), bus.address.clone()));
    paint(&mut stage, &issued);
    assert!(bus.given() == 1 && bus.held(0), "no inhibitor is held while she works");
    let mark = stage.mark();
    bus.sleep(true);
    assert!(!bus.held(25), "the host's sleep is held up for too long");
    // In the moment in which it may sleep.
    assert_eq!(painted_pixels(&stage), 0, "the session is on the screen of a host that goes to sleep");
    assert!(!contained(&stage).iter().any(|name| name == "xterm"), "{:?}", contained(&stage));
    stage.wait_state(mark, "vacant").unwrap();
    assert!(last_handoff(&stage).contains("\"suspend\""), "{}", last_handoff(&stage));
    assert!(last_handoff(&stage).contains("logind delay inhibitor"), "{}", last_handoff(&stage));
    // Awake again: the next sleep waits too, and nobody is in.
    bus.sleep(false);
    assert!(wait_for(|| bus.given() == 2) && bus.held(0));
    stage.wait_state(mark, "vacant, ready").unwrap();
    assert_eq!(painted_pixels(&stage), 0);
    // A station where nobody is in has nothing to wait for.
    bus.sleep(true);
    assert!(!bus.held(25));
    verified(&stage);
}

#[test]
fn a_host_that_announces_no_sleep_is_told_so() {
    let (mut stage, _) = stage("");
    let nowhere = format!("unix:path={}", stage.dir.join("run/nothing").display());
    stage.environment.push(("DBUS_SYSTEM_BUS_ADDRESS".to_owned(), nowhere));
    up(&mut stage);
    assert!(last_handoff(&stage).contains("not waited for (no system bus"), "{}", last_handoff(&stage));
}

#[test]
fn the_host_cannot_unlock_the_station() {
    let (mut stage, _) = stage("");
    let bus = Bus::start(&stage);
    stage.environment.push(("DBUS_SYSTEM_BUS_ADDRESS".to_owned(), bus.address.clone()));
    up(&mut stage);
    let listener = connection::Builder::address(bus.address.as_str()).unwrap().build().unwrap();
    let (name, path) = ("org.freedesktop.login1", "/org/freedesktop/login1/session/_31");
    let proxy = zbus::blocking::Proxy::new(&listener, name, path, "org.freedesktop.login1.Session").unwrap();
    let mut heard = proxy.receive_signal("Unlock").unwrap();
    let mark = stage.mark();
    // While nobody is in, and while a PIN is asked for.
    for phase in ["vacant", "challenge, PIN"] {
        if phase != "vacant" {
            stage.tap("ana").unwrap();
        }
        for _ in 0..20 {
            bus.unlock();
            assert!(heard.next().is_some(), "the bus does not carry it: it would prove nothing");
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(!said(&stage, mark, "attended"), "the host has opened the station");
    assert!(!log(&stage).iter().any(|entry| entry["receipt"]["kind"] == "opened"));
}
