//! Every way in which a badge comes and goes is told once and in order, whatever cards, readers and
//! the card service do. Through a real pcscd with vpcd's virtual reader, as an ordinary account.
//!
//! The watch runs in a process of its own, because the PC/SC library finds its service by the
//! environment that a process was started with: this test program, started again by the test.

#![expect(unused_results, reason = "a test says what matters by its assertions")]
#![expect(clippy::unwrap_used, reason = "what fails in a test ends the test")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cleanshift::badge::Readers;
use cleanshift::ctl::demo::account::{Account, Part, wait_for};
use cleanshift::ctl::demo::card_service::CardService;
use cleanshift::ctl::demo::emulator::{Emulator, Temper};
use cleanshift::ports::ReaderEvent;
use libtest_mimic::{Arguments, Trial};
use tempfile::TempDir;

/// Set for the process that watches: whether virtual readers count there.
const VIRTUAL: &str = "CLEANSHIFT_TEST_VIRTUAL";
/// Marks what the watch has told among what the test program itself says.
const TOLD: &str = "told: ";

const ANA: [u8; 7] = [0x04, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6];
const BEN: [u8; 7] = [0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];

/// The tests; or, started by one of them, the process that watches.
fn main() {
    if let Some(allow_virtual) = std::env::var_os(VIRTUAL) {
        return watch(allow_virtual == "yes");
    }
    let tests: [(&str, fn()); 10] = [
        ("a_badge_comes_and_goes", a_badge_comes_and_goes),
        ("a_badge_that_lies_there_at_the_start_has_come", a_badge_that_lies_there_at_the_start_has_come),
        (
            "a_takeover_on_the_same_reader_is_a_going_and_a_coming",
            a_takeover_on_the_same_reader_is_a_going_and_a_coming,
        ),
        ("two_readers_are_told_apart", two_readers_are_told_apart),
        ("a_card_that_answers_nonsense_is_unreadable", a_card_that_answers_nonsense_is_unreadable),
        (
            "a_card_that_is_pulled_while_it_is_read_is_unreadable_and_gone",
            a_card_that_is_pulled_while_it_is_read_is_unreadable_and_gone,
        ),
        ("a_mute_card_does_not_hold_up_the_other_reader", a_mute_card_does_not_hold_up_the_other_reader),
        ("the_card_service_dies_and_is_back", the_card_service_dies_and_is_back),
        (
            "a_virtual_reader_is_refused_where_it_is_not_allowed",
            a_virtual_reader_is_refused_where_it_is_not_allowed,
        ),
        ("a_watch_ends_surely", a_watch_ends_surely),
    ];
    let trial = |(name, test): (&str, fn())| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    libtest_mimic::run(&Arguments::from_args(), tests.map(trial).into()).exit();
}

/// A card service, its badges, and somebody who watches them.
struct Desk {
    told: Arc<Mutex<Vec<String>>>,
    voice: Option<ChildStdin>,
    watcher: Part,
    emulator: Emulator,
    cards: CardService,
    _dir: TempDir,
}

impl Desk {
    /// A desk whose watch has told that a reader is there.
    fn set() -> Self {
        let desk = Self::with(true);
        desk.expect(&["back"]);
        desk
    }

    fn with(allow_virtual: bool) -> Self {
        let account = Account::ordinary().unwrap();
        let outer = tempfile::tempdir().unwrap();
        let dir = outer.path().join("desk");
        open(outer.path());
        account.make_dir(&dir).unwrap();
        let cards = CardService::start(account, &dir).unwrap();
        let program = outer.path().join("watcher");
        std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        let mut command = account.part(&program);
        command.env("PCSCLITE_CSOCK_NAME", cards.socket());
        command.env(VIRTUAL, if allow_virtual { "yes" } else { "no" });
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut watcher = Part::start(command).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (said, hear) = (watcher.0.stdout.take().unwrap(), Arc::clone(&told));
        drop(std::thread::spawn(move || {
            for line in BufReader::new(said).lines().map_while(Result::ok) {
                if let Some((_, event)) = line.split_once(TOLD) {
                    hear.lock().unwrap().push(event.to_owned());
                }
            }
        }));
        let voice = watcher.0.stdin.take();
        Self { told, voice, watcher, emulator: Emulator::new(cards.port()), cards, _dir: outer }
    }

    /// Waits until exactly these events have been told since the last time, and no other.
    #[track_caller]
    fn expect(&self, events: &[&str]) {
        wait_for(|| self.told.lock().unwrap().len() >= events.len());
        let told: Vec<String> = self.told.lock().unwrap().drain(..).collect();
        assert_eq!(told, events);
    }

    /// Nothing more is told, though a whole poll of the card service has gone by.
    #[track_caller]
    fn expect_silence(&self) {
        std::thread::sleep(Duration::from_millis(1000));
        assert!(self.told.lock().unwrap().is_empty(), "{:?}", self.told.lock().unwrap());
    }

    fn lay(&self, slot: usize, uid: &[u8], temper: Temper) {
        self.emulator.insert(slot, uid, temper).unwrap();
    }
}

/// Lets the account pass through a directory of root's.
fn open(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// The process that watches.
fn watch(allow_virtual: bool) {
    let readers = Readers { allowed: vec!["Virtual PCD".to_owned()], allow_virtual, ..Readers::default() };
    let slot = |reader: String| reader.chars().last().unwrap_or('?');
    let watch = readers.watch(move |event| {
        let event = match event {
            ReaderEvent::Back => "back".to_owned(),
            ReaderEvent::Came { reader, uid } => format!("{} came {}", slot(reader), uid.0),
            ReaderEvent::Lost { why } => format!("lost: {}", why.split(" (").next().unwrap_or_default()),
            ReaderEvent::Unreadable { reader } => format!("{} unreadable", slot(reader)),
            ReaderEvent::Went { reader } => format!("{} went", slot(reader)),
        };
        println!("{TOLD}{event}");
    });
    // Watches until the test lets go of this end.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    drop(watch);
    println!("{TOLD}stopped");
}

fn a_badge_comes_and_goes() {
    let desk = Desk::set();
    desk.lay(0, &ANA, Temper::Honest);
    desk.expect(&["0 came 04A1B2C3D4E5F6"]);
    desk.emulator.remove(0);
    desk.expect(&["0 went"]);
    desk.lay(0, &[0xde, 0xad, 0xbe, 0xef], Temper::Honest);
    desk.expect(&["0 came DEADBEEF"]);
    desk.expect_silence();
}

fn a_badge_that_lies_there_at_the_start_has_come() {
    let desk = Desk::with(true);
    desk.lay(1, &BEN, Temper::Honest);
    desk.expect(&["back", "1 came 04112233445566"]);
}

fn a_takeover_on_the_same_reader_is_a_going_and_a_coming() {
    let desk = Desk::set();
    desk.lay(0, &ANA, Temper::Honest);
    desk.expect(&["0 came 04A1B2C3D4E5F6"]);
    desk.lay(0, &BEN, Temper::Honest);
    desk.expect(&["0 went", "0 came 04112233445566"]);
}

fn two_readers_are_told_apart() {
    let desk = Desk::set();
    desk.lay(0, &ANA, Temper::Honest);
    desk.expect(&["0 came 04A1B2C3D4E5F6"]);
    desk.lay(1, &BEN, Temper::Honest);
    desk.expect(&["1 came 04112233445566"]);
    desk.emulator.remove(0);
    desk.expect(&["0 went"]);
    desk.emulator.remove(1);
    desk.expect(&["1 went"]);
}

fn a_card_that_answers_nonsense_is_unreadable() {
    let desk = Desk::set();
    desk.lay(0, &ANA, Temper::Garbled);
    desk.expect(&["0 unreadable"]);
    desk.emulator.remove(0);
    desk.expect(&["0 went"]);
    // Three bytes are no identifier, whatever the status word says.
    desk.lay(0, &[1, 2, 3], Temper::Honest);
    desk.expect(&["0 unreadable"]);
}

fn a_card_that_is_pulled_while_it_is_read_is_unreadable_and_gone() {
    let desk = Desk::set();
    desk.lay(0, &ANA, Temper::Pulled);
    desk.expect(&["0 unreadable", "0 went"]);
    desk.lay(0, &ANA, Temper::Honest);
    desk.expect(&["0 came 04A1B2C3D4E5F6"]);
}

fn a_mute_card_does_not_hold_up_the_other_reader() {
    let desk = Desk::set();
    desk.lay(0, &ANA, Temper::Honest);
    desk.expect(&["0 came 04A1B2C3D4E5F6"]);
    desk.lay(1, &BEN, Temper::Mute);
    // The card is being asked, and will not answer: were it asked by the thread that watches, the
    // going would be told after the card's deadline.
    std::thread::sleep(Duration::from_millis(800));
    desk.emulator.remove(0);
    desk.expect(&["0 went", "1 unreadable"]);
    desk.emulator.remove(1);
    desk.expect(&["1 went"]);
}

fn the_card_service_dies_and_is_back() {
    let mut desk = Desk::set();
    desk.lay(0, &ANA, Temper::Honest);
    desk.expect(&["0 came 04A1B2C3D4E5F6"]);
    desk.cards.kill().unwrap();
    desk.expect(&["lost: the card service is gone"]);
    desk.expect_silence();
    desk.cards.revive().unwrap();
    // The badge has lain there all the time.
    desk.expect(&["back", "0 came 04A1B2C3D4E5F6"]);
    desk.emulator.remove(0);
    desk.expect(&["0 went"]);
}

fn a_virtual_reader_is_refused_where_it_is_not_allowed() {
    let desk = Desk::with(false);
    desk.expect(&["lost: no allowed reader is connected"]);
    desk.lay(0, &ANA, Temper::Honest);
    desk.expect_silence();
}

fn a_watch_ends_surely() {
    for moment in [0, 1, 20, 300] {
        let mut desk = Desk::with(true);
        wait_for(|| !desk.told.lock().unwrap().is_empty());
        desk.lay(0, &ANA, Temper::Mute);
        std::thread::sleep(Duration::from_millis(moment));
        drop(desk.voice.take());
        assert!(wait_for(|| desk.told.lock().unwrap().last().is_some_and(|last| last == "stopped")));
        assert!(desk.watcher.0.wait().unwrap().success());
    }
    // And without a card service.
    let mut desk = Desk::set();
    desk.cards.kill().unwrap();
    desk.expect(&["lost: the card service is gone"]);
    drop(desk.voice.take());
    desk.expect(&["stopped"]);
}
