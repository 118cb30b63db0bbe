//! Responses: JSON, or a problem document (RFC 9457) with a recommended action for the app. They
//! never contain anything from the request.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// The recommended action for the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    UseAnotherChannel,
    RetryLater,
    FixIntegration,
}

impl Fallback {
    fn name(self) -> &'static str {
        match self {
            Self::UseAnotherChannel => "use_another_channel",
            Self::RetryLater => "retry_later",
            Self::FixIntegration => "fix_integration",
        }
    }
}

/// An error response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    pub title: &'static str,
    pub fallback: Fallback,
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// The app, its configuration or its backend must be fixed.
    pub const fn fix(status: StatusCode, title: &'static str) -> Self {
        Self { status, title, fallback: Fallback::FixIntegration, retry_after_s: None }
    }

    /// The same call may succeed later.
    pub fn later(status: StatusCode, title: &'static str) -> Self {
        Self { status, title, fallback: Fallback::RetryLater, retry_after_s: None }
    }

    /// A retry will not succeed.
    pub const fn refusal(status: StatusCode, title: &'static str) -> Self {
        Self { status, title, fallback: Fallback::UseAnotherChannel, retry_after_s: None }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        ApiResponse::from(self).into_response()
    }
}

/// A response, in the form in which it is also stored for its Idempotency-Key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Debug))] // it contains sessions
pub struct ApiResponse {
    status: u16,
    body: String,
    cookie: Option<String>,
    retry_after_s: Option<u64>,
}

impl ApiResponse {
    pub fn ok(body: &serde_json::Value, cookie: Option<String>) -> Self {
        Self { status: 200, body: body.to_string(), cookie, retry_after_s: None }
    }

    pub fn no_content() -> Self {
        Self { status: 204, body: String::new(), cookie: None, retry_after_s: None }
    }

    /// A temporary error, which the client retries with the same Idempotency-Key.
    pub fn is_temporary(&self) -> bool {
        matches!(self.status, 429 | 503)
    }
}

impl From<Problem> for ApiResponse {
    fn from(problem: Problem) -> Self {
        let body = json!({
            "type": "about:blank",
            "title": problem.title,
            "status": problem.status.as_u16(),
            "fallback": problem.fallback.name(),
        });
        let retry_after_s = problem.retry_after_s;
        Self { status: problem.status.as_u16(), body: body.to_string(), cookie: None, retry_after_s }
    }
}

impl IntoResponse for ApiResponse {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let media_type = if status.is_success() { "application/json" } else { "application/problem+json" };
        let mut response = (status, self.body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if status == StatusCode::NO_CONTENT {
            headers.remove(header::CONTENT_TYPE);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store")); // no response may be cached
        if let Some(cookie) = self.cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
            headers.insert(header::SET_COOKIE, cookie);
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close")); // the rest of the body is not read
        }
        response
    }
}
