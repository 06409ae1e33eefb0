//! The capsule against a hostile program: the same that the tests of the whole station use, in this program.
//! Every test shows first that its look would have seen what it looks for.

#![expect(unsafe_code, reason = "the controls without a limit are made through the system's own calls")]

use std::fs;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, FromRawHandle as _, OwnedHandle};
use std::os::windows::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use windows_sys::Win32::System::JobObjects::{
    CreateJobObjectW, JOB_OBJECT_LIMIT_BREAKAWAY_OK, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectExtendedLimitInformation, SetInformationJobObject, TerminateJobObject,
};

use super::capsule::{self, Capsule, Launch, News, Spec};
use super::clock::monotonic;
use super::job::{Job, Limits};
use super::profile::{Profile, remaining};
use super::spawn::Process;
use crate::policy::{CapsuleMode, CapsulePolicy};

#[path = "../../../tests/station_windows/adversary.rs"]
#[expect(dead_code, reason = "it is a program too, whose beginning is not called here")]
mod program;
use program::adversary;

/// How long anything may take to be seen.
const PATIENCE: Duration = Duration::from_secs(30);
/// How this program is started as the adversary.
const AGAIN: [&str; 4] = ["--exact", "platform::windows::tests::hostile", "--ignored", "--nocapture"];

/// Not a test: what the others start.
#[test]
#[ignore = "a program that the other tests start"]
fn hostile() {
    let words = adversary::words();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["shell", run_dir, report] => {
            let (capsule, _news) = capsule(Path::new(run_dir));
            launch(&capsule, 0, &["children", "2", report]);
            loop {
                std::thread::sleep(PATIENCE);
            }
        }
        _ => adversary::run(&words, &again),
    }
}

fn again(words: &[String]) -> Command {
    let mut command = adversary::own();
    let _ = command.args(AGAIN).env(adversary::WORDS, words.join("|"));
    command
}

fn policy(processes: u32) -> CapsulePolicy {
    CapsulePolicy {
        mode: CapsuleMode::Sweep,
        home_bytes: 1 << 30,
        tmp_bytes: 1 << 28,
        processes,
        memory_bytes: None,
        reach: Vec::new(),
        printers: Vec::new(),
        shared: Vec::new(),
        grace: Duration::ZERO,
    }
}

fn capsule(run_dir: &Path) -> (Capsule, Receiver<News>) {
    capsule_of(run_dir, 1500)
}

fn capsule_of(run_dir: &Path, processes: u32) -> (Capsule, Receiver<News>) {
    let (tell, news) = channel();
    let tell = Mutex::new(tell);
    let spec = Spec { run_dir: run_dir.to_owned(), policy: policy(processes), desktop: None };
    let told = move |news| drop(tell.lock().unwrap().send(news));
    (Capsule::build(&spec, Arc::new(told)).unwrap(), news)
}

fn launch(capsule: &Capsule, app: u8, words: &[&str]) {
    let order = Launch {
        app,
        command: std::env::current_exe().unwrap().display().to_string(),
        arguments: AGAIN.map(str::to_owned).to_vec(),
        environment: vec![(adversary::WORDS.to_owned(), words.join("|"))],
        golden: None,
        files: Vec::new(),
    };
    capsule.launch(&order, None).unwrap();
}

/// What the adversary has reported.
fn report(path: &Path) -> String {
    let until = monotonic() + PATIENCE;
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return text,
            Err(error) => assert!(monotonic() < until, "no report at {}: {error}", path.display()),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn pids(report: &str) -> Vec<Process> {
    report.lines().map(|line| Process::hold(line.parse().expect(line)).unwrap()).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let run = place.path().join("run");
    fs::create_dir(&run).unwrap();
    (place, run)
}

/// A job as they are made without the capsule's limits, which is let alone when it is dropped.
fn lax_job(flags: u32, child: &Child) -> OwnedHandle {
    let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
    limits.BasicLimitInformation.LimitFlags = flags;
    let size = u32::try_from(size_of_val(&limits)).unwrap();
    // SAFETY: the structure is that of the class and outlives the call; the handle is new.
    unsafe {
        let job = CreateJobObjectW(std::ptr::null(), std::ptr::null());
        let class = JobObjectExtendedLimitInformation;
        assert_ne!(SetInformationJobObject(job, class, (&raw const limits).cast(), size), 0);
        let assigned =
            windows_sys::Win32::System::JobObjects::AssignProcessToJobObject(job, child.as_raw_handle());
        assert_ne!(assigned, 0, "{}", std::io::Error::last_os_error());
        OwnedHandle::from_raw_handle(job)
    }
}

#[test]
fn a_capsule_ends_with_all_that_was_started_in_it() {
    let (place, run) = place();
    let told = place.path().join("children");
    let (mut capsule, news) = capsule(&run);
    launch(&capsule, 3, &["children", "3", &text(&told)]);
    let children = pids(&report(&told));
    assert_eq!(children.len(), 3);
    let Ok(News::Started(3, first)) = news.recv_timeout(PATIENCE) else {
        unreachable!("the app did not start")
    };
    assert_eq!(capsule.reins().whose(first), Some(3));
    assert!(
        children
            .iter()
            .all(|child| capsule.reins().holds(child.pid) && capsule.reins().whose(child.pid) == Some(3))
    );
    assert!(
        !capsule.reins().holds(std::process::id()) && capsule.reins().whose(std::process::id()).is_none()
    );
    assert!(capsule.processes().unwrap().len() >= 4, "{:?}", capsule.processes());
    assert!(!children.iter().any(|child| child.ended(Duration::ZERO)), "the look is blind");
    let look = capsule.look();
    assert!(look.iter().any(|(name, count)| name == "processes" && *count >= 4), "{look:?}");
    let profile = capsule.profile().to_owned();
    assert!(profile.join(r"AppData\Local\Temp").is_dir());
    let ended = capsule.destroy().unwrap();
    assert_eq!(ended.proof, "job object empty, profile deleted");
    assert!(capsule.processes().unwrap().is_empty());
    assert!(children.iter().all(|child| child.ended(PATIENCE)));
    assert!(!profile.exists());
    assert!(remaining(&run, None).unwrap().is_empty());
}

#[test]
fn nothing_breaks_away() {
    let (place, run) = place();
    let told = place.path().join("breakaway");
    let (mut capsule, _news) = capsule(&run);
    launch(&capsule, 0, &["breakaway", &text(&told)]);
    assert_eq!(report(&told), "refused 5");
    let _ = capsule.destroy().unwrap();
    // The same attempt where it is allowed: it is one that works.
    let told = place.path().join("control");
    let mut child = stopped(&["breakaway", &text(&told)]);
    let job = lax_job(JOB_OBJECT_LIMIT_BREAKAWAY_OK, &child);
    resume(&child);
    let away = report(&told);
    let away = Process::hold(away.strip_prefix("started ").expect(&away).parse().unwrap()).unwrap();
    // SAFETY: the handle is open.
    assert_ne!(unsafe { TerminateJobObject(job.as_raw_handle(), 1) }, 0);
    let _ = child.wait().unwrap();
    assert!(!away.ended(Duration::from_millis(300)), "what broke away ended with its job");
    away.end();
    assert!(away.ended(PATIENCE));
}

/// Starts this program without letting it run.
fn stopped(words: &[&str]) -> Child {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    again(&words).creation_flags(4).spawn().unwrap()
}

fn resume(child: &Child) {
    #[link(name = "ntdll")]
    unsafe extern "system" {
        fn NtResumeProcess(process: *mut core::ffi::c_void) -> i32;
    }
    // SAFETY: the handle is open.
    assert!(unsafe { NtResumeProcess(child.as_raw_handle()) } >= 0);
}

#[test]
fn a_job_ends_with_its_last_handle() {
    let mut kept = stopped(&["stay"]);
    let lax = lax_job(0, &kept);
    resume(&kept);
    drop(lax);
    let mut taken = stopped(&["stay"]);
    let job = Job::new(None, Limits::default()).unwrap();
    job.assign(taken.as_handle()).unwrap();
    assert!(job.holds(taken.as_handle()).unwrap() && !job.holds(kept.as_handle()).unwrap());
    resume(&taken);
    assert!(taken.try_wait().unwrap().is_none());
    drop(job);
    let _ = taken.wait().unwrap();
    assert!(kept.try_wait().unwrap().is_none(), "without the limit it lives on");
    kept.kill().unwrap();
    let _ = kept.wait().unwrap();
}

/// Whether this is no Windows, but what the tests run under elsewhere.
fn under_wine() -> bool {
    use windows_sys::Win32::System::LibraryLoader::{GetModuleHandleW, GetProcAddress};
    let name = super::wide::wide("ntdll.dll");
    // SAFETY: both names end with a zero.
    unsafe { GetProcAddress(GetModuleHandleW(name.as_ptr()), c"wine_get_version".as_ptr().cast()).is_some() }
}

#[test]
fn a_session_has_no_more_processes_than_the_policy_says() {
    let (place, run) = place();
    let told = place.path().join("children");
    let (mut capsule, _news) = capsule_of(&run, 4);
    launch(&capsule, 0, &["children", "8", &text(&told)]);
    let told = report(&told);
    let lived = told
        .lines()
        .filter_map(|line| Process::hold(line.parse().ok()?))
        .filter(|child| !child.ended(Duration::ZERO));
    let lived = lived.count();
    if under_wine() {
        // Wine holds no job to a number: that Windows does is shown there.
        eprintln!("not shown here: {lived} of 8 live");
    } else {
        assert!((1..4).contains(&lived), "{told}");
    }
    let _ = capsule.destroy().unwrap();
}

#[test]
fn the_end_of_an_app_is_told_with_its_reason() {
    let (_place, run) = place();
    let (mut capsule, news) = capsule(&run);
    launch(&capsule, 1, &["exit", "0"]);
    launch(&capsule, 2, &["exit", "7"]);
    let mut ended: Vec<_> = Vec::new();
    while ended.len() < 2 {
        if let News::Ended(app, _, why) = news.recv_timeout(PATIENCE).unwrap() {
            ended.push((app, why));
        }
    }
    ended.sort();
    assert_eq!(ended, [(1, None), (2, Some("it ended with code 7".to_owned()))]);
    let _ = capsule.destroy().unwrap();
}

#[test]
fn traps_in_a_profile_keep_nothing_and_lead_nowhere() {
    let (place, run) = place();
    let (told, outside) = (place.path().join("traps"), place.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("others.txt"), "not the session's").unwrap();
    let (mut capsule, _news) = capsule(&run);
    let profile = capsule.profile().to_owned();
    launch(&capsule, 0, &["traps", &text(&profile), &text(&outside), &text(&told)]);
    let laid = report(&told);
    assert!(laid.contains("read-only\nlong "), "{laid}");
    let read_only = fs::metadata(profile.join("read-only.txt")).unwrap().permissions().readonly();
    assert!(read_only, "no trap at all");
    if laid.contains("no junction") {
        // Wine makes none: what a junction's target is spared is shown by hand, on Windows.
        eprintln!("not shown here: {laid}");
    } else {
        assert!(profile.join("way-out").join("others.txt").exists(), "the junction leads nowhere");
    }
    let ended = capsule.destroy().unwrap();
    assert_eq!(ended.proof, "job object empty, profile deleted", "{:?}", capsule.left());
    assert!(!profile.exists());
    assert_eq!(fs::read_to_string(outside.join("others.txt")).unwrap(), "not the session's");
}

#[test]
fn a_file_that_is_held_open_is_told_and_tried_again() {
    let (_place, run) = place();
    let profile = Profile::make(&run).unwrap();
    let held = profile.root.join(r"AppData\Local\Temp\Miller, Anna.docx");
    let other = profile.root.join(r"Documents\other.txt");
    fs::write(&other, "x").unwrap();
    let file = fs::OpenOptions::new().write(true).create_new(true).share_mode(0).open(&held).unwrap();
    let left = profile.destroy().unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!((left[0].path.clone(), left[0].why.as_str()), (held.clone(), "another program holds it open"));
    assert!(left[0].identity().starts_with("file 0x"), "{}", left[0].identity());
    assert!(held.exists() && !other.exists());
    assert_eq!(remaining(&run, None).unwrap(), [profile.root.clone()], "the gate's look");
    // A shell that starts meanwhile does not take it for nothing.
    capsule::sweep(&run).unwrap();
    assert!(held.exists());
    drop(file);
    capsule::sweep(&run).unwrap();
    assert!(remaining(&run, None).unwrap().is_empty());
    // One that lets itself be deleted keeps nothing.
    let profile = Profile::make(&run).unwrap();
    let shared =
        fs::OpenOptions::new().write(true).create_new(true).share_mode(7).open(profile.root.join("a"));
    let left = profile.destroy().unwrap();
    drop(shared.unwrap());
    assert!(left.is_empty() || under_wine(), "{left:?}");
}

#[test]
fn the_receipt_tells_what_is_left_without_its_name() {
    let (place, run) = place();
    let told = place.path().join("held");
    let (mut capsule, _news) = capsule(&run);
    let file = capsule.profile().join("Miller, Anna.txt");
    let file = fs::OpenOptions::new().write(true).create_new(true).share_mode(0).open(file).unwrap();
    let own = capsule.profile().join("own.txt");
    launch(&capsule, 0, &["hold", &text(&own), &text(&told)]);
    assert_eq!(report(&told), "held");
    let ended = capsule.destroy().unwrap();
    drop(file);
    assert!(ended.proof.starts_with("job object empty; left: file 0x"), "{}", ended.proof);
    assert!(ended.proof.contains("another program holds it open"), "{}", ended.proof);
    assert!(!ended.proof.contains("Miller") && !ended.proof.contains("and "), "{}", ended.proof);
    assert!(!own.exists(), "what the session itself held went with it");
}

#[test]
fn a_golden_profile_comes_in_and_links_do_not() {
    let (place, run) = place();
    let golden = place.path().join("golden");
    fs::create_dir_all(golden.join(r"AppData\Roaming\App")).unwrap();
    fs::write(golden.join(r"AppData\Roaming\App\settings.ini"), "[a]").unwrap();
    let profile = Profile::make(&run).unwrap();
    profile.copy_in(&golden).unwrap();
    assert_eq!(fs::read_to_string(profile.root.join(r"AppData\Roaming\App\settings.ini")).unwrap(), "[a]");
    assert!(profile.copy_in(&place.path().join("missing")).is_err());
    assert!(profile.destroy().unwrap().is_empty());
    assert!(golden.join(r"AppData\Roaming\App\settings.ini").exists());
}

#[test]
fn a_killed_shell_leaves_nothing_that_runs_and_the_next_destroys_the_rest() {
    let (place, run) = place();
    let told = place.path().join("children");
    let words = ["shell", &text(&run), &text(&told)].map(str::to_owned);
    let mut shell = again(&words).spawn().unwrap();
    let children = pids(&report(&told));
    assert!(!children.iter().any(|child| child.ended(Duration::ZERO)), "the look is blind");
    assert_eq!(remaining(&run, None).unwrap().len(), 1);
    shell.kill().unwrap();
    let _ = shell.wait().unwrap();
    assert!(children.iter().all(|child| child.ended(PATIENCE)), "a child outlived the shell");
    capsule::sweep(&run).unwrap();
    assert!(remaining(&run, None).unwrap().is_empty());
}

#[test]
fn what_a_note_names_is_ended_if_it_is_still_the_same() {
    let (_place, run) = place();
    let mut left = stopped(&["stay"]);
    let process = Process::hold(left.id()).unwrap();
    let since = process.since().unwrap();
    fs::write(run.join("capsule"), format!("process {} {}\n", left.id(), since + 1)).unwrap();
    capsule::sweep(&run).unwrap();
    assert!(!process.ended(Duration::ZERO), "another process of that number was ended");
    fs::write(run.join("capsule"), format!("process {} {since}\nproce", left.id())).unwrap();
    capsule::sweep(&run).unwrap();
    assert!(process.ended(Duration::ZERO));
    let _ = left.wait().unwrap();
}
