//! The input of a walk, from the backend's response and the settings, in the walk's types.

use crate::authorization::{Delivery, Rules, StartResponse};
use crate::backend::AuthorizationStart;
use crate::config::{Cleartext, CodeDelivery};
use crate::settings::Settings;

pub(super) fn start(response: &AuthorizationStart) -> StartResponse {
    StartResponse {
        auth_url: response.auth_url.clone(),
        redirect_uri: response.redirect_uri.clone(),
        state: response.state.clone(),
        session: response.session.clone(),
    }
}

pub(super) fn rules(settings: &Settings) -> Rules {
    Rules {
        delivery: match settings.code_delivery {
            CodeDelivery::Relay => Delivery::Relay,
            CodeDelivery::FollowThrough => Delivery::FollowThrough,
            CodeDelivery::NoCode => Delivery::NoCode,
        },
        cleartext: settings.cleartext == Cleartext::OnRedirects,
        redirect_limit: settings.redirect_limit,
        allowed_hosts: settings.allowed_hosts(),
        configured_redirect_uri: settings.redirect_uri.clone(),
        backend_origin: Some(settings.start_url.origin()),
    }
}
