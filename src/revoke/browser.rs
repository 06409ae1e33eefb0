//! Signing in by the operator's own hands, in the browser of her capsule: authorization code with PKCE (RFC 7636), and
//! the page at which that browser takes leave again (OpenID Connect RP-Initiated Log-Out 1.0).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::core::{Came, Core, Identity, Stage, Visit};
use super::discovery::Metadata;
use super::grants::{Granted, SignIn, Trouble, disbelieved};
use super::key::{random, unguessable};
use super::outbox::{Item, Of};
use crate::policy::SignInWay;
use crate::ports::{Page, Secret, SignInNews, TokenKind, TokenState};

/// Where the browser comes back to from a sign-in: the station's own address inside the capsule (RFC 8252 §7.3).
pub const SIGNED_IN: &str = "http://127.0.0.1:8707/signed-in";
/// Where it comes back to from a farewell.
pub const SIGNED_OUT: &str = "http://127.0.0.1:8707/signed-out";
/// The longest path and query that are looked at, bytes.
const MOST: usize = 8 * 1024;
/// How far the station's clock and a provider's may lie apart, seconds.
const SKEW: i64 = 60;

/// Sends the operator to the provider's page and waits until her browser comes back.
pub(super) async fn sign_in(
    sign_in: &mut SignIn,
    app: &str,
    metadata: &Metadata,
) -> Result<Granted, Trouble> {
    let policy = sign_in.provider.policy.clone();
    let failed =
        |error: crate::ports::PortError| Trouble::lasting(format!("The station failed to {error}. Tell IT."));
    let Some(page) = metadata.authorization.as_ref().and_then(|page| url::Url::parse(page).ok()) else {
        return Err(Trouble::lasting(format!("{} has no page for signing in. Tell IT.", policy.name)));
    };
    let state = unguessable().map_err(failed)?;
    let verifier = Secret::new(URL_SAFE_NO_PAD.encode(random::<32>().map_err(failed)?));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()));
    let mut scopes = policy.scopes.clone();
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    let mut address = page;
    {
        let mut query = address.query_pairs_mut();
        let _ = query
            .append_pair("response_type", "code")
            .append_pair("client_id", &policy.client)
            .append_pair("redirect_uri", SIGNED_IN)
            .append_pair("scope", &scopes.join(" "))
            .append_pair("state", &state)
            .append_pair("nonce", &nonce_of(&state))
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some((name, value)) = sign_in.audience() {
            let _ = query.append_pair(name, value);
        }
        let bound = sign_in.core.state(|state| {
            let session = state.of(&sign_in.number)?;
            session.proofs.get(&sign_in.index).map(|key| key.thumbprint().to_owned())
        });
        if let Some(thumbprint) = bound {
            let _ = query.append_pair("dpop_jkt", &thumbprint);
        }
    }
    // From now on the browser may hold a session of the provider's in its cookie.
    let of = Of::SignIn(sign_in.index);
    let item = sign_in.core.item(&sign_in.number, of, TokenKind::ProviderSession, &state);
    let there = |item: &Item| item.end.kind == TokenKind::ProviderSession;
    let mut begun = None;
    if !sign_in.core.group(&sign_in.number, of).iter().any(there) {
        begun = Some(sign_in.core.take_in(item).map_err(failed)?);
    }
    let (came, coming) = oneshot::channel();
    let visit = Visit { index: sign_in.index, came };
    sign_in.core.state(|shared| {
        if let Some(session) = shared.of(&sign_in.number) {
            drop(session.visits.insert(state.clone(), visit));
        }
    });
    let page = Page { app: app.to_owned(), address: Secret::new(address.as_str()) };
    sign_in.core.say(SignInNews::Visit(page));
    let over = sign_in.over.wait_for(|over| *over);
    let came = tokio::select! {
        came = coming => came.ok(),
        _ = over => None,
    };
    let code = match came {
        Some(Came::Code(code)) => code,
        Some(Came::Refused(why)) => {
            return Err(Trouble::lasting(format!("{} did not sign you in: {why}.", policy.name)));
        }
        None => {
            // Nobody came back from the page: nobody is signed in, and what it may have set goes with the browser.
            sign_in.forget(begun);
            return Err(Trouble::lasting("The session is over."));
        }
    };
    sign_in.nonce = Some(nonce_of(&state));
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", SIGNED_IN),
        ("code_verifier", verifier.expose()),
    ];
    fields.extend(sign_in.audience());
    sign_in.ask(&metadata.token, &fields).await
}

/// The nonce of a sign-in: bound to its state, so that only one has to be remembered.
fn nonce_of(state: &str) -> String {
    hex::encode(Sha256::digest(format!("nonce of {state}").as_bytes()))
}

/// Whom an ID token names. It is needed where she signed in herself; elsewhere one that does not hold is left alone.
pub(super) async fn identity(sign_in: &SignIn, token: &Secret) -> Result<Option<Identity>, String> {
    let provider = &sign_in.provider;
    let own = matches!(provider.policy.how, SignInWay::Browser { .. });
    let wrong = |why: String| if own { Err(why) } else { Ok(None) };
    let signed = match provider.believe(token.expose()).await {
        Ok(signed) => signed,
        Err(disbelief) => return wrong(disbelieved(provider, &disbelief)),
    };
    let now = sign_in.core.utc_ms().div_euclid(1000);
    let claims = &signed.claims;
    let name = &provider.policy.name;
    if claims["exp"].as_i64().is_none_or(|until| until + SKEW < now) {
        return wrong(format!("{name} names the operator in a token that is too old. Tell IT."));
    }
    if own && claims["nonce"].as_str() != sign_in.nonce.as_deref() {
        return wrong(format!("{name} answered another sign-in than this one. Sign in again."));
    }
    let Some(subject) = claims["sub"].as_str() else {
        return wrong(format!("{name} does not say whom it signed in. Tell IT."));
    };
    let sid = claims["sid"].as_str().map(str::to_owned);
    Ok(Some(Identity { id_token: token.clone(), subject: subject.to_owned(), sid }))
}

/// The pages at which the session's browser takes leave. Nothing is refreshed from now on.
pub(super) fn farewells(core: &Core) -> Vec<Page> {
    core.state(|state| {
        let Some(session) = state.session.as_mut().filter(|session| session.stage != Stage::Ended) else {
            return Vec::new();
        };
        session.stage = Stage::Leaving;
        let _ = session.over.send_replace(true);
        let mut pages = Vec::new();
        for (index, provider) in core.providers.iter().enumerate() {
            let SignInWay::Browser { app } = &provider.policy.how else { continue };
            let Some(identity) = session.identities.get(&index) else { continue };
            let Some(place) = provider.farewell() else { continue };
            let (Ok(mut address), Ok(number)) = (url::Url::parse(&place), unguessable()) else { continue };
            let _ = address
                .query_pairs_mut()
                .append_pair("id_token_hint", identity.id_token.expose())
                .append_pair("client_id", &provider.policy.client)
                .append_pair("post_logout_redirect_uri", SIGNED_OUT)
                .append_pair("state", &number);
            let _ = session.farewells.insert(number, index);
            pages.push(Page { app: app.clone(), address: Secret::new(address.as_str()) });
        }
        pages
    })
}

/// The capsule's browser has come back with this. Only what answers a question of this session counts, once.
pub(super) fn returned(core: &Core, path_and_query: &str) {
    if path_and_query.len() > MOST {
        return;
    }
    let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
    let field = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let Some(number) = field("state") else { return };
    match path {
        "/signed-in" => {
            let visit = core.state(|state| state.session.as_mut()?.visits.remove(&number));
            let Some(visit) = visit else { return };
            let Some(provider) = core.providers.get(visit.index) else { return };
            let named = field("iss");
            let strange = match &named {
                Some(issuer) => *issuer != provider.policy.issuer,
                None => provider.names_itself(),
            };
            let came = if strange {
                Came::Refused("another provider than it answered".to_owned())
            } else if let Some(code) = field("code") {
                Came::Code(Secret::new(code))
            } else {
                let plain = |letter: &char| letter.is_ascii_lowercase() || *letter == '_';
                let why: String = field("error").unwrap_or_default().chars().filter(plain).take(60).collect();
                Came::Refused(if why.is_empty() { "it sent nothing back".to_owned() } else { why })
            };
            // A sign-in that is over waits for nothing any more.
            let _ = visit.came.send(came);
        }
        "/signed-out" => {
            let index = core.state(|state| {
                let session = state.session.as_mut()?;
                let index = session.farewells.remove(&number)?;
                let of = Of::SignIn(index);
                let those =
                    state.items.iter_mut().filter(|item| item.session == session.number && item.of == of);
                for item in those.filter(|item| item.end.kind == TokenKind::ProviderSession) {
                    item.stands(TokenState::Acknowledged, "the provider's farewell page came back");
                }
                Some(index)
            });
            if index.is_some() {
                core.say(SignInNews::Farewelled);
            }
        }
        _ => {}
    }
}
