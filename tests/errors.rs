//! Every error with its recommended action, as documented in the contract and in docs/errors.md's
//! table.

use number_verify::Fallback::{AskToEnableMobileData, FixIntegration, RetryLater, UseAnotherChannel};
use number_verify::{
    AuthorizationCause, BackendCause, BackendError, CellularCause, CellularError, Fallback, ListenerError,
    ServerTrustError, Setting, Step, Trace, VerifyError,
};
use serde_json::Value;

fn json(error: &VerifyError) -> Value {
    serde_json::from_str(&error.to_json()).unwrap()
}

fn denied(error: Option<&str>) -> VerifyError {
    let host = "op.test".to_owned();
    VerifyError::DeniedByOperator { error: error.map(str::to_owned), description: None, hop: 2, host }
}

#[test]
fn cellular_unavailable_is_documented() {
    use CellularCause::{
        Airplane, BlockedInBackground, DataOff, InterfaceDown, NoInterface, NoSim, NotDataSim, Permission, SystemFault,
        Timeout, TooManyRequests, Unsupported, Vpn,
    };
    for (reason, name, fallback) in [
        (NoInterface, "no_interface", UseAnotherChannel),
        (InterfaceDown, "interface_down", UseAnotherChannel),
        (Vpn, "vpn", UseAnotherChannel),
        (BlockedInBackground, "blocked_in_background", AskToEnableMobileData),
        (DataOff, "data_off", AskToEnableMobileData),
        (Airplane, "airplane", UseAnotherChannel),
        (NoSim, "no_sim", UseAnotherChannel),
        (NotDataSim, "not_data_sim", UseAnotherChannel),
        (Permission, "permission", FixIntegration),
        (TooManyRequests, "too_many_requests", RetryLater),
        (SystemFault, "system_fault", RetryLater),
        (Timeout, "timeout", UseAnotherChannel),
        (Unsupported, "unsupported", UseAnotherChannel),
    ] {
        assert_documented(&VerifyError::CellularUnavailable { reason }, "cellular_unavailable", Some(name), fallback);
    }
}

#[test]
fn denied_by_operator_is_documented() {
    for (error, fallback) in [
        (Some("access_denied"), UseAnotherChannel),
        (Some("consent_required"), UseAnotherChannel),
        (Some("login_required"), UseAnotherChannel),
        (Some("interaction_required"), UseAnotherChannel),
        (Some("something_else"), UseAnotherChannel),
        (None, UseAnotherChannel),
        (Some("server_error"), RetryLater),
        (Some("temporarily_unavailable"), RetryLater),
        (Some("invalid_request"), FixIntegration),
        (Some("invalid_scope"), FixIntegration),
        (Some("invalid_client"), FixIntegration),
        (Some("unauthorized_client"), FixIntegration),
        (Some("unsupported_response_type"), FixIntegration),
        (Some("request_not_supported"), FixIntegration),
        (Some("request_uri_not_supported"), FixIntegration),
    ] {
        let denied = denied(error);
        assert_documented(&denied, "denied_by_operator", None, fallback);
        assert_eq!(json(&denied)["detail"]["error"].as_str(), error);
    }
}

#[test]
fn backend_errors_are_documented() {
    for (reason, name) in [
        (BackendCause::Unreachable, "unreachable"),
        (BackendCause::Tls, "tls"),
        (BackendCause::Timeout, "timeout"),
        (BackendCause::Status, "status"),
        (BackendCause::MalformedAnswer, "malformed_answer"),
        (BackendCause::AppFailed, "app_failed"),
    ] {
        let advice = Fallback::RetryLater;
        assert_eq!(reason.to_string(), name);
        let error = VerifyError::Backend { step: Step::Start, reason, status: None, retry_after_s: None, advice };
        assert_documented(&error, "backend", Some(name), advice);
    }
}

#[test]
fn authorization_errors_are_documented() {
    use AuthorizationCause::{
        BadLocation, Closed, Connect, Dns, ForbiddenRedirect, HttpStatus, MalformedResponse, RedirectLoop, Timeout,
        Tls, TooLarge, TooManyRedirects, UnexpectedPage,
    };
    for (reason, name) in [
        (Dns, "dns"),
        (Connect, "connect"),
        (Tls, "tls"),
        (Timeout, "timeout"),
        (Closed, "closed"),
        (HttpStatus, "http_status"),
        (TooManyRedirects, "too_many_redirects"),
        (RedirectLoop, "redirect_loop"),
        (ForbiddenRedirect, "forbidden_redirect"),
        (BadLocation, "bad_location"),
        (UnexpectedPage, "unexpected_page"),
        (MalformedResponse, "malformed_response"),
        (TooLarge, "too_large"),
    ] {
        assert_eq!(reason.to_string(), name);
        let (host, alert) = ("op.test".to_owned(), Some("handshake_failure".to_owned()));
        let error =
            VerifyError::Authorization { hop: 3, host, reason, status: Some(503), alert, advice: UseAnotherChannel };
        assert_documented(&error, "authorization", Some(name), UseAnotherChannel);
        let json = json(&error);
        assert_eq!((&json["step"], &json["hop"], &json["host"]), (&"authorize".into(), &3.into(), &"op.test".into()));
        assert_eq!(json["detail"], serde_json::json!({ "status": 503, "alert": "handshake_failure" }));
    }
}

#[test]
fn other_errors_are_documented() {
    assert_documented(&VerifyError::InvalidPhoneNumber, "invalid_phone_number", None, FixIntegration);
    let invalid_config = VerifyError::InvalidConfig { setting: Setting::BackendUrl };
    assert_eq!(json(&invalid_config)["cause"], "backend_url");
    assert_eq!((&json(&invalid_config)["kind"], invalid_config.fallback()), (&"invalid_config".into(), FixIntegration));
    let state_mismatch = VerifyError::StateMismatch { hop: 3, host: "op.test".to_owned() };
    assert_documented(&state_mismatch, "state_mismatch", None, UseAnotherChannel);
    for (step, name) in [
        (Step::Start, "start"),
        (Step::Acquire, "acquire"),
        (Step::Authorize, "authorize"),
        (Step::Complete, "complete"),
    ] {
        let error = VerifyError::DeadlineExceeded { step };
        assert_documented(&error, "deadline_exceeded", None, RetryLater);
        assert_eq!(json(&error)["step"], name);
    }
    assert_documented(&VerifyError::Cancelled, "cancelled", None, RetryLater);
    assert_documented(&VerifyError::Internal, "internal", None, UseAnotherChannel);
}

#[test]
fn invalid_setting_describes_valid_values() {
    use Setting::{
        AbortPath, AcquireMs, AllowUnbound, AnswerMs, AuthOrigin, Backend, BackendMs, BackendUrl, CompletePath,
        ConnectMs, Correlator, DnsServers, FieldNames, Headers, Hints, OperatorHeaders, OverallMs, RedirectLimit,
        RedirectUri, Resolve, RootCertificates, ServerTrust, SlowAfterMs, StartFields, StartPath, UserAgent,
    };
    for (settings, words) in [
        (&[BackendUrl, AuthOrigin][..], "https"),
        (&[Backend], "no HTTP client"),
        (&[StartPath, CompletePath, AbortPath], "under the backend's base URL"),
        (&[Headers, OperatorHeaders], "HTTP tokens"),
        (&[StartFields], "at most 16 with 16 KiB in all"),
        (&[Correlator], "1 to 256 of the characters"),
        (&[Hints], "at most 16, each with a host name"),
        (&[FieldNames], "must differ"),
        (&[RedirectUri], "an absolute URI"),
        (&[OverallMs, AcquireMs, ConnectMs, AnswerMs, BackendMs, SlowAfterMs], "1 to 86400000 milliseconds"),
        (&[RedirectLimit], "1 to 15"),
        (&[UserAgent], "printable ASCII"),
        (&[AllowUnbound], "for development only"),
        (&[RootCertificates], "PEM certificates"),
        (&[Resolve], "HOST:PORT:ADDRESS"),
        (&[DnsServers], "an address, with or without a port"),
        (&[ServerTrust], "Android requires one"),
    ] {
        for setting in settings {
            let advice = VerifyError::InvalidConfig { setting: *setting }.advice();
            assert!(advice.contains(words), "{setting:?}: {advice}");
        }
    }
}

/// Exceptions from Kotlin or Swift that the interface does not declare.
#[test]
fn unexpected_exception_of_the_app_is_a_failure() {
    let unexpected = || uniffi::UnexpectedUniFFICallbackError::new("+14155550100");
    assert!(matches!(BackendError::from(unexpected()), BackendError::Failed));
    assert!(matches!(CellularError::from(unexpected()), CellularError::Failed));
    assert!(matches!(ListenerError::from(unexpected()), ListenerError::Failed));
    assert!(matches!(ServerTrustError::from(unexpected()), ServerTrustError::Failed));
}

/// The JSON and the page about errors contain it.
fn assert_documented(error: &VerifyError, kind: &str, cause: Option<&str>, fallback: Fallback) {
    const PAGE: &str = include_str!("../docs/errors.md");
    let json = json(error);
    assert_eq!((json["kind"].as_str(), json["cause"].as_str()), (Some(kind), cause));
    assert_eq!(
        (error.fallback(), json["fallback"].as_str()),
        (fallback, Some(fallback.to_string().as_str())),
        "{json}"
    );
    assert_eq!(json["message"].as_str(), Some(error.to_string().as_str()));
    let trace = Trace { error: serde_json::from_value(json.clone()).unwrap(), ..Trace::default() };
    let explanation = trace.explain();
    assert!(!explanation.contains("does not know the error"), "{explanation}");
    let anchor = cause.map(|cause| format!("#{cause}")).unwrap_or_default();
    let link = format!("{}/blob/main/docs/errors/{kind}.md{anchor}", env!("CARGO_PKG_REPOSITORY"));
    assert!(explanation.contains(&format!("\nReference: {link}\n")), "{explanation}");
    let page = std::fs::read_to_string(format!("{}/docs/errors/{kind}.md", env!("CARGO_MANIFEST_DIR"))).unwrap();
    if let Some(cause) = cause {
        assert!(page.contains(&format!("\n### {cause}\n")), "docs/errors/{kind}.md has no section {cause}");
    }
    for name in [Some(kind), cause, Some(&fallback.to_string())].into_iter().flatten() {
        assert!(PAGE.contains(&format!("`{name}`")), "docs/errors.md does not mention {name}");
    }
}
