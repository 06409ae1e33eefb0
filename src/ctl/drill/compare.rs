//! The same planting on a plain account, cleaned up in the two ordinary ways, beside Cleanshift's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;

use serde_json::{Value, json};

use super::planted;
use super::search::search;
use super::table::{Table, name};
use crate::ctl::demo::stage::Stage;
use crate::platform::linux::canary::Side;
use crate::platform::linux::capsule::random_hex;

/// An ordinary way of cleaning up after somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// The process group is killed and the profile removed, as scripts around a browser do.
    Group,
    /// Every program of the account is killed and its home removed, as guest sessions do; its display
    /// and its runtime directory end too.
    Guest,
}

/// How many places still have something of each class after the two ways; `None` where nothing was
/// planted on the host.
pub struct Compared {
    planted: BTreeSet<u8>,
    group: BTreeMap<u8, usize>,
    guest: BTreeMap<u8, usize>,
}

/// Plants on the stage's account and cleans up in both ordinary ways, one after the other.
///
/// # Errors
/// When planting fails.
pub fn run(stage: &Stage) -> io::Result<Compared> {
    let (planted, group) = left_after(stage, Way::Group)?;
    let (_, guest) = left_after(stage, Way::Guest)?;
    Ok(Compared { planted, group, guest })
}

fn left_after(stage: &Stage, way: Way) -> io::Result<(BTreeSet<u8>, BTreeMap<u8, usize>)> {
    let seed = random_hex(16)?;
    let since = i64::try_from(super::now().as_secs()).unwrap_or(0);
    // What stood before is the display and the card service, which no user could end.
    let before: BTreeSet<i32> = stage.account.processes().into_iter().collect();
    let (planted, group) = planted::escape_in_group(stage, &seed)?;
    match way {
        Way::Group => super::end_group(group),
        Way::Guest => {
            for _ in 0..50 {
                let own: Vec<i32> = stage.account.processes();
                let left: Vec<&i32> = own.iter().filter(|pid| !before.contains(pid)).collect();
                if left.is_empty() {
                    break;
                }
                left.into_iter().for_each(|pid| super::end(*pid));
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            planted::empty_runtime(stage);
            let _ = stage.command("xprop").args(["-root", "-remove", "CUT_BUFFER0"]).status();
        }
    }
    planted::remove_home(stage);
    let found = search(stage, &seed, since, &planted);
    planted::take_back(stage, &seed, &planted);
    let classes = planted.iter().filter(|planted| planted.done).map(|planted| planted.class).collect();
    let left = found.classes(Side::Escaped).into_iter().map(|class| (class, found.of(class))).collect();
    Ok((classes, left))
}

impl Compared {
    fn cell(&self, class: u8, left: &BTreeMap<u8, usize>) -> String {
        match left.get(&class) {
            Some(count) => format!("{count} left"),
            None if self.planted.contains(&class) => "0".to_owned(),
            None => "-".to_owned(),
        }
    }

    /// For the terminal, beside what the drill came to.
    #[must_use]
    pub fn text(&self, table: &Table) -> String {
        let mut text = format!(
            "\n{:>2}  {:<28} {:<24} {:<24} {}\n",
            "", "left after", "kill group, rm profile", "kill account, rm home", "Cleanshift"
        );
        for row in &table.rows {
            let ours = match (row.left.len(), row.contained.is_empty() && row.escaped.is_empty()) {
                (0, true) => "-".to_owned(),
                (0, false) => "0".to_owned(),
                (left, _) => format!("{left} left"),
            };
            let (group, guest) = (self.cell(row.class, &self.group), self.cell(row.class, &self.guest));
            let _ =
                writeln!(text, "{:>2}  {:<28} {group:<24} {guest:<24} {ours}", row.class, name(row.class));
        }
        let _ = writeln!(
            text,
            "    {:<28} {:<24} {:<24} {}",
            "classes with something left",
            self.group.len(),
            self.guest.len(),
            table.rows.iter().filter(|row| !row.left.is_empty()).count()
        );
        text
    }

    /// As JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let rows: Vec<Value> = (1..=28)
            .map(|class| {
                let left = |left: &BTreeMap<u8, usize>| {
                    self.planted.contains(&class).then(|| left.get(&class).copied().unwrap_or(0))
                };
                json!({ "class": class, "name": name(class), "group": left(&self.group), "guest": left(&self.guest) })
            })
            .collect();
        Value::Array(rows)
    }
}
