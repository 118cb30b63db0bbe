//! Classifies the errors of reqwest.

use std::error::Error;
use std::io;

use tokio_rustls::rustls;

use super::BackendError;

/// Why an attempt had no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HttpError {
    /// DNS or TCP failed: nothing was sent.
    Connect,
    /// TLS failed. A certificate that is rejected once is rejected again.
    Tls,
    /// No response in time.
    Timeout,
    /// The connection was closed before a response.
    Closed,
    /// The connection was closed within the response body: the server has processed the request.
    Truncated,
    /// The response is malformed.
    Malformed,
}

impl From<HttpError> for BackendError {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Connect | HttpError::Closed | HttpError::Truncated => Self::Unreachable,
            HttpError::Tls => Self::Tls,
            HttpError::Timeout => Self::Timeout,
            HttpError::Malformed => Self::MalformedAnswer { status: None },
        }
    }
}

/// For errors while reading a response body.
pub(super) fn classify_body(error: &reqwest::Error) -> HttpError {
    match classify(error) {
        HttpError::Connect | HttpError::Closed => HttpError::Truncated,
        other => other,
    }
}

pub(super) fn classify(error: &reqwest::Error) -> HttpError {
    if sources(error).any(<dyn Error>::is::<rustls::Error>) {
        HttpError::Tls
    } else if error.is_connect() {
        HttpError::Connect
    } else if sources(error).any(is_malformed) {
        HttpError::Malformed
    } else if error.is_timeout() {
        HttpError::Timeout
    } else {
        HttpError::Closed
    }
}

/// hyper has its own kinds for a malformed head, and uses I/O kinds for a malformed chunked body.
fn is_malformed(source: &(dyn Error + 'static)) -> bool {
    let is_of_body =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput);
    source.downcast_ref().is_some_and(hyper::Error::is_parse) || source.downcast_ref().is_some_and(is_of_body)
}

/// The error's chain of sources. Those inside an I/O error are hidden from `source()`.
fn sources<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |error| source(*error))
}

fn source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
