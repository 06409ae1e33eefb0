//! What somebody could do who can start programs inside the session: a browser with options of its own, and
//! changes to the policies.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use cleanshift::ctl::demo::stage::wait_for;

use super::ground::*;
use super::{Drive, end_bare};

/// All ways of `change.py`.
const WAYS: &str = "write append open truncate mode rename unlink add move bind unmount";

/// A port that is free.
fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The status that this port answers to whoever wants to control a browser by it: `none` if nobody answers.
fn answer(world: &World, port: u16, firefox: bool) -> String {
    let (path, headers) = if firefox {
        let headers = "'Upgrade': 'websocket', 'Connection': 'Upgrade', 'Sec-WebSocket-Version': '13', \
                       'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=='";
        ("/session", headers)
    } else {
        ("/json/version", "")
    };
    let asks = format!(
        "import http.client as h\ntry:\n c = h.HTTPConnection('127.0.0.1', {port}, timeout=5)\n \
         c.request('GET', '{path}', headers={{{headers}}})\n print(c.getresponse().status)\n\
         except ConnectionRefusedError: print('none')"
    );
    world.order(&format!("python3 -c \"{asks}\"")).trim().to_owned()
}

/// B-02, B-04, B-08: remote control, private windows and extensions by the command line. All is tried first in a
/// browser without policies.
pub(crate) fn no_options_of_ones_own(world: &World, drive: &Drive) {
    let firefox = drive.process.contains("firefox");
    let own = world.site.own;
    let page = |mark: &str| format!("'http://127.0.0.1:{own}/kept?{mark}-'");
    let asked = |mark: &str| {
        let from = format!("/kept?{mark}-");
        assert!(wait_for(|| !world.site.since(0, &from).is_empty()), "{mark} was not shown");
        world.site.since(0, &from)[0].clone()
    };
    let (remote, debugged) = (port(), port());
    let good = if firefox { "101" } else { "200" };
    let private = if firefox { "--private-window" } else { "--incognito" };
    // A content script is what an extension does to a page.
    let script = format!("new Image().src='http://127.0.0.1:{own}/from-extension?'+location.search");
    let manifest = r#"{"manifest_version":3,"name":"x","version":"1","content_scripts":[{"matches":["<all_urls>"],"js":["x.js"]}]}"#;
    world.order(&format!(
        "mkdir ~/ext; echo '{manifest}' > ~/ext/manifest.json; echo \"{script}\" > ~/ext/x.js"
    ));
    let options = |port: u16| {
        if firefox {
            format!("--marionette --remote-debugging-port {port}")
        } else {
            format!("--load-extension=/session/home/ext --remote-debugging-port={port}")
        }
    };
    let changed = |mark: &str| !world.site.since(0, &format!("/from-extension??{mark}-")).is_empty();

    world.order(&drive.bare(&format!("{} {}", options(remote), page("bare"))));
    asked("bare");
    assert!(wait_for(|| answer(world, remote, firefox) == good), "the look is blind: {remote}");
    assert!(firefox || wait_for(|| changed("bare")), "the look is blind: extension");
    if firefox {
        let listens = || !world.order("cat ~/plain/MarionetteActivePort 2>/dev/null").is_empty();
        assert!(wait_for(listens), "the look is blind: marionette");
    }
    world.order(&drive.bare_too(&page("bare-too")));
    assert!(asked("bare-too").contains("seen=1"), "the look is blind: what is kept is not seen");
    world.order(&drive.bare_too(&format!("{private} {}", page("bare-private"))));
    assert!(!asked("bare-private").contains("seen=1"), "the look is blind: a private window is not told");
    end_bare(world);

    // Started by somebody in the session, with the policies that all browsers of it have.
    let start = |arguments: &str| {
        let begin = "mkdir -p ~/inside; echo 'user_pref(\"remote.active-protocols\", 1);' > ~/inside/user.js";
        let program = format!("{}/session/home/inside", drive.program);
        world.order(&format!("{begin}; {program} {arguments} >/dev/null 2>&1 &"));
    };
    let gone = || world.processes("/session/home/inside").is_empty();
    if firefox {
        start(&format!("--marionette {}", page("marionette")));
        assert!(wait_for(gone), "it goes on with marionette");
        assert_eq!(world.order("cat ~/inside/MarionetteActivePort 2>/dev/null; true"), "");
        start(&format!("--remote-debugging-port {debugged} {}", page("inside")));
    } else {
        start(&format!("{private} {} {}", options(debugged), page("inside")));
    }
    asked("inside");
    let second = format!("timeout 20 {}/session/home/inside {}", drive.program, page("inside-too"));
    world.order(&second);
    assert!(asked("inside-too").contains("seen=1"), "it was a private window");
    let refused = if firefox { "404" } else { "none" };
    assert_eq!(answer(world, debugged, firefox), refused, "it can be controlled");
    assert!(!changed("inside"), "an extension was loaded");
    world.end("/session/home/inside");
    world.order("rm -rf ~/inside ~/ext");

    // And handed to the web app's own browser.
    world.order(&drive.web(&page("web")));
    asked("web");
    world.order(&drive.web(&format!("{private} {}", page("web-private"))));
    world.order(&drive.web(&page("web-too")));
    assert!(asked("web-too").contains("seen=1"), "the look is blind: what is kept is not seen");
    // Firefox refuses to open it at all.
    let opened = world.site.since(0, "/kept?web-private-");
    assert!(opened.iter().all(|asked| asked.contains("seen=1")), "it was a private window: {opened:?}");
}

/// Nobody in the session changes the policies: not those that all see, and not those of a web app.
pub(crate) fn policies_stay(world: &World, drive: &Drive) {
    let firefox = drive.process.contains("firefox");
    let files: &[&str] = if firefox {
        &["/etc/firefox/policies/policies.json", "/etc/firefox/defaults/pref/cleanshift.js"]
    } else {
        &["/etc/chromium/policies/managed/cleanshift.json"]
    };
    let change = world.stage.dir.join("shared/change.py").display().to_string();
    world.stage.write("shared/change.py", include_str!("change.py")).unwrap();
    let change = |path: &str, pid: &str| {
        let said = world.order(&format!("python3 {change} {path} {pid}"));
        said.trim().to_owned()
    };
    // All of it works on what the session's own are, in namespaces that are its own.
    world.order(
        "bwrap --unshare-user --dev-bind / / sleep 600 >/dev/null 2>&1 & echo $! > ~/bwrap; sleep 0.5; \
         cat /proc/$!/task/$!/children > ~/sleeper",
    );
    let sleeper = world.order("cat ~/sleeper").trim().to_owned();
    let copy = format!("/proc/{sleeper}/root/session/home/copy/policies.json");
    assert_eq!(change(&copy, &format!("{sleeper} anew")), WAYS, "the look is blind");
    world.order("kill $(cat ~/bwrap); rm -rf ~/copy* ~/other");

    // The browser itself: not its bwrap, which waits outside, and no process that it has shut in further.
    let itself = |pid: &u32| {
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        program.starts_with("/usr/lib")
            && ["--type=", "-contentproc", "crashpad"].iter().all(|part| !words.contains(part))
    };
    let browser = world.processes("/session/home/web-0").into_iter().find(itself).unwrap();
    let seen = |file: &str| fs::read_to_string(format!("/proc/{browser}/root{file}")).unwrap();
    let within = fs::read_to_string(format!("/proc/{browser}/status")).unwrap();
    let within = within.lines().find(|line| line.starts_with("NSpid:")).unwrap();
    let within = within.split_whitespace().next_back().unwrap();
    assert!(
        world.order(&format!("tr '\\0' ' ' < /proc/{within}/cmdline")).contains("web-0"),
        "another's pid"
    );
    assert!(seen(files[0]).contains(&world.site.own.to_string()), "it is not the app's own");
    for file in files {
        let before = seen(file);
        assert!(before.len() > 40, "{file}: {before}");
        assert_eq!(change(file, "own"), "", "{file} can be changed");
        assert_eq!(
            change(&format!("/proc/{within}/root{file}"), within),
            "",
            "{file} of the app can be changed"
        );
        assert_eq!(seen(file), before);
    }
    world.order("rm -f ~/other");
}

/// Where printing is permitted, the dialog opens, and a file is no printer.
pub(crate) fn prints_on_paper_alone(world: &World, drive: &Drive) {
    // How much there is of the dialog's grey, and of the button that is only lit where there is a printer.
    let dialog = || {
        let shot = world.stage.screen.look().unwrap();
        (shot.count([218, 220, 224]), shot.count([11, 87, 208]))
    };
    world.touch(2);
    world.settled(1);
    assert!(dialog().0 < 1_000, "the look is blind: {:?}", dialog());
    world.order(&drive.bare(&format!("http://127.0.0.1:{}/", world.site.own)));
    world.settled(2);
    world.press(&[CONTROL, 'p' as u32]);
    let lit = || dialog().0 > 20_000 && dialog().1 > 1_000;
    assert!(wait_for(lit), "the look is blind: {:?}", dialog());
    end_bare(world);
    world.settled(1);
    world.press(&[CONTROL, 'p' as u32]);
    assert!(wait_for(|| dialog().0 > 20_000), "no dialog: {:?}", dialog());
    // What is lit above has the time to be lit here too.
    std::thread::sleep(Duration::from_secs(1));
    assert!(dialog().1 < 500, "it would print into a file: {:?}", dialog());
    world.press(&[ESCAPE]);
}
