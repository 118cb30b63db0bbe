//! The error texts for all languages: what happened, and the recommended action. They contain
//! settings, hosts, statuses and codes, never a secret.

use super::causes::{AuthorizationCause, BackendCause, CellularCause, Fallback};
use super::kinds::VerifyError;
use crate::progress::Step;

pub(super) fn message(error: &VerifyError, setting_name: Option<String>) -> String {
    match error {
        VerifyError::InvalidPhoneNumber => "The phone number is not in E.164 form".to_owned(),
        VerifyError::InvalidConfig { setting } => {
            format!("The setting {} is invalid", setting_name.unwrap_or_else(|| setting.to_string()))
        }
        VerifyError::CellularUnavailable { reason } => cellular(*reason).to_owned(),
        VerifyError::Backend { step, reason, status, .. } => backend(*step, *reason, *status),
        VerifyError::Authorization { hop, host, reason, status, alert, .. } => {
            format!("The operator's host {host} (hop {hop}) {}", authorization(*reason, *status, alert.as_deref()))
        }
        VerifyError::DeniedByOperator { error, hop, host, .. } => {
            let code = error.as_deref().unwrap_or("no error code");
            format!("The operator denied the request ({code}) at {host} (hop {hop})")
        }
        VerifyError::StateMismatch { hop, host } => {
            format!("The state in the response of {host} (hop {hop}) does not match the request")
        }
        VerifyError::DeadlineExceeded { step } => format!("The call timed out during {step}"),
        VerifyError::Cancelled => "The call was cancelled".to_owned(),
        VerifyError::Internal => "The library failed with an internal error".to_owned(),
    }
}

pub(super) fn advice(error: &VerifyError) -> String {
    let usual = || of_fallback(error.fallback()).to_owned();
    match error {
        VerifyError::InvalidPhoneNumber => {
            "ask for a plus sign and 5 to 15 digits that do not begin with 0, such as +12025550123".to_owned()
        }
        VerifyError::InvalidConfig { setting } => setting.rule().to_owned(),
        VerifyError::Backend { retry_after_s: Some(seconds), advice: Fallback::RetryLater, .. } => {
            format!("try again in {seconds} s")
        }
        VerifyError::Backend { reason: BackendCause::AppFailed, .. } => {
            "make the app's Backend fail only with the error type of its interface".to_owned()
        }
        VerifyError::Backend { advice: Fallback::FixIntegration, .. } => {
            "correct the backend, or the settings that it is called with".to_owned()
        }
        VerifyError::Cancelled => "try again".to_owned(),
        VerifyError::Internal => format!("{}, and report it", usual()),
        VerifyError::CellularUnavailable { .. }
        | VerifyError::Backend { .. }
        | VerifyError::Authorization { .. }
        | VerifyError::DeniedByOperator { .. }
        | VerifyError::StateMismatch { .. }
        | VerifyError::DeadlineExceeded { .. } => usual(),
    }
}

fn of_fallback(fallback: Fallback) -> &'static str {
    match fallback {
        Fallback::UseAnotherChannel => "verify the number in another way, such as a code by SMS",
        Fallback::RetryLater => "try again later",
        Fallback::AskToEnableMobileData => "ask the user to allow mobile data for this app, then try again",
        Fallback::FixIntegration => "correct the app, its settings or its backend",
    }
}

fn cellular(reason: CellularCause) -> &'static str {
    match reason {
        CellularCause::NoInterface => "There is no cellular network",
        CellularCause::InterfaceDown => "The cellular network was lost",
        CellularCause::Vpn => "A VPN captures the app's traffic and cannot be bypassed",
        CellularCause::BlockedInBackground => "The system blocks the app's mobile data in the background",
        CellularCause::DataOff => "Mobile data is off",
        CellularCause::Airplane => "Airplane mode is on",
        CellularCause::NoSim => "There is no usable SIM",
        CellularCause::NotDataSim => "Another SIM is set for mobile data",
        CellularCause::Permission => "The app lacks a permission for the cellular network",
        CellularCause::TooManyRequests => "The app has too many pending network requests",
        CellularCause::SystemFault => "The system refused to make the cellular network available",
        CellularCause::Timeout => "The cellular network did not become available in time",
        CellularCause::Unsupported => "This device does not support per-network sockets",
    }
}

fn backend(step: Step, reason: BackendCause, status: Option<u16>) -> String {
    match reason {
        BackendCause::Unreachable => format!("The backend could not be reached during {step}"),
        BackendCause::Tls => {
            format!("TLS to the backend failed during {step} (untrusted certificate or handshake error)")
        }
        BackendCause::Timeout => format!("The backend did not respond in time during {step}"),
        BackendCause::Status => format!("The backend returned{} during {step}", http_status(status)),
        BackendCause::MalformedAnswer => {
            let status = status.map(|status| format!(" (HTTP status {status})")).unwrap_or_default();
            format!("The backend's response to {step} does not follow the contract{status}")
        }
        BackendCause::AppFailed => format!("The app's Backend failed during {step}"),
    }
}

fn authorization(reason: AuthorizationCause, status: Option<u16>, alert: Option<&str>) -> String {
    let text = match reason {
        AuthorizationCause::Dns => "could not be resolved over the cellular network",
        AuthorizationCause::Connect => "could not be reached over the cellular network",
        AuthorizationCause::Tls => {
            return alert.map_or_else(
                || "failed TLS (untrusted certificate or handshake error)".to_owned(),
                |alert| format!("failed TLS with the alert {alert}"),
            );
        }
        AuthorizationCause::Timeout => "did not respond in time",
        AuthorizationCause::Closed => "closed the connection before its response was complete",
        AuthorizationCause::HttpStatus => return format!("returned{}", http_status(status)),
        AuthorizationCause::TooManyRedirects => "redirected more often than allowed",
        AuthorizationCause::RedirectLoop => "redirected to a request that was sent before",
        AuthorizationCause::ForbiddenRedirect => "is, or redirected to, a disallowed address",
        AuthorizationCause::BadLocation => "redirected without a usable Location",
        AuthorizationCause::UnexpectedPage => "returned a page instead of a code",
        AuthorizationCause::MalformedResponse => "sent a malformed response",
        AuthorizationCause::TooLarge => "sent a response of more than 64 KiB",
    };
    text.to_owned()
}

fn http_status(status: Option<u16>) -> String {
    status.map_or_else(|| " an HTTP error status".to_owned(), |status| format!(" HTTP status {status}"))
}
