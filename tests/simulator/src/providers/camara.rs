//! An operator without an aggregator (`crate::camara`): OpenID Connect as defined by CAMARA's
//! profile.
//!
//! Sources: CAMARA's `CAMARA-Security-Interoperability.md` (IdentityAndConsentManagement),
//! `number-verification.yaml` (NumberVerification); OpenID Connect Core, section 3.1.2.

use super::{AuthorizationRequest, End, Provider, Refusal, Registration, Retrieval, UNKNOWN_CODE, camara_verify};
use crate::camara::{ERRORS, HOST, authorization_router};
use crate::scenarios::{Delivery, Detail, Scenario, VERIFIED, denied, misused, refused};
use crate::world::{Knowledge, Session, World};
use crate::{CLIENT_ID, camara};

pub(super) const PROVIDER: Registration = Registration { host: HOST, router: authorization_router, scenarios };

fn scenarios() -> Vec<Scenario> {
    use Camara::{Code, Error, UnknownClient};
    use Delivery::{FollowThrough, Relay};
    let error = |(error, fallback): (&'static str, _)| {
        let name = format!("camara-{}", error.replace('_', "-"));
        Scenario::new(&name, Relay, Error(error), denied(Detail::Error(error), fallback))
    };
    let mut all = vec![
        Scenario::new("camara", Relay, Code, VERIFIED).with_verify_errors(),
        Scenario::new("camara-follow-through", FollowThrough, Code, VERIFIED),
        Scenario::new("camara-follow-through-denied", FollowThrough, Error("access_denied"), refused("access_denied")),
        Scenario::new("camara-unknown-client", Relay, UnknownClient, misused("unauthorized_client")),
    ];
    all.extend(ERRORS.map(error));
    all
}

/// The response of the operator.
#[derive(Debug, PartialEq, Eq)]
enum Camara {
    Code,
    Error(&'static str),
    /// An error without a redirect (RFC 6749, section 4.1.2.1).
    UnknownClient,
}

impl Provider for Camara {
    fn auth_url(&self, world: &World, _: &mut Knowledge, request: &AuthorizationRequest<'_>) -> String {
        let operation = if request.number.is_some() { "verify" } else { "device-phone-number:read" };
        let scope = format!("openid dpv:FraudPreventionAndDetection number-verification:{operation}");
        let client = if *self == Self::UnknownClient { "unknown" } else { CLIENT_ID };
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("client_id", client),
            ("response_type", "code"),
            ("redirect_uri", request.callback),
            ("scope", &scope),
            ("prompt", "none"),
            ("state", request.state),
            ("nonce", request.nonce),
        ]);
        if let Self::Error(error) = self {
            query.append_pair("login_hint", &format!("error:{error}"));
        }
        format!("{}/authorize?{}", world.https(HOST), query.finish())
    }

    fn end(&self) -> End {
        End::Redirect
    }

    fn result(&self, world: &World, _: &mut Knowledge, session: &Session, code: Option<&str>) -> Result<bool, Refusal> {
        let sim = code.and_then(|code| camara::redeem(world, code, |permits| permits.verify)).ok_or(UNKNOWN_CODE)?;
        camara_verify(&sim, session)
    }

    fn retrieval(&self) -> Option<Retrieval> {
        Some(|world, code| {
            let sim = code.and_then(|code| camara::redeem(world, code, |permits| permits.device_phone_number));
            sim.ok_or(UNKNOWN_CODE)
        })
    }
}
