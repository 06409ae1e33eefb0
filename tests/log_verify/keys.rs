//! The station's key changes, and nobody slips one in.

use cleanshift::evidence::{StationKey, StationSeal};
use cleanshift::ports::Ledger as _;

use crate::ground::{Station, forge, opened};

#[test]
fn a_foreign_key_is_named() {
    let station = Station::new();
    let other = Station::new().key();
    let ran = station.verify(&["--key", &other]);
    assert_eq!(ran.bad(), (0, "wrong-key".to_owned()));
    assert!(ran.out.contains(&format!("begun with {}", station.key())), "{ran:?}");
    std::fs::write(station.state().join("station.key"), [1; 32]).unwrap();
    assert_eq!(station.verify(&[]).bad(), (11, "wrong-key".to_owned()));
}

#[test]
fn a_changed_key_is_followed_from_either_end() {
    let station = Station::new();
    let (old, kept) = (station.key(), station.keep("kept"));
    let secret = std::fs::read(station.state().join("station.key")).unwrap();
    let store = station.open();
    let beside = station.log(&["rotate-key"]);
    assert!(beside.code == 2 && beside.err.contains("another Cleanshift is running"), "{beside:?}");
    drop(store);
    let ran = station.log(&["rotate-key", "--json"]);
    let new = ran.json()["new"].as_str().unwrap().to_owned();
    assert_eq!(
        (ran.json()["old"].as_str(), station.key() == new, old == new),
        (Some(old.as_str()), true, false)
    );
    // The old secret is nowhere in the state any more; that it would be found shows the new one.
    let next = std::fs::read(station.state().join("station.key")).unwrap();
    let holds = |secret: &[u8]| {
        std::fs::read_dir(station.state()).unwrap().any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            memchr::memmem::find(&bytes, secret).is_some()
        })
    };
    assert!(holds(&next) && !holds(&secret));
    station.open().append(&opened(20)).unwrap();
    for key in [&old, &new] {
        for all in [&[][..], &["--all-signatures"]] {
            let json = station.verify(&[&["--key", key, "--against", &kept], all].concat()).whole();
            assert_eq!((&json["key_checked"], json["keys"].as_array().unwrap().len()), (&true.into(), 2));
        }
    }
    // What the old key has signed is shown as signed.
    for entry in ["1", "12", "13"] {
        assert_eq!(station.log(&["show", entry, "--json"]).json()["verified"], true, "entry {entry}");
    }
    // And once more.
    assert_eq!(station.log(&["rotate-key"]).code, 0);
    let newest = station.key();
    for key in [&old, &new, &newest] {
        assert_eq!(station.verify(&["--key", key, "--all-signatures"]).whole()["key_checked"], true);
    }
    let stranger = Station::new().key();
    let ran = station.verify(&["--key", &stranger]);
    assert_eq!(ran.bad(), (0, "wrong-key".to_owned()));
    assert!(ran.out.contains("this key is none of its 3"), "{ran:?}");
    assert!(!station.verify(&[]).whole()["key_checked"].as_bool().unwrap());
}

#[test]
fn a_key_that_came_without_the_old_ones_signature_is_a_wrong_key() {
    // Signed anew by another key, without a word.
    let station = Station::new();
    let key = StationKey::read(&station.key()).unwrap();
    let thief = StationSeal::new(key.origin().to_owned(), &[9; 32]);
    forge(&station.db(), 6, &thief, |_| {});
    assert_eq!(station.verify(&[]).bad(), (6, "wrong-key".to_owned()));
    // An entry that says that the key was changed, which only the new one has signed.
    let station = Station::new();
    assert_eq!(station.log(&["rotate-key"]).code, 0);
    station.open().append(&opened(20)).unwrap();
    let thiefs = StationKey::read(&thief.public()).unwrap();
    forge(&station.db(), 12, &thief, |receipt| {
        assert_eq!(receipt.kind, "key");
        receipt.note = thiefs.text().to_owned();
        receipt.change.as_mut().unwrap().after = thiefs.fingerprint();
    });
    let ran = station.verify(&[]);
    assert_eq!(ran.bad(), (12, "wrong-key".to_owned()));
    assert!(ran.out.contains("the key before has not signed it"), "{ran:?}");
}

#[test]
fn a_change_of_the_key_that_was_broken_off_is_brought_to_an_end_or_was_none() {
    let station = Station::new();
    let path = |name: &str| station.state().join(name);
    let old = std::fs::read(path("station.key")).unwrap();
    station.copy_to("before.db");
    station.log(&["rotate-key"]);
    let (new, public) = (std::fs::read(path("station.key")).unwrap(), station.key());
    let whole = || {
        drop(station.open());
        assert!(!path("station.key.new").exists());
        station.verify(&["--key", &station.key()]).whole();
    };
    // Before the old one was overwritten; while it was; after it.
    for left in [Some(old.clone()), Some(vec![0; 32]), None] {
        std::fs::write(path("station.key.new"), &new).unwrap();
        match left {
            Some(left) => std::fs::write(path("station.key"), left).unwrap(),
            None => std::fs::remove_file(path("station.key")).unwrap(),
        }
        // Reading alone changes nothing, and knows the key.
        assert_eq!(station.key(), public);
        assert!(path("station.key.new").exists());
        whole();
        assert_eq!(std::fs::read(path("station.key")).unwrap(), new);
    }
    // Before the entry was durable: the new one never was the key.
    station.put_back("before.db");
    std::fs::write(path("station.key"), &old).unwrap();
    std::fs::write(path("station.key.new"), &new).unwrap();
    whole();
    assert_eq!(std::fs::read(path("station.key")).unwrap(), old);
}
