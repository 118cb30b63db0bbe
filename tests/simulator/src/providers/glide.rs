//! Glide: OAuth 2.0 through an aggregator (`auth.rs`), with the requests of its client `glide_sdk`
//! 1.0.8. With `dev_print=true` the code is returned in JSON.
//!
//! Sources: `glide_sdk` 1.0.8 on PyPI (`number_verify.py`); docs.gateway-x.io.

use std::sync::Arc;

use axum::Router;

use super::{
    AuthorizationRequest, End, NO_RESULT, Provider, REFUSED, Refusal, Registration, UNKNOWN_CODE, camara_verify,
};
use crate::hosts::SimHost;
use crate::scenarios::{Delivery, Outcome, Scenario, VERIFIED};
use crate::world::{Knowledge, Session, Subject, World};
use crate::{CLIENT_ID, auth, verify};

pub(crate) const HOST: SimHost = SimHost::https("auth.simulator.test");
pub(super) const PROVIDER: Registration = Registration { host: HOST, router, scenarios };

/// Glide's client and the CAMARA operator's client reach both at `localhost`, which is this host.
fn router(world: Arc<World>) -> Router {
    auth::router(world.clone()).merge(crate::camara::backend_router(world))
}

fn scenarios() -> Vec<Scenario> {
    use Delivery::{FollowThrough, Relay};
    let json = Glide { operator: "a", end: End::Json };
    vec![
        scenario("glide", Relay, "a", VERIFIED).with_verify_errors(),
        scenario("glide-follow-through", FollowThrough, "a", VERIFIED),
        Scenario::new("glide-dev-print", Relay, json, VERIFIED),
        scenario("glide-header-enrichment", Relay, "b", VERIFIED),
        scenario("glide-long-chain", Relay, "c", VERIFIED),
    ]
}

/// With this operator, or an operator with this quirk.
pub(crate) fn scenario(name: &str, delivery: Delivery, operator: &'static str, own: Outcome) -> Scenario {
    Scenario::new(name, delivery, Glide { operator, end: End::Redirect }, own)
}

#[derive(Debug)]
struct Glide {
    operator: &'static str,
    end: End,
}

impl Provider for Glide {
    /// `getAuthUrl`.
    fn auth_url(&self, world: &World, _: &mut Knowledge, request: &AuthorizationRequest<'_>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("client_id", CLIENT_ID),
            ("response_type", "code"),
            ("scope", "openid"),
            ("purpose", "dpv:FraudPreventionAndDetection:number-verification"),
            ("state", request.state),
            ("nonce", request.nonce),
            ("max_age", "0"),
            ("operator", self.operator),
        ]);
        match self.end {
            End::Json => query.append_pair("dev_print", "true"),
            End::Redirect | End::Nothing => query.append_pair("redirect_uri", request.callback),
        };
        format!("{}/oauth2/auth?{}", world.https(HOST), query.finish())
    }

    fn end(&self) -> End {
        self.end
    }

    /// `verifyNumber`: exchanges the code for a token, then requests the result with the token and
    /// the number. Without a code, the result that the operator reported directly.
    fn result(&self, _: &World, known: &mut Knowledge, session: &Session, code: Option<&str>) -> Result<bool, Refusal> {
        let Some(code) = code else {
            let reported = known.transactions.values().find(|transaction| transaction.state == session.state);
            let sim = reported.and_then(|transaction| transaction.number.clone());
            return sim.map(|sim| session.number == Some(sim)).ok_or(NO_RESULT);
        };
        let token = auth::exchange(known, code).ok_or(UNKNOWN_CODE)?;
        match verify::spend(known, &token).ok_or(UNKNOWN_CODE)?.0.subject {
            Subject::Sim(sim) => camara_verify(&sim, session),
            Subject::Password | Subject::Client => Err(REFUSED),
        }
    }
}
