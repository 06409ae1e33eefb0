//! Real browsers held to their own site (requirements B-01 to B-09), in a session on real parts.
//!
//! What is forbidden is tried twice: in a browser without the policies, where it works and the look sees it,
//! and in the web app's.

#![expect(clippy::unwrap_used, unused_results, reason = "what fails in a test ends the test")]

#[path = "browsers/ground.rs"]
mod ground;
#[path = "browsers/inside.rs"]
mod inside;
#[path = "browsers/site.rs"]
mod site;

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cleanshift::ctl::demo::stage::wait_for;
use ground::*;
use inside::{no_options_of_ones_own, policies_stay, prints_on_paper_alone};
use site::SCHEMES;

/// What is typed as a password, and looked for.
const PASSWORD: &str = "pw-canary-8d2f";

/// How a browser is driven.
struct Drive {
    /// Its program and profile option, without the profile.
    program: &'static str,
    /// What shows a page alone.
    alone: &'static str,
    /// Its private window.
    private: u32,
    /// What its command line has in it.
    process: &'static str,
    /// Its own pages, and what their titles have in them when they are shown.
    own_pages: &'static [(&'static str, &'static str)],
}

const CHROMIUM: Drive = Drive {
    program: "/usr/lib/chromium/chromium --no-first-run --disable-gpu --user-data-dir=",
    alone: "",
    private: 'n' as u32,
    process: "/usr/lib/chromium/",
    own_pages: &[
        ("chrome://version", "About Version"),
        ("chrome://settings", "Settings"),
        ("chrome://flags", "Experiments"),
        ("chrome://extensions", "Extensions"),
        ("chrome://downloads", "Download"),
        ("chrome://history", "History"),
        ("chrome://policy", "Policies"),
        ("chrome://inspect", "Inspect"),
        ("chrome://gpu", "GPU"),
        ("chrome://accessibility", "Accessibility"),
        ("chrome://bookmarks", "Bookmarks"),
        ("chrome://net-export", "Network"),
        ("file:///", "Index of"),
        ("data:text/html,<title>Shown</title>", "Shown"),
        ("view-source:chrome://version", "view-source"),
        ("chrome://print", "Print"),
    ],
};

const FIREFOX: Drive = Drive {
    program: "/usr/bin/firefox --profile ",
    alone: "--kiosk ",
    private: 'p' as u32,
    process: "/usr/lib/firefox",
    own_pages: &[
        ("data:text/html,<title>Shown</title>", "Shown"),
        ("about:config", "Advanced Preferences"),
        ("about:addons", "Add-ons"),
        ("about:support", "Troubleshooting"),
        ("about:profiles", "Profiles"),
        ("about:debugging", "Debugging"),
        ("about:memory", "about:memory"),
        ("about:networking", "Networking"),
        ("about:processes", "Process Manager"),
        ("about:cache", "Network Cache Storage"),
        ("about:preferences", "Settings"),
        ("about:crashes", "Crash"),
        ("resource://gre/", "Index of"),
        ("file:///", "Index of"),
    ],
};

impl Drive {
    /// The web app's own browser, with more arguments: what runs already takes them.
    fn web(&self, arguments: &str) -> String {
        format!("timeout 20 {}/session/home/web-0 {arguments}", self.program)
    }

    /// A browser without the policies, that goes on in the background.
    fn bare(&self, arguments: &str) -> String {
        let bare = "bwrap --dev-bind / / --unshare-pid --proc /proc --die-with-parent --tmpfs /etc/chromium --tmpfs /etc/firefox";
        let plain = "mkdir -p ~/plain; echo 'user_pref(\"browser.aboutwelcome.enabled\", false); user_pref(\"termsofuse.bypassNotification\", true); user_pref(\"datareporting.policy.dataSubmissionEnabled\", false);' > ~/plain/user.js";
        format!("{plain}; {bare} -- {}/session/home/plain {arguments} >/dev/null 2>&1 &", self.program)
    }

    /// The same, in the process that [`Drive::bare`] has begun.
    fn bare_too(&self, arguments: &str) -> String {
        format!("timeout 20 {}/session/home/plain {arguments}", self.program)
    }
}

/// Addresses that are none of the web app's, each with a mark that the site is asked for when it is shown.
fn elsewhere(world: &World) -> Vec<(String, String)> {
    let (own, other) = (world.site.own, world.site.other);
    let shared = world.stage.dir.join("shared");
    let beacon = |mark: &str| format!("<img src=http://127.0.0.1:{own}/shown?{mark}>");
    world.stage.write("shared/canary.html", &beacon("from-file")).unwrap();
    let file = shared.join("canary.html").display().to_string();
    let mut addresses = vec![
        (format!("file://{file}"), "from-file".to_owned()),
        (format!("file://localhost{file}"), "from-file".to_owned()),
    ];
    for (number, host) in
        ["localhost", "LOCALHOST", "a@localhost", "a:b@localhost", "a.localhost"].iter().enumerate()
    {
        addresses.push((format!("http://{host}:{own}/shown?host-{number}-"), format!("host-{number}-")));
    }
    for (number, host) in ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "a@127.0.0.1"].iter().enumerate()
    {
        addresses.push((format!("http://{host}:{other}/shown?port-{number}-"), format!("port-{number}-")));
    }
    addresses
}

/// The pages of the allowed site that try to leave it, with the mark of where they would go.
fn leaving(world: &World, firefox: bool) -> Vec<(String, String)> {
    let (own, other) = (world.site.own, world.site.other);
    let mut pages = Vec::new();
    for way in ["location", "replace", "refresh", "frame", "object", "open", "click", "form", "redirect"] {
        // Firefox holds documents and frames to its list, and not what stands in an `object`.
        if way == "object" && firefox {
            continue;
        }
        for (kind, site) in [("host", format!("localhost:{own}")), ("port", format!("127.0.0.1:{other}"))] {
            let mark = format!("{way}-{kind}-");
            let target = format!("http://{site}/shown/{mark}");
            pages.push((format!("http://127.0.0.1:{own}/{way}?{}", target.replace(':', "%3A")), mark));
        }
        let file = world.stage.dir.join("shared/canary.html").display().to_string();
        pages.push((format!("http://127.0.0.1:{own}/{way}?file%3A//{file}"), "from-file".to_owned()));
    }
    pages
}

/// B-01: what is not the app's own does not load, by whatever way it is asked for.
fn only_its_own_sites(world: &World, drive: &Drive) {
    let elsewhere = elsewhere(world);
    let quoted =
        |list: &[(String, String)]| list.iter().map(|(url, _)| format!(" '{url}'")).collect::<String>();
    let shown = |from: usize, list: &[(String, String)]| {
        let asked = world.site.since(from, " /shown");
        list.iter().filter(|(_, mark)| asked.iter().any(|asked| asked.contains(mark.as_str()))).count()
    };
    // Without the policies all of it is shown: the look sees it. Only a file is no way out of a page anywhere,
    // and a window that nobody asked for.
    let leaving = leaving(world, drive.process.contains("firefox"));
    let ways: Vec<_> = leaving
        .iter()
        .filter(|(_, mark)| mark != "from-file" && !mark.starts_with("open"))
        .cloned()
        .collect();
    let from = world.site.asked().len();
    world.order(&drive.bare(&quoted(&elsewhere)));
    // Only then is it there to take more.
    let all = || shown(from, &elsewhere) == elsewhere.len();
    assert!(wait_for(all), "the look is blind: {:#?}", world.site.since(from, " /shown"));
    for some in ways.chunks(8) {
        world.order(&drive.bare_too(&quoted(some)));
    }
    let all = || shown(from, &ways) == ways.len();
    assert!(wait_for(all), "the look is blind: {:#?}", world.site.since(from, " /shown"));
    for (page, title) in drive.own_pages.iter().rev().take(6) {
        let seen = || world.display.titles().iter().any(|shown| shown.starts_with(title));
        // What is typed while a slow machine still opens a window is lost.
        let shown = (0..3).any(|_| {
            open_own(world, &drive.bare_too(""), page);
            wait_for(seen)
        });
        assert!(shown, "the look is blind: {page}: {:?}", world.display.titles());
    }
    end_bare(world);

    let from = world.site.asked().len();
    world.order(&drive.web(&quoted(&elsewhere)));
    for some in leaving.chunks(9) {
        world.order(&drive.web(&quoted(some)));
    }
    let tried = || world.site.since(from, "?http").len() + world.site.since(from, "?file").len();
    assert!(
        wait_for(|| tried() == leaving.len()),
        "the pages of its own site were not all shown: {}",
        tried()
    );
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(world.site.since(from, " /shown"), Vec::<String>::new(), "it left its site");
    for (page, title) in drive.own_pages {
        open_own(world, &drive.web(""), page);
        if drive.process.contains("firefox") {
            // What Firefox refuses has a title of its own; what no policy forbids shows nothing.
            let refused = ["Chart", "Blocked Page", "Invalid URL", "Mozilla Firefox", "Problem loading page"];
            let own = |shown: &String| refused.iter().any(|title| shown.starts_with(title));
            assert!(
                wait_for(|| world.plain() || world.display.titles().iter().all(own)),
                "{page}, {title}: {:?}",
                world.display.titles()
            );
        } else {
            // What Chromium refuses has its address as the title.
            let address = page.trim_start_matches("view-source:");
            let refused = || world.display.titles().iter().any(|shown| shown.starts_with(address));
            assert!(wait_for(refused), "{page}, {title}: {:?}", world.display.titles());
        }
    }
}

/// Opens one of the browser's own pages. Chromium does not take their addresses as arguments: there they are
/// typed into the address bar of a second window.
fn open_own(world: &World, browser: &str, page: &str) {
    if browser.contains("firefox") {
        world.order(&format!("{browser} '{page}'"));
    } else {
        world.press(&[CONTROL, 'l' as u32]);
        world.stage.screen.type_text(&format!("{page}\n")).unwrap();
    }
    std::thread::sleep(Duration::from_millis(500));
}

/// Ends the browser without policies.
fn end_bare(world: &World) {
    world.end("/session/home/plain");
    world.order("rm -rf ~/plain");
}

/// B-02, B-03, B-04: no developer tools, file dialogs, print dialogs and private windows, by no key.
fn no_way_out_by_keys(world: &World, drive: &Drive) {
    let key = |letter: char| letter as u32;
    let chords = [
        (vec![F12], vec![F12]),
        (vec![CONTROL, SHIFT, key('i')], vec![F12]),
        (vec![CONTROL, key('o')], vec![ESCAPE]),
        (vec![CONTROL, key('s')], vec![ESCAPE]),
        (vec![CONTROL, key('p')], vec![ESCAPE]),
        (vec![CONTROL, SHIFT, drive.private], vec![CONTROL, key('w')]),
    ];
    let page = format!("http://127.0.0.1:{}/", world.site.own);
    world.order(&drive.bare(&format!("{}{page}", drive.alone)));
    let before = world.settled(2);
    for (chord, back) in &chords {
        world.press(chord);
        assert!(wait_for(|| world.state() != before), "the look is blind: {chord:x?}");
        std::thread::sleep(Duration::from_millis(1000));
        if back == &[F12] {
            world.press(&[ESCAPE]);
            assert!(world.state() != before, "developer tools cannot be told from a notice");
        }
        world.press(back);
        world.settles(before, &format!("{chord:x?} is not over"));
    }
    end_bare(world);
    world.order(&drive.web(&page));
    let before = world.settled(1);
    for (chord, back) in &chords {
        world.press(chord);
        assert_eq!(world.state().0, before.0, "{chord:x?}: {:?}", world.display.titles());
        if back == &[F12] {
            // Chromium says in a notice that they are forbidden.
            world.press(&[ESCAPE]);
        }
        assert_eq!(world.state(), before, "{chord:x?}: {:?}", world.display.titles());
    }
}

/// B-05: links of other schemes start nothing.
fn no_other_programs(world: &World, drive: &Drive) {
    let page = format!("http://127.0.0.1:{}/schemes", world.site.own);
    let seen = world.ran_during(|| drop(world.order("sleep 0.3")));
    assert!(seen.contains(Path::new("/usr/bin/sleep")), "the look is blind: {seen:?}");
    world.order(&drive.web(&page));
    world.settled(1);
    let windows = world.display.windows().len();
    let usual = world.ran_during(|| std::thread::sleep(Duration::from_secs(1)));
    let from = world.site.asked().len();
    let clicks = || {
        for _ in SCHEMES {
            world.stage.screen.key(ENTER).unwrap();
            std::thread::sleep(Duration::from_millis(150));
            world.stage.screen.key(TAB).unwrap();
        }
    };
    let ran = world.ran_during(clicks);
    assert!(
        wait_for(|| world.site.since(from, "/clicked").len() == SCHEMES.len()),
        "{:?}",
        world.site.since(from, "")
    );
    assert!(ran.is_subset(&usual), "{:?} ran", ran.difference(&usual));
    assert_eq!(world.display.windows().len(), windows, "{:?}", world.display.titles());
}

/// B-06: what is typed as a password is nowhere in the home. Also: back, reload and zoom by keys.
fn no_password_kept(world: &World, drive: &Drive) {
    let look = format!("grep -rlF {PASSWORD} ~ ; true");
    world.order(&format!("echo {PASSWORD} > ~/planted"));
    assert!(world.order(&look).contains("planted"), "the look is blind");
    world.order("rm ~/planted");
    let from = world.site.asked().len();
    let titled =
        |title: &str| wait_for(|| world.display.titles().iter().any(|shown| shown.starts_with(title)));
    let seen = || format!("{:?} {:?}", world.display.titles(), world.site.since(from, ""));
    world.order(&drive.web(&format!("http://127.0.0.1:{}/login", world.site.own)));
    assert!(titled("Chart, sign in"), "the page is not shown: {}", seen());
    world.settled(1);
    world.stage.screen.type_text("ana").unwrap();
    world.press(&[TAB]);
    world.stage.screen.type_text(&format!("{PASSWORD}\n")).unwrap();
    let sent = || world.site.since(from, "/signed-in").iter().any(|asked| asked.contains(PASSWORD));
    assert!(wait_for(sent), "the form was not sent: {}", seen());
    // What is pressed before the new page stands ends its loading, and goes nowhere.
    assert!(titled("Chart, signed in"), "the form's answer is not shown: {}", seen());
    world.press(&[ALT, LEFT]);
    assert!(titled("Chart, sign in"), "back by key: {}", seen());
    // A reload of the page that was sent the form would ask first, and ask for that page.
    let asked = world.site.since(from, "/login").len();
    world.press(&[CONTROL, 'r' as u32]);
    assert!(wait_for(|| world.site.since(from, "/login").len() > asked), "reload by key: {}", seen());
    let resized = world.site.since(from, "/resized").len();
    world.press(&[CONTROL, '-' as u32]);
    assert!(wait_for(|| world.site.since(from, "/resized").len() > resized), "zoom by key: {}", seen());
    // What is kept is written by and by.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.order(&look), "");
}

/// Downloads do not arrive where the policy does not permit them.
fn no_downloads(world: &World, drive: &Drive) {
    let address = format!("http://127.0.0.1:{}/download", world.site.own);
    let look = "grep -rlsF downloaded-5e1c /session /tmp/ /var/tmp --exclude='order-*'; true";
    let from = world.site.asked().len();
    world.order(&drive.bare(&address));
    assert!(wait_for(|| !world.order(look).is_empty()), "the look is blind");
    end_bare(world);
    world.order("rm -rf ~/Downloads");
    world.order(&drive.web(&address));
    assert!(wait_for(|| world.site.since(from, "/download").len() >= 2));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(world.order(look), "");
}

/// B-07: with its last window the whole browser ends.
fn ends_with_its_window(world: &World, drive: &Drive) {
    assert!(!world.processes(drive.process).is_empty(), "the look is blind");
    for _ in 0..5 {
        world.display.close_all();
        std::thread::sleep(Duration::from_millis(300));
    }
    assert!(wait_for(|| world.processes(drive.process).is_empty()), "{:?}", world.display.titles());
}

/// B-09: a browser that is killed cleans nothing up, and nothing is left of it all the same.
fn nothing_left_of_a_killed_one(world: &World, drive: &Drive) {
    world.touch(0);
    world.settled(1);
    assert!(kept(world) > 20, "the look is blind: {}", kept(world));
    let killed = || {
        world.processes(drive.process).into_iter().for_each(signal);
        world.processes(drive.process).is_empty()
    };
    assert!(wait_for(killed), "it cannot be killed");
    assert!(kept(world) > 20, "the killed browser has cleaned up by itself");
    let mark = world.stage.mark();
    world.stage.emulator.remove(0);
    world.stage.wait_state(mark, "vacant, ready").unwrap();
    assert_eq!(kept(world), 0, "files of the killed browser are left");
}

fn signal(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
}

fn files(dir: &Path) -> usize {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| if entry.file_type().unwrap().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

/// How many files of the web app's profile any process of the session's account can see.
fn kept(world: &World) -> usize {
    let seen = |pid| files(Path::new(&format!("/proc/{pid}/root/session/home/web-0")));
    world.processes("").into_iter().map(seen).max().unwrap_or(0)
}

/// One browser at a time: two that start at once on a small machine keep each other from being looked at.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn chromium_shows_its_own_site_alone() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::open("chromium");
    held(&world, &CHROMIUM);
}

#[test]
fn firefox_shows_its_own_site_alone() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let world = World::open("firefox");
    held(&world, &FIREFOX);
}

/// The whole of it, in one session.
fn held(world: &World, drive: &Drive) {
    no_way_out_by_keys(world, drive);
    only_its_own_sites(world, drive);
    no_other_programs(world, drive);
    no_password_kept(world, drive);
    // Firefox has no policy against downloads.
    if !drive.process.contains("firefox") {
        no_downloads(world, drive);
    }
    policies_stay(world, drive);
    no_options_of_ones_own(world, drive);
    ends_with_its_window(world, drive);
    if !drive.process.contains("firefox") {
        prints_on_paper_alone(world, drive);
        ends_with_its_window(world, drive);
    }
    nothing_left_of_a_killed_one(world, drive);
}
