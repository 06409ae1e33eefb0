//! What a drill comes to: the rows that its planting gave, what the gates and the search said after its
//! handoff, and a verdict over all of it. The core decides when; this only adds up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::inbox::Inbox;
use super::scene::{DrillReport, DrillScene, DrillStep, DrillStepScene, DrillVerdict, DrilledRow, StepState};
use super::{Driver, RESULT};
use crate::handoff::station::{Doing, DrillDoing, DrillEnd};
use crate::handoff::{DrillPart, OperatorId, Station, Trigger, Turn};
use crate::ports::{Answer, DrillRow, DrillSearch, GateAnswer, Intent, Person, Result, Sight};

/// The name under which the search's finds stand among the gates' answers.
const SEARCH: &str = "drill search";
/// How long a search may take that nobody waits behind, and how long it may always take.
const SEARCHED: Duration = Duration::from_secs(45);
const SEARCHED_AT_LEAST: Duration = Duration::from_secs(5);
/// The most places that a row names.
const PLACES: usize = 3;

/// A drill that was begun and is not entered yet.
pub(super) struct Drilling {
    by: Person,
    began_ms: u64,
    /// Set when it is to end at once; whatever is under way for it looks at this.
    over: Arc<AtomicBool>,
    rows: Vec<DrillRow>,
    /// Whether both parts were done.
    whole: bool,
    failed: Option<String>,
    search: DrillSearch,
}

impl Drilling {
    pub(super) fn begin(by: Person, began_ms: u64) -> Self {
        Self {
            by,
            began_ms,
            over: Arc::default(),
            rows: Vec::new(),
            whole: false,
            failed: None,
            search: DrillSearch::default(),
        }
    }
}

impl Driver {
    /// Has a part of a drill done, beside everything else.
    pub(super) fn drill_part(&self, turn: Turn, part: DrillPart) {
        let Some(drilling) = &self.drilling else { return };
        let (drill, over) = (self.ports.drill.clone(), Arc::clone(&drilling.over));
        self.work(move || Inbox::Drilled(turn, part, drill.plant(part, &over)));
    }

    /// Ends what is under way. Whatever was planted is taken back before the gates look.
    pub(super) fn end_drill(&self) {
        if let Some(drilling) = &self.drilling {
            drilling.over.store(true, Ordering::SeqCst);
        }
    }

    pub(super) fn drilled(&mut self, turn: Turn, part: DrillPart, done: Result<Vec<DrillRow>>) {
        let ok = done.is_ok();
        if let Some(drilling) = &mut self.drilling {
            match done {
                Ok(rows) => {
                    drilling.rows = rows;
                    drilling.whole |= part == DrillPart::Contained;
                }
                Err(error) => {
                    tracing::error!(%error, "failed to drill");
                    drilling.failed = Some(error.to_string());
                }
            }
        }
        self.tell(crate::handoff::Event::Drilled(turn, ok));
    }

    /// Lets the gates look. What a drill has planted on the host is taken back first, by it or for it, and
    /// whatever it has planted is searched for by other ways than the gates'.
    pub(super) fn look(&self, turn: Turn) {
        let (gates, drill) = (self.ports.gates.clone(), self.ports.drill.clone());
        let alone = matches!(&self.station, Some(Station::CleanUp(clean_up))
            if clean_up.guest.is_none() && clean_up.outgoing == Some(OperatorId::DRILL));
        let over = self.drilling.as_ref().map(|drilling| Arc::clone(&drilling.over));
        let whole = alone && self.drilling.as_ref().is_some_and(|drilling| drilling.whole);
        let patience = if whole { SEARCHED } else { SEARCHED_AT_LEAST };
        self.after_intent(Intent::Look, move || {
            drill.take_back();
            let mut answers = gates.look();
            let over = over.unwrap_or_default();
            let search = drill.search(patience, &over);
            answers.extend(search.found.iter().map(|(class, places)| found(*class, places)));
            Inbox::Looked(turn, answers, search)
        });
    }

    pub(super) fn searched(&mut self, search: DrillSearch) {
        if let Some(drilling) = &mut self.drilling {
            drilling.search = search;
        }
    }

    /// A drill is over: its report stands from now on, and its line is for the ledger.
    pub(super) fn drill_over(&mut self) -> String {
        let Some(drilling) = self.drilling.take() else {
            return "broken-off: nothing is known of it".to_owned();
        };
        let after = self.book.handoff.as_ref().map(|handoff| handoff.after.clone()).unwrap_or_default();
        let trigger = self.book.handoff.as_ref().and_then(|handoff| handoff.trigger);
        let barred = matches!(self.station, Some(Station::Quarantine(_)));
        let mut report = report(&drilling, &after, trigger, barred);
        report.at_utc_ms = self.ports.clock.stamp().utc_ms;
        let line = line(&report);
        tracing::info!("drill: {line}");
        self.drilled = Some(Arc::new(report));
        line
    }

    /// Whether the entry of a drill is durable.
    pub(super) fn drill_entered(&mut self, turn: Turn, durable: bool) {
        if self.drill_entry == Some(turn) {
            self.drill_entry = None;
            if let Some(report) = &mut self.drilled {
                Arc::make_mut(report).entered = Some(durable);
            }
        }
    }

    /// The result of a drill is shown at a vacant station until somebody has seen it, or nobody has for long.
    pub(super) fn follow_result(&mut self) {
        let vacant = matches!(self.station, Some(Station::Vacant(_)));
        match (vacant && self.drilled.is_some(), self.drilled_until) {
            (true, None) => self.drilled_until = Some(self.ports.clock.now().after(RESULT)),
            (false, Some(_)) => self.result_seen(),
            (true, Some(_)) | (false, None) => {}
        }
    }

    pub(super) fn result_seen(&mut self) {
        self.drilled = None;
        self.drilled_until = None;
    }

    /// The drill that is held, or that a clean-up ends, as the screen shows it.
    pub(super) fn drill_scene(&self) -> Option<DrillScene> {
        let drilling = self.drilling.as_ref()?;
        let now = match self.station.as_ref()? {
            Station::Drill(drill) => match drill.doing {
                DrillDoing::Recording(_) => 0,
                DrillDoing::Part(_, DrillPart::Escaped) => 1,
                DrillDoing::Building => 2,
                DrillDoing::Part(_, DrillPart::Contained) => 3,
            },
            Station::CleanUp(clean_up) if matches!(clean_up.drill, Some(DrillEnd::Ends(_))) => {
                match clean_up.doing {
                    Doing::Step(_) => 4,
                    Doing::Held | Doing::Looking | Doing::Settling => 5,
                    Doing::Receipt => 6,
                }
            }
            Station::Attended(_)
            | Station::Challenge(_)
            | Station::CleanUp(_)
            | Station::Quarantine(_)
            | Station::Vacant(_) => return None,
        };
        let steps = DrillStep::ALL.into_iter().enumerate().map(|(place, step)| DrillStepScene {
            step,
            state: match place.cmp(&now) {
                std::cmp::Ordering::Less if place < 4 && now >= 4 && !drilling.whole => StepState::Failed,
                std::cmp::Ordering::Less => StepState::Done,
                std::cmp::Ordering::Equal if self.step_failed => StepState::Failed,
                std::cmp::Ordering::Equal => StepState::Now,
                std::cmp::Ordering::Greater => StepState::Waiting,
            },
        });
        let stopping = drilling.over.load(Ordering::SeqCst);
        Some(DrillScene {
            by: drilling.by.name.clone(),
            began_ms: drilling.began_ms,
            steps: steps.collect(),
            stopping,
        })
    }
}

/// What the search found of a class, as a gate would say it.
fn found(class: u8, places: &[String]) -> GateAnswer {
    GateAnswer {
        class,
        gate: SEARCH.to_owned(),
        answer: Answer::Present,
        saw: format!("{} places still have what was planted: {}", places.len(), named(places)),
        method: "a search that shares nothing with the gates".to_owned(),
        took: Duration::ZERO,
    }
}

fn named(places: &[String]) -> String {
    places.iter().take(PLACES).map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn report(drilling: &Drilling, after: &[GateAnswer], trigger: Option<Trigger>, barred: bool) -> DrillReport {
    let rows: Vec<DrilledRow> = drilling.rows.iter().map(|row| told(row, after, &drilling.search)).collect();
    let unclean = |answer: &Answer| matches!(answer, Answer::Present | Answer::Unknown);
    let left = !drilling.search.found.is_empty() || after.iter().any(|gate| unclean(&gate.answer));
    let missed =
        |row: &&DrilledRow| [row.row.inside, row.row.outside, row.row.searched].contains(&Sight::Missed);
    // What was told to end fails by that alone.
    let over = drilling.over.load(Ordering::SeqCst);
    let failed = drilling.failed.as_ref().filter(|_| !over);
    let verdict = if left || barred {
        DrillVerdict::Residue
    } else if failed.is_some() || rows.iter().any(|row| missed(&row)) {
        DrillVerdict::ControlFailed
    } else if !drilling.whole || trigger != Some(Trigger::Drill) || over {
        DrillVerdict::BrokenOff
    } else {
        DrillVerdict::Clean
    };
    let mut notes: Vec<String> = failed.iter().map(|why| format!("It failed to {why}.")).collect();
    notes.extend(drilling.search.notes.iter().cloned());
    DrillReport { by: drilling.by.name.clone(), at_utc_ms: 0, verdict, rows, notes, entered: None }
}

fn told(row: &DrillRow, after: &[GateAnswer], search: &DrillSearch) -> DrilledRow {
    let given = |answer: Answer| after.iter().any(|gate| gate.class == row.class && gate.answer == answer);
    let order = [Answer::Present, Answer::Unknown, Answer::Absent, Answer::Setting, Answer::NotApplicable];
    let places = search.found.iter().find(|(class, _)| *class == row.class).map(|(_, places)| places.clone());
    DrilledRow {
        row: row.clone(),
        answer: order.into_iter().find(|answer| given(*answer)),
        left: places.unwrap_or_default(),
    }
}

/// The report in a line, for the ledger: classes, counts and verdict.
fn line(report: &DrillReport) -> String {
    let word = report.verdict.word();
    if report.rows.is_empty() {
        return format!("{word}: nothing was planted");
    }
    let left: usize = report.rows.iter().map(|row| row.left.len()).sum();
    let sum = |count: fn(&DrillRow) -> usize| report.rows.iter().map(|row| count(&row.row)).sum::<usize>();
    let (inside, outside) = (sum(|row| row.contained), sum(|row| row.escaped));
    let planted = report.rows.iter().filter(|row| row.row.contained + row.row.escaped > 0).count();
    let classes = report.rows.len();
    let mut line = format!(
        "{word}: planted in {planted} of {classes} classes ({outside} on the host, {inside} inside), {left} left"
    );
    let missed = report.rows.iter().flat_map(|row| &row.row.missed).cloned().collect::<Vec<_>>();
    if !missed.is_empty() {
        line.push_str(&format!("; not seen as it should be: {}", missed.join("; ")));
    }
    line
}
