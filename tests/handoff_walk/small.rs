//! The small stations that are walked: their rules, and everything that can happen to one.

use cleanshift::handoff::{
    App, AppRule, AppWish, BadgeMode, EmergencyAccess, Event, Finding, Late, Moment, Operator, OperatorId,
    PinAnswer, PinVerified, Presented, Refusal, Roles, Rules, SignInRules, Station, SupervisorRights, Turn,
    Window,
};

use super::relative::{NOW, WAITED, outstanding};

pub(super) fn operator(id: u32) -> Operator {
    Operator {
        id: OperatorId(id),
        roles: Roles(if id == 1 { 0b01 } else { 0b11 }),
        supervisor: id == 3,
        until: None,
    }
}

/// A small station to walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Small {
    /// Badges are tapped; supervisors may do nothing.
    Tap,
    /// Badges are held; supervisors may do all.
    Hold,
    /// Badges are tapped, and supervisors may have drills held; with shorter times and fewer people.
    DrillTap,
    /// The same with badges that are held.
    DrillHold,
    /// Held badges with break-glass, and with shorter times and fewer people, so that it stays small.
    BreakGlass,
    /// Operators are signed in elsewhere, and the station opens although something is not ended there.
    SignInsOpen,
    /// The same, and the station is held until everything is ended.
    SignInsHold,
    /// An app asks for the PIN again, where it is no longer young, and another always.
    StepUp,
}

/// Every small station.
pub(crate) const ALL_SMALL: [Small; 8] = [
    Small::SignInsOpen,
    Small::SignInsHold,
    Small::StepUp,
    Small::DrillTap,
    Small::DrillHold,
    Small::BreakGlass,
    Small::Tap,
    Small::Hold,
];

/// Where a session can be begun afresh and revoked: elsewhere it would only make the walks longer.
fn is_signed_in(small: Small) -> bool {
    matches!(small, Small::SignInsOpen | Small::StepUp)
}

/// The rules of a small station.
pub(super) fn rules(small: Small) -> Rules {
    if small == Small::BreakGlass {
        return Rules {
            idle: 2,
            warning: 1,
            absolute: 3,
            patience: 1,
            log_idle: 1,
            grace: 0,
            step_limit: 1,
            retries: 0,
            quarantine_pause: 1,
            emergency: Some(EmergencyAccess { roles: Roles(0b10), longest: 2, patience: 1 }),
            ..rules(Small::Hold)
        };
    }
    let sign_ins = |late| Some(SignInRules { farewell: 1, late });
    match small {
        Small::SignInsOpen => {
            return Rules {
                grace: 1,
                retries: 1,
                quarantine_retries: 0,
                emergency: None,
                sign_ins: sign_ins(Late::Open { after: WAITED }),
                ..rules(Small::BreakGlass)
            };
        }
        Small::SignInsHold => {
            return Rules {
                quarantine_retries: 0,
                sign_ins: sign_ins(Late::Hold { longest: WAITED }),
                ..rules(Small::BreakGlass)
            };
        }
        Small::StepUp => {
            let asks = |roles, age| AppRule { roles: Roles(roles), reverify: Some(age) };
            return Rules {
                idle: 3,
                apps: vec![AppRule::of(Roles(0b01)), asks(0b10, 1), asks(0b10, 0)],
                ..rules(Small::BreakGlass)
            };
        }
        Small::BreakGlass | Small::DrillHold | Small::DrillTap | Small::Hold | Small::Tap => {}
    }
    if matches!(small, Small::DrillTap | Small::DrillHold) {
        let held = rules(Small::Hold);
        return Rules {
            badge_mode: if small == Small::DrillTap { BadgeMode::Tap } else { BadgeMode::Hold },
            idle: 2,
            warning: 1,
            absolute: 3,
            patience: 1,
            log_idle: 1,
            grace: 0,
            step_limit: 1,
            retries: 0,
            quarantine_pause: 1,
            supervisors: SupervisorRights { drill: true, ..held.supervisors },
            ..held
        };
    }
    let badge_mode = if small == Small::Tap { BadgeMode::Tap } else { BadgeMode::Hold };
    Rules {
        badge_mode,
        idle: 4,
        warning: 2,
        absolute: 6,
        patience: 3,
        log_idle: 3,
        grace: 1,
        step_limit: 2,
        retries: 1,
        quarantine_retries: 1,
        quarantine_pause: 2,
        emergency: None,
        // In one mode supervisors may do all, in the other nothing.
        supervisors: SupervisorRights {
            read_log: badge_mode == BadgeMode::Hold,
            release: badge_mode == BadgeMode::Hold,
            enable_badge: badge_mode == BadgeMode::Hold,
            // Drills are the business of walks of their own, which are small enough for them.
            drill: false,
        },
        apps: vec![AppRule::of(Roles(0b01)), AppRule::of(Roles(0b10))],
        sign_ins: None,
    }
}

/// Who has a badge: a nurse, another who may start more, and a supervisor.
fn people(small: Small) -> Vec<u32> {
    match small {
        Small::BreakGlass | Small::SignInsHold => vec![3],
        Small::DrillHold | Small::DrillTap | Small::SignInsOpen => vec![2, 3],
        Small::StepUp => vec![2],
        Small::Hold | Small::Tap => vec![1, 2, 3],
    }
}

/// Everything that can happen to a state, and when.
pub(super) fn events(station: &Station, small: Small, rules: &Rules) -> Vec<(Moment, Event)> {
    let mut list = vec![
        Event::Active(NOW),
        Event::AppWished(AppWish::Launch(App(0))),
        Event::AppWished(AppWish::Launch(App(1))),
        Event::AppWished(AppWish::Launch(App(2))),
        Event::AppWished(AppWish::Launch(App(9))),
        Event::AppWished(AppWish::Raise(Window(7))),
        Event::AppWished(AppWish::Close(Window(7))),
        Event::BadgeIn(Presented::Refused(OperatorId(1), Refusal::Disabled)),
        Event::BadgeIn(Presented::Refused(OperatorId(2), Refusal::Expired)),
        Event::BadgeIn(Presented::Unknown),
        Event::BadgeIn(Presented::Unreadable),
        Event::Cancelled,
        Event::CapsuleLost,
        Event::DrillWished,
        Event::EmergencyWished,
        Event::EndWished,
        Event::LogClosed,
        Event::LogWished,
        Event::PinGiven,
        Event::ReaderBack,
        Event::ReaderLost,
        Event::RestartWished,
        Event::RetryWished,
        Event::Stopping,
        Event::Suspending,
        Event::TimeCame,
        Event::Unfinished,
    ];
    for id in people(small) {
        list.push(Event::BadgeIn(Presented::Rostered(operator(id))));
        list.push(Event::BadgeOut(OperatorId(id)));
    }
    if is_signed_in(small) {
        list.push(Event::FreshStartWished);
        let all = people(small).into_iter().chain([7, OperatorId::EMERGENCY.0]);
        list.extend(all.map(|id| Event::Revoked(OperatorId(id))));
    }
    let mut turns = outstanding(station);
    // An answer to a question that nobody asked.
    turns.push(Turn(200));
    for turn in turns {
        for answer in [true, false] {
            list.push(Event::Drilled(turn, answer));
            list.push(Event::Prepared(turn, answer));
            list.push(Event::Recorded(turn, answer));
            list.push(Event::Stepped(turn, answer));
            if rules.sign_ins.is_some() {
                list.push(Event::Settled(turn, answer));
            }
        }
        for finding in [Finding::Clean, Finding::Residue, Finding::Unknown] {
            list.push(Event::Looked(turn, finding));
        }
        for answer in [
            PinAnswer::Disabled,
            PinAnswer::Failed,
            PinAnswer::Wrong { left: 1, wait: 0 },
            PinAnswer::Wrong { left: 0, wait: 2 },
        ] {
            list.push(Event::PinChecked(turn, answer));
        }
        list.push(Event::PinChanged(turn, None));
        for id in people(small).into_iter().chain(rules.emergency.map(|_| OperatorId::EMERGENCY.0)) {
            let proof = PinVerified::of(OperatorId(id));
            list.push(Event::PinChecked(turn, PinAnswer::Right(proof)));
            list.push(Event::PinChecked(turn, PinAnswer::OneTime(proof)));
            list.push(Event::PinChanged(turn, Some(proof)));
        }
    }
    if rules.emergency.is_some() || small == Small::SignInsOpen {
        // One-time PINs, the log and touches are the other walks' business.
        list.retain(|event| {
            !matches!(
                event,
                Event::Active(_)
                    | Event::LogWished
                    | Event::PinChanged(..)
                    | Event::PinChecked(_, PinAnswer::OneTime(_) | PinAnswer::Wrong { wait: 2, .. })
            )
        });
    }
    if matches!(small, Small::SignInsHold | Small::SignInsOpen) {
        // What else may end a session, and the reader, are the other walks' business.
        list.retain(|event| {
            !matches!(
                event,
                Event::AppWished(_)
                    | Event::CapsuleLost
                    | Event::ReaderBack
                    | Event::ReaderLost
                    | Event::Suspending
            )
        });
    }
    if matches!(small, Small::DrillTap | Small::DrillHold) {
        // One-time PINs and touches are the other walks' business.
        list.retain(|event| {
            !matches!(
                event,
                Event::Active(_)
                    | Event::PinChanged(..)
                    | Event::PinChecked(_, PinAnswer::OneTime(_) | PinAnswer::Wrong { wait: 2, .. })
            )
        });
    }
    let mut edges: Vec<_> = list.into_iter().map(|event| (NOW, event)).collect();
    if let Some(deadline) = station.deadline(rules) {
        edges.push((deadline.max(NOW), Event::TimeCame));
    }
    edges
}
