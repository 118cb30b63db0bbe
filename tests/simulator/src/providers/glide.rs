//! Glide: OAuth 2.0 over an aggregator (`auth.rs`), as its client `glide_sdk` 1.0.8 asks. `dev_print=true` has the code answered in JSON.
//!
//! Sources: `glide_sdk` 1.0.8 on PyPI (`number_verify.py`); docs.gateway-x.io.

use super::{AuthorizationRequest, End, NO_VERDICT, REFUSED, Refusal, UNKNOWN_CODE, camara_verify};
use crate::world::{Knowledge, Place, Session, Subject, World};
use crate::{CLIENT_ID, auth, verify};

/// `getAuthUrl`.
pub(super) fn auth_url(world: &World, operator: &str, ends: End, asked: &AuthorizationRequest<'_>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", CLIENT_ID),
        ("response_type", "code"),
        ("scope", "openid"),
        ("purpose", "dpv:FraudPreventionAndDetection:number-verification"),
        ("state", asked.state),
        ("nonce", asked.nonce),
        ("max_age", "0"),
        ("operator", operator),
    ]);
    match ends {
        End::Json => query.append_pair("dev_print", "true"),
        End::Redirect | End::Nothing => query.append_pair("redirect_uri", asked.callback),
    };
    format!("{}/oauth2/auth?{}", world.https(Place::Auth), query.finish())
}

/// `verifyNumber`: the code for a token, the token and the number for the verdict. Without a code, what the operator told by itself.
pub(super) fn verdict(known: &mut Knowledge, session: &Session, code: Option<&str>) -> Result<bool, Refusal> {
    let Some(code) = code else {
        let told = known.transactions.values().find(|transaction| transaction.state == session.state);
        let sim = told.and_then(|transaction| transaction.number.clone());
        return sim.map(|sim| sim == session.number).ok_or(NO_VERDICT);
    };
    let token = auth::exchange(known, code).ok_or(UNKNOWN_CODE)?;
    match verify::spend(known, &token).ok_or(UNKNOWN_CODE)?.0.subject {
        Subject::Sim(sim) => camara_verify(&sim, session),
        Subject::Password | Subject::Client => Err(REFUSED),
    }
}
