//! Where a policy signs operators in elsewhere, and the calls that end what is not OAuth. No secret may stand in
//! either: a policy is read by many, and its hash stands in every receipt.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;
use url::Url;

use super::web::is_loopback;
use super::{Check, File, is_disguise, nearest};
use crate::policy::file::{Call, How, SignIn};
use crate::policy::problem::Problem;
use crate::policy::{AppPolicy, CallPolicy, RevokePolicy, SignInPolicy, SignInWay};

/// How long a call is tried where the policy does not say, and the least and the most that it may, milliseconds.
const EXPIRES: u64 = 3_600_000;
const EXPIRES_RANGE: (u64, u64) = (60_000, 7 * 86_400_000);

/// The methods that a call may have.
const METHODS: [&str; 5] = ["DELETE", "GET", "PATCH", "POST", "PUT"];

/// What may stand in braces in a call, and in its address.
const IN_CALLS: [&str; 4] = ["operator", "session", "station", "secret"];
const IN_ADDRESSES: [&str; 3] = ["operator", "session", "station"];

/// Environment that changes how programs load, where they look, or where they send what they have.
const KEPT_NAMES: [&str; 27] = [
    "ALL_PROXY",
    "BASHOPTS",
    "BASH_ENV",
    "CDPATH",
    "DISPLAY",
    "EDITOR",
    "ENV",
    "GNUPGHOME",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "IFS",
    "KRB5CCNAME",
    "LANG",
    "LOGNAME",
    "NO_PROXY",
    "PAGER",
    "PATH",
    "PWD",
    "SHELL",
    "SHELLOPTS",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "VISUAL",
    "XAUTHORITY",
];
const KEPT_BEGINNINGS: [&str; 21] = [
    "BASH_FUNC_",
    "CLEANSHIFT_",
    "DBUS_",
    "DYLD_",
    "GCONV_",
    "GIO_",
    "GIT_",
    "GLIBC_",
    "GTK_",
    "JAVA_",
    "LC_",
    "LD_",
    "MALLOC_",
    "NODE_",
    "PERL",
    "PYTHON",
    "QT_",
    "RUBY",
    "SSH_",
    "WAYLAND_",
    "XDG_",
];

/// Headers that say how a request is read, not what it asks.
const OWN_HEADERS: [&str; 6] = ["connection", "content-length", "host", "te", "transfer-encoding", "upgrade"];

/// Words in a name by which a value beside it is a secret.
const SECRET_NAMES: [&str; 12] = [
    "api-key",
    "api_key",
    "apikey",
    "auth-key",
    "authorization",
    "cookie",
    "credential",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "token",
];

impl Check {
    pub(super) fn sign_ins(&mut self, file: &File) -> Vec<SignInPolicy> {
        let mut names: Vec<&str> = Vec::new();
        let mut places: Vec<&str> = Vec::new();
        let mut found = Vec::new();
        for one in &file.sign_in {
            self.own_name(&one.name, &mut names, "sign-in");
            for place in one.environment.iter().chain(&one.file) {
                if places.contains(&place.get_ref().as_str()) {
                    let what = format!("`{}` would hold two tokens", place.get_ref());
                    self.wrong(place.span(), what, "give each sign-in a place of its own");
                }
                places.push(place.get_ref());
            }
            found.push(self.sign_in(one, file));
        }
        for call in &file.revoke.call {
            self.own_name(&call.name, &mut names, "sign-in or call");
        }
        found
    }

    /// A name that stands in receipts, and there tells one from the others.
    fn own_name<'a>(&mut self, name: &'a Spanned<String>, names: &mut Vec<&'a str>, what: &str) {
        self.plain(name);
        if name.get_ref().trim().is_empty() {
            self.wrong(name.span(), "this has no name", "name it as people know it; receipts tell the name");
        } else if names.contains(&name.get_ref().as_str()) {
            let what = format!("{what} `{}` is there twice", name.get_ref());
            self.wrong(name.span(), what, "give each its own name");
        }
        names.push(name.get_ref());
    }

    fn sign_in(&mut self, one: &SignIn, file: &File) -> SignInPolicy {
        self.issuer(&one.issuer);
        self.one_line(&one.client);
        if one.client.get_ref().trim().is_empty() {
            self.wrong(
                one.client.span(),
                "the station has no client id there",
                "give the id under which the provider knows this station",
            );
        }
        let how = self.way(one, file);
        self.scopes(&one.scopes, one.name.span());
        self.one_line(&one.subject);
        if self.placeholders(&one.subject, &["key"]) && !one.subject.get_ref().contains("{key}") {
            self.wrong(
                one.subject.span(),
                "every operator would be signed in as the same person",
                "write {key} where the operator's key on the roster belongs",
            );
        }
        self.one_line(&one.audience);
        if let Some(name) = &one.environment {
            self.environment(name);
        }
        if let Some(path) = &one.file {
            self.below_home(path);
        }
        if let Some(address) = &one.end_by_sid {
            let known = self.endpoint(address, &["sid"], "end_by_sid").is_some();
            if known && !address.get_ref().contains("{sid}") {
                self.wrong(
                    address.span(),
                    "this call does not say which session it ends",
                    "write {sid} where the provider's number of the session belongs; all sessions of a person are \
                     never ended",
                );
            }
        }
        if let Some(address) = &one.events {
            let _ = self.endpoint(address, &[], "events");
        }
        SignInPolicy {
            name: one.name.get_ref().clone(),
            issuer: one.issuer.get_ref().clone(),
            client: one.client.get_ref().clone(),
            how,
            scopes: one.scopes.iter().map(|scope| scope.get_ref().clone()).collect(),
            audience: one.audience.get_ref().clone(),
            subject: one.subject.get_ref().clone(),
            environment: one.environment.as_ref().map(|name| name.get_ref().clone()),
            file: one.file.as_ref().map(|path| path.get_ref().clone()),
            end_by_sid: one.end_by_sid.as_ref().map(|address| address.get_ref().clone()),
            events: one.events.as_ref().map(|address| address.get_ref().clone()),
            certificates: self.certificates(one.certificates.as_ref()),
            bearer: one.bearer,
        }
    }

    fn way(&mut self, one: &SignIn, file: &File) -> SignInWay {
        let how = *one.how.get_ref();
        match (&one.app, how) {
            (Some(app), How::Assertion | How::Exchange) => self.wrong(
                app.span(),
                "no browser takes part in this way of signing in",
                "remove `app`, or write how = \"browser\"",
            ),
            (None, How::Browser) => self.wrong(
                one.how.span(),
                "it is not said in whose browser the operator signs in",
                "add app = \"NAME\", the name of the browser's app",
            ),
            (Some(app), How::Browser) => {
                let names = || file.apps.iter().map(|app| app.name.get_ref().as_str());
                if !names().any(|name| name == app.get_ref()) {
                    let help = match nearest(app.get_ref(), names()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("use one of: {}", names().collect::<Vec<_>>().join(", ")),
                    };
                    self.wrong(app.span(), format!("there is no app `{}`", app.get_ref()), help);
                }
            }
            (None, How::Assertion | How::Exchange) => {}
        }
        match how {
            How::Assertion => SignInWay::Assertion,
            How::Exchange => SignInWay::Exchange,
            How::Browser => SignInWay::Browser {
                app: one.app.as_ref().map(|app| app.get_ref().clone()).unwrap_or_default(),
            },
        }
    }

    /// The issuer is compared letter by letter with what the provider says of itself (OpenID Connect Discovery 1.0
    /// §4.3), so that it must stand here as it is.
    fn issuer(&mut self, issuer: &Spanned<String>) {
        let text = issuer.get_ref().as_str();
        let wrong = |check: &mut Self, what: &str, help: &str| check.wrong(issuer.span(), what, help);
        let Some(url) = self.endpoint(issuer, &[], "issuer") else { return };
        if url.query().is_some() || url.fragment().is_some() {
            return wrong(self, "an issuer has neither query nor fragment", "write the issuer alone");
        }
        let alone = text.find("/.well-known").map(|end| &text[..end]);
        if let Some(alone) = alone {
            return wrong(
                self,
                "this is where the issuer's description lies, not the issuer",
                &format!("write \"{alone}\""),
            );
        }
        let known = url.as_str();
        if text.ends_with("//") || (text != known && Some(text) != known.strip_suffix('/')) {
            let help = format!("write it as its provider does, such as \"{}\"", known.trim_end_matches('/'));
            wrong(self, "no provider calls itself like this", &help);
        }
    }

    /// An address that tokens or secrets are sent to: over TLS, or on the host's own loopback. `None` where it
    /// was told what is wrong.
    fn endpoint(&mut self, given: &Spanned<String>, known: &[&str], name: &str) -> Option<Url> {
        let text = given.get_ref().as_str();
        if text.chars().any(|letter| letter.is_whitespace() || is_disguise(letter)) {
            let what = format!("`{name}` has spaces, line ends or hidden characters");
            self.wrong(given.span(), what, "write the address alone");
            return None;
        }
        if !self.placeholders(given, known) {
            return None;
        }
        let filled =
            known.iter().fold(text.to_owned(), |text, word| text.replace(&format!("{{{word}}}"), "0"));
        let Ok(url) = Url::parse(&filled) else {
            self.wrong(given.span(), format!("`{text}` is no address"), "write https://HOST/…");
            return None;
        };
        let beginning = |text: &str| text.split('/').take(3).collect::<Vec<_>>().join("/");
        if beginning(text) != beginning(&filled) {
            self.wrong(
                given.span(),
                "the host would be another with each session",
                "let placeholders stand behind the host alone",
            );
            return None;
        }
        if !url.username().is_empty() || url.password().is_some() {
            self.wrong(
                given.span(),
                "this address has a name or a password in it",
                "remove it: a secret belongs in the host's keyring (cleanshiftctl secret set NAME)",
            );
            return None;
        }
        let own = is_loopback(url.host());
        match url.scheme() {
            "https" if url.host().is_some() => Some(url),
            "http" if own => Some(url),
            "http" => {
                self.wrong(
                    given.span(),
                    format!("`{name}` is not encrypted: tokens would cross the network for everyone to read"),
                    "write https://; http:// is taken on the host's own loopback alone",
                );
                None
            }
            _ => {
                self.wrong(given.span(), format!("`{text}` is no https address"), "write https://HOST/…");
                None
            }
        }
    }

    fn scopes(&mut self, scopes: &[Spanned<String>], whole: Range<usize>) {
        for scope in scopes {
            let text = scope.get_ref().as_str();
            // RFC 6749 §3.3.
            let token = |letter: u8| matches!(letter, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            if text.is_empty() || !text.bytes().all(token) {
                self.wrong(
                    scope.span(),
                    format!("`{text}` is no scope"),
                    "write one scope in each place of the list",
                );
            }
            if text == "offline_access" {
                self.wrong(
                    scope.span(),
                    "with `offline_access` a sign-in would outlive its session, and ending the provider's session \
                     would leave it alive",
                    "remove it: while the operator is at work the station refreshes tokens without it",
                );
            }
        }
        if !scopes.iter().any(|scope| scope.get_ref() == "openid") {
            let place = scopes.first().map_or(whole, Spanned::span);
            self.wrong(
                place,
                "without the scope `openid` the provider does not say who was signed in",
                "add \"openid\" to `scopes`",
            );
        }
    }

    fn environment(&mut self, name: &Spanned<String>) {
        let text = name.get_ref().as_str();
        let letter = |letter: u8| matches!(letter, b'A'..=b'Z' | b'_');
        let good = text.bytes().next().is_some_and(letter)
            && text.bytes().all(|one| letter(one) || one.is_ascii_digit());
        if !good {
            let help = "write capital letters, digits and _, such as HOSPITAL_TOKEN";
            self.wrong(name.span(), format!("`{text}` is no name of a variable"), help);
        } else if KEPT_NAMES.contains(&text) || KEPT_BEGINNINGS.iter().any(|begin| text.starts_with(begin)) {
            self.wrong(
                name.span(),
                format!("`{text}` changes how programs start or where they look"),
                "choose a name that means nothing else, such as HOSPITAL_TOKEN",
            );
        }
    }

    /// A file below the home of the session: it stays there by its name.
    fn below_home(&mut self, path: &Spanned<String>) {
        let text = path.get_ref().as_str();
        let inside = Path::new(text).components().all(|part| matches!(part, Component::Normal(_)));
        let good = inside && !text.is_empty() && !text.ends_with('/') && !text.starts_with('~');
        if !good || text.chars().any(is_disguise) {
            self.wrong(
                path.span(),
                format!("`{}` does not lie below the session's home", text.escape_debug()),
                "write a path without / at its beginning and without . and .., such as .config/hospital/token",
            );
        }
    }

    fn certificates(&mut self, path: Option<&Spanned<String>>) -> Option<PathBuf> {
        let path = path?;
        self.absolute(path);
        Some(PathBuf::from(path.get_ref()))
    }

    /// No line end or other control in it: it may stand in a header or an address.
    fn one_line(&mut self, text: &Spanned<String>) {
        if text.get_ref().chars().any(is_disguise) {
            self.wrong(text.span(), "this text has control or direction characters", "write it without them");
        }
    }

    /// Whether only known words stand in braces.
    fn placeholders(&mut self, text: &Spanned<String>, known: &[&str]) -> bool {
        let unknown = in_braces(text.get_ref()).into_iter().find(|word| !known.contains(word));
        let Some(word) = unknown else { return true };
        let braced = |word: &&str| format!("{{{word}}}");
        let help = match (nearest(word, known.iter().copied()), known) {
            (Some(near), _) => format!("did you mean {{{near}}}?"),
            (None, []) => "write it without braces".to_owned(),
            (None, known) => {
                format!("known here are: {}", known.iter().map(braced).collect::<Vec<_>>().join(", "))
            }
        };
        self.wrong(text.span(), format!("nobody knows what {{{word}}} stands for here"), help);
        false
    }

    pub(super) fn revoke(&mut self, file: &File) -> RevokePolicy {
        RevokePolicy { calls: file.revoke.call.iter().map(|call| self.call(call)).collect() }
    }

    fn call(&mut self, call: &Call) -> CallPolicy {
        let method = call.method.get_ref().as_str();
        if !METHODS.contains(&method) {
            let help = match METHODS.iter().find(|known| known.eq_ignore_ascii_case(method)) {
                Some(known) => format!("write {known}"),
                None => format!("use one of: {}", METHODS.join(", ")),
            };
            let what = format!("`{}` is no method of such a call", method.escape_debug());
            self.wrong(call.method.span(), what, help);
        }
        let name = call.name.get_ref();
        if call.url.get_ref().contains("{secret}") {
            self.wrong(
                call.url.span(),
                "a secret in an address stands in the logs of every server on the way",
                "put {secret} into a header or the body",
            );
        } else if self.endpoint(&call.url, &IN_ADDRESSES, "url").is_some() {
            self.no_secret_within(&call.url, name, "in a header or in the body");
        }
        for (header, value) in &call.headers {
            self.header(header, value, name);
        }
        let _ = self.placeholders(&call.body, &IN_CALLS);
        self.no_secret_within(&call.body, name, "here");
        CallPolicy {
            name: name.clone(),
            method: method.to_owned(),
            url: call.url.get_ref().clone(),
            headers: call
                .headers
                .iter()
                .map(|(header, value)| (header.clone(), value.get_ref().clone()))
                .collect(),
            body: call.body.get_ref().clone(),
            expires: Duration::from_millis(self.time(
                call.expires.as_ref(),
                EXPIRES,
                EXPIRES_RANGE,
                "expires",
            )),
            certificates: self.certificates(call.certificates.as_ref()),
        }
    }

    fn header(&mut self, header: &str, value: &Spanned<String>, call: &str) {
        // RFC 9110 §5.6.2.
        let token = |letter: u8| letter.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&letter);
        let lower = header.to_ascii_lowercase();
        if header.is_empty() || !header.bytes().all(token) {
            let what = format!("`{}` is no name of a header", header.escape_debug());
            self.wrong(value.span(), what, "write letters, digits and -, such as X-Station");
        } else if OWN_HEADERS.contains(&lower.as_str()) {
            let what = format!("`{header}` is written by the station itself");
            self.wrong(value.span(), what, "remove it");
        }
        let text = value.get_ref().as_str();
        if text.chars().any(is_disguise) {
            self.wrong(
                value.span(),
                "a line end or another control in a header would begin a request of its own",
                "write the header in one line, without controls",
            );
        }
        let _ = self.placeholders(value, &IN_CALLS);
        let named = SECRET_NAMES.iter().any(|word| lower.contains(word));
        if !text.trim().is_empty()
            && !text.contains("{secret}")
            && (named || has_scheme(text) || has_token(text))
        {
            self.secret(value.span(), call, "here");
        }
    }

    /// A secret beside its name, as forms and JSON write it.
    fn no_secret_within(&mut self, text: &Spanned<String>, call: &str, place: &str) {
        let lower = text.get_ref().to_ascii_lowercase();
        let beside = |word: &&str| {
            lower.match_indices(*word).any(|(at, _)| {
                let rest = &lower[at + word.len()..];
                let Some(value) = rest.trim_start_matches(['"', '\'', ' ']).strip_prefix([':', '=']) else {
                    return false;
                };
                let value = value.trim_start_matches(['"', '\'', ' ']);
                !value.starts_with(['{', '&', ',', '}']) && !value.is_empty()
            })
        };
        if SECRET_NAMES.iter().any(beside) || has_token(text.get_ref()) {
            self.secret(text.span(), call, place);
        }
    }

    fn secret(&mut self, given: Range<usize>, call: &str, place: &str) {
        self.wrong(
            given,
            "a secret seems to stand in the policy, which many can read",
            format!(
                "put it into the host's keyring with `cleanshiftctl secret set {call}`, and write {{secret}} {place}"
            ),
        );
    }
}

/// A web app in which operators sign in may open the provider's pages.
pub(super) fn let_through(sign_ins: &[SignInPolicy], apps: &mut [AppPolicy]) {
    for sign_in in sign_ins {
        if let SignInWay::Browser { app } = &sign_in.how
            && let Some(web) =
                apps.iter_mut().find(|entry| entry.name == *app).and_then(|entry| entry.web.as_mut())
            && let Ok(issuer) = Url::parse(&sign_in.issuer)
        {
            web.signs_in_at(&issuer);
        }
    }
}

/// `[[revoke]]`, as one may think of it first: TOML has no list that is a table too, and `[revoke]` says more than
/// its calls.
pub(super) fn list_of_revoke(table: &DeTable<'_>) -> Option<Problem> {
    let (_, value) = table.iter().find(|(key, _)| key.get_ref() == "revoke")?;
    value.get_ref().is_array().then(|| Problem {
        what: "`revoke` is a table, and its calls are a list in it".to_owned(),
        help: "write [[revoke.call]] in place of [[revoke]]".to_owned(),
        place: Some(value.span()),
    })
}

/// The words that stand in braces. JSON has quotes or nothing behind its own.
fn in_braces(text: &str) -> Vec<&str> {
    let word = |word: &&str| {
        !word.is_empty() && word.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    };
    let parts = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    parts.map(|(word, _)| word).filter(word).collect()
}

/// Whether it is written like a credential: by its scheme (RFC 6750, RFC 7617).
fn has_scheme(text: &str) -> bool {
    let (scheme, rest) = text.trim_start().split_once(' ').unwrap_or_default();
    let credential =
        ["basic", "bearer", "digest", "token"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    credential && !rest.trim().is_empty()
}

/// Whether the beginning of a signed token stands in it: `{"` in base64url.
fn has_token(text: &str) -> bool {
    let of_token = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    text.split(|letter| !of_token(letter)).any(|word| word.starts_with("eyJ") && word.len() > 16)
}
