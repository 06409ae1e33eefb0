//! Calls to what is not OAuth: an EHR's or a vendor's API, by the templates of the policy. What is put into a template
//! is written as its place requires, so that no operator's key or secret can change what is asked.

use std::sync::Arc;

use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::vault::Vault;
use super::wire::{Answer, Fault, Wire, permitted};
use crate::policy::CallPolicy;
use crate::ports::{Clock, Secret};

/// A call of the policy.
pub(super) struct Caller {
    pub(super) policy: CallPolicy,
    /// The host that it goes to.
    pub(super) host: String,
    vault: Vault,
    wire: OnceCell<Wire>,
}

/// Why a call was not made.
pub(super) enum Unmade {
    /// It cannot be made as the policy has it: a sentence.
    Never(String),
    /// There was no answer.
    Fault(Fault),
}

/// How a place has its text written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Address,
    Header,
    Json,
    Form,
    Xml,
    Text,
}

impl Caller {
    pub(super) fn new(policy: CallPolicy, vault: Vault) -> Self {
        let host = url::Url::parse(&policy.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let host = host.unwrap_or_else(|| policy.name.clone());
        Self { policy, host, vault, wire: OnceCell::new() }
    }

    /// Makes the call.
    pub(super) async fn make(
        &self,
        operator: &str,
        session: &str,
        station: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Answer, Unmade> {
        let texts = [&self.policy.url, &self.policy.body]
            .into_iter()
            .chain(self.policy.headers.iter().map(|(_, text)| text));
        let secret =
            if texts.into_iter().any(|text| text.contains("{secret}")) { Some(self.secret()?) } else { None };
        let values = [
            ("operator", Some(operator)),
            ("session", Some(session)),
            ("station", Some(station)),
            ("secret", secret.as_ref().map(Secret::expose)),
        ];
        let never = |what: &str| Unmade::Never(what.to_owned());
        let address = fill(&self.policy.url, &values, Place::Address).map_err(Unmade::Never)?;
        let Some(address) = permitted(&address).filter(|address| address.host_str() == Some(&self.host))
        else {
            return Err(never("its address is not https to the host that the policy names"));
        };
        let method = reqwest::Method::from_bytes(self.policy.method.as_bytes());
        let method = method.map_err(|_| never("its method is none of HTTP's"))?;
        let plain = address.scheme() == "http";
        let open = || async {
            let extra = self.policy.certificates.clone();
            tokio::task::block_in_place(|| Wire::open(extra.as_deref(), plain))
        };
        let wire = self.wire.get_or_try_init(open).await.map_err(Unmade::Fault)?;
        let mut request = wire.client().request(method, address);
        let mut form = Place::Text;
        for (name, text) in &self.policy.headers {
            let text = Zeroizing::new(fill(text, &values, Place::Header).map_err(Unmade::Never)?);
            if name.eq_ignore_ascii_case("content-type") {
                form = body_place(&text);
            }
            let mut value = reqwest::header::HeaderValue::from_str(&text)
                .map_err(|_| never("a header of it cannot be written"))?;
            value.set_sensitive(true);
            request = request.header(name.as_str(), value);
        }
        if !self.policy.body.is_empty() {
            request = request.body(fill(&self.policy.body, &values, form).map_err(Unmade::Never)?);
        }
        wire.send(request, clock).await.map_err(Unmade::Fault)
    }

    fn secret(&self) -> Result<Secret, Unmade> {
        let name = &self.policy.name;
        let found = tokio::task::block_in_place(|| self.vault.get(&secret_name(name)));
        // Tried again as long as the policy says: a keyring may be unlocked, and a secret set, meanwhile.
        let later = |why: String| Unmade::Fault(Fault(why));
        let missing =
            || later(format!("needs a secret that is missing: run `cleanshiftctl secret set \"{name}\"`"));
        let (secret, _) = found
            .map_err(|error| later(format!("needs a secret, and the station failed to {error}")))?
            .ok_or_else(missing)?;
        std::str::from_utf8(&secret)
            .map(Secret::new)
            .map_err(|_| Unmade::Never("its secret is no text".to_owned()))
    }
}

/// The name under which the vault holds the secret of a call.
pub(super) fn secret_name(call: &str) -> String {
    format!("call {call}")
}

fn body_place(content_type: &str) -> Place {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/json" || kind.ends_with("+json") {
        Place::Json
    } else if kind == "application/x-www-form-urlencoded" {
        Place::Form
    } else if kind == "text/xml" || kind == "application/xml" || kind.ends_with("+xml") {
        Place::Xml
    } else {
        Place::Text
    }
}

/// Puts the values where the template names them, in one pass: what is put in is never read as a template.
fn fill(template: &str, values: &[(&str, Option<&str>)], place: Place) -> Result<String, String> {
    let mut written = String::with_capacity(template.len());
    let mut rest = template;
    'read: while let Some(brace) = rest.find('{') {
        let (before, from) = rest.split_at(brace);
        written.push_str(before);
        for (name, value) in values {
            if let Some(after) = from.strip_prefix(&format!("{{{name}}}")) {
                write_value(value.unwrap_or_default(), place, &mut written)?;
                rest = after;
                continue 'read;
            }
        }
        written.push('{');
        rest = from.get(1..).unwrap_or_default();
    }
    written.push_str(rest);
    Ok(written)
}

fn write_value(value: &str, place: Place, into: &mut String) -> Result<(), String> {
    match place {
        Place::Address => {
            for byte in value.bytes() {
                if byte.is_ascii_alphanumeric() || b"-_~".contains(&byte) || (byte == b'.' && value.len() > 2)
                {
                    into.push(char::from(byte));
                } else {
                    into.push_str(&format!("%{byte:02X}"));
                }
            }
        }
        Place::Header => {
            if !value.chars().all(|letter| letter.is_ascii_graphic() || letter == ' ') {
                return Err("what belongs in a header of it cannot be written there".to_owned());
            }
            into.push_str(value);
        }
        Place::Json => {
            let text = Zeroizing::new(serde_json::Value::from(value).to_string());
            into.push_str(text.get(1..text.len().saturating_sub(1)).unwrap_or_default());
        }
        Place::Form => into.extend(url::form_urlencoded::byte_serialize(value.as_bytes())),
        Place::Xml => {
            for letter in value.chars() {
                match letter {
                    '<' => into.push_str("&lt;"),
                    '>' => into.push_str("&gt;"),
                    '&' => into.push_str("&amp;"),
                    '"' => into.push_str("&quot;"),
                    '\'' => into.push_str("&apos;"),
                    letter if letter.is_control() => {
                        return Err("what belongs in its body cannot be written in XML".to_owned());
                    }
                    letter => into.push(letter),
                }
            }
        }
        Place::Text => {
            // Nothing is known of what counts as a sign there: only what is one nowhere goes in.
            if !value.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_.@".contains(letter)) {
                return Err(
                    "its body has no content type by which what belongs in it could be written".to_owned()
                );
            }
            into.push_str(value);
        }
    }
    Ok(())
}
