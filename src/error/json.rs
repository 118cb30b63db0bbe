//! An error as a JSON object, for logs and support. The command line uses the same terms.

use serde_json::{Map, Value, json};

use super::kinds::VerifyError;
use crate::progress::Step;

pub(super) fn of(error: &VerifyError) -> Value {
    let parts = parts(error);
    let mut detail = Map::new();
    for (name, value) in parts.detail.into_iter().filter(|(_, value)| !value.is_null()) {
        detail.insert(name.to_owned(), value);
    }
    let (hop, host) = parts.at.unzip();
    json!({
        "kind": parts.kind,
        "step": parts.step,
        "cause": parts.cause,
        "hop": hop,
        "host": host,
        "message": error.to_string(),
        "fallback": error.fallback(),
        "detail": detail,
    })
}

pub(super) fn kind(error: &VerifyError) -> &'static str {
    parts(error).kind
}

/// The parts that differ between kinds.
struct Parts<'a> {
    kind: &'static str,
    step: Option<Step>,
    cause: Value,
    /// Hop and host.
    at: Option<(u32, &'a str)>,
    /// Without unknown values.
    detail: Vec<(&'static str, Value)>,
}

fn parts(error: &VerifyError) -> Parts<'_> {
    let of_kind = |kind| Parts { kind, step: None, cause: Value::Null, at: None, detail: Vec::new() };
    let at_hop = |kind, hop: &u32, host| Parts { step: Some(Step::Authorize), at: Some((*hop, host)), ..of_kind(kind) };
    match error {
        VerifyError::InvalidPhoneNumber => of_kind("invalid_phone_number"),
        VerifyError::InvalidConfig { setting } => Parts { cause: json!(setting), ..of_kind("invalid_config") },
        VerifyError::CellularUnavailable { reason } => {
            Parts { step: Some(Step::Acquire), cause: json!(reason), ..of_kind("cellular_unavailable") }
        }
        VerifyError::Backend { step, reason, status, retry_after_s, .. } => Parts {
            step: Some(*step),
            cause: json!(reason),
            detail: vec![("status", json!(status)), ("retry_after_s", json!(retry_after_s))],
            ..of_kind("backend")
        },
        VerifyError::Authorization { hop, host, reason, status, alert, .. } => Parts {
            cause: json!(reason),
            detail: vec![("status", json!(status)), ("alert", json!(alert))],
            ..at_hop("authorization", hop, host)
        },
        VerifyError::DeniedByOperator { error, hop, host, .. } => {
            Parts { detail: vec![("error", json!(error))], ..at_hop("denied_by_operator", hop, host) }
        }
        VerifyError::StateMismatch { hop, host } => at_hop("state_mismatch", hop, host),
        VerifyError::DeadlineExceeded { step } => Parts { step: Some(*step), ..of_kind("deadline_exceeded") },
        VerifyError::Cancelled => of_kind("cancelled"),
        VerifyError::Internal => of_kind("internal"),
    }
}
