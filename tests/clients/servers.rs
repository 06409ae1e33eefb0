//! Servers as an admin's clients meet them: OpenSSH, PostgreSQL, and a git server that wants a password.
//! Private to one directory and one account, at ports that the kernel picks.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use cleanshift::ctl::demo::account::Account;
use cleanshift::ctl::demo::stage::wait_for;
use cleanshift::platform::linux::spawn;
use rustix::process::{Pid, Signal};

/// An OpenSSH server: one process for each connection.
pub(crate) struct Ssh {
    /// Its port on the loopback.
    pub(crate) port: u16,
    /// The key that it lets in.
    pub(crate) key: String,
    /// The account that it lets in, its own.
    pub(crate) account: String,
    connections: Arc<Mutex<Vec<Child>>>,
}

impl Ssh {
    pub(crate) fn serve(account: Account, dir: &Path) -> Self {
        for key in ["host", "client"] {
            let mut keygen = account.command("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(dir.join(key));
            assert!(keygen.stdin(Stdio::null()).status().unwrap().success());
        }
        let config = dir.join("sshd_config");
        let text = format!(
            "HostKey {0}/host\nAuthorizedKeysFile {0}/client.pub\nStrictModes no\nUsePAM no\n\
             PasswordAuthentication no\nPidFile none\n",
            dir.display()
        );
        fs::write(&config, text).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::<Mutex<Vec<Child>>>::default();
        let (open, said) = (Arc::clone(&connections), dir.join("sshd.log"));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = OwnedFd::from(stream.unwrap());
                let mut sshd = account.command("/usr/sbin/sshd");
                sshd.args(["-i", "-f"]).arg(&config).arg("-E").arg(&said);
                sshd.stdin(stream.try_clone().unwrap()).stdout(stream);
                open.lock().unwrap().push(sshd.spawn().unwrap());
            }
        });
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let mut names = passwd.lines().filter_map(|line| line.split_once(":x:"));
        let name =
            names.find(|(_, rest)| rest.starts_with(&format!("{}:", account.uid()))).unwrap().0.to_owned();
        Self { port, key: fs::read_to_string(dir.join("client")).unwrap(), account: name, connections }
    }

    /// How many connections the server has open.
    pub(crate) fn connections(&self) -> usize {
        let mut connections = self.connections.lock().unwrap();
        connections.retain_mut(|connection| connection.try_wait().unwrap().is_none());
        connections.len()
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        for connection in self.connections.lock().unwrap().iter_mut() {
            drop(connection.kill());
            drop(connection.wait());
        }
    }
}

/// A PostgreSQL cluster with the account `nurse`.
pub(crate) struct Database {
    /// Its port on the loopback.
    pub(crate) port: u16,
    account: Account,
    programs: PathBuf,
    dir: PathBuf,
    server: Child,
}

impl Database {
    pub(crate) fn serve(account: Account, dir: &Path, password: &str) -> Self {
        let versions = fs::read_dir("/usr/lib/postgresql").unwrap().flatten();
        let programs = versions.map(|version| version.path().join("bin")).max().unwrap();
        let cluster = dir.join("cluster");
        let mut initdb = account.command(programs.join("initdb"));
        initdb.args(["--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256", "-U", "owner", "-D"]);
        assert!(initdb.arg(&cluster).stdout(Stdio::null()).status().unwrap().success());
        loop {
            // The server does not let the kernel pick: what was picked just now is free, or is picked anew.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut server = account.command("setpriv");
            server.args(["--pdeathsig", "INT", "--"]).arg(programs.join("postgres")).arg("-D").arg(&cluster);
            server.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c"]);
            server.arg(format!("port={port}")).arg("-c");
            server.arg(format!("unix_socket_directories={}", dir.display()));
            server.stdin(Stdio::null()).stdout(Stdio::null());
            server.stderr(fs::File::create(dir.join("postgres.log")).unwrap());
            let server = spawn::start(server).unwrap();
            let this = Self { port, account, programs: programs.clone(), dir: dir.to_owned(), server };
            let pid = this.server.id();
            let died = || fs::read_to_string(format!("/proc/{pid}/stat")).unwrap().contains(") Z ");
            assert!(wait_for(|| this.asked("select 1").is_some() || died()), "the database did not come up");
            if this.asked(&format!("create role nurse login password '{password}'")).is_some() {
                return this;
            }
        }
    }

    /// How many connections of the console the server has open.
    pub(crate) fn connections(&self) -> usize {
        let count = "select count(*) from pg_stat_activity where application_name = 'console'";
        self.asked(count).unwrap().trim().parse().unwrap()
    }

    fn asked(&self, question: &str) -> Option<String> {
        let mut psql = self.account.command(self.programs.join("psql"));
        psql.args(["-At", "-U", "owner", "-d", "postgres", "-p", &self.port.to_string(), "-h"]);
        let output = psql.arg(&self.dir).args(["-c", question]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // As it wants to be stopped, so that it takes its shared memory along.
        let pid = Pid::from_raw(i32::try_from(self.server.id()).unwrap()).unwrap();
        let _ = rustix::process::kill_process(pid, Signal::INT);
        drop(self.server.wait());
    }
}

/// A git server that answers with an empty repository to whoever has the password.
pub(crate) struct Git {
    /// Its port on the loopback.
    pub(crate) port: u16,
    let_in: Arc<AtomicUsize>,
}

impl Git {
    pub(crate) fn serve(password: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let let_in = Arc::<AtomicUsize>::default();
        let expected = base64::engine::general_purpose::STANDARD.encode(format!("nurse:{password}"));
        let counted = Arc::clone(&let_in);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                drop(answer(stream.unwrap(), &expected, &counted));
            }
        });
        Self { port, let_in }
    }

    /// How often somebody came with the password.
    pub(crate) fn let_in(&self) -> usize {
        self.let_in.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, expected: &str, let_in: &AtomicUsize) -> std::io::Result<()> {
    let mut known = false;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        known |= line.strip_prefix("Authorization: Basic ").is_some_and(|given| given == expected);
        if line.is_empty() {
            break;
        }
    }
    // What a server with an empty repository advertises, in git's packets: each begins with its length.
    let none = format!("{} capabilities^{{}}\0\n", "0".repeat(40));
    let refs = format!("001e# service=git-upload-pack\n0000{:04x}{none}0000", none.len() + 4);
    let (status, kind, body) = if known {
        let_in.fetch_add(1, Ordering::SeqCst);
        ("200 OK", "application/x-git-upload-pack-advertisement", refs)
    } else {
        ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"chart\"", "text/plain", String::new())
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}
