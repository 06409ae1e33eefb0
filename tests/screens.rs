//! The screens look as they should, say what they should, and send what they should: drawn without
//! a display by the renderer that the stations use.
//!
//! Snapshots are hashes of pixels in `tests/screens/`. One that is missing fails. When a screen was
//! meant to change, look at the pictures (`CLEANSHIFT_GALLERY=DIR cargo test --test screens`)
//! and write the hashes anew (`CLEANSHIFT_WRITE_SNAPSHOTS=1 cargo test --test screens`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "what fails in a test ends the test")]

#[path = "screens/scenes.rs"]
mod scenes;

use std::path::{Path, PathBuf};
use std::time::Instant;

use cleanshift::driver::Wish;
use cleanshift::driver::scene::{LogWish, Look, Scene, Verdict};
use cleanshift::handoff::{App as AppId, Window};
use cleanshift::pin::{PinKey, PinPad};
use cleanshift::ui::log::{Choice, Menu};
use cleanshift::ui::{App, Go, LogMessage, Message, keys, parts, theme};
use iced::keyboard::{self, Key, Modifiers, key::Named};
use iced::{Settings, Size};
use iced_test::Simulator;
use jiff::tz::TimeZone;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use scenes::NOW;

const SIZES: [(f32, f32); 4] = [(1024.0, 768.0), (1280.0, 800.0), (1920.0, 1080.0), (2560.0, 1440.0)];

struct Screens {
    app: App,
    pad: PinPad,
    wishes: UnboundedReceiver<Wish>,
    size: Size,
}

impl Screens {
    fn new(scene: Scene) -> Self {
        Self::sized(scene, 0, (1280.0, 800.0))
    }

    #[expect(clippy::disallowed_methods, reason = "any moment will do")]
    fn sized(scene: Scene, typed: usize, (width, height): (f32, f32)) -> Self {
        let (sender, wishes) = unbounded_channel();
        let (pad, size) = (PinPad::default(), Size::new(width, height));
        for _ in 0..typed {
            pad.press(PinKey::Digit(7));
        }
        let app = App::new(scene, Instant::now(), sender, pad.clone(), size, TimeZone::UTC);
        Self { app, pad, wishes, size }
    }

    fn draw(&self) -> Simulator<'_, Message> {
        let settings = Settings {
            fonts: theme::fonts().map(Into::into).to_vec(),
            default_font: theme::TEXT,
            default_text_size: 20.0.into(),
            ..Settings::default()
        };
        Simulator::with_size(settings, self.size, self.app.view())
    }

    /// Touches what sends this message.
    fn touch(&mut self, message: &Message) -> Vec<Message> {
        let mut drawn = self.draw();
        let _ = drawn.click(parts::place_of(message)).unwrap_or_else(|error| panic!("{message:?}: {error}"));
        let sent: Vec<Message> = drawn.into_messages().collect();
        for message in &sent {
            self.send(message.clone());
        }
        sent
    }

    fn send(&mut self, message: Message) {
        drop(self.app.update(message));
    }

    fn go(&mut self, go: Go) {
        self.send(Message::Go(go));
    }

    fn wished(&mut self) -> Vec<Wish> {
        std::iter::from_fn(|| self.wishes.try_recv().ok()).collect()
    }

    fn sees(&self, text: &str) -> bool {
        self.draw().find(text).is_ok()
    }
}

fn write_snapshots() -> bool {
    std::env::var_os("CLEANSHIFT_WRITE_SNAPSHOTS").is_some()
}

fn check(name: &str, screens: &Screens) -> Result<(), String> {
    let snapshot = screens.draw().snapshot(&screens.app.theme()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(name);
    let stored = path.with_file_name(format!("{name}-tiny-skia.sha256"));
    if write_snapshots() {
        let _ = std::fs::remove_file(&stored);
    } else if !stored.exists() {
        return Err(format!("{name}: there is no snapshot {}", stored.display()));
    }
    if snapshot.matches_hash(&path).unwrap() {
        return Ok(());
    }
    let seen = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let picture = seen.with_file_name(format!("{name}-tiny-skia.png"));
    let _ = std::fs::remove_file(&picture);
    let _ = snapshot.matches_image(&seen).unwrap();
    Err(format!("{name}: looks different now, see {}", picture.display()))
}

/// The log with an entry open, on a screen of this size.
fn opened(entry: u64, checked: Option<Result<u64, String>>, look: Look, size: (f32, f32)) -> Screens {
    let scene = scenes::attended(|at_work| {
        at_work.reads_log = true;
        at_work.log = Some(Box::new(scenes::log_open(entry, checked)));
    });
    let mut screens = Screens::sized(scenes::with(scene.clone(), |facts| facts.look = look), 0, size);
    screens.send(Message::Open(entry));
    // The driver answers with the same entry.
    let scene = scenes::with(scene, |facts| facts.look = look);
    shows(&mut screens, scene);
    screens
}

/// A new scene comes.
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
fn shows(screens: &mut Screens, scene: Scene) {
    screens.send(Message::Shown(Box::new(scene), Instant::now()));
}

/// The log of so many entries.
fn log_of(count: u64, size: (f32, f32)) -> Screens {
    let scene = scenes::attended(|at_work| {
        at_work.reads_log = true;
        at_work.log = Some(Box::new(scenes::log(count)));
    });
    Screens::sized(scene, 0, size)
}

/// The log after these messages.
fn log_after(messages: impl IntoIterator<Item = Message>, size: (f32, f32)) -> Screens {
    let mut screens = log_of(40, size);
    for message in messages {
        screens.send(message);
    }
    screens
}

/// The page of controls, on a screen of this size.
fn controls(scene: cleanshift::driver::scene::LogScene, look: Look, size: (f32, f32)) -> Screens {
    let scene = scenes::attended(|at_work| {
        at_work.reads_log = true;
        at_work.log = Some(Box::new(scene));
    });
    let mut screens = Screens::sized(scenes::with(scene, |facts| facts.look = look), 0, size);
    screens.send(log_does(LogMessage::Controls(true)));
    screens
}

fn sentence(fragment: &str) -> String {
    format!("{}{}.", fragment[..1].to_uppercase(), &fragment[1..])
}

fn controls_screens() -> Vec<(String, Screens)> {
    let told = |told| scenes::log_controls(Some(Ok(told)));
    let mut all = Vec::new();
    for size in SIZES {
        all.push((format!("log-controls-{}", size.0), controls(told(scenes::amiss()), Look::Light, size)));
    }
    for (look, word) in [(Look::Dark, "dark"), (Look::Contrast, "contrast")] {
        all.push((format!("log-controls-{word}"), controls(told(scenes::amiss()), look, SIZES[1])));
    }
    for size in [SIZES[0], SIZES[2]] {
        let wide = size.0;
        all.push((format!("log-controls-good-{wide}"), controls(told(scenes::good()), Look::Light, size)));
        let empty = told(scenes::controls([], true));
        all.push((format!("log-controls-empty-{wide}"), controls(empty, Look::Light, size)));
        let reading = scenes::log_controls(None);
        all.push((format!("log-controls-reading-{wide}"), controls(reading, Look::Light, size)));
    }
    // As many entries as a head has room for, and every way out.
    for size in [SIZES[0], SIZES[1]] {
        let million = cleanshift::driver::scene::LogScene {
            count: 1_000_000,
            total: 1_000_000,
            verdict: Some(Ok(1_000_000)),
            media: vec!["/media/ward/USB STICK".to_owned()],
            drill: true,
            ..scenes::log_controls(None)
        };
        all.push((format!("log-controls-million-{}", size.0), controls(million, Look::Light, size)));
    }
    // Much of the page at once, as no screen has it: a control with each sort of exception.
    for (look, word) in [(Look::Light, "light"), (Look::Contrast, "contrast")] {
        all.push((
            format!("log-controls-high-{word}"),
            controls(told(scenes::amiss()), look, (1280.0, 2_600.0)),
        ));
    }
    let media = vec!["/media/ward/USB STICK".to_owned()];
    let mut moved = controls(
        cleanshift::driver::scene::LogScene { media, ..told(scenes::amiss()) },
        Look::Light,
        SIZES[0],
    );
    moved.go(Go::Next);
    all.push(("log-controls-focus".to_owned(), moved));
    all
}

fn log_does(message: LogMessage) -> Message {
    Message::Log(message)
}

fn letters(text: &str) -> impl Iterator<Item = Message> {
    text.chars().map(Message::Letter)
}

/// The view of the log in each of its states.
fn log_screens() -> Vec<(String, Screens)> {
    let held = || Some(Ok(1_204));
    let mut all = Vec::new();
    for size in SIZES {
        all.push((format!("log-entry-{}", size.0), opened(36, held(), Look::Light, size)));
    }
    for (look, word) in [(Look::Dark, "dark"), (Look::Contrast, "contrast")] {
        all.push((format!("log-entry-{word}"), opened(36, held(), look, SIZES[1])));
    }
    all.push(("log-entry-not-clean".to_owned(), opened(39, None, Look::Light, SIZES[1])));
    let changed = Some(Err("its text does not give its leaf hash: it was changed".to_owned()));
    all.push(("log-entry-broken".to_owned(), opened(33, changed, Look::Light, SIZES[1])));
    for size in [SIZES[0], SIZES[2]] {
        let wide = size.0;
        let narrowed = [
            log_does(LogMessage::Choose(Choice::Operator(Some("long".to_owned())))),
            log_does(LogMessage::Choose(Choice::Verdict(Some(Verdict::Clean)))),
            log_does(LogMessage::Choose(Choice::Cause(Some("takeover")))),
        ];
        all.push((
            format!("log-narrowed-{wide}"),
            log_after(narrowed.into_iter().chain(letters("chart of bed 7")), size),
        ));
        for (menu, word) in [(Menu::Operator, "operator"), (Menu::Day, "day"), (Menu::Cause, "cause")] {
            all.push((
                format!("log-menu-{word}-{wide}"),
                log_after([log_does(LogMessage::Menu(Some(menu)))], size),
            ));
        }
        let search = std::iter::once(log_does(LogMessage::Keyboard(true))).chain(letters("ana"));
        all.push((format!("log-search-{wide}"), log_after(search, size)));
        let mut note = opened(36, held(), Look::Light, size);
        note.send(log_does(LogMessage::Note(true)));
        letters("Talked it over with Ana").for_each(|letter| note.send(letter));
        all.push((format!("log-note-{wide}"), note));
    }
    for (name, scene, typed) in scenes::all().into_iter().filter(|(name, _, _)| *name == "log-pending") {
        for size in [SIZES[0], SIZES[2]] {
            let mut listed = Screens::sized(scene.clone(), typed, size);
            listed.send(log_does(LogMessage::Menu(Some(Menu::Pending))));
            all.push((format!("{name}-listed-{}", size.0), listed));
        }
    }
    let mut moved = log_after([], SIZES[1]);
    moved.go(Go::Down);
    moved.go(Go::Down);
    all.push(("log-focus".to_owned(), moved));
    for size in [SIZES[0], SIZES[2]] {
        all.push((format!("log-recovered-{}", size.0), log_of(scenes::RECOVERED + 1, size)));
    }
    all.push(("log-end".to_owned(), log_after([Message::Go(Go::Last)], SIZES[1])));
    all
}

fn every() -> Vec<(String, Screens)> {
    let mut all: Vec<(String, Screens)> = Vec::new();
    for (name, scene, typed) in scenes::all() {
        for size in [SIZES[0], SIZES[2]] {
            all.push((format!("{name}-{}", size.0), Screens::sized(scene.clone(), typed, size)));
        }
    }
    for (name, scene, typed) in scenes::all() {
        if !["vacant", "challenge", "launcher", "log", "quarantine", "clean-up", "warning", "held", "afresh"]
            .contains(&name)
        {
            continue;
        }
        for (look, word) in [(Look::Dark, "dark"), (Look::Contrast, "contrast")] {
            let scene = scenes::with(scene.clone(), |facts| facts.look = look);
            all.push((format!("{name}-{word}"), Screens::sized(scene, typed, SIZES[1])));
        }
    }
    for (name, scene, typed) in scenes::all() {
        if name == "emergency-reasons" {
            for size in [SIZES[0], SIZES[2]] {
                let mut typing = Screens::sized(scene.clone(), typed, size);
                typing.send(Message::Draft(true));
                for letter in "crash cart".chars() {
                    typing.send(Message::Letter(letter));
                }
                all.push((format!("emergency-typing-{}", size.0), typing));
            }
        } else if ["challenge", "launcher", "quarantine"].contains(&name) {
            let mut screens = Screens::sized(scene, typed, SIZES[1]);
            screens.go(Go::Next);
            all.push((format!("{name}-focus"), screens));
        }
    }
    all.extend(log_screens());
    all.extend(controls_screens());
    all
}

#[test]
fn every_screen_looks_as_it_did() {
    if let Some(directory) = std::env::var_os("CLEANSHIFT_GALLERY") {
        gallery(Path::new(&directory));
    }
    let wrong: Vec<String> =
        every().iter().filter_map(|(name, screens)| check(name, screens).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Draws pictures to look at.
fn gallery(directory: &Path) {
    let draw = |name: &str, screens: &Screens| {
        let picture = directory.join(format!("{name}-tiny-skia.png"));
        let _ = std::fs::remove_file(picture);
        let snapshot = screens.draw().snapshot(&screens.app.theme()).unwrap();
        let _ = snapshot.matches_image(directory.join(name)).unwrap();
    };
    for (name, screens) in every() {
        draw(&name, &screens);
    }
    for (name, scene, typed) in scenes::all() {
        for size in [SIZES[1], SIZES[3]] {
            draw(&format!("{name}-{}", size.0), &Screens::sized(scene.clone(), typed, size));
        }
    }
}

// -----------------------------------------------------------------------------------------------
// What is touched
// -----------------------------------------------------------------------------------------------

fn wish(wish: Wish) -> Message {
    Message::Wish(wish)
}

#[test]
fn emergency_access_takes_a_reason_and_then_the_code() {
    let mut screens = Screens::new(scenes::emergency_offered());
    drop(screens.touch(&wish(Wish::Emergency)));
    assert_eq!(screens.wished(), [Wish::Emergency]);
    let mut screens = Screens::new(scenes::emergency(None));
    // Without a reason no digit counts.
    screens.send(Message::Pad(PinKey::Digit(7)));
    assert!(screens.pad.is_empty());
    drop(screens.touch(&wish(Wish::Reason("Patient emergency".to_owned()))));
    assert_eq!(screens.wished(), [Wish::Reason("Patient emergency".to_owned())]);
    // Another one can be typed by touch and by keyboard.
    drop(screens.touch(&Message::Draft(true)));
    for letter in ['c', 'o', 'd', 'e', ' '] {
        drop(screens.touch(&Message::Letter(letter)));
    }
    let key = keyboard::Event::KeyPressed {
        key: Key::Character("b".into()),
        modified_key: Key::Character("b".into()),
        physical_key: keyboard::key::Physical::Unidentified(keyboard::key::NativeCode::Unidentified),
        location: keyboard::Location::Standard,
        modifiers: Modifiers::default(),
        text: Some("b".into()),
        repeat: false,
    };
    screens.send(keys::meaning(&key).unwrap());
    screens.send(Message::Pad(PinKey::Digit(2)));
    screens.go(Go::Press);
    assert_eq!(screens.wished(), [Wish::Reason("code b2".to_owned())]);
    assert!(screens.pad.is_empty(), "a digit of a reason is none of a code");
    let mut screens = Screens::new(scenes::emergency(Some("Patient emergency")));
    for digit in [1, 2, 3, 4, 5, 6, 7, 8, 9] {
        drop(screens.touch(&Message::Pad(PinKey::Digit(digit))));
    }
    assert_eq!(screens.wished(), Vec::new());
    drop(screens.touch(&Message::Pad(PinKey::Digit(0))));
    assert_eq!(screens.wished(), [Wish::PinEntered], "the last digit is enough");
}

#[test]
fn digits_go_to_the_pad_and_nowhere_else() {
    let mut screens = Screens::new(scenes::challenge(|_| ()));
    let mut said = Vec::new();
    for digit in [3, 1, 4, 1, 5] {
        said.extend(screens.touch(&Message::Pad(PinKey::Digit(digit))));
    }
    said.extend(screens.touch(&Message::Pad(PinKey::Erase)));
    assert_eq!(screens.wished(), Vec::new(), "a digit alone is no wish");
    assert_eq!(screens.pad.len(), 4);
    said.extend(screens.touch(&Message::Enter));
    assert_eq!(screens.wished(), [Wish::PinEntered]);
    assert_eq!(screens.pad.take().expose(), b"3141");
    let printed = format!("{said:?}");
    assert!(!printed.contains(|c: char| c.is_ascii_digit()), "{printed}");
    assert!(printed.contains('\u{2022}'));
}

#[test]
fn no_message_of_the_pad_prints_its_digit() {
    for digit in 0..=9 {
        let printed =
            format!("{:?} {:#?}", Message::Pad(PinKey::Digit(digit)), Message::Pad(PinKey::Digit(digit)));
        assert!(!printed.contains(|c: char| c.is_ascii_digit()), "{printed}");
    }
}

#[test]
fn the_pad_takes_digits_only_while_a_pin_is_asked_for() {
    let waiting = scenes::challenge(|pin| pin.wait_until_ms = Some(NOW + 5_000));
    let checking = scenes::challenge(|pin| pin.ask = cleanshift::driver::scene::PinAsk::Checking);
    for scene in [scenes::vacant(), scenes::attended(|_| ()), scenes::clean_up(|_| ()), waiting, checking] {
        let mut screens = Screens::new(scene);
        screens.send(Message::Pad(PinKey::Digit(7)));
        screens.send(Message::Enter);
        assert!(screens.pad.is_empty());
        assert_eq!(screens.wished(), Vec::new());
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "any moment will do")]
fn digits_that_come_late_are_nobody_elses() {
    let mut screens = Screens::new(scenes::challenge(|_| {}));
    let shown = |scene: Scene| Message::Shown(Box::new(scene), Instant::now());
    for next in [scenes::vacant(), scenes::challenge(|pin| "Ben Osei".clone_into(&mut pin.name))] {
        // The driver has wiped the pad, and the screens do not know yet.
        screens.send(Message::Pad(PinKey::Digit(7)));
        assert_eq!(screens.pad.len(), 1);
        screens.send(shown(next));
        assert!(screens.pad.is_empty(), "the next person finds a digit of the last in the pad");
        screens.send(shown(scenes::challenge(|_| {})));
    }
    // While the same person is asked, digits stay.
    screens.send(Message::Pad(PinKey::Digit(7)));
    screens.send(shown(scenes::challenge(|pin| pin.tries_left = Some(3))));
    assert_eq!(screens.pad.len(), 1);
}

#[test]
fn a_pin_that_is_too_short_is_not_entered_and_one_too_long_not_taken() {
    let mut screens = Screens::sized(scenes::challenge(|_| ()), 3, SIZES[1]);
    screens.go(Go::Press);
    assert_eq!(screens.wished(), Vec::new());
    for _ in 0..9 {
        screens.send(Message::Pad(PinKey::Digit(1)));
    }
    assert_eq!(screens.pad.len(), 8);
    screens.go(Go::Press);
    assert_eq!(screens.wished(), [Wish::PinEntered]);
}

#[test]
fn where_every_pin_has_one_length_the_last_digit_enters_it() {
    let six = scenes::challenge(|pin| pin.digits = (6, 6));
    let mut screens = Screens::sized(six, 5, SIZES[1]);
    screens.send(Message::Pad(PinKey::Digit(2)));
    assert_eq!(screens.wished(), [Wish::PinEntered]);
}

#[test]
fn touching_sends_the_wish_that_it_names() {
    let supervisor = || {
        scenes::attended(|at_work| {
            at_work.reads_log = true;
            at_work.disabled = vec![(7, "Cara Lind".to_owned())];
        })
    };
    let log = || {
        scenes::attended(|at_work| {
            at_work.reads_log = true;
            at_work.log = Some(Box::new(scenes::log(3)));
        })
    };
    let cases = [
        (scenes::challenge(|_| ()), Wish::Cancel),
        (scenes::quarantine(|_| ()), Wish::Retry),
        (scenes::attended(|_| ()), Wish::Launch(AppId(2))),
        (scenes::attended(|_| ()), Wish::Launch(AppId(3))),
        (scenes::attended(|_| ()), Wish::Raise(Window(1))),
        (scenes::attended(|_| ()), Wish::CloseWindow(Window(1))),
        (scenes::attended(|_| ()), Wish::Launcher(false)),
        (scenes::attended(scenes::many_windows), Wish::Launcher(true)),
        (scenes::attended(scenes::many_windows), Wish::Raise(Window(3))),
        (scenes::attended(|_| ()), Wish::End),
        (scenes::attended(|_| ()), Wish::Afresh(true)),
        (scenes::attended(|at_work| at_work.afresh = true), Wish::FreshStart),
        (scenes::attended(|at_work| at_work.afresh = true), Wish::Afresh(false)),
        (scenes::held(2, None), Wish::Emergency),
        (supervisor(), Wish::OpenLog),
        (supervisor(), Wish::Enable(7)),
        (log(), Wish::CloseLog),
        (scenes::attended(|at_work| at_work.warning = Some(NOW + 9_000)), Wish::Stay),
    ];
    for (scene, expected) in cases {
        let mut screens = Screens::new(scene);
        assert_eq!(screens.touch(&wish(expected.clone())), [wish(expected.clone())]);
        assert_eq!(screens.wished(), [expected]);
    }
}

#[test]
fn an_app_that_starts_cannot_be_started_twice() {
    let mut screens = Screens::new(scenes::attended(|_| ()));
    assert_eq!(screens.touch(&wish(Wish::Launch(AppId(1)))), Vec::new());
    assert!(!screens.app.stops().contains(&wish(Wish::Launch(AppId(1)))));
}

#[test]
fn an_entry_of_the_log_opens_and_closes() {
    let mut screens = log_after([], SIZES[1]);
    assert!(!screens.sees("Proof"));
    let _ = screens.touch(&Message::Open(36));
    assert_eq!(screens.wished(), [Wish::Log(LogWish::Open(36))]);
    assert!(screens.sees("Proof"));
    assert!(screens.sees("Checking this entry…"), "nothing is called verified before it was");
    assert!(screens.sees(
        "Ana Ruiz's session ended at 07:36:09 because Ben Osei tapped in; 2 apps closed, 0 forced; \
         5 traces absent, 1 not here, 1 by setting; clean in 0.31 s."
    ));
    screens.go(Go::Back);
    assert!(!screens.sees("Proof"));
    assert_eq!(screens.wished(), [Wish::Log(LogWish::Shut)]);
    screens.go(Go::Back);
    assert_eq!(screens.wished(), [Wish::CloseLog]);
}

#[test]
fn what_was_checked_is_said_as_it_was_found() {
    let held = opened(36, Some(Ok(1_204)), Look::Light, SIZES[1]);
    assert!(held.sees("Verified now · covered by the head of 1,204 entries"));
    assert!(held.sees("Sofia Marin wrote at 07:01:10 about entry 36: The pump alarm called Ana away; talked it over.\\u{202e}\\u{7}."));
    assert!(held.sees("Sofia Marin looked at entry 36 at 07:01:10, and stands for it."));
    let changed = Some(Err("its text does not give its leaf hash: it was changed".to_owned()));
    let broken = opened(36, changed, Look::Light, SIZES[1]);
    assert!(broken.sees("This entry does not hold: its text does not give its leaf hash: it was changed"));
    assert!(!broken.sees("Verified now · covered by the head of 1,204 entries"));
}

#[test]
fn no_name_forges_a_line_of_the_log() {
    let (_, hostile, _) = scenes::all().into_iter().find(|(name, ..)| *name == "log-hostile").unwrap();
    let mut screens = Screens::sized(hostile, 0, SIZES[3]);
    screens.send(Message::Open(38));
    let shown = "Ana\\u{202e}\\u{a}07:00:00 all clean\\u{1b}[2J";
    let said =
        format!("{shown}{} was not let in at 07:38:10: \\u{{d}}\\u{{2028}}verified.", "\\u{2066}".repeat(40));
    assert!(screens.sees(&said), "{said}");
    screens.send(log_does(LogMessage::Menu(Some(Menu::Operator))));
    assert!(screens.sees("\\u{202e}zuiR\\u{a}"));
}

#[test]
fn a_list_of_a_million_makes_only_the_rows_that_are_shown() {
    let scene = |from: u64, entries| {
        scenes::attended(|at_work| {
            at_work.reads_log = true;
            let log = scenes::log(40);
            let newest = 1_000_000 - from;
            let rows = (newest - entries..newest).rev().map(scenes::written).collect();
            at_work.log = Some(Box::new(cleanshift::driver::scene::LogScene {
                count: 1_000_000,
                total: 1_000_000,
                from,
                entries: rows,
                ..log
            }));
        })
    };
    let mut screens = Screens::new(scene(0, 64));
    let shown = |screens: &Screens| {
        let stops = screens.app.stops();
        let rows: Vec<u64> = stops
            .iter()
            .filter_map(|stop| if let Message::Open(row) = stop { Some(*row) } else { None })
            .collect();
        rows
    };
    let first = shown(&screens);
    assert!((4..12).contains(&first.len()) && first[0] == 999_999, "{first:?}");
    // The end of it is asked for, and shown once it is there, with the focus where it was meant.
    screens.go(Go::Last);
    let wished = screens.wished();
    let Some(Wish::Log(LogWish::Rows(from))) = wished.first() else { panic!("{wished:?}") };
    assert_eq!(shown(&screens), Vec::<u64>::new());
    let rest = 1_000_000 - from;
    shows(&mut screens, scene(*from, rest));
    assert_eq!(shown(&screens).last(), Some(&0));
    assert_eq!(screens.app.focus(), Some(&Message::Open(0)));
    // A tenth of the way down the rail.
    screens.send(log_does(LogMessage::Seek(100)));
    let far = screens.wished();
    assert!(
        matches!(far[..], [Wish::Log(LogWish::Rows(from))] if (99_800..100_000).contains(&from)),
        "{far:?}"
    );
    // Pressing a row far down opens that one.
    shows(&mut screens, scene(99_900, 200));
    let row = shown(&screens)[0];
    let _ = screens.touch(&Message::Open(row));
    assert_eq!(screens.wished().last(), Some(&Wish::Log(LogWish::Open(row))));
}

#[test]
fn what_is_typed_searches_and_what_is_chosen_narrows() {
    let mut screens = log_after([], SIZES[1]);
    for key in "/ana 7".chars() {
        match key.to_digit(10) {
            Some(digit) => screens.send(Message::Pad(PinKey::Digit(u8::try_from(digit).unwrap()))),
            None if key == ' ' => screens.go(Go::PressFocused),
            None => screens.send(Message::Letter(key)),
        }
    }
    let asked: Vec<String> = screens
        .wished()
        .into_iter()
        .filter_map(
            |wish| if let Wish::Log(LogWish::Find(question)) = wish { Some(question.text) } else { None },
        )
        .collect();
    assert_eq!(asked, ["a", "an", "ana", "ana", "ana 7"]);
    assert!(screens.pad.is_empty(), "a digit of a search is none of a PIN");
    screens.send(Message::Pad(PinKey::Erase));
    screens.send(log_does(LogMessage::Menu(Some(Menu::Operator))));
    let ben = log_does(LogMessage::Choose(Choice::Operator(Some("ben.osei".to_owned()))));
    let _ = screens.touch(&ben);
    screens.send(log_does(LogMessage::Menu(Some(Menu::Verdict))));
    let _ = screens.touch(&log_does(LogMessage::Choose(Choice::Verdict(Some(Verdict::NotClean)))));
    let Some(Wish::Log(LogWish::Find(question))) = screens.wished().pop() else {
        panic!("nothing was asked")
    };
    assert_eq!(question.operator.as_deref(), Some("ben.osei"));
    assert_eq!(question.verdict, Some(Verdict::NotClean));
    assert_eq!(question.text, "ana");
    // Esc takes the search back first, and closes the log last.
    screens.go(Go::Back);
    assert!(matches!(screens.wished()[..], [Wish::Log(LogWish::Find(_))]));
    screens.go(Go::Back);
    assert_eq!(screens.wished(), [Wish::CloseLog]);
}

#[test]
fn days_are_those_of_the_station() {
    let mut screens = log_after([log_does(LogMessage::Turn(-1))], SIZES[1]);
    let between = |wishes: Vec<Wish>| {
        wishes.into_iter().find_map(|wish| {
            if let Wish::Log(LogWish::Find(question)) = wish { question.between } else { None }
        })
    };
    // The day that is shown, and then the one before.
    let today = between(screens.wished()).unwrap();
    assert_eq!(today, (1_795_392_000_000, 1_795_392_000_000 + 86_400_000));
    screens.send(log_does(LogMessage::Turn(-1)));
    assert_eq!(between(screens.wished()), Some((today.0 - 86_400_000, today.0)));
    // The day on which Berlin's clocks go back has 25 hours.
    let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
    let (from, until) = cleanshift::ui::log::day_of(1_792_915_200_000, &berlin).unwrap();
    assert_eq!(until - from, 25 * 3_600_000);
}

#[test]
fn the_controls_are_told_as_they_were_counted_and_lead_to_their_entries() {
    let told = scenes::amiss();
    let mut screens = controls(scenes::log_controls(Some(Ok(told.clone()))), Look::Light, SIZES[1]);
    assert_eq!(screens.wished(), [Wish::Log(LogWish::Controls(None))], "all entries where no day is chosen");
    assert!(told.exceptions() > 5, "the scene has become too good to show anything");
    let mut place = 0;
    for control in &told.controls {
        assert!(screens.sees(control.framework), "{}", control.framework);
        assert!(screens.sees(&format!("{}  {}", control.id, control.title)), "{}", control.id);
        assert!(
            screens.sees(&sentence(control.evidence))
                && screens.sees(&format!("Not shown: {}.", control.not_shown))
        );
        for (what, _) in &control.counts {
            assert!(screens.sees(what.strip_suffix(", microseconds").unwrap_or(what)), "{what}");
        }
        for odd in &control.exceptions {
            let entries =
                if odd.count == 1 { "1 entry".to_owned() } else { format!("{} entries", odd.count) };
            let first = if odd.count > 20 { ", the first 20 of them:" } else { "" };
            assert!(screens.sees(&format!("Exception: {}, {entries}{first}", odd.what)), "{}", odd.what);
            for number in &odd.entries {
                let message = log_does(LogMessage::Exception(place, *number));
                assert!(screens.app.stops().contains(&message), "{number}");
                place += 1;
            }
        }
    }
    for none in &told.elsewhere {
        assert!(screens.sees(&format!("{}  {}", none.id, none.title)));
    }
    assert!(screens.sees(&format!("204 entries, 0 to 203 · {} exceptions", told.exceptions())));
    // An exception opens its entry; Esc leads back to where it was pressed, and then to the list.
    let exceptions: Vec<_> = screens
        .app
        .stops()
        .into_iter()
        .filter(|stop| matches!(stop, Message::Log(LogMessage::Exception(..))))
        .collect();
    let Message::Log(LogMessage::Exception(_, number)) = exceptions[0] else { panic!() };
    let _ = screens.touch(&exceptions[0]);
    assert_eq!(screens.wished(), [Wish::Log(LogWish::Open(number))]);
    assert!(!screens.app.stops().contains(&exceptions[0]));
    screens.go(Go::Back);
    assert_eq!(screens.wished(), [Wish::Log(LogWish::Shut)]);
    assert_eq!(screens.app.focus(), Some(&exceptions[0]));
    // What is typed there searches nothing that is not seen.
    letters("ana").for_each(|letter| screens.send(letter));
    assert_eq!(screens.wished(), []);
    // Another day is told of anew.
    let _ = screens.touch(&log_does(LogMessage::Turn(-1)));
    let asked = screens.wished();
    let between = asked
        .iter()
        .find_map(|wish| if let Wish::Log(LogWish::Controls(between)) = wish { *between } else { None });
    assert_eq!(between, Some((1_795_392_000_000, 1_795_392_000_000 + 86_400_000)), "{asked:?}");
    screens.go(Go::Back);
    assert_eq!(screens.wished(), [Wish::Log(LogWish::ControlsShut)]);
    screens.go(Go::Back);
    assert_eq!(screens.wished(), [Wish::CloseLog]);
}

#[test]
fn the_controls_say_that_they_are_read_and_scroll_by_finger_and_wheel() {
    use iced::{Event, Point, mouse, touch};
    let reading = controls(scenes::log_controls(None), Look::Light, SIZES[0]);
    assert!(reading.sees("Reading 1,000,000 entries…") && !reading.sees("AC-7  Unsuccessful Logon Attempts"));
    let screens = controls(scenes::log_controls(Some(Ok(scenes::amiss()))), Look::Light, SIZES[0]);
    assert!(screens.sees("AC-7  Unsuccessful Logon Attempts"));
    let page = || iced::widget::Id::new(cleanshift::ui::screen::handoff_log::CONTROLS);
    let id = touch::Finger(1);
    let at = |y| Point::new(300.0, y);
    let touched = |event| Event::Touch(event);
    let finger = [
        (700.0, touched(touch::Event::FingerPressed { id, position: at(700.0) })),
        (500.0, touched(touch::Event::FingerMoved { id, position: at(500.0) })),
        (400.0, touched(touch::Event::FingerMoved { id, position: at(400.0) })),
        (400.0, touched(touch::Event::FingerLifted { id, position: at(400.0) })),
    ];
    let delta = mouse::ScrollDelta::Lines { x: 0.0, y: -3.0 };
    let wheel = [(500.0, Event::Mouse(mouse::Event::WheelScrolled { delta }))];
    for (events, least) in [(&finger[..], 200.0), (&wheel[..], 100.0)] {
        let mut drawn = screens.draw();
        let scrolled = |drawn: &mut Simulator<'_, Message>| {
            let found = drawn.find(page()).unwrap();
            let iced_test::selector::Target::Scrollable { translation, .. } = found else {
                panic!("{found:?} is no page")
            };
            translation.y
        };
        assert!(scrolled(&mut drawn).abs() < 0.5);
        for (y, event) in events {
            // Where a finger is, the pointer is.
            drawn.point_at(at(*y));
            let _ = drawn.simulate([event.clone()]);
        }
        assert!(scrolled(&mut drawn) >= least, "{events:?}: {}", scrolled(&mut drawn));
    }
}

#[test]
fn the_keyboard_finds_each_exception_where_it_is_drawn() {
    for size in SIZES {
        let screens = controls(scenes::log_controls(Some(Ok(scenes::amiss()))), Look::Light, size);
        let mut drawn = screens.draw();
        let page = drawn.find(iced::widget::Id::new(cleanshift::ui::screen::handoff_log::CONTROLS)).unwrap();
        let mut far: f32 = 0.0;
        for stop in screens.app.stops() {
            let Message::Log(LogMessage::Exception(place, _)) = stop else { continue };
            let top = screens.app.top_of_exception(place).unwrap();
            let found = drawn.find(parts::place_of(&stop)).unwrap();
            let drawn_at = found.bounds().y - page.bounds().y - 4.0;
            assert!((drawn_at - top).abs() < 1.0, "{stop:?} at {size:?}: {drawn_at}, thought to be at {top}");
            far = far.max(top);
        }
        assert!(far > size.1, "the page has become too short for anything to be scrolled to");
    }
}

#[test]
fn a_note_is_typed_and_signed() {
    let mut screens = opened(36, Some(Ok(1_204)), Look::Light, SIZES[1]);
    drop(screens.wished());
    let _ = screens.touch(&log_does(LogMessage::Note(true)));
    assert!(screens.sees("Your note on entry 36"));
    letters("ok ").for_each(|letter| screens.send(letter));
    let _ = screens.touch(&Message::Letter('7'));
    screens.go(Go::Press);
    assert_eq!(screens.wished(), [Wish::Log(LogWish::Note(36, "ok 7".to_owned()))]);
    let attest = wish(Wish::Log(LogWish::Note(36, String::new())));
    assert_eq!(screens.touch(&attest), std::slice::from_ref(&attest));
}

#[test]
fn who_comes_next_can_open_the_receipt_and_learns_nobody_s_name() {
    let mut screens = Screens::new(scenes::attended(|at_work| {
        scenes::fresh(at_work);
        at_work.before = Some(std::sync::Arc::new(scenes::before(None)));
    }));
    assert!(screens.sees("Verified clean · 22 absent, 4 not here, 2 by setting · 0.31 s"));
    let _ = screens.touch(&wish(Wish::Receipt(true)));
    assert_eq!(screens.wished(), [Wish::Receipt(true)]);
    screens.go(Go::Back);
    assert_eq!(screens.wished(), [Wish::Receipt(false)], "Esc dismisses what is told");
    let open = |name| {
        Screens::new(scenes::attended(|at_work| {
            at_work.before = Some(std::sync::Arc::new(scenes::before(name)));
            at_work.before_open = true;
        }))
    };
    let said = "The session before yours ended at 07:41:10 UTC. Another badge was shown. 2 of 3 apps closed by \
                themselves, 1 forced. 1 trace absent, 1 not here, 1 by setting. Clean in 0.31 s.";
    assert!(open(None).sees(said));
    assert!(open(Some("Ben Osei")).sees(&said.replace("The session before yours", "Ben Osei's session")));
}

#[test]
fn the_window_is_attached_by_its_native_id() {
    let mut screens = Screens::new(scenes::vacant());
    screens.send(Message::Attached(77));
    assert_eq!(screens.wished(), [Wish::Attach(77)]);
}

// -----------------------------------------------------------------------------------------------
// What is typed
// -----------------------------------------------------------------------------------------------

fn pressed(key: Key, text: Option<&str>, modifiers: Modifiers, repeat: bool) -> keyboard::Event {
    keyboard::Event::KeyPressed {
        key: key.clone(),
        modified_key: key,
        physical_key: keyboard::key::Physical::Unidentified(keyboard::key::NativeCode::Unidentified),
        location: keyboard::Location::Standard,
        modifiers,
        text: text.map(Into::into),
        repeat,
    }
}

#[test]
fn keys_mean_what_they_should() {
    let named = |key| keys::meaning(&pressed(Key::Named(key), None, Modifiers::empty(), false));
    assert_eq!(named(Named::Enter), Some(Message::Go(Go::Press)));
    assert_eq!(named(Named::Escape), Some(Message::Go(Go::Back)));
    assert_eq!(named(Named::Tab), Some(Message::Go(Go::Next)));
    assert_eq!(named(Named::ArrowUp), Some(Message::Go(Go::Up)));
    assert_eq!(named(Named::Backspace), Some(Message::Pad(PinKey::Erase)));
    assert_eq!(named(Named::F1), None);
    let typed = |text: &str, modifiers, repeat| {
        keys::meaning(&pressed(Key::Character(text.into()), Some(text), modifiers, repeat))
    };
    for digit in 0..=9 {
        let text = digit.to_string();
        assert_eq!(typed(&text, Modifiers::empty(), false), Some(Message::Pad(PinKey::Digit(digit))));
        // Digits of the upper row are typed with Shift on some layouts.
        assert_eq!(typed(&text, Modifiers::SHIFT, false), Some(Message::Pad(PinKey::Digit(digit))));
        assert_eq!(typed(&text, Modifiers::empty(), true), None, "a held key types once");
        assert_eq!(typed(&text, Modifiers::CTRL, false), None);
    }
    assert_eq!(typed("a", Modifiers::empty(), false), Some(Message::Letter('a')));
    assert_eq!(typed("ab", Modifiers::empty(), false), None);
    let back = pressed(Key::Named(Named::Tab), None, Modifiers::SHIFT, false);
    assert_eq!(keys::meaning(&back), Some(Message::Go(Go::Previous)));
    let enter_held = pressed(Key::Named(Named::Enter), None, Modifiers::empty(), true);
    assert_eq!(keys::meaning(&enter_held), None);
}

#[test]
fn everything_that_can_be_touched_can_be_reached_by_keyboard() {
    for (name, scene, _) in scenes::all() {
        let mut screens = Screens::new(scene);
        let stops = screens.app.stops();
        for stop in &stops {
            screens.go(Go::Next);
            assert_eq!(screens.app.focus(), Some(stop), "{name}");
        }
        screens.go(Go::Next);
        assert_eq!(screens.app.focus(), stops.first(), "{name}: goes around");
        screens.go(Go::Previous);
        assert_eq!(screens.app.focus(), stops.last(), "{name}: and back");
    }
}

#[test]
fn enter_presses_what_has_the_focus() {
    let mut screens = Screens::new(scenes::attended(|_| ()));
    screens.go(Go::Press);
    assert_eq!(screens.wished(), Vec::new(), "nothing has the focus");
    screens.go(Go::Next);
    screens.go(Go::Next);
    screens.go(Go::Press);
    assert_eq!(screens.wished(), [Wish::Launch(AppId(2))]);
    screens.go(Go::Down);
    screens.go(Go::PressFocused);
    assert_eq!(screens.wished().len(), 1);
    let mut screens = Screens::new(scenes::attended(|at_work| at_work.warning = Some(NOW + 9_000)));
    screens.go(Go::Press);
    assert_eq!(screens.wished(), [Wish::Stay]);
    let mut screens = Screens::new(scenes::challenge(|_| ()));
    screens.go(Go::Back);
    assert_eq!(screens.wished(), [Wish::Cancel]);
}

// -----------------------------------------------------------------------------------------------
// What holds for all of them
// -----------------------------------------------------------------------------------------------

#[test]
fn text_stands_out_by_seven_to_one() {
    for look in [Look::Light, Look::Dark, Look::Contrast] {
        for (what, text, field) in theme::Colours::of(look).pairs() {
            let contrast = text.relative_contrast(field);
            assert!(contrast >= 7.0, "{look:?}: {what}: {contrast:.2}");
        }
        let colours = theme::Colours::of(look);
        // What is no text, but must be seen: the ring of focus.
        assert!(colours.focus.relative_contrast(colours.page) >= 4.5, "{look:?}");
        assert!(colours.bar_focus.relative_contrast(colours.bar) >= 4.5, "{look:?}");
    }
}

#[test]
fn what_is_touched_is_large_enough_for_a_glove() {
    for (name, scene, typed) in scenes::all() {
        for size in SIZES {
            let screens = Screens::sized(scene.clone(), typed, size);
            let mut stops = screens.app.stops();
            if screens.sees("Type your PIN") {
                stops.extend((0..=9).map(|digit| Message::Pad(PinKey::Digit(digit))));
                stops.push(Message::Pad(PinKey::Erase));
            }
            let mut drawn = screens.draw();
            let mut places: Vec<(Message, iced::Rectangle)> = Vec::new();
            for stop in stops {
                let target = drawn.find(parts::place_of(&stop)).unwrap_or_else(|error| {
                    panic!("{name} at {}: {stop:?}: {error}", size.0);
                });
                let bounds = target.bounds();
                let (wide, high) = if matches!(stop, Message::Pad(_)) { (96.0, 80.0) } else { (64.0, 64.0) };
                assert!(
                    bounds.width >= wide && bounds.height >= high,
                    "{name} at {}: {stop:?} is {}×{}",
                    size.0,
                    bounds.width,
                    bounds.height
                );
                assert!(bounds.x >= 0.0 && bounds.x + bounds.width <= size.0, "{name}: {stop:?} is cut off");
                for (other, its) in &places {
                    assert!(bounds.intersection(its).is_none(), "{name}: {stop:?} lies over {other:?}");
                }
                places.push((stop, bounds));
            }
        }
    }
}

#[test]
fn keys_of_the_pad_stand_apart() {
    let screens = Screens::new(scenes::challenge(|_| ()));
    let mut drawn = screens.draw();
    let mut place =
        |digit| drawn.find(parts::place_of(&Message::Pad(PinKey::Digit(digit)))).unwrap().bounds();
    let (one, two, four) = (place(1), place(2), place(4));
    assert!(two.x - (one.x + one.width) >= 12.0);
    assert!(four.y - (one.y + one.height) >= 12.0);
}

#[test]
fn the_vacant_screen_names_nobody_and_counts_each_kind() {
    let screens = Screens::new(scenes::vacant());
    assert!(screens.sees("Tap your badge"));
    assert!(screens.sees("22 absent · 4 not here · 2 by setting · 0.31 s"));
    for name in ["Ana Ruiz", "Ben Osei"] {
        assert!(!screens.sees(name));
    }
    let lost = Screens::new(Scene { reader: false, ..scenes::vacant() });
    assert!(!lost.sees("Tap your badge"));
    assert!(lost.sees("Reader not connected"));
}

#[test]
fn steps_of_a_quick_clean_up_never_flash() {
    let mut quick = Screens::new(scenes::clean_up(|scene| scene.began_ms = NOW - 100));
    assert!(quick.sees("Ana Ruiz’s session has ended."));
    assert!(!quick.sees("Session destroyed"));
    let shown = quick.app.next_change().unwrap();
    quick.send(Message::Alarm(shown));
    assert!(quick.sees("Session destroyed"));
}

#[test]
fn a_screen_that_stands_still_wakes_for_the_minute_only() {
    let first = Screens::new(scenes::vacant());
    let mut second = Screens::new(scenes::vacant());
    let minute = second.app.next_change().unwrap();
    second.send(Message::Alarm(minute));
    assert!(second.sees("07:43") && first.sees("07:42"));
    assert_eq!(second.app.next_change().unwrap() - minute, std::time::Duration::from_mins(1));
    let at_work = Screens::new(scenes::attended(|at_work| at_work.end_ms = u64::MAX));
    assert!(at_work.app.next_change().is_some_and(|at| at > minute + std::time::Duration::from_hours(1)));
    let mut warned = Screens::new(scenes::attended(|at_work| at_work.warning = Some(NOW + 2_500)));
    assert!(warned.sees("3"));
    let next = warned.app.next_change().unwrap();
    warned.send(Message::Alarm(next));
    assert!(warned.sees("2"));
}

#[test]
fn every_icon_can_be_named_and_drawn() {
    use cleanshift::ui::icon::Icon;
    for icon in Icon::ALL {
        assert_eq!(Icon::named(icon.name()), Some(*icon));
    }
    assert_eq!(Icon::named("no such icon"), None);
    // What a policy may name can be drawn.
    for name in cleanshift::policy::ICONS {
        assert!(Icon::named(name).is_some(), "{name}");
    }
}

#[test]
fn no_title_of_an_app_turns_or_breaks_the_bar() {
    let title = "Chart\u{202e}\n\u{1b}[2J very ".repeat(400);
    let screens = Screens::new(scenes::attended(|at_work| {
        at_work.launcher = false;
        at_work.windows = vec![scenes::window(1, 0, &title, true)];
    }));
    let mut drawn = screens.draw();
    let bar = drawn.find(parts::place_of(&wish(Wish::End))).unwrap().bounds();
    assert!(bar.x + bar.width <= 1280.0 && bar.height <= 64.0);
}

#[test]
fn the_embedded_font_has_every_glyph_that_the_screens_use() {
    // A glyph that the font lacks would come from the host's fonts, or be a box.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui");
    for directory in [root.clone(), root.join("screen")] {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for glyph in text.chars().filter(|c| !c.is_ascii()) {
                let known = "·–—…→’“”•×".contains(glyph);
                assert!(known, "{}: {glyph:?} has not been looked up in the font", path.display());
            }
        }
    }
}
