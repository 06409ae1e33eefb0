//! What comes in: each item of the inbox becomes what the core is told, or what the scene shows.

use super::*;
use crate::handoff::PinAnswer;
use crate::handoff::planted::{self, Bug};

/// The longest reason for emergency access, in characters.
const REASON: usize = 120;

impl Driver {
    pub(super) fn receive(&mut self, item: Inbox) {
        // What is due comes before what is new: after a sleep nothing more of a session is shown first, and
        // nobody is let in by a PIN that was typed before it.
        if let Some(Station::Attended(_) | Station::Challenge(_)) = &self.station
            && let Some(due) =
                self.station.as_ref().and_then(|station| station.deadline(&self.settings.rules))
            && due <= self.ports.clock.now()
        {
            self.time_came();
        }
        // A handoff's times count from the moment at which its cause was seen, not handled.
        self.arrived_us = match &item {
            Inbox::Reader(_, at_us) | Inbox::Shown(_, _, at_us) => *at_us,
            Inbox::Event(_)
            | Inbox::Closed(..)
            | Inbox::Codes(_)
            | Inbox::Destroyed(..)
            | Inbox::Disabled(_)
            | Inbox::Drilled(..)
            | Inbox::Elsewhere(_)
            | Inbox::Log(_)
            | Inbox::Looked(..)
            | Inbox::Met(_)
            | Inbox::News(_)
            | Inbox::Pruned(_)
            | Inbox::PinSet(..)
            | Inbox::Prepared(..)
            | Inbox::Restarted(_)
            | Inbox::Told(_)
            | Inbox::Suspending(_)
            | Inbox::Verified(_)
            | Inbox::Wish(_)
            | Inbox::Written(..) => self.ports.clock.micros(),
        };
        match item {
            Inbox::Event(event) => {
                let emergency = self.guest().is_some_and(|guest| guest.is_emergency());
                self.tell(event);
                if let Event::PinChecked(_, PinAnswer::Right(proof) | PinAnswer::OneTime(proof)) = event {
                    // After the opening's entry, which somebody waits for.
                    let (pins, operator) = (self.ports.pins.clone(), proof.operator());
                    self.hands.in_order(Box::new(move || pins.begin_anew(operator)));
                }
                if let (true, Event::PinChecked(_, PinAnswer::Wrong { .. })) = (emergency, event) {
                    self.pin_problem = Some("Wrong code.".to_owned());
                }
            }
            Inbox::Closed(turn, closing) => {
                if let Some(handoff) = &mut self.book.handoff {
                    handoff.closing = closing;
                }
                self.tell(Event::Stepped(turn, true));
            }
            Inbox::Destroyed(turn, inside, ended) => self.destroyed(turn, inside, ended),
            Inbox::Codes(there) => {
                // Where it cannot be told it is offered: nobody must look for a way in that is not shown.
                self.emergency = there.unwrap_or(true);
            }
            Inbox::Met(person) => self.book.meet(person),
            Inbox::Restarted(asked) => {
                if let Err(error) = asked {
                    tracing::error!(%error, "failed to start the machine anew");
                    self.notify(Notice::CannotRestart);
                }
            }
            Inbox::Told(told) => {
                if let Err(error) = &told {
                    tracing::error!(%error, "failed to tell what was held");
                }
                self.held.told(told.is_ok());
            }
            Inbox::Disabled(people) => {
                self.disabled =
                    people.unwrap_or_default().into_iter().map(|person| (person.id.0, person.name)).collect();
            }
            Inbox::Drilled(turn, part, done) => self.drilled(turn, part, done),
            Inbox::Elsewhere(news) => self.elsewhere_news(news),
            Inbox::Log(news) => self.log_news(news),
            Inbox::Looked(turn, answers, search) => {
                // A look that answers after its time, or twice, says nothing of what stands now: what was
                // found since must not be painted over by it.
                let asked =
                    matches!(&self.station, Some(Station::CleanUp(clean_up)) if clean_up.turn == turn);
                let finding = judge(&answers);
                if !asked {
                    self.tell(Event::Looked(turn, finding));
                    return;
                }
                self.searched(search);
                if let Some(handoff) = &mut self.book.handoff {
                    handoff.after = answers;
                    handoff.rounds = handoff.rounds.saturating_add(1);
                }
                if finding != Finding::Clean {
                    for finding in self.book.findings() {
                        tracing::warn!("not clean: {finding}");
                    }
                }
                self.step_failed |= finding != Finding::Clean;
                self.tell(Event::Looked(turn, finding));
            }
            Inbox::News(news) => self.news(news),
            Inbox::Pruned(pruned) => self.pruned(pruned),
            Inbox::PinSet(turn, Ok(proof)) => self.tell(Event::PinChanged(turn, Some(proof))),
            Inbox::PinSet(turn, Err(problem)) => {
                self.pin_problem = Some(match problem {
                    PinProblem::Weak(sentence) => sentence,
                    PinProblem::Failed(error) => format!("Your PIN could not be stored: {error}."),
                });
                self.tell(Event::PinChanged(turn, None));
            }
            Inbox::Prepared(turn, built) => {
                if let Err(error) = &built {
                    tracing::error!(%error, "failed to build the next capsule");
                }
                self.tell(Event::Prepared(turn, built.is_ok()));
            }
            Inbox::Reader(event, _) => self.reader(event),
            Inbox::Shown(reader, shown, _) => self.shown(&reader, shown),
            Inbox::Suspending(waits) => {
                self.sleeping.push(waits);
                self.tell(Event::Suspending);
            }
            Inbox::Verified(verdict) => {
                self.verifying = None;
                if let Some(log) = &mut self.log {
                    log.scene.verdict = Some(verdict);
                }
            }
            Inbox::Wish(wish) => self.wish(wish),
            Inbox::Written(turn, written) => {
                if let Err(error) = &written {
                    tracing::error!(%error, "failed to write an entry");
                }
                self.held.answered(turn, written.is_ok());
                if let (Some(Station::CleanUp(clean_up)), Ok(written)) = (&self.station, &written)
                    && clean_up.turn == turn
                {
                    self.book.receipt = Some((written.index, written.leaf));
                }
                if let Ok(written) = &written {
                    self.sign_ins_told(turn, written.index);
                }
                self.drill_entered(turn, written.is_ok());
                self.tell(Event::Recorded(turn, written.is_ok()));
                if written.is_ok() {
                    self.tell_settlements();
                }
                if written.is_ok()
                    && let Some(held) = self.held.begin_telling()
                {
                    self.tell_held(held);
                }
            }
        }
    }

    pub(super) fn destroyed(
        &mut self,
        turn: Turn,
        inside: Vec<GateAnswer>,
        ended: Result<crate::ports::Destroyed, PortError>,
    ) {
        if let Err(error) = &ended {
            tracing::error!(%error, "failed to destroy the capsule");
        }
        if let Some(handoff) = &mut self.book.handoff {
            if !inside.is_empty() {
                handoff.inside = inside;
            }
            // What nobody asked to close, or what closed too slowly, was open all the same.
            for name in ended.iter().flat_map(|ended| &ended.forced) {
                if !handoff.closing.apps.iter().any(|(told, _)| told == name) {
                    handoff.closing.apps.push((name.clone(), false));
                }
            }
            if let Ok(ended) = &ended
                && (handoff.proof.is_empty() || ended.proof != "no capsule")
            {
                handoff.proof.clone_from(&ended.proof);
            }
        }
        self.step_failed |= ended.is_err();
        self.tell(Event::Stepped(turn, ended.is_ok()));
    }

    pub(super) fn news(&mut self, news: CapsuleNews) {
        match news {
            CapsuleNews::Windows(windows) => {
                let newer =
                    windows.iter().any(|window| self.windows.iter().all(|old| old.window != window.window));
                for window in &windows {
                    if let Some(state) = window.app.and_then(|app| self.apps.get_mut(usize::from(app.0))) {
                        *state = AppState::Running;
                    }
                }
                if newer {
                    self.launcher = false;
                } else if windows.is_empty() {
                    self.launcher = true;
                }
                self.windows = windows;
            }
            CapsuleNews::Starting(app) => self.app_is(app, AppState::Starting),
            CapsuleNews::AppFailed(app, why) => {
                self.app_is(app, AppState::Failed(why));
                self.launcher = true;
            }
            CapsuleNews::AppEnded(app) => self.app_is(app, AppState::Idle),
            CapsuleNews::Returned(path) => self.ports.sign_ins.returned(path.expose()),
            CapsuleNews::Lost(what) => {
                tracing::error!(what, "the capsule ended by itself");
                self.tell(Event::CapsuleLost);
            }
        }
        self.order_views();
    }

    pub(super) fn app_is(&mut self, app: crate::handoff::App, new: AppState) {
        if let Some(state) = self.apps.get_mut(usize::from(app.0)) {
            *state = new;
        }
    }

    pub(super) fn reader(&mut self, event: ReaderEvent) {
        match event {
            ReaderEvent::Came { reader, uid } => {
                self.readers.came(&reader);
                let (roster, now, clock) =
                    (self.ports.roster.clone(), self.ports.clock.now(), self.ports.clock.clone());
                self.work(move || Inbox::Shown(reader, roster.find(&uid, now), clock.micros()));
            }
            ReaderEvent::Unreadable { reader } => {
                self.readers.came(&reader);
                let _ = self.readers.resolved(&reader, None);
                self.tell(Event::BadgeIn(crate::handoff::Presented::Unreadable));
            }
            ReaderEvent::Went { reader } => {
                if let Some(operator) = self.readers.went(&reader) {
                    self.tell(Event::BadgeOut(operator));
                }
            }
            ReaderEvent::Lost { why } => {
                tracing::warn!(why, "no reader");
                self.reader_there = false;
                self.readers = Readers::default();
                self.tell(Event::ReaderLost);
            }
            ReaderEvent::Back => {
                self.reader_there = true;
                self.tell(Event::ReaderBack);
            }
        }
    }

    pub(super) fn shown(&mut self, reader: &str, shown: Result<crate::ports::Shown, PortError>) {
        let shown = match shown {
            Ok(shown) => shown,
            Err(error) => {
                tracing::error!(%error, "failed to read the roster");
                let _ = self.readers.resolved(reader, None);
                self.notify(Notice::CannotOpen);
                return;
            }
        };
        let whose = shown.person.as_ref().map(|person| person.id);
        if let Some(person) = shown.person {
            self.book.meet(person);
        }
        let gone = self.readers.resolved(reader, whose);
        self.tell(Event::BadgeIn(shown.presented));
        // The badge was pulled while the roster was asked: its going comes after its coming.
        if let (true, Some(operator)) = (gone, whose) {
            self.tell(Event::BadgeOut(operator));
        }
    }

    pub(super) fn wish(&mut self, wish: Wish) {
        if !matches!(wish, Wish::Attach(_) | Wish::Afresh(true) | Wish::Stay) {
            // Whatever else is wished, that question is answered.
            self.afresh = false;
        }
        match wish {
            Wish::Afresh(ask) => {
                let person = matches!(&self.station, Some(Station::Attended(attended))
                    if !attended.operator.id.is_emergency() && attended.asked().is_none());
                self.afresh = ask && person;
            }
            Wish::Attach(window) => {
                let screen = self.ports.screen.clone();
                let mut attached = Ok(());
                self.hands.now(&mut || attached = screen.attach(window));
                if let Err(error) = attached {
                    tracing::error!(%error, "failed to attach to the shell's window");
                }
            }
            Wish::Cancel => self.tell(Event::Cancelled),
            Wish::CloseLog => self.tell(Event::LogClosed),
            Wish::CloseWindow(window) => self.tell(Event::AppWished(AppWish::Close(window))),
            // Its button is on the log's screen: what is not shown yet cannot have been pressed.
            Wish::Drill => {
                if self.log.as_ref().is_some_and(|log| log.ready) || planted::is(Bug::DrillUnasked) {
                    self.tell(Event::DrillWished);
                }
            }
            Wish::DrillSeen => self.result_seen(),
            Wish::Emergency => {
                // Asked for once more, it is not begun anew.
                if !self.guest().is_some_and(|guest| guest.is_emergency()) {
                    self.book.reason = None;
                }
                self.tell(Event::EmergencyWished);
            }
            Wish::Enable(number) => self.enable(number),
            Wish::End => self.tell(Event::EndWished),
            Wish::FreshStart => self.tell(Event::FreshStartWished),
            Wish::Launcher(front) => self.launcher = front || self.windows.is_empty(),
            Wish::Launch(app) => self.tell(Event::AppWished(AppWish::Launch(app))),
            Wish::Log(wish) => self.log_wish(wish),
            Wish::OpenLog => self.tell(Event::LogWished),
            Wish::PinEntered => self.pin_entered(),
            Wish::Raise(window) => {
                self.launcher = false;
                self.tell(Event::AppWished(AppWish::Raise(window)));
            }
            Wish::Receipt(open) => self.show_before(open),
            Wish::Reason(reason) => self.take_reason(&reason),
            Wish::Restart => self.tell(Event::RestartWished),
            Wish::Retry => self.tell(Event::RetryWished),
            Wish::Stay => self.tell(Event::Active(self.ports.clock.now())),
            Wish::Stop => self.tell(Event::Stopping),
        }
        self.order_views();
    }

    /// Why emergency access is asked for: bounded, in one line. From the code on it stands: the code was
    /// taken with it, and the entry tells of it.
    fn take_reason(&mut self, reason: &str) {
        use crate::handoff::station::Stage;
        if !self.guest().is_some_and(|guest| guest.is_emergency() && guest.stage == Stage::Pin) {
            return;
        }
        self.pad.wipe();
        let line: String = reason.chars().filter(|letter| !letter.is_control()).take(REASON).collect();
        let line = line.trim();
        self.book.reason = (!line.is_empty()).then(|| line.to_owned());
    }

    pub(super) fn enable(&mut self, number: u32) {
        let Some(Station::Attended(attended)) = &self.station else {
            return;
        };
        if !(attended.operator.supervisor && self.settings.rules.supervisors.enable_badge) {
            return;
        }
        let (roster, by) = (self.ports.roster.clone(), attended.operator.id);
        self.work(move || {
            if let Err(error) = roster.enable(crate::handoff::OperatorId(number), by) {
                tracing::error!(%error, "failed to enable a badge");
            }
            Inbox::Disabled(roster.disabled())
        });
    }

    pub(super) fn pin_entered(&mut self) {
        use crate::handoff::station::Stage;
        let guest = self.guest();
        let emergency = guest.is_some_and(|guest| guest.is_emergency());
        if emergency && self.book.reason.is_none() {
            // The code is taken with a reason alone.
            self.pad.wipe();
            return;
        }
        let least =
            if emergency { usize::from(self.settings.code_digits) } else { self.settings.least_digits };
        match guest.map(|guest| guest.stage) {
            Some(Stage::New(_)) => {
                self.first_pin = Some(self.pad.take());
                self.pin_problem = None;
                self.tell(Event::PinGiven);
            }
            Some(Stage::Pin) if self.pad.len() < least => {}
            Some(Stage::Pin) => {
                self.tell(Event::PinGiven);
                if self.guest().is_some_and(|guest| guest.stage == Stage::Pin) {
                    // The core did not take it (the wait is not over): it must not linger.
                    self.pad.wipe();
                }
            }
            Some(Stage::Again(_)) => self.tell(Event::PinGiven),
            Some(Stage::Checking(_) | Stage::Recording(..) | Stage::Setting(..) | Stage::Verified(_))
            | None => {
                self.pad.wipe();
            }
        }
    }
}
