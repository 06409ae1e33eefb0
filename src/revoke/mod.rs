//! What a session holds elsewhere: signs its operator in at identity providers, and ends that at the handoff.

use crate::policy::Policy;
use crate::ports::{Ends, Page, Person, SignInNews, SignIns, TokenEnd};

/// The sign-ins of a station.
#[derive(Debug)]
pub struct Revoker(());

impl Revoker {
    /// The sign-ins that the policy names.
    #[must_use]
    pub fn open(_policy: &Policy) -> Self {
        Self(())
    }
}

impl SignIns for Revoker {
    fn listen(&self, _news: Box<dyn Fn(SignInNews) + Send + Sync>) {}

    fn begin(&self, _person: &Person) -> String {
        String::new()
    }

    fn farewells(&self) -> Vec<Page> {
        Vec::new()
    }

    fn returned(&self, _path_and_query: &str) {}

    fn end(&self) {}

    fn ends(&self) -> Ends {
        Ends::default()
    }

    fn left(&self) -> Ends {
        Ends::default()
    }

    fn told(&self, _session: &str, _number: u64) {}

    fn pending(&self) -> Vec<TokenEnd> {
        Vec::new()
    }
}
