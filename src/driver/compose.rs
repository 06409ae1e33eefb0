//! The picture of the station, made from the core's state and the book.

use std::sync::Arc;

use crate::handoff::station::{Doing, LogView, Revoking, Stage};
use crate::handoff::{Attended, CleanUp, Guest, Quarantine, Station, Step, Trigger};
use crate::ports::Clock;

use super::scene::{
    AppTile, AttendedScene, CleanUpScene, EmergencyScene, HeldScene, LogScene, Phase, PinAsk, PinScene,
    QuarantineScene, Scene, StepName, StepScene, StepState, VacantScene, WindowScene,
};
use super::{Driver, Settings};

/// The picture before anything is known: covered, being made ready.
pub(super) fn before_start(settings: &Settings, clock: &dyn Clock) -> Scene {
    let now = clock.now();
    Scene {
        station: Arc::new(settings.facts.clone()),
        utc_ms: clock.stamp().utc_ms,
        now_ms: now.0,
        reader: true,
        notice: None,
        phase: Phase::CleanUp(CleanUpScene {
            name: None,
            trigger: Trigger::FreshStart,
            began_ms: now.0,
            steps: Vec::new(),
            guest: None,
            drill: None,
            held: None,
        }),
    }
}

/// The picture as it is now.
pub(super) fn scene(driver: &Driver) -> Scene {
    let station = Arc::clone(&driver.scenes.borrow().station);
    let phase = match &driver.station {
        None => driver.scenes.borrow().phase.clone(),
        Some(Station::Vacant(vacant)) => Phase::Vacant(VacantScene {
            clean: driver.book.clean.clone(),
            ready: vacant.common.capsule == crate::handoff::station::Capsule::Ready,
            emergency: offered(driver),
            drilled: driver.drilled.clone(),
        }),
        Some(Station::Drill(_)) => Phase::Drill(driver.drill_scene().unwrap_or_default()),
        Some(Station::Challenge(challenge)) => Phase::Challenge(pin(driver, &challenge.guest, None)),
        Some(Station::Attended(attended)) => Phase::Attended(Box::new(at_work(driver, attended))),
        Some(Station::CleanUp(clean_up)) => Phase::CleanUp(cleaning(driver, clean_up)),
        Some(Station::Quarantine(quarantine)) => Phase::Quarantine(barred(driver, quarantine)),
    };
    Scene {
        station,
        utc_ms: driver.ports.clock.stamp().utc_ms,
        now_ms: driver.ports.clock.now().0,
        reader: driver.reader_there,
        notice: driver.notice.map(|(notice, _)| notice),
        phase,
    }
}

/// Whether emergency access is offered: the policy has it, and there is a code.
fn offered(driver: &Driver) -> bool {
    driver.settings.rules.emergency.is_some() && driver.emergency
}

fn pin(driver: &Driver, guest: &Guest, clean_up: Option<Vec<StepScene>>) -> PinScene {
    let person = driver.book.operator(guest.operator);
    PinScene {
        name: person.name,
        role: person.role,
        ask: match guest.stage {
            Stage::Again(_) => PinAsk::Again,
            Stage::Checking(_) | Stage::Setting(..) => PinAsk::Checking,
            Stage::New(_) => PinAsk::New,
            Stage::Pin => PinAsk::Pin,
            // Of a supervisor who releases a station that is held, the entry is being written.
            Stage::Recording(..) if driver.is_held() => PinAsk::Checking,
            Stage::Verified(_) if driver.is_held() => PinAsk::Waiting,
            Stage::Recording(..) | Stage::Verified(_) => PinAsk::Opening,
        },
        tries_left: guest.left,
        wait_until_ms: guest.wait.map(|wait| wait.0).filter(|wait| *wait > driver.ports.clock.now().0),
        problem: driver.pin_problem.clone(),
        until_ms: guest.until.0,
        clean_up,
        digits: if guest.is_emergency() {
            (driver.settings.code_digits, driver.settings.code_digits)
        } else {
            driver.settings.facts.pin_digits
        },
        app: None,
        held: None,
        emergency: guest.is_emergency().then(|| EmergencyScene { reason: driver.book.reason.clone() }),
    }
}

fn at_work(driver: &Driver, attended: &Attended) -> AttendedScene {
    let rules = &driver.settings.rules;
    let person = driver.book.operator(attended.operator);
    let end = attended.since.after(rules.absolute);
    let idle_end = attended.active.after(rules.idle).0;
    let roles = attended.operator.roles;
    let permitted = rules.apps.iter().enumerate().filter(|(_, rule)| rule.roles.meets(roles));
    AttendedScene {
        name: person.name,
        role: person.role,
        since_utc_ms: driver.book.opened.as_ref().map_or(0, |opened| opened.utc_ms),
        idle_end_ms: idle_end,
        end_ms: attended.operator.until.map_or(end, |until| until.min(end)).0,
        warning: attended.warned.then_some(idle_end),
        apps: permitted
            .filter_map(|(place, _)| {
                let app = crate::handoff::App(u8::try_from(place).ok()?);
                Some(AppTile { app, state: driver.apps.get(place)?.clone() })
            })
            .collect(),
        windows: driver
            .windows
            .iter()
            .map(|window| WindowScene {
                window: window.window,
                app: window.app,
                title: window.title.clone(),
                front: window.front,
            })
            .collect(),
        launcher: driver.launcher,
        reads_log: attended.operator.supervisor && rules.supervisors.read_log,
        pin_again: attended.asked().map(|guest| PinScene {
            app: attended.step_up.map(|step_up| step_up.app),
            ..pin(driver, &guest, None)
        }),
        afresh: driver.afresh,
        sign_in_problems: driver.elsewhere.problems.clone(),
        log: driver
            .log
            .as_ref()
            .filter(|log| attended.log == LogView::Open && log.ready)
            .map(|log| Box::new(log.scene.clone())),
        fresh: driver.book.clean.clone().filter(|_| driver.fresh_until.is_some()),
        before: driver.book.before.clone(),
        before_open: driver.before_open,
        disabled: if attended.operator.supervisor && rules.supervisors.enable_badge {
            driver.disabled.clone()
        } else {
            Vec::new()
        },
        emergency: attended.operator.id.is_emergency(),
        held: driver.held.opening().filter(|_| attended.operator.id.is_emergency()),
    }
}

fn cleaning(driver: &Driver, clean_up: &CleanUp) -> CleanUpScene {
    let steps = steps(driver, clean_up);
    let held = held(driver, clean_up);
    CleanUpScene {
        name: driver
            .book
            .handoff
            .as_ref()
            .and_then(|gathered| Some(gathered.outgoing.as_ref()?.name.clone())),
        trigger: clean_up.trigger,
        began_ms: driver.book.handoff.as_ref().map_or(0, |gathered| gathered.began_us / 1000),
        guest: clean_up.guest.map(|guest| {
            let mut held = held.clone();
            if let Some(held) = &mut held {
                held.release &= guest.operator.supervisor && guest.stage == Stage::Pin;
            }
            PinScene { held, ..pin(driver, &guest, Some(steps.clone())) }
        }),
        steps,
        drill: driver.drill_scene(),
        held,
    }
}

/// What holds the station, where it is held.
fn held(driver: &Driver, clean_up: &CleanUp) -> Option<HeldScene> {
    (clean_up.doing == Doing::Held).then(|| HeldScene {
        tokens: driver
            .elsewhere
            .ends
            .tokens
            .iter()
            .filter(|token| !token.state.is_final())
            .cloned()
            .collect(),
        until_ms: clean_up.until.0,
        release: driver.settings.rules.supervisors.release,
        emergency: offered(driver),
    })
}

fn steps(driver: &Driver, clean_up: &CleanUp) -> Vec<StepScene> {
    let now = match clean_up.doing {
        // A farewell is taken on the way to the apps' end, and is nothing that anybody waits for.
        Doing::Step(Step::Farewell | Step::AskApps) => 1,
        Doing::Step(Step::Destroy) => 2,
        Doing::Looking => 3,
        Doing::Settling | Doing::Held => 4,
        Doing::Receipt => 5,
    };
    let ends = driver.settings.rules.sign_ins.is_some() && clean_up.revoking != Revoking::Not;
    StepName::ALL
        .into_iter()
        .enumerate()
        .filter(|(_, step)| {
            // Nobody's apps are asked where no session was open, or where the policy grants no time.
            let asks = clean_up.outgoing.is_some() && driver.settings.rules.grace > 0;
            (*step != StepName::AppsAsked || asks) && (*step != StepName::SignInsEnded || ends)
        })
        .map(|(place, step)| StepScene {
            step,
            state: match place.cmp(&now) {
                std::cmp::Ordering::Less => StepState::Done,
                std::cmp::Ordering::Equal if driver.step_failed => StepState::Failed,
                std::cmp::Ordering::Equal => StepState::Now,
                std::cmp::Ordering::Greater => StepState::Waiting,
            },
        })
        .collect()
}

fn barred(driver: &Driver, quarantine: &Quarantine) -> QuarantineScene {
    use crate::handoff::Reason;
    let mut findings = driver.book.findings();
    if findings.is_empty() {
        findings.push(
            match quarantine.reason {
                Reason::NotDestroyed => "A program of the last session would not end.",
                Reason::NotRecorded => "The record could not be written to the disk.",
                Reason::Residue => "Something of the last session is still here.",
                Reason::SignIns => "What the last session holds elsewhere is not ended yet.",
                Reason::Silent => "A step of the clean-up did not answer in time.",
                Reason::Unknown => "It could not be checked whether everything is gone.",
                Reason::Unprepared => "A new session could not be prepared.",
            }
            .to_owned(),
        );
    }
    QuarantineScene {
        findings,
        gates: driver.book.unclean(),
        since_utc_ms: driver.quarantined_utc_ms,
        retry_at_ms: quarantine.again.then_some(quarantine.until.0),
        guest: quarantine.guest.map(|guest| pin(driver, &guest, None)),
        release: driver.settings.rules.supervisors.release,
        restart: quarantine.restart,
        emergency: offered(driver),
    }
}

/// A phase in a word or two, for the shell's own log.
pub(super) fn label(phase: &Phase) -> String {
    let pin = |scene: &PinScene| match scene.ask {
        PinAsk::Again => "new PIN again",
        PinAsk::Checking => "PIN is checked",
        PinAsk::New => "new PIN",
        PinAsk::Opening => "opening",
        PinAsk::Pin => "PIN",
        PinAsk::Waiting => "waiting",
    };
    let told =
        |log: &LogScene| log.controls.as_ref().is_some_and(|controls| matches!(controls.told, Some(Ok(_))));
    match phase {
        Phase::Attended(scene) if scene.log.as_ref().is_some_and(|log| told(log)) => {
            "attended, log, controls".to_owned()
        }
        Phase::Attended(scene) if scene.log.is_some() => "attended, log".to_owned(),
        Phase::Attended(scene) if scene.pin_again.is_some() => {
            let asked = scene.pin_again.as_ref();
            let what = if asked.is_some_and(|pin| pin.app.is_some()) { "app" } else { "log" };
            format!("attended, {what}, {}", asked.map_or("", pin))
        }
        Phase::Attended(scene) if scene.warning.is_some() => "attended, warning".to_owned(),
        Phase::Attended(scene) => format!("attended, {} windows", scene.windows.len()),
        Phase::Challenge(scene) => format!("challenge, {}", pin(scene)),
        Phase::CleanUp(scene) if scene.held.is_some() => {
            scene.guest.as_ref().map_or("held".to_owned(), |guest| format!("held, {}", pin(guest)))
        }
        Phase::CleanUp(scene) => {
            scene.guest.as_ref().map_or("clean-up".to_owned(), |guest| format!("clean-up, {}", pin(guest)))
        }
        Phase::Drill(_) => "drill".to_owned(),
        Phase::OutOfService(_) => "out of service".to_owned(),
        Phase::Quarantine(_) => "quarantine".to_owned(),
        Phase::Vacant(scene) if scene.drilled.is_some() && scene.ready => {
            "vacant, drill result, ready".to_owned()
        }
        Phase::Vacant(scene) if scene.drilled.is_some() => "vacant, drill result".to_owned(),
        Phase::Vacant(scene) if scene.ready => "vacant, ready".to_owned(),
        Phase::Vacant(_) => "vacant".to_owned(),
    }
}
