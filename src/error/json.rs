//! An error in the terms of its JSON, for traces, logs and support. The command line uses the same
//! terms.

use std::fmt;

use super::kinds::VerifyError;
use crate::progress::Step;
use crate::trace::{TraceError, TraceErrorDetail};

/// Without the operator's description, which may be any text.
pub(super) fn of(error: &VerifyError) -> TraceError {
    let parts = parts(error);
    TraceError {
        kind: parts.kind.to_owned(),
        step: parts.step.map(name),
        cause: parts.cause,
        hop: parts.at.map(|(hop, _)| hop),
        host: parts.at.map(|(_, host)| host.to_owned()),
        message: error.to_string(),
        fallback: name(error.fallback()),
        detail: parts.detail,
    }
}

pub(super) fn kind(error: &VerifyError) -> &'static str {
    parts(error).kind
}

/// The parts that differ between kinds.
struct Parts<'a> {
    kind: &'static str,
    step: Option<Step>,
    cause: Option<String>,
    /// Hop and host.
    at: Option<(u32, &'a str)>,
    detail: TraceErrorDetail,
}

fn parts(error: &VerifyError) -> Parts<'_> {
    let of_kind = |kind| Parts { kind, step: None, cause: None, at: None, detail: TraceErrorDetail::default() };
    let at_hop = |kind, hop: &u32, host| Parts { step: Some(Step::Authorize), at: Some((*hop, host)), ..of_kind(kind) };
    match error {
        VerifyError::InvalidPhoneNumber => of_kind("invalid_phone_number"),
        VerifyError::InvalidConfig { setting } => Parts { cause: Some(name(setting)), ..of_kind("invalid_config") },
        VerifyError::CellularUnavailable { reason } => {
            Parts { step: Some(Step::Acquire), cause: Some(name(reason)), ..of_kind("cellular_unavailable") }
        }
        VerifyError::Backend { step, reason, status, retry_after_s, .. } => Parts {
            step: Some(*step),
            cause: Some(name(reason)),
            detail: TraceErrorDetail { status: *status, retry_after_s: *retry_after_s, ..TraceErrorDetail::default() },
            ..of_kind("backend")
        },
        VerifyError::Authorization { hop, host, reason, status, alert, .. } => Parts {
            cause: Some(name(reason)),
            detail: TraceErrorDetail { status: *status, alert: alert.clone(), ..TraceErrorDetail::default() },
            ..at_hop("authorization", hop, host)
        },
        VerifyError::DeniedByOperator { error, hop, host, .. } => Parts {
            detail: TraceErrorDetail { error: error.clone(), ..TraceErrorDetail::default() },
            ..at_hop("denied_by_operator", hop, host)
        },
        VerifyError::StateMismatch { hop, host } => at_hop("state_mismatch", hop, host),
        VerifyError::DeadlineExceeded { step } => Parts { step: Some(*step), ..of_kind("deadline_exceeded") },
        VerifyError::Cancelled => of_kind("cancelled"),
        VerifyError::Internal => of_kind("internal"),
    }
}

/// The name of a step, cause, setting or action.
fn name(value: impl fmt::Display) -> String {
    value.to_string()
}
