//! What is kept elsewhere, what was pruned and whom a key hands over to: told in every form, and by no proof
//! or export that shows more than it can.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Ground, ground, log, proofs_in, python, refusal, said};

/// The receipt, and what it became in each form.
struct Told {
    receipt: Value,
    csv: csv::StringRecord,
    agents: Vec<Value>,
    event: Value,
    message: String,
}

fn told(ground: &Ground, kind: &str) -> Told {
    let file = |form: &str| ground.export(form, &format!("kept-{kind}.{form}"), &[]);
    let read = |form: &str| fs::read_to_string(file(form)).unwrap();
    let receipts = ground.receipts(&format!("kept-{kind}.receipts"), &[]);
    let place = receipts.iter().position(|receipt| receipt["kind"] == kind).unwrap();
    let fhir: Value = serde_json::from_str(&read("fhir")).unwrap();
    Told {
        receipt: receipts[place].clone(),
        csv: csv::Reader::from_path(file("csv")).unwrap().records().nth(place).unwrap().unwrap(),
        agents: fhir["entry"][place]["resource"]["agent"].as_array().unwrap().clone(),
        event: serde_json::from_str(read("ocsf").lines().nth(place).unwrap()).unwrap(),
        message: read("syslog").lines().nth(place).unwrap().to_owned(),
    }
}

#[test]
fn an_anchor_and_what_was_pruned_below_it_are_told_with_who_did_it() {
    let ground = ground();
    let size = ground.month.anchored;
    let below = format!("prune entries 0 to {} below the checkpoint over {size} entries", size - 1);
    for (kind, deed) in
        [("anchored", format!("keep the checkpoint over {size} entries elsewhere")), ("pruned", below)]
    {
        let told = told(&ground, kind);
        let facts = &told.receipt["anchor"];
        let by = facts["by"].as_str().unwrap();
        let root = facts["root"].as_str().unwrap();
        // The columns 25 and 26 are `changed_by` and `change`.
        assert_eq!((&told.csv[25], &told.csv[26]), (by, deed.as_str()));
        let asked: Vec<_> = told.agents.iter().filter(|agent| agent["requestor"] == true).collect();
        assert_eq!((asked.len(), &asked[0]["name"]), (1, &by.into()), "{kind}: {:?}", told.agents);
        assert_eq!(
            (&told.event["actor"]["user"]["uid"], &told.event["comment"]),
            (&by.into(), &deed.as_str().into())
        );
        assert_eq!(told.event["unmapped"]["anchor_root"], root);
        assert!(told.message.starts_with("<85>"), "a notice: {}", told.message);
        for (name, value) in [("changed_by", by), ("anchor_root", root), ("anchor_size", &size.to_string())] {
            assert!(told.message.contains(&format!(" {name}=\"{value}\"")), "{}", told.message);
        }
        let range = format!(" pruned_from=\"0\" pruned_upto=\"{size}\" keep_ms=\"2592000000\"");
        assert_eq!(told.message.contains(&range), kind == "pruned", "{}", told.message);
    }
}

#[test]
fn what_was_pruned_is_in_no_export_and_that_is_said() {
    let ground = ground();
    let pruned = ground.month.anchored - 2;
    for format in ["proof", "csv"] {
        let out = ground.dir.join(format!("left-out.{format}"));
        let place = out.display().to_string();
        let ran = log(&ground.month.dir, &["export", "--format", format, "--json", "--out", &place]);
        let error = String::from_utf8(ran.stderr.clone()).unwrap();
        assert!(error.contains(&format!("{pruned} entries were pruned")), "{error}");
        let told: Value = serde_json::from_str(&said(&ran)).unwrap();
        assert_eq!(told["pruned"], pruned);
    }
    // Where it stood in the tree everybody still knows: the proof of it was there before, and is not now.
    let named = |dir: PathBuf| -> Vec<u64> {
        let number = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap()[..7].parse().unwrap();
        proofs_in(&dir).iter().map(number).collect()
    };
    assert!(named(ground.whole("proof", "left-in", &[])).contains(&7));
    let left = named(ground.dir.join("left-out.proof"));
    assert_eq!(left[..3], [0, 1, ground.month.anchored]);
}

#[test]
fn receipts_of_a_pruned_ledger_do_not_pass_for_the_whole() {
    let ground = ground();
    let pruned = ground.month.anchored - 2;
    let export = ground.export("jsonl", "gap.jsonl", &[]);
    let newest = said(&log(&ground.month.dir, &["checkpoint"]));
    let kept = ground.dir.join("gap.kept");
    fs::write(&kept, newest).unwrap();
    let (place, kept) = (export.display().to_string(), kept.display().to_string());
    let verify = |place: &str| {
        let arguments = ["verify", place, "--key", &ground.key, "--against", &kept, "--json"];
        let ran = log(&ground.month.dir, &arguments);
        (ran.status.code(), serde_json::from_slice::<Value>(&ran.stdout).unwrap())
    };
    let (code, told) = verify(&place);
    assert_eq!((code, &told["pruned"]), (Some(2), &pruned.into()), "{told}");
    assert_eq!((&told["in_tree"], &told["key_checked"]), (&false.into(), &false.into()));
    assert_eq!(told["against"][0]["result"], "unknown");
    let sentence = told["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("consistent among themselves, tree and key not checked"), "{sentence}");
    assert!(sentence.ends_with(&format!("{pruned} in between pruned")), "{sentence}");
    assert!(told["notes"].to_string().contains("take single proofs, or verify station.db"), "{told}");
    let theirs = python(&[Path::new(&ground.key), &export, Path::new(&kept)]);
    let (code, error) = refusal(&theirs);
    assert!(code == 1 && error.starts_with("not shown: entry 2 is not in this file"), "{error}");
    // What no entry says was pruned is missing: one more, or all where the entry that says so was cut off.
    let text = fs::read_to_string(&export).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let spoiled = ground.dir.join("gap-spoiled.jsonl");
    let without = |place: usize| {
        let left: Vec<&str> =
            lines.iter().enumerate().filter(|(number, _)| *number != place).map(|(_, line)| *line).collect();
        fs::write(&spoiled, left.join("\n")).unwrap();
        let (code, told) = verify(&spoiled.display().to_string());
        assert_eq!(code, Some(1), "{told}");
        (
            told["first_bad"]["fault"].as_str().unwrap().to_owned(),
            told["first_bad"]["index"].as_u64().unwrap(),
        )
    };
    assert_eq!(without(9), ("missing".to_owned(), ground.month.anchored + 7));
    assert_eq!(without(lines.len() - 1), ("missing".to_owned(), 2));
}

#[test]
fn proofs_hold_by_the_key_before_and_by_the_new_one() {
    let ground = ground();
    let [old, new] = &ground.month.keys;
    assert_ne!(old, new);
    let dir = ground.export("proof", "handed-over", &[]);
    let proofs = proofs_in(&dir);
    let verify = |file: &Path, key: &str| {
        log(&ground.month.dir, &["verify", &file.display().to_string(), "--key", key])
    };
    // Entries of the old key's days, and the newest, which the new key alone has signed.
    for file in [&proofs[0], &proofs[40], proofs.last().unwrap()] {
        let by_new = said(&verify(file, new));
        assert!(by_new.starts_with("whole: ") && !by_new.contains("note:"), "{by_new}");
        let by_old = said(&verify(file, old));
        assert!(by_old.starts_with("whole: ") && by_old.contains("the key was changed since"), "{by_old}");
        said(&python(&[Path::new(new), file]));
    }
    let handover = fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path());
    let handover: Vec<_> = handover.filter(|file| file.extension().unwrap() == "handover").collect();
    let [handover] = handover.as_slice() else { panic!("{handover:?}") };
    // Each of the two keys has signed it, by our verifier and by the other one.
    for key in [old, new] {
        said(&verify(handover, key));
        said(&python(&[Path::new(key), handover]));
    }
    // Without it nothing leads from the old key to the new one; nor does that of another station.
    let moved = ground.dir.join("away");
    let broken = |why: &str| {
        let ran = verify(&proofs[40], old);
        let told = String::from_utf8(ran.stdout).unwrap();
        assert!(ran.status.code() == Some(1) && told.starts_with("broken: wrong key: "), "{why}: {told}");
    };
    let whole = fs::read_to_string(handover).unwrap();
    fs::rename(handover, &moved).unwrap();
    broken("it is not there");
    fs::write(handover, whole.replacen("index ", "index 1", 1)).unwrap();
    broken("it was changed");
    fs::write(handover, fs::read(&proofs[40]).unwrap()).unwrap();
    broken("it is no change of the key");
    fs::rename(&moved, handover).unwrap();
    said(&verify(&proofs[40], old));
}
