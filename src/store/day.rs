//! A stretch of time as the view draws it, from the receipts of its entries in their order.

use crate::evidence::counts;
use crate::evidence::receipt::{HandoffFacts, Receipt, Time, Who};
use crate::ports::{Day, Gap, Held, Mark};

const HOUR: i64 = 3_600_000;

/// What the station is between two entries.
enum Now {
    /// Nothing was told yet.
    Unknown,
    /// Nobody is in.
    Free,
    /// Somebody holds it, since then.
    Held(Who, i64),
    /// It is barred, since then.
    Barred(i64),
    /// It is off, since then.
    Off(i64),
}

fn ms(time: &Time) -> i64 {
    time.utc.parse().map_or(0, jiff::Timestamp::as_millisecond)
}

/// What happened between these moments. The first receipt may be of before them.
pub(super) fn of(receipts: &[Receipt], between: (i64, i64)) -> Day {
    let (from, until) = between;
    let mut day = Day { between, ..Day::default() };
    let hours = usize::try_from((until - from).div_euclid(HOUR) + i64::from((until - from) % HOUR > 0));
    day.per_hour = vec![0; hours.unwrap_or(0).min(48)];
    let mut took = Vec::new();
    let mut now = Now::Unknown;
    let mut last: Option<i64> = None;
    for receipt in receipts {
        let at = ms(&receipt.at);
        match receipt.kind.as_str() {
            "opened" | "break-glass" => {
                now = leave(&mut day, now, at);
                if let Some(who) = &receipt.operator {
                    now = Now::Held(who.clone(), at);
                }
            }
            "handoff" => {
                if let Some(facts) = &receipt.handoff {
                    let began = ms(&facts.began);
                    now = match (now, &receipt.operator) {
                        // It was opened before the first entry that is known here.
                        (Now::Unknown, Some(who)) => {
                            Now::Held(who.clone(), facts.opened.as_ref().map_or(from, ms))
                        }
                        (now, _) => now,
                    };
                    // A session is over when its handoff begins; a barred station serves when it ends.
                    let over = if matches!(now, Now::Held(..)) { began.min(at) } else { at };
                    now = leave(&mut day, now, over);
                    if (from..until).contains(&at) {
                        handoff(&mut day, receipt.index, began, at, facts);
                        took.push(facts.clean_after_us);
                    }
                }
            }
            "quarantine" => {
                if (from..until).contains(&at) {
                    day.quarantines += 1;
                }
                if !matches!(now, Now::Barred(_)) {
                    let _ = leave(&mut day, now, at);
                    now = Now::Barred(at);
                }
            }
            "stopped" => {
                let _ = leave(&mut day, now, at);
                now = Now::Off(at);
            }
            "started" => {
                now = match now {
                    Now::Off(since) => leave(&mut day, Now::Off(since), at),
                    // It went off without a word: no later than here, no sooner than it last spoke.
                    now @ (Now::Unknown | Now::Free | Now::Held(..) | Now::Barred(_)) => {
                        let since = last.unwrap_or(from);
                        let _ = leave(&mut day, now, since);
                        leave(&mut day, Now::Off(since), at)
                    }
                };
            }
            _ => {}
        }
        last = Some(at);
    }
    let _ = leave(&mut day, now, until);
    day.held.retain(|held| held.until > held.from);
    day.gaps.retain(|gap| gap.until > gap.from);
    took.sort_unstable();
    day.median_us = part(&took, 50);
    day.p95_us = part(&took, 95);
    day
}

/// What was so until then is told; then nobody is in.
fn leave(day: &mut Day, now: Now, at: i64) -> Now {
    let clip = |moment: i64| moment.clamp(day.between.0, day.between.1);
    match now {
        Now::Unknown | Now::Free => {}
        Now::Held(who, since) => {
            let (from, until) = (clip(since), clip(at));
            day.held.push(Held { key: who.key, name: who.name, from, until });
        }
        Now::Barred(since) => {
            day.gaps.push(Gap { from: clip(since), until: clip(at), barred: true });
        }
        Now::Off(since) => day.gaps.push(Gap { from: clip(since), until: clip(at), barred: false }),
    }
    Now::Free
}

fn handoff(day: &mut Day, number: u64, began: i64, at: i64, facts: &HandoffFacts) {
    let forced = facts.apps.iter().filter(|app| !app.gracefully).count();
    day.forced += forced as u64;
    let clean = counts(&facts.after).clean();
    day.marks.push(Mark { number, at: began.clamp(day.between.0, day.between.1), clean, forced: forced > 0 });
    let hour = usize::try_from((at - day.between.0).div_euclid(HOUR)).unwrap_or(usize::MAX);
    if let Some(count) = day.per_hour.get_mut(hour) {
        *count += 1;
    }
}

/// The value that so many of 100 do not exceed: the nearest rank.
fn part(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::receipt::AppClosed;

    const MINUTE: i64 = 60_000;

    fn time(minute: i64) -> Time {
        let at = jiff::Timestamp::from_millisecond(minute * MINUTE).unwrap();
        Time { utc: format!("{at:.3}"), ..Time::default() }
    }

    fn entry(index: u64, minute: i64, kind: &str, who: &str) -> Receipt {
        let who = Who { key: who.to_owned(), name: who.to_uppercase(), role: String::new() };
        let operator = (!who.key.is_empty()).then_some(who);
        Receipt { index, at: time(minute), kind: kind.to_owned(), operator, ..Receipt::default() }
    }

    fn ended(index: u64, minute: i64, who: &str, opened: i64, began: i64, clean_after_us: u64) -> Receipt {
        let facts = HandoffFacts {
            trigger: "badge-out".to_owned(),
            opened: Some(time(opened)),
            began: time(began),
            clean_after_us,
            apps: vec![AppClosed { name: "Chart".to_owned(), gracefully: false }],
            ..HandoffFacts::default()
        };
        Receipt { handoff: Some(facts), ..entry(index, minute, "handoff", who) }
    }

    #[test]
    fn a_day_tells_who_held_it_and_when_it_did_not_serve() {
        let receipts = [
            entry(1, -30, "opened", "ana"),
            ended(2, 20, "ana", -30, 19, 300),
            entry(3, 30, "opened", "ben"),
            entry(4, 40, "quarantine", "ben"),
            ended(5, 50, "ben", 30, 39, 900),
            entry(6, 60, "stopped", ""),
            entry(7, 70, "started", ""),
            ended(8, 71, "", 0, 70, 100),
            entry(9, 80, "opened", "ana"),
            // The power was cut somewhere between these two.
            entry(10, 100, "started", ""),
            ended(11, 101, "ana", 80, 100, 200),
            entry(12, 110, "opened", "cho"),
        ];
        let day = of(&receipts, (0, 120 * MINUTE));
        let held: Vec<_> = day
            .held
            .iter()
            .map(|held| (held.key.as_str(), held.from / MINUTE, held.until / MINUTE))
            .collect();
        assert_eq!(held, [("ana", 0, 19), ("ben", 30, 40), ("cho", 110, 120)]);
        let gaps: Vec<_> =
            day.gaps.iter().map(|gap| (gap.from / MINUTE, gap.until / MINUTE, gap.barred)).collect();
        assert_eq!(gaps, [(40, 50, true), (60, 70, false), (80, 100, false)]);
        assert_eq!(day.marks.iter().map(|mark| mark.number).collect::<Vec<_>>(), [2, 5, 8, 11]);
        assert_eq!(day.per_hour, [2, 2]);
        assert_eq!((day.median_us, day.p95_us), (Some(200), Some(900)));
        assert_eq!((day.forced, day.quarantines), (4, 1));
        assert_eq!(of(&[], (0, MINUTE)).median_us, None);
    }
}
