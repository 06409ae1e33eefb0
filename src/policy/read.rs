//! TOML → [`Policy`]: parse, don't validate. Keys that nobody reads are problems with a suggestion.

pub(super) mod apps;
mod ending;
mod sign_ins;
mod web;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::file::{File, Many, Mode, Size, Time};
use super::problem::{self, Problem, Problems};
use super::{CapsulePolicy, LogPolicy, PinPolicy, Policy, StationPolicy, SupervisorPolicy, settings};
use crate::handoff::{AppRule, BadgeMode, EmergencyAccess, Roles, Rules, SupervisorRights};

/// How long any single step of a clean-up, look, write or build may take, milliseconds, where the policy does not
/// grant more: on a slow machine slowness is no fault.
const STEP_LIMIT: u64 = 12_000;
/// The most that the policy may grant.
const LONGEST_STEP: u64 = 300_000;
/// How often an unclean result is tried again before quarantine.
const RETRIES: u8 = 1;
/// The longest that an emergency session may last, milliseconds (requirement A-11).
const EMERGENCY: u64 = 30 * 60_000;
/// How long a reason and a code may be waited for, milliseconds.
const EMERGENCY_PATIENCE: u64 = 180_000;
/// The least and the most that a log may be kept, milliseconds: a day, a hundred years.
const KEEP_LOG: (u64, u64) = (86_400_000, 36_525 * 86_400_000);
/// The reasons that are offered where the policy names none.
const REASONS: [&str; 4] = [
    "Patient emergency",
    "Badge forgotten or lost",
    "The badge reader does not work",
    "The station is not clean",
];
/// The most reasons: more do not fit on the screen at a glove's size.
const MOST_REASONS: usize = 6;
/// The most letters of a text that a screen shows.
pub(super) const MOST_SHOWN: usize = 80;
/// The most bytes of a policy file.
const MOST_BYTES: u64 = 1 << 20;
/// The most roles: a set of them is 16 bits.
const MOST_ROLES: usize = 16;

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// Every problem that was found, with its place and remedy.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        let whole = |what: String, help: &str| Problems {
            path: name.clone(),
            text: String::new(),
            list: vec![Problem { what, help: help.to_owned(), place: None }],
        };
        let bytes = read_bounded(path).map_err(|error| {
            whole(
                format!("the policy cannot be read: {error}"),
                "write one (the samples under policies/ show every key), or name another with --policy",
            )
        })?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&text, &name),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                // What could be read before it shows the place; the letter itself is shown as a mark.
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let problem = Problem {
                    what: "a letter here is not UTF-8".to_owned(),
                    help: "save the file as UTF-8".to_owned(),
                    place: Some(at..at + char::REPLACEMENT_CHARACTER.len_utf8()),
                };
                Err(Problems { path: name, text, list: vec![problem] })
            }
        }
    }

    /// Reads a policy from text; `path` stands in the problems.
    ///
    /// # Errors
    /// Every problem that was found, with its place and remedy.
    pub fn parse(text: &str, path: &str) -> Result<Self, Problems> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut list = Vec::new();
        match DeTable::parse(text) {
            Err(error) => list.push(Problem {
                what: one_line(error.message()),
                help: problem::for_toml(error.message()).to_owned(),
                place: error.span(),
            }),
            Ok(table) => {
                unknown_keys(table.get_ref(), &schema(), &schema(), &mut list);
                list.extend(sign_ins::list_of_revoke(table.get_ref()));
            }
        }
        if list.is_empty() {
            match toml::from_str::<File>(text) {
                Err(error) => list.push(wrong_type(&error)),
                Ok(file) => {
                    let mut check = Check { list };
                    let policy = check.policy(&file, text);
                    if check.list.is_empty() {
                        return Ok(policy);
                    }
                    list = check.list;
                }
            }
        }
        list.sort_by_key(|problem| problem.place.as_ref().map(|place| place.start));
        Err(Problems { path: path.to_owned(), text: text.to_owned(), list })
    }

    /// The set of these roles.
    #[must_use]
    pub fn role_bits(&self, names: &[String]) -> Roles {
        bits(&self.roles, names.iter().map(String::as_str))
    }
}

/// The hash of a policy file, SHA-256 in hexadecimal, as it stands in entries of kind `policy`. A byte
/// order mark does not count.
#[must_use]
pub fn hash(file: &[u8]) -> String {
    hex::encode(Sha256::digest(file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file)))
}

/// A file's content; one that is larger than any policy, or never ends, is refused.
pub(super) fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    let _ = std::fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(std::io::Error::other("it is larger than 1 MiB"));
    }
    Ok(bytes)
}

/// The JSON Schema of a policy file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}

fn bits<'a>(roles: &[String], names: impl Iterator<Item = &'a str>) -> Roles {
    let places = names.filter_map(|name| roles.iter().position(|role| role == name));
    Roles(places.filter(|place| *place < MOST_ROLES).fold(0, |bits, place| bits | (1 << place)))
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(", ")
}

fn wrong_type(error: &toml::de::Error) -> Problem {
    let what = one_line(error.message());
    let help = match what.strip_prefix("missing field ") {
        Some(field) => format!("add {field}; the samples show every key"),
        None if what.contains("a time with its unit") => {
            "write a number and ms, s, min, h or d, in quotes: \"2 min\"".to_owned()
        }
        None if what.contains("a size with its unit") => {
            "write a number and KiB, MiB or GiB, in quotes: \"256 MiB\"".to_owned()
        }
        None if what.starts_with("unknown variant") => "use one of the words that are named".to_owned(),
        None => "give the kind of value that is expected; the samples show every key".to_owned(),
    };
    Problem { what, help, place: error.span() }
}

/// Walks the file beside the schema of the types that read it: a key that the types do not know is
/// said aloud, with the nearest that they do.
fn unknown_keys(
    table: &DeTable<'_>,
    schema: &serde_json::Value,
    root: &serde_json::Value,
    list: &mut Vec<Problem>,
) {
    let Some(properties) = schema.get("properties").and_then(|properties| properties.as_object()) else {
        return;
    };
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        match properties.get(name) {
            Some(of) => descend(value, resolve(of, root), root, list),
            None => list.push(Problem {
                what: format!("unknown key `{name}`"),
                help: match nearest(name, properties.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        let known: Vec<_> = properties.keys().map(String::as_str).collect();
                        format!("remove it; known here are: {}", known.join(", "))
                    }
                },
                place: Some(key.span()),
            }),
        }
    }
}

fn descend(
    value: &Spanned<DeValue<'_>>,
    schema: &serde_json::Value,
    root: &serde_json::Value,
    list: &mut Vec<Problem>,
) {
    if let Some(table) = value.get_ref().as_table() {
        unknown_keys(table, schema, root, list);
    } else if let (Some(array), Some(items)) = (value.get_ref().as_array(), schema.get("items")) {
        for item in array.iter() {
            descend(item, resolve(items, root), root, list);
        }
    }
}

fn resolve<'a>(schema: &'a serde_json::Value, root: &'a serde_json::Value) -> &'a serde_json::Value {
    let pointer =
        schema.get("$ref").and_then(|reference| reference.as_str()).and_then(|text| text.strip_prefix('#'));
    pointer.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// The known word that is meant, if one is near enough.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|known| (strsim::damerau_levenshtein(word, known), known));
    scored.filter(|(distance, known)| *distance <= 2.max(known.len() / 3)).min().map(|(_, known)| known)
}

/// Checks what the types alone cannot.
struct Check {
    list: Vec<Problem>,
}

impl Check {
    fn wrong(&mut self, place: Range<usize>, what: impl Into<String>, help: impl Into<String>) {
        self.list.push(Problem { what: what.into(), help: help.into(), place: Some(place) });
    }

    fn policy(&mut self, file: &File, text: &str) -> Policy {
        let roles = self.roles(&file.roles);
        let supervisors = SupervisorPolicy { roles: self.known_roles(&file.supervisors.roles, &roles) };
        for name in &file.require {
            if !settings::ALL.contains(&name.get_ref().as_str()) {
                let help = format!("settings that can be required are: {}", settings::ALL.join(", "));
                self.wrong(name.span(), format!("`{}` is no setting of the host", name.get_ref()), help);
            }
        }
        let mut rules = self.rules(file, &roles);
        let grace = Duration::from_millis(rules.grace);
        let (sign_ins, revoke) = (self.sign_ins(file), self.revoke(file));
        rules.sign_ins = self.ending(file, !(sign_ins.is_empty() && revoke.calls.is_empty()));
        let mut apps = self.apps(file);
        sign_ins::let_through(&sign_ins, &mut apps);
        Policy {
            station: self.station(file),
            readers: file.badge.readers.clone(),
            rules,
            pin: self.pin(file),
            supervisors,
            sign_ins,
            revoke,
            apps,
            reasons: self.reasons(file),
            capsule: self.capsule(file, grace),
            log: self.log(file),
            require: file.require.iter().map(|name| name.get_ref().clone()).collect(),
            hash: hash(text.as_bytes()),
            roles,
        }
    }

    fn station(&mut self, file: &File) -> StationPolicy {
        let mut line = |text: &Spanned<String>| {
            self.plain(text);
            text.get_ref().clone()
        };
        let station = StationPolicy {
            name: line(&file.station.name),
            place: line(&file.station.place),
            help: line(&file.station.help),
            neighbour: line(&file.station.neighbour),
            look: file.station.look,
        };
        if station.name.trim().is_empty() {
            self.wrong(
                file.station.name.span(),
                "the station has no name",
                "give the name that stands on the machine",
            );
        }
        station
    }

    /// Text for the screen has no characters that could disguise it.
    fn plain(&mut self, text: &Spanned<String>) {
        if text.get_ref().chars().any(is_disguise) {
            self.wrong(text.span(), "this text has control or direction characters", "write it without them");
        }
        if text.get_ref().chars().count() > MOST_SHOWN {
            self.wrong(
                text.span(),
                "this text is longer than 80 characters",
                "shorten it, so that the screen can show it",
            );
        }
    }

    fn roles(&mut self, list: &[Spanned<String>]) -> Vec<String> {
        if let Some(first_over) = list.get(MOST_ROLES) {
            self.wrong(
                first_over.span(),
                "there are more than 16 roles",
                "join roles that have the same apps",
            );
        }
        let mut roles: Vec<String> = Vec::new();
        for role in list {
            self.plain(role);
            if roles.contains(role.get_ref()) {
                self.wrong(role.span(), format!("role `{}` is there twice", role.get_ref()), "remove one");
            }
            roles.push(role.get_ref().clone());
        }
        roles
    }

    fn known_roles(&mut self, list: &[Spanned<String>], known: &[String]) -> Vec<String> {
        for role in list {
            if !known.contains(role.get_ref()) {
                let help = match nearest(role.get_ref(), known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("name it in `roles`, or use one of: {}", known.join(", ")),
                };
                self.wrong(role.span(), format!("unknown role `{}`", role.get_ref()), help);
            }
        }
        list.iter().map(|role| role.get_ref().clone()).collect()
    }

    fn rules(&mut self, file: &File, roles: &[String]) -> Rules {
        let times = &file.times;
        let idle = self.time(times.idle.as_ref(), 120_000, (30_000, 3_600_000), "idle");
        let warning = self.time(times.warning.as_ref(), 20_000, (5_000, 300_000), "warning");
        let absolute =
            self.time(times.absolute.as_ref(), 12 * 3_600_000, (600_000, 24 * 3_600_000), "absolute");
        let patience = self.time(times.patience.as_ref(), 30_000, (10_000, 300_000), "patience");
        let log_idle = self.time(times.log_idle.as_ref(), 60_000, (10_000, 3_600_000), "log_idle");
        let grace = self.time(times.close_grace.as_ref(), 3_000, (0, 30_000), "close_grace");
        let step = self.time(times.step.as_ref(), STEP_LIMIT, (STEP_LIMIT, LONGEST_STEP), "step");
        if warning >= idle
            && let Some(place) = times.warning.as_ref().or(times.idle.as_ref())
        {
            self.wrong(
                place.span(),
                "the warning would stand as long as the idle time",
                "make `warning` shorter than `idle`",
            );
        }
        let retries = &file.quarantine.retries;
        if let Some(retries) = retries
            && *retries.get_ref() > 20
        {
            self.wrong(retries.span(), "more than 20 tries help nobody", "write 0 to 20");
        }
        let pause = self.time(file.quarantine.pause.as_ref(), 10_000, (1_000, 600_000), "pause");
        let mut apps = Vec::new();
        for app in &file.apps {
            let names = self.known_roles(&app.roles, roles);
            let roles = if names.is_empty() {
                Roles(u16::MAX)
            } else {
                bits(roles, names.iter().map(String::as_str))
            };
            apps.push(AppRule { roles, reverify: self.reverify(app) });
        }
        let emergency = self.emergency(file, roles);
        let supervisors = SupervisorRights {
            read_log: file.supervisors.read_log,
            release: file.supervisors.release,
            enable_badge: file.supervisors.enable_badge,
            drill: file.supervisors.drill,
        };
        Rules {
            supervisors,
            badge_mode: match file.badge.mode {
                Mode::Hold => BadgeMode::Hold,
                Mode::Tap => BadgeMode::Tap,
            },
            idle,
            warning,
            absolute,
            log_idle,
            patience,
            grace,
            step_limit: step,
            retries: RETRIES,
            quarantine_retries: retries.as_ref().map_or(2, |retries| *retries.get_ref()),
            quarantine_pause: pause,
            emergency,
            apps,
            // What is signed in is read later.
            sign_ins: None,
        }
    }

    /// What a break-glass code opens.
    fn emergency(&mut self, file: &File, roles: &[String]) -> Option<EmergencyAccess> {
        let glass = &file.break_glass;
        let longest = self.time(glass.longest.as_ref(), EMERGENCY, (60_000, EMERGENCY), "longest");
        let named = self.known_roles(&glass.roles, roles);
        let roles =
            if named.is_empty() { Roles(u16::MAX) } else { bits(roles, named.iter().map(String::as_str)) };
        glass.enabled.then_some(EmergencyAccess { roles, longest, patience: EMERGENCY_PATIENCE })
    }

    fn reasons(&mut self, file: &File) -> Vec<String> {
        let given = &file.break_glass.reasons;
        if let Some(first_over) = given.get(MOST_REASONS) {
            self.wrong(first_over.span(), "there are more than 6 reasons", "join some; another can be typed");
        }
        for reason in given {
            self.plain(reason);
            if reason.get_ref().trim().is_empty() {
                self.wrong(reason.span(), "this reason says nothing", "write a reason, or remove it");
            }
        }
        if given.is_empty() {
            return REASONS.map(str::to_owned).to_vec();
        }
        given.iter().map(|reason| reason.get_ref().clone()).collect()
    }

    fn log(&mut self, file: &File) -> LogPolicy {
        let keep = file.log.keep.as_ref();
        let keep = keep.map(|keep| Duration::from_millis(self.time(Some(keep), 0, KEEP_LOG, "keep")));
        for place in &file.log.export_to {
            self.absolute(place);
            if matches!(place.get_ref().trim_end_matches('/'), "" | "/etc" | "/home" | "/usr" | "/var") {
                let help = "name where removable media are mounted, such as /media or /run/media";
                self.wrong(place.span(), format!("`{}` holds no removable media", place.get_ref()), help);
            }
        }
        LogPolicy {
            keep,
            show_names: file.log.show_names,
            export_to: file.log.export_to.iter().map(|place| PathBuf::from(place.get_ref())).collect(),
        }
    }

    fn time(&mut self, given: Option<&Spanned<Time>>, default: u64, range: (u64, u64), name: &str) -> u64 {
        let Some(given) = given else { return default };
        let Time(value) = *given.get_ref();
        if !(range.0..=range.1).contains(&value) {
            let help = format!("write {} to {}", in_words(range.0), in_words(range.1));
            self.wrong(given.span(), format!("`{name}` is out of range"), help);
        }
        value
    }

    fn number(&mut self, given: Option<&Spanned<u8>>, default: u8, range: (u8, u8), name: &str) -> u8 {
        let Some(given) = given else { return default };
        let value = *given.get_ref();
        if !(range.0..=range.1).contains(&value) {
            self.wrong(
                given.span(),
                format!("`{name}` is out of range"),
                format!("write {} to {}", range.0, range.1),
            );
        }
        value
    }

    fn size(&mut self, given: Option<&Spanned<Size>>, default: u64, name: &str) -> u64 {
        let Some(given) = given else { return default };
        let Size(value) = *given.get_ref();
        if !((1 << 20)..=(1 << 40)).contains(&value) {
            self.wrong(given.span(), format!("`{name}` is out of range"), "write 1 MiB to 1024 GiB");
        }
        value
    }

    fn pin(&mut self, file: &File) -> PinPolicy {
        let least = self.number(file.pin.least.as_ref(), 6, (4, 15), "least");
        let most = self.number(file.pin.most.as_ref(), 12.max(least), (4, 15), "most");
        if let Some(place) = file.pin.most.as_ref().or(file.pin.least.as_ref())
            && most < least
        {
            self.wrong(
                place.span(),
                "a PIN could have no length at all",
                "make `most` at least as large as `least`",
            );
        }
        let slow_after = self.number(file.pin.slow_after.as_ref(), 5, (1, 50), "slow_after");
        let disable_after = self.number(file.pin.disable_after.as_ref(), 10, (3, 100), "disable_after");
        // Who names only the one that disables wants no slowing down before it.
        if let (Some(place), Some(_)) = (&file.pin.disable_after, &file.pin.slow_after)
            && disable_after < slow_after
        {
            self.wrong(
                place.span(),
                "a badge would be disabled before its tries are slowed down",
                "make `disable_after` at least as large as `slow_after`",
            );
        }
        PinPolicy { least, most, slow_after, disable_after }
    }

    fn absolute(&mut self, path: &Spanned<String>) {
        if !apps::is_absolute(path.get_ref()) {
            let help = "begin it with /, or with a drive on Windows";
            self.wrong(path.span(), format!("`{}` is no absolute path", path.get_ref()), help);
        }
    }

    fn capsule(&mut self, file: &File, grace: Duration) -> CapsulePolicy {
        let capsule = &file.capsule;
        let mut reach = Vec::new();
        for place in &capsule.reach {
            match place
                .get_ref()
                .strip_prefix("127.0.0.1:")
                .and_then(|port| port.parse::<u16>().ok())
                .filter(|port| *port > 0)
            {
                Some(port) => reach.push(port),
                None => self.wrong(
                    place.span(),
                    format!("`{}` is no port of the host's loopback", place.get_ref()),
                    "write \"127.0.0.1:PORT\"; other hosts are reached by `network = true` of an app",
                ),
            }
        }
        for path in &capsule.shared {
            self.absolute(path);
            const OWN: [&str; 10] = [
                "/bin",
                "/dev",
                "/etc",
                "/lib",
                "/proc",
                "/run",
                "/session",
                "/sys",
                "/usr",
                "/var/lib/cleanshift",
            ];
            let inside = |own: &str| Path::new(path.get_ref()).starts_with(own);
            if OWN.iter().any(|own| inside(own)) || path.get_ref() == "/" || path.get_ref() == "/tmp" {
                let help = "share a directory made for it, such as /srv/exchange";
                self.wrong(
                    path.span(),
                    format!("`{}` cannot be shared with a session", path.get_ref()),
                    help,
                );
            }
        }
        let processes = capsule.processes.as_ref().map_or(1500, |given| *given.get_ref());
        if let Some(given) = &capsule.processes
            && !(100..=100_000).contains(&processes)
        {
            self.wrong(
                given.span(),
                "`processes` is out of range",
                "write 100 to 100000; a browser needs some 300",
            );
        }
        CapsulePolicy {
            mode: capsule.mode,
            home_bytes: self.size(capsule.home.as_ref(), 1 << 30, "home"),
            tmp_bytes: self.size(capsule.tmp.as_ref(), 256 << 20, "tmp"),
            processes,
            memory_bytes: capsule.memory.as_ref().map(|given| self.size(Some(given), 0, "memory")),
            reach,
            printers: capsule.printers.iter().map(|name| name.get_ref().clone()).collect(),
            shared: capsule.shared.iter().map(|path| PathBuf::from(path.get_ref())).collect(),
            grace,
        }
    }
}

pub(super) fn is_disguise(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

fn in_words(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{} s", ms / 1_000),
        60_000..3_600_000 => format!("{} min", ms / 60_000),
        3_600_000..=86_400_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}
