//! Maps the errors of the walk and of the transport to the app's errors.

use crate::authorization::{Failure, Unreadable};
use crate::error::{AuthorizationCause, Fallback, OperatorMessage, VerifyError};
use crate::recorder::HopRecord;
use crate::transport::TransportError;

pub(super) fn transport_error(error: TransportError, hop: &HopRecord<'_>) -> VerifyError {
    let reason = match error {
        TransportError::Unavailable(why) => return VerifyError::CellularUnavailable { reason: why.into() },
        TransportError::Tls { alert } => return of_hop(hop, AuthorizationCause::Tls, None, alert),
        TransportError::Dns => AuthorizationCause::Dns,
        TransportError::ForbiddenAddress => AuthorizationCause::ForbiddenRedirect,
        TransportError::Connect => AuthorizationCause::Connect,
        TransportError::Timeout => AuthorizationCause::Timeout,
        TransportError::Closed => AuthorizationCause::Closed,
        TransportError::BadUrl => AuthorizationCause::BadLocation,
        TransportError::MalformedResponse => AuthorizationCause::MalformedResponse,
        TransportError::TooLarge => AuthorizationCause::TooLarge,
    };
    of_hop(hop, reason, None, None)
}

pub(super) fn walk_error(failure: Failure, hop: &HopRecord<'_>) -> VerifyError {
    let (index, host) = (hop.index, hop.host.clone());
    let reason = match failure {
        Failure::StateMismatch => return VerifyError::StateMismatch { hop: index, host },
        Failure::Denied(denial) => {
            let description = denial.description.map(OperatorMessage::new);
            return VerifyError::DeniedByOperator { error: denial.error, description, hop: index, host };
        }
        Failure::LostRedirectUri => {
            let (reason, advice) = (AuthorizationCause::MalformedResponse, Fallback::FixIntegration);
            return VerifyError::Authorization { hop: index, host, reason, status: None, alert: None, advice };
        }
        Failure::HttpStatus(status) => {
            return of_hop(hop, AuthorizationCause::HttpStatus, Some(status), None);
        }
        Failure::BadLocation => AuthorizationCause::BadLocation,
        Failure::ForbiddenRedirect => AuthorizationCause::ForbiddenRedirect,
        Failure::TooManyRedirects => AuthorizationCause::TooManyRedirects,
        Failure::RedirectLoop => AuthorizationCause::RedirectLoop,
        Failure::UnexpectedPage => AuthorizationCause::UnexpectedPage,
        Failure::MalformedResponse => AuthorizationCause::MalformedResponse,
    };
    of_hop(hop, reason, None, None)
}

fn of_hop(hop: &HopRecord<'_>, reason: AuthorizationCause, status: Option<u16>, alert: Option<String>) -> VerifyError {
    let advice = reason.fallback(status);
    VerifyError::Authorization { hop: hop.index, host: hop.host.clone(), reason, status, alert, advice }
}

/// Returns how the body failed, if the error is about the body.
pub(super) fn unreadable(error: &TransportError) -> Option<Unreadable> {
    match error {
        TransportError::TooLarge => Some(Unreadable::TooLarge),
        TransportError::MalformedResponse | TransportError::Closed => Some(Unreadable::Broken),
        TransportError::Dns
        | TransportError::ForbiddenAddress
        | TransportError::Connect
        | TransportError::Tls { .. }
        | TransportError::Timeout
        | TransportError::BadUrl
        | TransportError::Unavailable(_) => None,
    }
}

/// Whether the request was sent and no response was received.
pub(super) fn is_lost_response(error: &TransportError, hop: &HopRecord<'_>) -> bool {
    let is_lost = matches!(error, TransportError::Closed | TransportError::Timeout | TransportError::Unavailable(_));
    hop.timings.first_byte.is_some() && is_lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::Recorder;

    #[test]
    fn unknown_redirect_uri_advises_to_fix_the_integration() {
        let recorder = Recorder::new(String::new(), None);
        let hop = recorder.hop_began("https", "op.test".to_owned());
        for (error, fallback) in [
            (walk_error(Failure::LostRedirectUri, &hop), Fallback::FixIntegration),
            (walk_error(Failure::MalformedResponse, &hop), Fallback::UseAnotherChannel),
            (transport_error(TransportError::MalformedResponse, &hop), Fallback::UseAnotherChannel),
        ] {
            let VerifyError::Authorization { host, reason, status, advice, .. } = error else { panic!("{error:?}") };
            assert_eq!((host.as_str(), reason, status), ("op.test", AuthorizationCause::MalformedResponse, None));
            assert_eq!(advice, fallback);
        }
        let error = transport_error(TransportError::BadUrl, &hop);
        assert!(
            matches!(error, VerifyError::Authorization { reason: AuthorizationCause::BadLocation, .. }),
            "{error:?}"
        );
    }
}
