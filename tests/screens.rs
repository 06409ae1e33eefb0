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
use cleanshift::driver::scene::{Look, Scene};
use cleanshift::handoff::{App as AppId, Window};
use cleanshift::pin::{PinKey, PinPad};
use cleanshift::ui::{App, Go, Message, keys, parts, theme};
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

fn opened(mut screens: Screens, entry: u64) -> Screens {
    screens.send(Message::Open(entry));
    screens
}

fn every() -> Vec<(String, Screens)> {
    let mut all: Vec<(String, Screens)> = Vec::new();
    for (name, scene, typed) in scenes::all() {
        for size in [SIZES[0], SIZES[2]] {
            all.push((format!("{name}-{}", size.0), Screens::sized(scene.clone(), typed, size)));
        }
    }
    for (name, scene, typed) in scenes::all() {
        if !["vacant", "challenge", "launcher", "log", "quarantine", "clean-up", "warning"].contains(&name) {
            continue;
        }
        for (look, word) in [(Look::Dark, "dark"), (Look::Contrast, "contrast")] {
            let scene = scenes::with(scene.clone(), |facts| facts.look = look);
            all.push((format!("{name}-{word}"), Screens::sized(scene, typed, SIZES[1])));
        }
    }
    for (name, scene, typed) in scenes::all() {
        if name == "log" {
            for size in SIZES {
                let open = opened(Screens::sized(scene.clone(), typed, size), 36);
                all.push((format!("log-entry-{}", size.0), open));
            }
            all.push(("log-entry-not-clean".to_owned(), opened(Screens::sized(scene, typed, SIZES[1]), 39)));
        } else if name == "emergency-reasons" {
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
            at_work.log = Some(scenes::log(3));
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
        (supervisor(), Wish::OpenLog),
        (supervisor(), Wish::Enable(7)),
        (log(), Wish::CloseLog),
        (log(), Wish::MoreLog),
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
    let mut screens = Screens::new(scenes::attended(|at_work| {
        at_work.reads_log = true;
        at_work.log = Some(scenes::log(40));
    }));
    assert!(!screens.sees("Proof"));
    let _ = screens.touch(&Message::Open(36));
    assert!(screens.sees("Proof"));
    assert!(screens.sees(
        "Ana Ruiz's session ended at 07:36:09 because Ben Osei tapped in; 2 apps closed, 0 forced; \
         5 traces absent, 1 not here, 1 by setting; clean in 0.31 s."
    ));
    screens.go(Go::Back);
    assert!(!screens.sees("Proof"));
    assert_eq!(screens.wished(), Vec::new());
    screens.go(Go::Back);
    assert_eq!(screens.wished(), [Wish::CloseLog]);
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
