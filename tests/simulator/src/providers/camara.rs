//! An operator without an aggregator (`crate::camara`): OpenID Connect as CAMARA's profile has it.
//!
//! Sources: CAMARA's `CAMARA-Security-Interoperability.md` (IdentityAndConsentManagement), `number-verification.yaml` (NumberVerification);
//! OpenID Connect Core, section 3.1.2.

use super::{AuthorizationRequest, Refusal, UNKNOWN_CODE, camara_verify};
use crate::world::{Place, Session, World};
use crate::{CLIENT_ID, camara};

/// What the operator is made to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorizationAnswer {
    Code,
    Error(&'static str),
    /// An error where nobody may be redirected (RFC 6749, section 4.1.2.1).
    UnknownClient,
}

pub(super) fn auth_url(world: &World, answer: AuthorizationAnswer, asked: &AuthorizationRequest<'_>) -> String {
    let client = if answer == AuthorizationAnswer::UnknownClient { "unknown" } else { CLIENT_ID };
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", client),
        ("response_type", "code"),
        ("redirect_uri", asked.callback),
        ("scope", "openid dpv:FraudPreventionAndDetection number-verification:verify"),
        ("prompt", "none"),
        ("state", asked.state),
        ("nonce", asked.nonce),
    ]);
    if let AuthorizationAnswer::Error(error) = answer {
        query.append_pair("login_hint", &format!("error:{error}"));
    }
    format!("{}/authorize?{}", world.https(Place::Camara), query.finish())
}

pub(super) fn verdict(world: &World, session: &Session, code: Option<&str>) -> Result<bool, Refusal> {
    let sim = code.and_then(|code| camara::redeem(world, code)).ok_or(UNKNOWN_CODE)?;
    camara_verify(&sim, session)
}
