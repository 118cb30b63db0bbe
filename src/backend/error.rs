//! Maps backend errors to the app's errors.

use http::HeaderValue;

use super::BackendError;
use crate::error::{BackendCause, Fallback, VerifyError, is_temporary};
use crate::json::JsonObject;
use crate::progress::Step;
use crate::retry_after::retry_after_s;

impl BackendError {
    pub(crate) fn at(self, step: Step) -> VerifyError {
        let (reason, status, retry_after_s, advice) = match self {
            Self::Unreachable => (BackendCause::Unreachable, None, None, Fallback::RetryLater),
            Self::Tls => (BackendCause::Tls, None, None, Fallback::FixIntegration),
            Self::Timeout => (BackendCause::Timeout, None, None, Fallback::RetryLater),
            Self::Status { status, advice, retry_after_s } => {
                (BackendCause::Status, Some(status), retry_after_s, advice.unwrap_or_else(|| default_advice(status)))
            }
            Self::MalformedAnswer { status } => (BackendCause::MalformedAnswer, status, None, Fallback::FixIntegration),
            Self::Failed => (BackendCause::AppFailed, None, None, Fallback::FixIntegration),
        };
        VerifyError::Backend { step, reason, status, retry_after_s, advice }
    }

    /// The error for a status of 400 or more with this body, which may be a problem document
    /// (RFC 9457).
    pub(crate) fn status(status: u16, body: &[u8], retry_after: Option<&HeaderValue>) -> Self {
        let advice = JsonObject::parse(body)
            .and_then(|problem| problem.get("fallback").ok().flatten().cloned())
            .and_then(|name| serde_json::from_value(name).ok());
        Self::Status { status, advice, retry_after_s: retry_after.and_then(retry_after_s) }
    }
}

fn default_advice(status: u16) -> Fallback {
    match status {
        status if is_temporary(status) => Fallback::RetryLater,
        403 | 409 | 410 | 422 | 500..=599 => Fallback::UseAnotherChannel,
        _ => Fallback::FixIntegration,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_depends_on_status_and_problem_document() {
        let fallback =
            |status, body: &str| BackendError::status(status, body.as_bytes(), None).at(Step::Start).fallback();
        for status in [400, 401, 404, 405, 415] {
            assert_eq!(fallback(status, ""), Fallback::FixIntegration, "{status}");
        }
        for status in [403, 409, 410, 422, 501, 505, 507, 511, 520, 599] {
            assert_eq!(fallback(status, ""), Fallback::UseAnotherChannel, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(fallback(status, ""), Fallback::RetryLater, "{status}");
        }
        assert_eq!(fallback(500, r#"{"fallback":"use_another_channel"}"#), Fallback::UseAnotherChannel);
        assert_eq!(fallback(500, r#"{"fallback":"dance"}"#), Fallback::RetryLater);
        assert_eq!(fallback(403, r#"{"fallback":1}"#), Fallback::UseAnotherChannel);
    }
}
