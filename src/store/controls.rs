//! Which controls the entries of a time are evidence for, read from one state of the ledger whatever is
//! written meanwhile. It is the same count as that of `cleanshiftctl log controls`.

use jiff::Timestamp;

use super::Store;
use super::audit::Pace;
use crate::evidence::controls::{Report, Tally, report};
use crate::evidence::export::Wanted;
use crate::evidence::{Receipt, Verdict};
use crate::ports::controls::{Control, Controls, Elsewhere, Exception};
use crate::ports::{Ledger as _, PortError, Result};

/// So many entries are read between two words on how far it is: a few hundredths of a second.
const STEP: u64 = 4_096;

impl Store {
    /// Counts the entries between these moments; `None` where `told` said that nobody waits any more.
    pub(super) fn controls_of(
        &self,
        between: Option<(i64, i64)>,
        told: &dyn Fn(u64, u64) -> bool,
    ) -> Result<Option<Controls>> {
        let moment = |ms: i64| {
            Timestamp::from_millisecond(ms)
                .map_err(|error| PortError::new(format!("tell the controls of that time: {error}")))
        };
        let (from, to) = match between {
            Some((from, until)) => (Some(moment(from)?), Some(moment(until)?)),
            None => (None, None),
        };
        let wanted = Wanted { from, to, ..Wanted::default() };
        let key = self.public_key()?;
        let (mut tally, mut read, mut given_up) = (Tally::default(), 0, false);
        let snapshot = self.snapshot()?;
        let total = self.entries()?;
        let all = snapshot.each(|stored| {
            if read % STEP == 0 && !told(read, total.max(read)) {
                given_up = true;
                return Err(PortError::new("tell the controls: nobody waits for them any more"));
            }
            read += 1;
            match Receipt::read(stored.json) {
                Ok(receipt) => tally.entry(&receipt, stored.leaf, wanted.takes(&receipt)),
                Err(_) if stored.json.is_empty() => tally.pruned(stored.index, stored.leaf),
                Err(_) => tally.unreadable(stored.index, stored.leaf),
            }
            Ok(())
        });
        if given_up {
            return Ok(None);
        }
        all?;
        if !told(read, read) {
            return Ok(None);
        }
        let verdict = self.audit_at(Pace::Alone, Some(&key), false, &[])?;
        Ok(Some(plain(report(&tally, Some(&verdict)), &verdict)))
    }
}

/// The report as the view takes it.
fn plain(report: Report, verdict: &Verdict) -> Controls {
    let controls = report.controls.into_iter().map(|control| Control {
        framework: control.framework,
        id: control.id,
        title: control.title,
        evidence: control.evidence,
        counts: control.counts.into_iter().map(|count| (count.what, count.count)).collect(),
        exceptions: control
            .exceptions
            .into_iter()
            .map(|odd| Exception { what: odd.what, count: odd.count, entries: odd.entries })
            .collect(),
        not_shown: control.not_shown,
    });
    let elsewhere = report.none.into_iter().map(|none| Elsewhere {
        framework: none.framework,
        id: none.id,
        title: none.title,
        why: none.why,
    });
    Controls {
        entries: report.entries,
        range: report.range,
        whole: verdict.whole(),
        verified: report.verified.unwrap_or_default(),
        controls: controls.collect(),
        elsewhere: elsewhere.collect(),
    }
}
