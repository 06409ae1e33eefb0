//! What a capsule is given of a session's sign-ins: tokens for its keyring, and pages for its browser.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::init::protocol::{Hold, Launch};
use super::init::redirect::REDIRECT;
use super::network::Network;
use super::pace;
use crate::policy::{AppPolicy, Policy, SignInWay};
use crate::ports::{Grant, PortError, Result};

/// How long the capsule may take to put a token where it belongs.
const HOLD: Duration = Duration::from_secs(5);

/// What came of putting a token where it belongs: nothing, or why not.
type Outcome = Option<String>;

/// The tokens of a capsule: whose they are, and which are on their way, by the number of the order.
#[derive(Default)]
pub struct Holding {
    session: OnceLock<String>,
    awaited: Mutex<HashMap<u32, Sender<Outcome>>>,
}

impl Holding {
    /// Notes that an answer to this order is awaited.
    ///
    /// # Errors
    /// When the capsule holds tokens of another session: a grant that comes late must not reach the next
    /// operator.
    pub fn expect(&self, order: &Hold) -> Result<Held> {
        if *self.session.get_or_init(|| order.session.clone()) != order.session {
            return Err(PortError::new("put a token into the capsule: it is another session's"));
        }
        let (answer, answered) = channel();
        let _ = self.awaited().insert(order.serial, answer);
        Ok(Held(answered))
    }

    /// The capsule has answered.
    pub fn answered(&self, serial: u32, why: Outcome) {
        let awaited = self.awaited().remove(&serial);
        if let Some(awaited) = awaited {
            let _ = awaited.send(why);
        }
    }

    /// The capsule will answer no more.
    pub fn over(&self) {
        self.awaited().clear();
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<u32, Sender<Outcome>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token on its way into a capsule.
pub struct Held(Receiver<Outcome>);

impl Held {
    /// Waits until the token is where it belongs. To be called without the session's lock, so that no
    /// capsule outlives its handoff for a keyring that does not answer.
    ///
    /// # Errors
    /// When the capsule says that it could not, is gone, or does not answer in time.
    pub fn wait(self) -> Result<()> {
        match self.0.recv_timeout(pace::patience(HOLD)) {
            Ok(None) => Ok(()),
            Ok(Some(why)) => Err(PortError(why)),
            Err(_) => Err(PortError::new("put a token into the capsule's keyring in time")),
        }
    }
}

/// The order that gives a grant to the capsule.
#[must_use]
pub fn order(grant: &Grant, serial: u32) -> Hold {
    Hold {
        serial,
        session: grant.session.clone(),
        provider: grant.provider.clone(),
        issuer: grant.issuer.clone(),
        audience: grant.audience.clone(),
        access: grant.access.clone(),
        expires_utc_ms: grant.expires_utc_ms,
        environment: grant.environment.clone(),
        file: grant.file.clone(),
    }
}

/// Whether a capsule of this policy listens at the station's address inside: where an operator signs in
/// in a browser, nothing but the capsule can reach that address, and it is not taken.
#[must_use]
pub fn listens(policy: &Policy, network: &Network) -> bool {
    let browser = policy.sign_ins.iter().any(|sign_in| matches!(sign_in.how, SignInWay::Browser { .. }));
    browser && matches!(network, Network::Private(_)) && !taken(policy)
}

/// Whether the policy has a port of the host stand at the station's address in sessions.
fn taken(policy: &Policy) -> bool {
    policy.capsule.reach.iter().any(|port| REDIRECT.ends_with(&format!(":{port}")))
}

/// Why this app cannot open a page of a provider, where it cannot.
///
/// # Errors
/// A fragment with the remedy.
pub fn possible(app: &AppPolicy, policy: &Policy, network: &Network) -> Result<()> {
    let failed = |why: &str| Err(PortError(format!("open the sign-in page in {}: {why}", app.name)));
    if !app.network {
        return failed("the app has no network: give it `network = true` in the policy");
    }
    match network {
        Network::Private(_) if listens(policy, network) => Ok(()),
        Network::Private(_) if taken(policy) => failed(&format!(
            "the policy's `reach` has {REDIRECT}, which is the station's own address in sessions"
        )),
        Network::Private(_) => failed("the policy has no sign-in by browser"),
        // The address would be the host's own, open to every program on it.
        Network::None | Network::Shared => {
            failed("sessions have no network of their own here: run cleanshiftctl doctor")
        }
    }
}

/// The address inside the capsule at which this page is handed out.
#[must_use]
pub fn address(nonce: &str) -> String {
    format!("http://{REDIRECT}/go/{nonce}")
}

/// The same start of the app at another address: in place of the last address among its arguments, or after
/// them.
pub fn turn_to(launch: &mut Launch, address: &str) {
    match launch.arguments.iter_mut().rev().find(|argument| place_of_address(argument).is_some()) {
        Some(argument) => {
            let place = place_of_address(argument).unwrap_or(0);
            argument.replace_range(place.., address);
        }
        None => launch.arguments.push(address.to_owned()),
    }
}

/// The address at which an app starts, where its arguments name one.
#[must_use]
pub fn start(launch: &Launch) -> Option<String> {
    launch
        .arguments
        .iter()
        .rev()
        .find_map(|argument| argument.get(place_of_address(argument)?..))
        .map(str::to_owned)
}

/// Where in an argument an address begins: at its start, or after `--app=`.
fn place_of_address(argument: &str) -> Option<usize> {
    let place = if argument.starts_with("--app=") { "--app=".len() } else { 0 };
    let rest = argument.get(place..)?;
    ["http://", "https://"].iter().any(|scheme| rest.starts_with(scheme)).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::Secret;

    fn turned(arguments: &[&str]) -> Vec<String> {
        let mut launch = Launch {
            app: 0,
            command: "chromium".to_owned(),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            environment: Vec::new(),
            network: true,
            files: Vec::new(),
            profile: None,
        };
        turn_to(&mut launch, "http://127.0.0.1:8707/go/1");
        launch.arguments
    }

    #[test]
    fn a_page_takes_the_place_of_the_apps_own() {
        let go = "http://127.0.0.1:8707/go/1";
        assert_eq!(turned(&[]), [go]);
        assert_eq!(turned(&["--kiosk"]), ["--kiosk", go]);
        assert_eq!(turned(&["--kiosk", "https://chart.example/"]), ["--kiosk", go]);
        assert_eq!(
            turned(&["--app=https://chart.example/", "--proxy-server=http://proxy"]),
            [&format!("--app={go}"), "--proxy-server=http://proxy"]
        );
    }

    #[test]
    fn an_answer_reaches_whoever_waits_for_it() {
        let holding = Holding::default();
        let hold = |session: &str, serial| Hold {
            serial,
            session: session.to_owned(),
            provider: String::new(),
            issuer: String::new(),
            audience: String::new(),
            access: Secret::new(""),
            expires_utc_ms: 0,
            environment: None,
            file: None,
        };
        let [first, second, third] = [1, 2, 3].map(|serial| holding.expect(&hold("a", serial)).unwrap());
        assert!(holding.expect(&hold("b", 4)).is_err(), "a token of another session");
        holding.answered(2, Some("reach the keyring".to_owned()));
        holding.answered(7, None);
        holding.answered(1, None);
        assert_eq!(first.wait(), Ok(()));
        assert_eq!(second.wait(), Err(PortError::new("reach the keyring")));
        holding.over();
        assert!(third.wait().is_err());
    }
}
