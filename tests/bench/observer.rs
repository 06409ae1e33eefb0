//! The observer: a process of the stage's account that sees what the shell sees and what the screen
//! shows, each with the moment, and shares nothing with the shell.

use std::ffi::CString;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cleanshift::ctl::demo::stage::{Stage, wait_for};
use pcsc::{Context, PNP_NOTIFICATION, ReaderState, Scope, State};
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask};

use super::rows::now;

/// Prints what happens to cards and windows, each with nanoseconds of the monotonic clock.
pub(crate) fn observe() {
    drop(std::thread::spawn(cards));
    windows();
}

fn tell(what: &str) {
    println!("{} {what}", now().as_nanos());
}

fn cards() {
    let context = Context::establish(Scope::User).unwrap();
    let names: Vec<CString> = context.list_readers_owned().unwrap();
    assert!(!names.is_empty(), "there is no reader to observe");
    let mut readers: Vec<ReaderState> =
        names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
    readers.push(ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE));
    tell("ready");
    loop {
        context.get_status_change(None::<Duration>, &mut readers).unwrap();
        for (slot, reader) in readers.iter_mut().enumerate() {
            let (was, is) = (reader.current_state(), reader.event_state());
            if was.contains(State::PRESENT) && is.contains(State::EMPTY) {
                tell(&format!("removed {slot}"));
            }
            reader.sync_current_state();
        }
    }
}

fn windows() {
    let (display, screen) = x11rb::connect(None).unwrap();
    let root = display.setup().roots[screen].root;
    let watch = |window: u32| {
        let mask = ChangeWindowAttributesAux::new().event_mask(EventMask::SUBSTRUCTURE_NOTIFY);
        // A window may be gone before it can be watched.
        drop(display.change_window_attributes(window, &mask).unwrap().check());
    };
    watch(root);
    for child in display.query_tree(root).unwrap().reply().unwrap().children {
        watch(child);
    }
    loop {
        let event = display.wait_for_event().unwrap();
        if let Event::CreateNotify(created) = &event
            && created.parent == root
        {
            watch(created.window);
        } else if let Event::MapNotify(mapped) = &event {
            tell(&format!("mapped {}", mapped.window));
        } else if let Event::UnmapNotify(hidden) = &event {
            tell(&format!("hidden {}", hidden.window));
        }
    }
}

/// The observer, as the bench holds it.
pub(crate) struct Observer {
    process: Child,
    seen: Arc<Mutex<Vec<(Duration, String)>>>,
}

impl Observer {
    /// Starts an observer of the stage.
    pub(crate) fn start(stage: &Stage) -> Self {
        let program = stage.dir.join("bin/observer");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut process = stage.command(program).arg("observe").stdout(Stdio::piped()).spawn().unwrap();
        let seen: Arc<Mutex<Vec<(Duration, String)>>> = Arc::default();
        let (into, stdout) = (Arc::clone(&seen), process.stdout.take().unwrap());
        drop(std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let (at, what) = line.split_once(' ').unwrap();
                let at = Duration::from_nanos(at.parse().unwrap());
                into.lock().unwrap().push((at, what.to_owned()));
            }
        }));
        let observer = Self { process, seen };
        assert!(wait_for(|| observer.find(Duration::ZERO, "ready").is_some()), "the observer is blind");
        observer
    }

    /// When this was first seen since a moment.
    pub(crate) fn find(&self, since: Duration, what: &str) -> Option<Duration> {
        let seen = self.seen.lock().unwrap();
        seen.iter().find(|(at, seen)| *at >= since && seen.starts_with(what)).map(|(at, _)| *at)
    }

    /// The same, waited for.
    pub(crate) fn wait(&self, since: Duration, what: &str) -> Duration {
        assert!(wait_for(|| self.find(since, what).is_some()), "it was not seen: {what}");
        self.find(since, what).unwrap()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
