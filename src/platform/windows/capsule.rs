//! The capsule: one job in which every program of a session runs, and one profile that only this session
//! has; built while the station is vacant, used once, and ended as one thing.
//!
//! Its end is `TerminateJobObject`; that the job's list of processes is empty is the system's proof that
//! every program of the session is gone. Each app has a job of its own inside, so that it is known what
//! belongs to it and when all of it has ended. What a program can see of the host is what its account can:
//! a job holds programs together, it hides no files. Mode `account` gives each session an account.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::account::Lent;
use super::clock::monotonic;
use super::job::{Job, Limits, Notice, Port};
use super::profile::{self, Profile, random_hex};
use super::remove::Left;
use super::spawn::{self, Process, Program};
use super::visit::Holding;
use crate::policy::CapsulePolicy;
use crate::ports::{Destroyed, Grant, PortError, Result};

/// How long the system may take to prove the end.
const GONE: Duration = Duration::from_secs(8);
/// How often the jobs are looked at, whatever the system has told.
const LOOK: Duration = Duration::from_millis(400);
/// The most files that are counted in a profile.
const MOST: u64 = 100_000;
/// How long a look inside may take before the capsule is destroyed without it.
const COUNT: Duration = Duration::from_millis(350);
/// The note of what a next shell must end if this one is killed.
const NOTE: &str = "capsule";
/// The name of every session's job begins with this.
const NAME: &str = "Local\\CleanshiftSession-";

/// What a capsule is built from.
pub struct Spec {
    /// The shell's private directory; the capsule makes its own below.
    pub run_dir: PathBuf,
    /// The policy's limits and openings.
    pub policy: CapsulePolicy,
    /// The desktop on which its apps' windows stand, where it has one of its own.
    pub desktop: Option<String>,
}

/// An app that is to be started.
pub struct Launch {
    /// Its place in the policy.
    pub app: u8,
    /// Its program.
    pub command: String,
    /// Its arguments. `{profile}` at the beginning of a path stands for the session's profile.
    pub arguments: Vec<String>,
    /// More environment.
    pub environment: Vec<(String, String)>,
    /// A golden profile that is copied in before its first start.
    pub golden: Option<PathBuf>,
    /// Files that lie in the session's profile before it starts: where, and what is in them.
    pub files: Vec<(String, String)>,
}

/// Stands for the session's profile in arguments and files.
pub const PROFILE: &str = "{profile}";

/// What a capsule tells by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// An app runs, with the pid of its first process.
    Started(u8, u32),
    /// All that belonged to an app has ended, with that pid: as it should, or with a reason.
    Ended(u8, u32, Option<String>),
    /// Its processes can be watched no more.
    Lost,
}

/// An app that runs.
struct Running {
    app: u8,
    job: Job,
    first: Process,
}

/// What the capsule and the thread that watches it share.
struct Shared {
    job: Job,
    running: Mutex<Vec<Running>>,
    ending: AtomicBool,
    note: PathBuf,
}

/// A capsule that stands.
pub struct Capsule {
    shared: Arc<Shared>,
    port: Arc<Port>,
    profile: Profile,
    desktop: Option<String>,
    holding: Holding,
    news: Arc<dyn Fn(News) + Send + Sync>,
    copied: Mutex<Vec<PathBuf>>,
    left: Vec<Left>,
    run_dir: PathBuf,
}

impl Capsule {
    /// Builds a capsule.
    ///
    /// # Errors
    /// A fragment that says which part did not come up.
    pub fn build(spec: &Spec, news: Arc<dyn Fn(News) + Send + Sync>) -> Result<Self> {
        let failed = |what: &'static str| move |error: io::Error| PortError(format!("{what}: {error}"));
        let profile = Profile::make(&spec.run_dir).map_err(failed("make the session's profile"))?;
        let name = random_hex(16).map_err(failed("name the session's job"))?;
        let limits = Limits {
            processes: Some(spec.policy.processes),
            memory: spec.policy.memory_bytes,
            desktop: spawn::limits_desktop(),
        };
        let name = format!("{NAME}{name}");
        let note = spec.run_dir.join(NOTE);
        // Noted before it is there: what may be left is looked for.
        remember(&note, &format!("job {name}")).map_err(failed("note the session's job"))?;
        let job = Job::new(Some(&name), limits).map_err(failed("make the session's job"))?;
        let port = Arc::new(Port::new().map_err(failed("make the port for the session's news"))?);
        job.tell(&port, 0).map_err(failed("hear from the session's job"))?;
        let shared =
            Arc::new(Shared { job, running: Mutex::default(), ending: AtomicBool::new(false), note });
        let (watched, heard, told) = (Arc::clone(&shared), Arc::clone(&port), Arc::clone(&news));
        drop(std::thread::spawn(move || watch(&watched, &heard, &*told)));
        Ok(Self {
            shared,
            port,
            profile,
            desktop: spec.desktop.clone(),
            holding: Holding::default(),
            news,
            copied: Mutex::default(),
            left: Vec::new(),
            run_dir: spec.run_dir.clone(),
        })
    }

    /// Starts an app, under the session's own account where it has one.
    ///
    /// # Errors
    /// A fragment that says what did not work.
    pub fn launch(&self, launch: &Launch, account: Option<&Lent>) -> Result<()> {
        let command = &launch.command;
        let failed = |error: &dyn std::fmt::Display| PortError(format!("start {command}: {error}"));
        if self.shared.ending.load(Ordering::SeqCst) {
            return Err(failed(&"the session is ending"));
        }
        let path = spawn::find(command).map_err(PortError)?;
        // A job in a job with limits of its own cannot limit the desktop again, and need not.
        let own = Job::new(None, Limits::default()).map_err(|error| failed(&error))?;
        let first = match account {
            Some(account) => {
                account.start(launch, &path, self.desktop.as_deref(), [&self.shared.job, &own])?
            }
            None => self.start(launch, &path, &own)?,
        };
        let _ = own.tell(&self.port, 1);
        self.shared.note_process(&first);
        let pid = first.pid;
        // Held until it is told, so that its end is told after it.
        let mut running = self.shared.running();
        running.push(Running { app: launch.app, job: own, first });
        (self.news)(News::Started(launch.app, pid));
        drop(running);
        Ok(())
    }

    /// Starts an app under the station's own account, in the session's profile.
    fn start(&self, launch: &Launch, path: &Path, own: &Job) -> Result<Process> {
        let command = &launch.command;
        let failed = |error: &dyn std::fmt::Display| PortError(format!("start {command}: {error}"));
        if let Some(golden) = &launch.golden {
            let mut copied = self.copied.lock().unwrap_or_else(PoisonError::into_inner);
            if !copied.contains(golden) {
                self.profile.copy_in(golden).map_err(|error| {
                    PortError(format!("copy the profile {} for {command}: {error}", golden.display()))
                })?;
                copied.push(golden.clone());
            }
        }
        for (place, content) in &launch.files {
            self.lay(place, content).map_err(|error| failed(&error))?;
        }
        let place = self.profile.root.display().to_string();
        let arguments: Vec<String> =
            launch.arguments.iter().map(|argument| argument.replace(PROFILE, &place)).collect();
        let mut environment = spawn::environment(&self.profile.root);
        for (name, value) in self.holding.environment().into_iter().chain(launch.environment.iter().cloned())
        {
            environment.retain(|(known, _)| !known.eq_ignore_ascii_case(&name));
            environment.push((name, value));
        }
        let program = Program {
            path,
            arguments: &arguments,
            environment: &environment,
            directory: &self.profile.root,
            desktop: self.desktop.as_deref(),
        };
        spawn::start(&program, &self.shared.job, own).map_err(|error| failed(&error))
    }

    /// Writes a file of the station's own into the session's profile, once: one that is there is left alone.
    fn lay(&self, place: &str, content: &str) -> io::Result<()> {
        let path = self.profile.root.join(place);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        match fs::OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => file.write_all(content.as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Puts a token where the session's programs find it.
    ///
    /// # Errors
    /// Those of [`Holding::hold`].
    pub fn hold(&self, grant: &Grant) -> Result<()> {
        self.holding.hold(grant)
    }

    /// What of it can be asked and held without holding the capsule itself.
    #[must_use]
    pub fn reins(&self) -> Reins {
        Reins(Arc::clone(&self.shared))
    }

    /// The processes of the session.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn processes(&self) -> io::Result<Vec<u32>> {
        self.shared.job.processes()
    }

    /// Counts what is in the capsule; what cannot be counted is not named.
    #[must_use]
    pub fn look(&self) -> Vec<(String, u64)> {
        let mut counts = Vec::new();
        if let Ok(processes) = self.processes() {
            counts.push(("processes".to_owned(), u64::try_from(processes.len()).unwrap_or(u64::MAX)));
        }
        let until = monotonic() + COUNT;
        let places = [
            ("profile files", ""),
            ("temp files", r"AppData\Local\Temp"),
            ("recent files", r"AppData\Roaming\Microsoft\Windows\Recent"),
        ];
        for (name, place) in places {
            if let Some(count) = files(&self.profile.root.join(place), until) {
                counts.push((name.to_owned(), count));
            }
        }
        counts
    }

    /// Where its profile is.
    #[must_use]
    pub fn profile(&self) -> &Path {
        &self.profile.root
    }

    /// What of its profile could not be destroyed.
    #[must_use]
    pub fn left(&self) -> &[Left] {
        &self.left
    }

    /// Destroys the capsule and waits for the system's proof.
    ///
    /// # Errors
    /// When the proof does not come, or its profile cannot be opened.
    pub fn destroy(&mut self) -> Result<Destroyed> {
        self.shared.ending.store(true, Ordering::SeqCst);
        let took = self.shared.job.end(GONE).map_err(|error| {
            PortError(format!("end every program of the session: the system does not confirm it ({error})"))
        })?;
        self.holding.over()?;
        self.left = self.profile.destroy().map_err(|error| {
            PortError(format!("destroy the session's profile {}: {error}", self.profile.root.display()))
        })?;
        let _ = fs::remove_file(&self.shared.note);
        let proof = proof(&self.run_dir, &self.left);
        Ok(Destroyed { proof, took, ..Destroyed::default() })
    }
}

/// What of a capsule can be asked and held by whoever must not wait for its building or its end.
#[derive(Clone)]
pub struct Reins(Arc<Shared>);

impl Reins {
    /// The app that a pid belongs to, where it belongs to one of the session's.
    #[must_use]
    pub fn whose(&self, pid: u32) -> Option<u8> {
        let running = self.0.running();
        running.iter().find(|running| listed(&running.job, pid)).map(|running| running.app)
    }

    /// Whether this pid is a process of the session.
    #[must_use]
    pub fn holds(&self, pid: u32) -> bool {
        listed(&self.0.job, pid)
    }

    /// While the session is covered its programs can neither make a desktop nor switch to one.
    ///
    /// # Errors
    /// When the system does not take it.
    pub fn forbid_desktops(&self, forbidden: bool) -> Result<()> {
        let told = self.0.job.forbid_desktops(forbidden);
        told.map_err(|error| PortError(format!("keep the session from switching desktops: {error}")))
    }
}

impl Drop for Capsule {
    fn drop(&mut self) {
        if !self.shared.ending.load(Ordering::SeqCst) {
            let _ = self.destroy();
        }
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a process whom a next shell must end if this one is killed.
    fn note_process(&self, process: &Process) {
        if let Some(since) = process.since() {
            let _ = remember(&self.note, &format!("process {} {since}", process.pid));
        }
    }
}

/// Whether a job lists this pid. A handle of the process would ask for more than another account's gives.
fn listed(job: &Job, pid: u32) -> bool {
    job.processes().is_ok_and(|pids| pids.contains(&pid))
}

/// How the end was proved, for the receipt. The names of files are not in it: they may be a person's.
fn proof(run_dir: &Path, left: &[Left]) -> String {
    let mut proof = "job object empty".to_owned();
    if left.is_empty() {
        proof.push_str(", profile deleted");
    }
    for left in left.iter().take(8) {
        let place = left.path.parent().unwrap_or(run_dir);
        let place = place.strip_prefix(run_dir).unwrap_or(place).display().to_string();
        let moved = if left.moved { ", moved out of the profile" } else { "" };
        let then =
            if left.at_restart { ", deleted at the next restart" } else { ", tried again at the next start" };
        proof.push_str(&format!("; left: {} in {place} ({}{moved}{then})", left.identity(), left.why));
    }
    if let Some(more) = left.len().checked_sub(8).filter(|more| *more > 0) {
        proof.push_str(&format!("; and {more} more"));
    }
    proof
}

/// Hears from the jobs, and looks for itself now and then: what the system tells is not promised to come.
fn watch(shared: &Shared, port: &Port, news: &(dyn Fn(News) + Send + Sync)) {
    while !shared.ending.load(Ordering::SeqCst) {
        match port.next(LOOK) {
            Ok(Notice::Came(_, pid)) => {
                if let Some(process) = Process::hold(pid) {
                    shared.note_process(&process);
                }
                continue;
            }
            Ok(Notice::Empty(_) | Notice::Full(_) | Notice::Other | Notice::Quiet) => {}
            Err(_) => {
                if !shared.ending.load(Ordering::SeqCst) {
                    news(News::Lost);
                }
                return;
            }
        }
        let mut ended = Vec::new();
        shared.running().retain(|running| {
            // A list that cannot be read is not empty.
            let empty = running.job.processes().is_ok_and(|processes| processes.is_empty());
            if empty {
                ended.push((running.app, running.first.pid, why(running.first.code())));
            }
            !empty
        });
        if shared.ending.load(Ordering::SeqCst) {
            return;
        }
        for (app, pid, why) in ended {
            news(News::Ended(app, pid, why));
        }
    }
}

/// Why an app ended otherwise than it should.
fn why(code: Option<u32>) -> Option<String> {
    match code {
        Some(0) => None,
        Some(code @ 0xC000_0000..) => Some(format!("it crashed (code {code:#X})")),
        Some(code) => Some(format!("it ended with code {code}")),
        None => Some("it ended".to_owned()),
    }
}

/// How many files are below a place, without following any link; `None` where it takes too long.
fn files(place: &Path, until: Duration) -> Option<u64> {
    let mut places = vec![place.to_owned()];
    let mut count = 0;
    while let Some(place) = places.pop() {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            if monotonic() >= until || count >= MOST {
                return (count >= MOST).then_some(count);
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => places.push(entry.path()),
                Ok(_) | Err(_) => count += 1,
            }
        }
    }
    Some(count)
}

fn remember(note: &Path, line: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(note)?;
    file.write_all(format!("{line}\n").as_bytes())
}

/// Ends what a killed shell of this station has left, by the note that it made, and destroys its profiles.
/// A job ends by itself when its shell is gone; this is the second net, and the proof.
///
/// # Errors
/// When something that is left cannot be ended or destroyed.
pub fn sweep(run_dir: &Path) -> Result<()> {
    let note = run_dir.join(NOTE);
    let failed = |error: io::Error| PortError(format!("end what the shell before has left: {error}"));
    let text = match fs::read_to_string(&note) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.map_err(failed)?,
    };
    for line in text.lines() {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["job", name] if name.starts_with(NAME) => {
                if let Some(job) = Job::named(name).map_err(failed)? {
                    let _ = job.end(GONE).map_err(failed)?;
                }
            }
            ["process", pid, since] => end_noted(pid, since)?,
            // A line that was cut off when the shell was killed names nobody.
            _ => {}
        }
    }
    let left = profile::sweep(run_dir)
        .map_err(|error| PortError(format!("destroy what the session before has left: {error}")))?;
    let _ = fs::remove_file(note);
    for left in left {
        tracing::warn!(path = %left.path.display(), why = %left.why, "a session's file is still there");
    }
    Ok(())
}

/// Ends the process of a line of the note, if it is still the same.
fn end_noted(pid: &str, since: &str) -> Result<()> {
    let Some(process) = pid.parse().ok().and_then(Process::hold) else { return Ok(()) };
    if process.since() != since.parse().ok() || process.ended(Duration::ZERO) {
        return Ok(());
    }
    process.end();
    if process.ended(GONE) { Ok(()) } else { Err(PortError::new("end what the shell before has left")) }
}
