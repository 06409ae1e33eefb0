//! The judge: the gates of a station, asked on a host on which no session is open. It runs as the
//! station's account, as the shell does, and knows what stood there when it was started.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

pub(super) use crate::platform::linux::drill::planted::FILES;
use crate::platform::linux::gates::{Lookout, Remains};
use crate::ports::{Answer, GateAnswer};

/// What stands in the runtime directory for the socket of a session's display.
pub(super) const SOCKET: &str = "x11-socket";

/// A gate's answer, as the judge tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The trace class.
    pub class: u8,
    /// The gate's name.
    pub gate: String,
    /// `absent`, `present`, `unknown`, `not-applicable`, `setting`.
    pub answer: String,
    /// What it saw.
    pub saw: String,
    /// How it looked.
    pub method: String,
}

impl Said {
    /// The answer as the gate gave it.
    #[must_use]
    pub fn answer(&self) -> GateAnswer {
        GateAnswer {
            class: self.class,
            gate: self.gate.clone(),
            answer: match self.answer.as_str() {
                "absent" => Answer::Absent,
                "not-applicable" => Answer::NotApplicable,
                "present" => Answer::Present,
                "setting" => Answer::Setting,
                _ => Answer::Unknown,
            },
            saw: self.saw.clone(),
            method: self.method.clone(),
            took: std::time::Duration::ZERO,
        }
    }
}

/// A judge that runs; ends when dropped.
pub struct Judge {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Judge {
    /// Starts `cleanshiftctl drill judge`, which this command is to run, and waits until it has looked
    /// at what stands there now.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(mut command: Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (Some(asks), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("the judge has no ends to talk through"));
        };
        let mut judge = Self { child, asks, answers: BufReader::new(answers) };
        let mut line = String::new();
        let _ = judge.answers.read_line(&mut line)?;
        if line.trim() == "ready" { Ok(judge) } else { Err(io::Error::other("the judge did not come up")) }
    }

    /// What every gate says of the host now; nothing is cleared.
    ///
    /// # Errors
    /// When the judge is gone.
    pub fn find(&mut self) -> io::Result<Vec<Said>> {
        self.ask("find")
    }

    /// The same after every gate has cleared what it may, as at a handoff.
    ///
    /// # Errors
    /// When the judge is gone.
    pub fn look(&mut self) -> io::Result<Vec<Said>> {
        self.ask("look")
    }

    fn ask(&mut self, what: &str) -> io::Result<Vec<Said>> {
        writeln!(self.asks, "{what}")?;
        let mut line = String::new();
        let _ = self.answers.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the judge: answers `find` and `look`, a line each, until its input ends.
///
/// # Errors
/// When nobody listens any more.
pub(super) fn run() -> io::Result<()> {
    let lookout = Lookout::begin(&[], &[]);
    let mut remains = remains();
    let mut out = io::stdout().lock();
    writeln!(out, "ready")?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        remains.devices = devices(&remains.run_dir);
        let answers = match line?.trim() {
            "find" => lookout.find(&remains),
            "look" => lookout.look(&remains),
            _ => return Err(io::Error::other("ask find or look")),
        };
        let said: Vec<Said> = answers.iter().map(said).collect();
        writeln!(out, "{}", serde_json::to_string(&said)?)?;
        out.flush()?;
    }
    Ok(())
}

/// What a capsule would have left: its runtime directory, its display's socket.
fn remains() -> Remains {
    let run_dir = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).unwrap_or_default();
    Remains {
        display: Some(run_dir.join(SOCKET)),
        first_app: Some(crate::platform::linux::clock::since_boot()),
        run_dir,
        ..Remains::default()
    }
}

/// The device of the file system that stands for a session's own, where the drill has mounted it.
fn devices(run_dir: &Path) -> Vec<u64> {
    let device = |path: &Path| std::fs::metadata(path).map(|data| data.dev()).ok();
    let (own, around) = (device(&run_dir.join(FILES)), device(run_dir));
    own.filter(|own| Some(*own) != around).into_iter().collect()
}

fn said(answer: &GateAnswer) -> Said {
    let word = match answer.answer {
        Answer::Absent => "absent",
        Answer::NotApplicable => "not-applicable",
        Answer::Present => "present",
        Answer::Setting => "setting",
        Answer::Unknown => "unknown",
    };
    Said {
        class: answer.class,
        gate: answer.gate.clone(),
        answer: word.to_owned(),
        saw: answer.saw.clone(),
        method: answer.method.clone(),
    }
}
