//! What every day begins with: a roster, PINs that cost little to check, the rules of the house.

use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use argon2::password_hash::{PasswordHasher as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use cleanshift::driver::Settings;
use cleanshift::driver::scene::{Look, StationFacts};
use cleanshift::handoff::{
    AppRule, BadgeMode, EmergencyAccess, Late, OperatorId, Roles, Rules, SignInRules, SupervisorRights,
};
use cleanshift::pin::Pin;
use cleanshift::platform::rehearsal::disk::Disk;
use cleanshift::platform::rehearsal::vfs;
use cleanshift::ports::{BadgeUid, CodeRows as _, PinRow, RosterRow, RosterRows as _, Stamp};
use cleanshift::roster::{CODE_DIGITS, Pepper, RosterRules};
use cleanshift::store::{Rehearsed, Store};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// When every day begins: 2026-09-21T06:00:00Z.
pub(crate) const MORNING: i64 = 1_790_000_000_000 - 1_790_000_000_000 % 86_400_000 + 6 * 3_600_000;
pub(crate) const STATION: &str = "Station 12";
pub(crate) const HOUR: u64 = 3_600_000;

/// Somebody who has a badge of the house.
pub(crate) struct Colleague {
    pub(crate) id: OperatorId,
    pub(crate) badge: &'static str,
    pub(crate) pin: &'static str,
}

pub(crate) const ANA: Colleague = Colleague { id: OperatorId(1), badge: "04A1", pin: "271828" };
pub(crate) const BEN: Colleague = Colleague { id: OperatorId(2), badge: "04B1", pin: "314159" };
/// Her time on the roster ends in the course of the day.
pub(crate) const CHO: Colleague = Colleague { id: OperatorId(3), badge: "04C1", pin: "141421" };
/// A supervisor.
pub(crate) const SUE: Colleague = Colleague { id: OperatorId(4), badge: "0451", pin: "161803" };
/// Has a one-time PIN.
pub(crate) const TOM: Colleague = Colleague { id: OperatorId(5), badge: "0471", pin: "662607" };
/// What Tom chooses.
pub(crate) const OWN_PIN: &str = "299792";
/// What lies in the sealed envelope, and its name.
pub(crate) const CODE: &str = "8314462618";
const CODE_NAME: &str = "ward-4";
/// The longest that a break-glass session may last.
pub(crate) const EMERGENCY: u64 = HOUR / 2;
/// How old a PIN may be before one of the apps asks for it again.
const YOUNG: u64 = 120_000;
pub(crate) const PEOPLE: [&Colleague; 5] = [&ANA, &BEN, &CHO, &SUE, &TOM];

/// Whether this is the right PIN, or code, of whoever has this name.
pub(crate) fn is_right(name: &str, pin: &str) -> bool {
    let keys = ["ana", "ben", "cho", "sue", "tom"];
    let who = keys.iter().zip(PEOPLE).find(|(key, _)| name.starts_with(*key)).map(|(_, who)| who);
    who.map_or(pin == CODE, |who| who.pin == pin || who.id == TOM.id && pin == OWN_PIN)
}

pub(crate) fn rehearsed() -> Rehearsed {
    let at = Stamp { utc_ms: MORNING, boot_ms: 0, boot_id: "boot-0".to_owned() };
    Rehearsed { vfs: vfs::NAME.to_owned(), seed: [12; 32], at }
}

pub(crate) fn pepper() -> Pepper {
    static PEPPER: OnceLock<Pepper> = OnceLock::new();
    PEPPER
        .get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("pepper");
            cleanshift::private::file(&file).unwrap().write_all(&[7; 32]).unwrap();
            Pepper::open(dir.path(), STATION, false, true).unwrap().0
        })
        .clone()
}

/// What is stored of a PIN: as the roster stores it, with the least cost that Argon2 has.
pub(crate) fn stored(pin: &Pin) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).unwrap();
    mac.update(pin.expose());
    let keyed = hex::encode(mac.finalize().into_bytes());
    let quick = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let salt = SaltString::encode_b64(&[5; 16]).unwrap();
    quick.hash_password(keyed.as_bytes(), &salt).unwrap().to_string()
}

fn row(who: &Colleague, key: &str, role: &str) -> RosterRow {
    let pin = PinRow { phc: stored(&Pin::read(who.pin).unwrap()), one_time: who.id == TOM.id };
    RosterRow {
        key: key.to_owned(),
        name: key.to_owned(),
        roles: vec![role.to_owned()],
        badges: vec![BadgeUid(who.badge.to_owned())],
        valid_until_utc_ms: (who.id == CHO.id).then_some(MORNING + 4 * HOUR.cast_signed()),
        pin: Some(pin),
        ..RosterRow::default()
    }
}

/// A disk with a store as IT leaves it: the roster is filled, nobody was here yet.
pub(crate) fn disk(seed: u64) -> Arc<Disk> {
    static MADE: OnceLock<Arc<Disk>> = OnceLock::new();
    MADE.get_or_init(|| {
        vfs::register();
        let disk = Disk::new(0);
        let store = Store::rehearse(disk.dir().as_ref(), STATION, &rehearsed()).unwrap();
        let rows = [
            row(&ANA, "ana.ruiz", "nurse"),
            row(&BEN, "ben.osei", "nurse"),
            row(&CHO, "cho.park", "doctor"),
            row(&SUE, "sue.lind", "lead"),
            row(&TOM, "tom.beck", "nurse"),
        ];
        for one in rows {
            store.change(&[one], &[], "it", "add", &rehearsed().at).unwrap();
        }
        let code = stored(&Pin::read(CODE).unwrap());
        store.change_code(CODE_NAME, Some(&code), "it", &rehearsed().at).unwrap();
        let all = store.all().unwrap();
        assert!(all.iter().zip(PEOPLE).all(|(row, who)| row.id == who.id.0), "the roster's numbers");
        drop(store);
        disk
    })
    .copy(seed)
}

pub(crate) fn roster_rules() -> RosterRules {
    RosterRules {
        roles: ["nurse", "doctor", "lead"].map(str::to_owned).to_vec(),
        supervisors: vec!["lead".to_owned()],
        least: 4,
        most: 8,
        slow_after: 5,
        disable_after: 10,
    }
}

/// The policy's defaults.
pub(crate) fn rules(badge_mode: BadgeMode, grace: u64, late: Option<Late>) -> Rules {
    Rules {
        badge_mode,
        idle: 120_000,
        warning: 20_000,
        absolute: 2 * HOUR,
        log_idle: 60_000,
        patience: 30_000,
        grace,
        step_limit: 12_000,
        retries: 1,
        quarantine_retries: 2,
        quarantine_pause: 10_000,
        emergency: Some(EmergencyAccess { roles: Roles(0b111), longest: EMERGENCY, patience: 180_000 }),
        supervisors: SupervisorRights { read_log: true, release: true, enable_badge: true, drill: true },
        apps: vec![
            AppRule::of(Roles(0b111)),
            AppRule::of(Roles(0b010)),
            AppRule::of(Roles(0b101)),
            AppRule { roles: Roles(0b111), reverify: Some(0) },
            AppRule { roles: Roles(0b101), reverify: Some(YOUNG) },
        ],
        sign_ins: late.map(|late| SignInRules { farewell: 1_500, late }),
    }
}

pub(crate) fn settings(rules: Rules) -> Settings {
    let facts = StationFacts {
        name: STATION.to_owned(),
        place: "Ward 4".to_owned(),
        badge_mode: rules.badge_mode,
        help: String::new(),
        neighbour: String::new(),
        pin_digits: (4, 8),
        reasons: vec!["Patient emergency".to_owned()],
        demo: false,
        look: Look::Light,
        apps: ["Chart", "Orders", "Notes", "Vault", "Pumps"]
            .map(|name| (name.to_owned(), String::new()))
            .to_vec(),
    };
    let version = "0.0.0".to_owned();
    Settings {
        rules,
        facts,
        policy: "ab".repeat(32),
        least_digits: 4,
        code_digits: CODE_DIGITS,
        version,
        show_names: false,
    }
}
