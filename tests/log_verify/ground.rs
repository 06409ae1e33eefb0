//! A station with a past, on real files, and the command that looks at it.

use std::path::PathBuf;
use std::process::Command;

use cleanshift::evidence::{Frontier, Receipt, StationSeal, leaf_hash};
use cleanshift::handoff::OperatorId;
use cleanshift::handoff::record::Record;
use cleanshift::ports::{
    BadgeUid, Body, CodeRows as _, Entry, Ledger as _, Person, RosterRow, RosterRows as _, Stamp,
};
use cleanshift::store::Store;
use rusqlite::{Connection, params};
use serde_json::Value;

pub(crate) const POLICY: &str = r#"
roles = ["nurse", "lead"]
[station]
name = "Station 12"
[badge]
mode = "hold"
[supervisors]
roles = ["lead"]
[log]
keep = "30 d"
"#;

/// Long before the policy's 30 days.
pub(crate) fn at(minutes: i64) -> Stamp {
    let minute = 60_000;
    Stamp {
        utc_ms: 1_700_000_000_000 + minutes * minute,
        boot_ms: (minutes * minute).cast_unsigned(),
        boot_id: "b".to_owned(),
    }
}

pub(crate) fn opened(minutes: i64) -> Entry {
    let person = Person {
        id: OperatorId(1),
        key: "ana.ruiz".to_owned(),
        name: "Ana Ruiz".to_owned(),
        role: "Nurse".to_owned(),
    };
    let record = Record::Opened(OperatorId(1));
    Entry {
        at: at(minutes),
        body: Body::Core { record, person: Some(person), note: String::new(), unfinished: None },
    }
}

pub(crate) struct Station {
    pub(crate) dir: tempfile::TempDir,
}

/// What a run of the command came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The number of the first bad entry and what is wrong with it.
    pub(crate) fn bad(&self) -> (u64, String) {
        let json = self.json();
        assert_eq!((self.code, json["verdict"].as_str()), (1, Some("broken")), "{self:?}");
        let bad = &json["first_bad"];
        (bad["index"].as_u64().unwrap(), bad["fault"].as_str().unwrap().to_owned())
    }

    pub(crate) fn whole(&self) -> Value {
        let json = self.json();
        assert_eq!((self.code, json["verdict"].as_str()), (0, Some("whole")), "{self:?}");
        json
    }
}

pub(crate) fn ctl<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    let out = Command::new(env!("CARGO_BIN_EXE_cleanshiftctl")).args(arguments).output().unwrap();
    Ran {
        code: out.status.code().unwrap(),
        out: String::from_utf8(out.stdout).unwrap(),
        err: String::from_utf8(out.stderr).unwrap(),
    }
}

impl Station {
    /// Entries 0 (key), 1 (roster), 2 (roster, a code), 3 (policy), 4 to 11 (opened).
    pub(crate) fn new() -> Self {
        let station = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(station.state()).unwrap();
        std::fs::write(station.policy(), POLICY).unwrap();
        let store = station.open();
        let badges = vec![BadgeUid("04AA".to_owned())];
        let ana = RosterRow { key: "ana.ruiz".to_owned(), badges, ..RosterRow::default() };
        store.change(&[ana], &[], "it", "add ana.ruiz", &at(0)).unwrap();
        store.change_code("Ward 4 envelope", Some("$argon2id$1"), "it", &at(0)).unwrap();
        store.note_policy(&cleanshift::policy::hash(POLICY.as_bytes()), "it", &at(0)).unwrap();
        for minutes in 0..8 {
            store.append(&opened(minutes)).unwrap();
        }
        drop(store);
        station
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn policy(&self) -> PathBuf {
        self.dir.path().join("policy.toml")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn open(&self) -> Store {
        // A command that another test is starting just now holds this one's lock from fork to exec.
        for _ in 0..200 {
            match Store::open(&self.state(), "Station 12") {
                Err(error) if error.0.contains("another Cleanshift is running") => {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                opened => return opened.unwrap(),
            }
        }
        panic!("the store stays locked")
    }

    pub(crate) fn db(&self) -> Connection {
        Connection::open(self.state().join("station.db")).unwrap()
    }

    /// `cleanshiftctl log …` on this station.
    pub(crate) fn log(&self, arguments: &[&str]) -> Ran {
        let (state, policy) = (self.state().display().to_string(), self.policy().display().to_string());
        let run = || ctl(&[&["--state", &state, "--policy", &policy, "log"], arguments].concat());
        let locked = |ran: &Ran| ran.err.contains("another Cleanshift is running");
        // As in `open`: no lock of somebody else's command is taken for that of a shell.
        let mut ran = run();
        for _ in 0..20 {
            if !locked(&ran) {
                break;
            }
            ran = run();
        }
        ran
    }

    pub(crate) fn verify(&self, arguments: &[&str]) -> Ran {
        self.log(&[&["verify", "--json"], arguments].concat())
    }

    pub(crate) fn key(&self) -> String {
        self.log(&["key"]).out.trim().to_owned()
    }

    /// Keeps the newest checkpoint in a file.
    pub(crate) fn keep(&self, name: &str) -> String {
        let path = self.file(name).display().to_string();
        assert_eq!(self.log(&["checkpoint", "--out", &path]).code, 0);
        path
    }

    /// Damages the file, looks that it was whole before, and gives what the command says then.
    pub(crate) fn damaged(&self, damage: &str, arguments: &[&str]) -> (u64, String) {
        self.verify(arguments).whole();
        self.db().execute_batch(damage).unwrap();
        self.verify(arguments).bad()
    }

    pub(crate) fn copy_to(&self, name: &str) {
        std::fs::copy(self.state().join("station.db"), self.file(name)).unwrap();
    }

    pub(crate) fn put_back(&self, name: &str) {
        std::fs::copy(self.file(name), self.state().join("station.db")).unwrap();
    }
}

/// Puts the frontier right for what is there, as whoever can write the file could.
pub(crate) fn rebuild_head(db: &Connection) {
    let mut frontier = Frontier::default();
    let mut query = db.prepare("SELECT leaf FROM ledger ORDER BY number").unwrap();
    let mut rows = query.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        frontier.push(row.get(0).unwrap());
    }
    let size = frontier.size().cast_signed();
    db.execute("UPDATE head SET size = ?1, frontier = ?2", params![size, frontier.to_bytes()]).unwrap();
}

/// Writes all entries from this one on anew, after `change` had its way with this one, signed by this key.
pub(crate) fn forge(db: &Connection, from: u64, seal: &StationSeal, change: impl Fn(&mut Receipt)) {
    let mut query = db.prepare("SELECT number, json FROM ledger ORDER BY number").unwrap();
    let rows: Vec<(i64, Vec<u8>)> =
        query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let (mut frontier, mut previous) = (Frontier::default(), String::new());
    for (number, json) in rows {
        let mut receipt = Receipt::read(&json).unwrap();
        if number.cast_unsigned() == from {
            change(&mut receipt);
        }
        receipt.previous = previous;
        let json = receipt.canonical();
        let leaf = leaf_hash(&json);
        frontier.push(leaf);
        previous = hex::encode(leaf);
        if number.cast_unsigned() >= from {
            let root = frontier.root();
            let checkpoint = seal.sign(frontier.size(), &root).unwrap();
            db.execute(
                "UPDATE ledger SET json = ?2, leaf = ?3, root = ?4, checkpoint = ?5 WHERE number = ?1",
                params![number, json, leaf, root, checkpoint],
            )
            .unwrap();
        }
    }
    rebuild_head(db);
}
