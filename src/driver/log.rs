//! The handoff log on the screen: read in parts, verified once, beside everything else.

use crate::handoff::Station;
use crate::handoff::station::LogView;
use crate::ports::PortError;

use super::inbox::Inbox;
use super::scene::LogScene;
use super::{Driver, LOG_PAGE};

impl Driver {
    pub(super) fn log_changed(&mut self) {
        let open =
            matches!(&self.station, Some(Station::Attended(attended)) if attended.log == LogView::Open);
        if open && self.log.is_none() {
            self.log = Some(LogScene {
                entries: Vec::new(),
                total: 0,
                verdict: None,
                drill: self.settings.rules.supervisors.drill,
            });
            self.more_log();
            let ledger = self.ports.ledger.clone();
            self.work(move || {
                Inbox::Verified(
                    ledger.verify().unwrap_or_else(|error| Err(format!("it could not be verified: {error}"))),
                )
            });
        } else if !open {
            self.log = None;
        }
    }

    pub(super) fn more_log(&mut self) {
        let Some(log) = &self.log else { return };
        let before = log.entries.last().map(|entry| entry.index);
        let ledger = self.ports.ledger.clone();
        self.work(move || Inbox::Page(ledger.page(before, LOG_PAGE), ledger.entries().unwrap_or_default()));
    }

    pub(super) fn page(&mut self, page: Result<Vec<crate::ports::Written>, PortError>, total: u64) {
        let Some(log) = &mut self.log else { return };
        match page {
            Ok(page) => {
                log.total = total;
                log.entries.extend(page);
            }
            Err(error) => log.verdict = Some(Err(format!("the log could not be read: {error}"))),
        }
    }
}
