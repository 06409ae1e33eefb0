//! Sign-ins of a rehearsal: there are none.

use crate::ports::{Ends, Page, Person, SignInNews, SignIns, TokenEnd};

/// A station that signs nobody in.
#[derive(Debug)]
pub struct NoSignIns;

impl SignIns for NoSignIns {
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
