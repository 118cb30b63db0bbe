//! The probable cause of each error, what to do, and whom to contact. What happened and the
//! recommended action for the app are in the error's message (`error/text.rs`).
//!
//! Errors are identified by their names in JSON, so that the trace of a later version is explained
//! as far as possible. A unit test holds that every error of this version has an entry.

use crate::trace::TraceError;

/// The explanation of an error.
pub(super) struct Diagnosis {
    pub(super) cause: &'static str,
    pub(super) action: &'static str,
    /// In the order in which to contact them.
    pub(super) contacts: &'static [Contact],
}

/// Who can resolve an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contact {
    User,
    App,
    Backend,
    /// The operator or aggregator that runs the host.
    Host,
    Maintainers,
}

use Contact::{App, Backend, Host, Maintainers, User};

const fn diagnosis(cause: &'static str, action: &'static str, contacts: &'static [Contact]) -> Diagnosis {
    Diagnosis { cause, action, contacts }
}

const UNKNOWN: Diagnosis = diagnosis(
    "This version of number-verify does not know the error; a later one may.",
    "Follow the recommended action above, or explain the trace with the version that recorded it.",
    &[App],
);

pub(super) fn of(error: &TraceError) -> Diagnosis {
    let cause = error.cause.as_deref().unwrap_or_default();
    let is_start = error.step.as_deref() == Some("start");
    match error.kind.as_str() {
        "invalid_phone_number" => diagnosis(
            "The app passed a number that is not in E.164 form. Nothing was sent.",
            "Check the number before the verification: add the country code, remove extensions and letters.",
            &[App],
        ),
        "invalid_config" => diagnosis(
            "A setting of the app breaks the rule in the message above. Nothing was sent.",
            "Correct the setting.",
            &[App],
        ),
        "cellular_unavailable" => cellular(cause),
        "backend" => backend(cause, is_start, error.detail.status),
        "authorization" => authorization(cause, error),
        "denied_by_operator" => denied(error.detail.error.as_deref().unwrap_or_default()),
        "state_mismatch" => diagnosis(
            "The redirect belongs to another verification: a cache returned an old response, the server mixed up two sessions, or a third party injected the response (login CSRF). The code was not used.",
            "Verify again from the start; the backend must create a new state for each start. If it repeats, contact the provider.",
            &[Host, Backend],
        ),
        "deadline_exceeded" => deadline(error.step.as_deref().unwrap_or_default()),
        "cancelled" => diagnosis(
            "The app cancelled the verification, for example because its screen was closed, or closed the verifier.",
            "Nothing, if the user left the screen. Otherwise keep the coroutine, task or future until the result.",
            &[App],
        ),
        "internal" => diagnosis(
            "A defect of the library or of the app's Rust code (a panic), or the system refused to create a thread.",
            "Verify the number in another way, and report the defect.",
            &[Maintainers],
        ),
        _ => UNKNOWN,
    }
}

fn cellular(cause: &str) -> Diagnosis {
    match cause {
        "no_interface" => diagnosis(
            "The device has no cellular interface: no radio, or on iOS also no SIM, airplane mode, or mobile data that is off. On Linux, the interface that was named does not exist.",
            "Check SIM, airplane mode and mobile data. Offer another channel on devices without a radio. On the command line, correct --interface.",
            &[User, App],
        ),
        "interface_down" => diagnosis(
            "The cellular network was lost during the verification: no coverage, a change of the SIM, or mobile data was turned off.",
            "Try again where the reception is better; otherwise verify in another way.",
            &[User],
        ),
        "vpn" => diagnosis(
            "A VPN, or a firewall or ad blocker that acts as one, does not let the app use the cellular network directly.",
            "Pause the VPN, or exclude the app from it. On a managed device, only its administrator can.",
            &[User],
        ),
        "blocked_in_background" => diagnosis(
            "Data Saver, battery saver or the system's background rules block the app's mobile data.",
            "Start verifications only while the app is visible. Exempt the app from Data Saver.",
            &[User],
        ),
        "data_off" => diagnosis(
            "Mobile data is off for the phone or for this app.",
            "Turn on mobile data in the system settings; on iOS also the app's own switch for cellular data.",
            &[User],
        ),
        "airplane" => diagnosis("Airplane mode is on.", "Turn it off, then verify again.", &[User]),
        "no_sim" => diagnosis(
            "No SIM is inserted, unlocked and active.",
            "Insert, unlock or activate the SIM, or verify in another way.",
            &[User],
        ),
        "not_data_sim" => diagnosis(
            "The phone uses another SIM for mobile data than the one that the app requested.",
            "Select the requested SIM for mobile data in the system settings, or verify without a fixed SIM.",
            &[User],
        ),
        "permission" => diagnosis(
            "A network permission was removed from the app's merged manifest.",
            "Declare INTERNET, ACCESS_NETWORK_STATE and CHANGE_NETWORK_STATE in the manifest.",
            &[App],
        ),
        "too_many_requests" => diagnosis(
            "The app holds more network requests than the system allows, in most cases callbacks that it never unregisters.",
            "Create one verifier for the app, and unregister the app's network callbacks.",
            &[App],
        ),
        "system_fault" => diagnosis(
            "The system rejected a valid network request, as Android 11 does occasionally.",
            "Try again; a restart of the phone helps if it repeats.",
            &[User],
        ),
        "timeout" => diagnosis(
            "The phone did not connect to mobile data in time: weak reception, no data plan, or roaming without data.",
            "Try again where the reception is better, and check that a web page opens with Wi-Fi turned off.",
            &[User],
        ),
        "unsupported" => diagnosis(
            "The system cannot bind sockets to one network, or the app runs on a system without support.",
            "Verify the number in another way on this device. If the app has a custom `CellularProvider`, check what it returns.",
            &[App, Maintainers],
        ),
        _ => UNKNOWN,
    }
}

fn backend(cause: &str, is_start: bool, status: Option<u16>) -> Diagnosis {
    match cause {
        "unreachable" => diagnosis(
            "The backend is down, or the phone's default network (Wi-Fi or mobile) has no internet access, for example behind a captive portal. These calls do not use the cellular binding.",
            "Open the backend's URL in the phone's browser. If it opens there and elsewhere, check the backend's availability at that time.",
            &[User, Backend],
        ),
        "tls" => diagnosis(
            "The phone does not trust the backend's certificate (incomplete chain, expired, another host name, or a proxy that inspects TLS), or the handshake was interrupted.",
            "Check the chain that the server sends, from another network as well, and the date of the phone.",
            &[Backend],
        ),
        "timeout" => diagnosis(
            "The backend took longer than `backend_ms`, in most cases because its own call to the aggregator was slow.",
            "Find the request in the backend's log by the correlator, and see which call it waited for.",
            &[Backend],
        ),
        "status" => match status.unwrap_or_default() {
            401 | 403 if is_start => diagnosis(
                "The backend rejected the start: the app's authorization header or attestation is missing or invalid, or the number is not permitted.",
                "Compare the app's headers and start fields with what the backend requires.",
                &[Backend],
            ),
            404 | 405 => diagnosis(
                "There is no such path at the backend, or not for this method.",
                "Compare the base URL and the paths in the app's settings with the backend's routes.",
                &[App, Backend],
            ),
            429 => diagnosis(
                "A rate limit of the backend, for this phone, number or address.",
                "Wait before another attempt, as long as Retry-After states if it was sent. Check whether the limit is too low for several users behind one address.",
                &[Backend],
            ),
            408 | 425 | 500.. => diagnosis(
                "The backend failed, or the aggregator or operator that it called did.",
                "Find the request in the backend's log by the correlator.",
                &[Backend],
            ),
            _ if is_start => diagnosis(
                "The backend rejected the start request.",
                "Find the reason in the backend's log by the correlator.",
                &[Backend],
            ),
            _ => diagnosis(
                "The backend rejected the result: its session is unknown, expired or already used, or the operator could not identify the SIM for the code.",
                "Find the reason in the backend's log by the correlator. Replicas must share their sessions.",
                &[Backend],
            ),
        },
        "malformed_answer" if is_start => diagnosis(
            "The response to start has no usable auth URL: it must be absolute, https and without userinfo, in the JSON member `authUrl` or in the Location of a redirect.",
            "Compare the response with docs/backend-api.yaml, and the field names with the app's settings.",
            &[Backend],
        ),
        "malformed_answer" => diagnosis(
            "The response to complete has no usable result: `verified` must be a JSON boolean, and in a retrieval `phoneNumber` a number in E.164 form.",
            "Compare the response with docs/backend-api.yaml, and the field names with the app's settings.",
            &[Backend],
        ),
        "app_failed" => diagnosis(
            "The app's own implementation of `Backend` threw an exception that the interface does not declare.",
            "Find the exception in the app's log.",
            &[App],
        ),
        _ => UNKNOWN,
    }
}

fn authorization(cause: &str, error: &TraceError) -> Diagnosis {
    match cause {
        "dns" => diagnosis(
            "The operator's name servers do not know the host, or did not respond. It may resolve on Wi-Fi all the same: the lookup goes over the cellular network.",
            "Try again. If it repeats, the host name in the redirect is wrong, or missing in the operator's DNS.",
            &[Host],
        ),
        "connect" => diagnosis(
            "No address of the host accepted a TCP connection: the server is down, a firewall rejects the network's addresses, or it has no address of the network's family (IPv4 or IPv6).",
            "Try again. If it repeats, the host must be reachable from the operator's mobile network.",
            &[Host],
        ),
        "tls" if error.detail.alert.is_some() => diagnosis(
            "The server ended the handshake with the alert in the message above: in most cases it accepts neither the TLS versions nor the cipher suites of the phone (TLS 1.2 and 1.3), or does not serve this host name.",
            "Check the server's TLS configuration; a hint with `maxTls` 1.2 helps servers that fail on TLS 1.3.",
            &[Host],
        ),
        "tls" => diagnosis(
            "The certificate is not trusted (expired, another host name, incomplete chain, private root, or a proxy that inspects TLS), or the connection was closed during the handshake.",
            "Check the chain that the server sends, from the mobile network as well, and the date of the phone.",
            &[Host],
        ),
        "timeout" => diagnosis(
            "The server, or a firewall in front of it, did not respond in time (`connect_ms` until the connection is open, `answer_ms` for each response).",
            "Try again where the reception is better. If it repeats on good reception, the server is overloaded or drops the packets of this network.",
            &[Host],
        ),
        "closed" => diagnosis(
            "The server, or a proxy in front of it, closed the connection in the middle of the exchange.",
            "Try again. If it repeats, the server or a proxy crashes on the request or rejects it.",
            &[Host],
        ),
        "http_status" => match error.detail.status.unwrap_or_default() {
            401 | 403 => diagnosis(
                "The server refused the request: it did not recognize the connection as that of a subscriber (Wi-Fi, VPN, roaming, or an operator that the provider does not cover), or the client is blocked.",
                "Verify with Wi-Fi and VPN turned off. If it repeats, the operator can find the reason by the identifiers.",
                &[Host],
            ),
            429 => diagnosis(
                "A rate limit of the server, for this subscriber, address or client.",
                "Try again later, and not automatically.",
                &[Host],
            ),
            408 | 425 | 500.. => diagnosis(
                "The server failed or is overloaded.",
                "Try again later. If it repeats, report an outage.",
                &[Host],
            ),
            _ if error.hop != Some(1) => diagnosis(
                "The server rejected the URL of the redirect before: it is invalid, expired, or was already used.",
                "Verify again from the start. If it repeats, that redirect must be corrected.",
                &[Host],
            ),
            _ => diagnosis(
                "The server rejected the auth URL: it is invalid, expired, or was already used.",
                "Compare the auth URL that the backend creates with the provider's documentation. It must be opened once, immediately.",
                &[Host, Backend],
            ),
        },
        "too_many_redirects" => diagnosis(
            "The servers redirected more often than `redirect_limit` allows, in most cases in circles with changing URLs.",
            "Look for hosts that repeat in the list below. Raise `redirect_limit` only if the chain really is that long.",
            &[Host],
        ),
        "redirect_loop" => diagnosis(
            "The server redirected to the same URL with the same cookies: it waits for a cookie that was never set, or for a script to run.",
            "The server must lead a client with cookies and without scripts to the code.",
            &[Host],
        ),
        "forbidden_redirect" => diagnosis(
            "The URL is not permitted: a loopback or link-local address, userinfo, another scheme than http and https, plain http while `cleartext` forbids it or for the code, or a host that resolves to such an address.",
            "If the operator needs plain http to identify the SIM and `cleartext` is `never`, allow it. Otherwise the redirect must be corrected.",
            &[App, Host],
        ),
        "bad_location" => diagnosis(
            "The redirect has no Location, more than one, or one that is not a valid URL of at most 16 KiB with an ASCII host.",
            "The server must send one valid Location.",
            &[Host],
        ),
        "unexpected_page" => diagnosis(
            "The chain ended with a page instead of a redirect with the code: a page for consent or login, an error page, or that of a network without credit or activation. Pages are neither shown nor run.",
            "Look at the title below, if there is one. The client must be set up for silent authentication, without interaction.",
            &[Host],
        ),
        "malformed_response" if error.fallback == "fix_integration" => diagnosis(
            "The code arrived at a URL that is not the redirect URI known to the phone, so it was not used.",
            "Return the registered `redirectUri` in the response to start, or set it in the app, exactly as in the authorization request.",
            &[Backend, App],
        ),
        "malformed_response" => diagnosis(
            "The response breaks HTTP, uses a content coding that was not offered, or its code is missing, empty or repeated.",
            "The server's response must be corrected.",
            &[Host],
        ),
        "too_large" => diagnosis(
            "The headers or the page exceed 64 KiB.",
            "The server must respond with a redirect or a small JSON object.",
            &[Host],
        ),
        _ => UNKNOWN,
    }
}

fn denied(code: &str) -> Diagnosis {
    match code {
        "server_error" | "temporarily_unavailable" => diagnosis(
            "The operator's service failed or is overloaded.",
            "Try again later. If it repeats, report an outage.",
            &[Host],
        ),
        "login_required" | "consent_required" | "interaction_required" | "account_selection_required" => diagnosis(
            "The operator requires a page with the user: it did not recognize the SIM silently, or the user has not consented yet.",
            "Verify with Wi-Fi and VPN turned off. The client must be set up for silent authentication (`prompt=none`).",
            &[Host],
        ),
        code if code.starts_with("invalid_")
            || code.starts_with("unsupported_")
            || matches!(code, "unauthorized_client" | "request_not_supported" | "request_uri_not_supported") =>
        {
            diagnosis(
                "The authorization request is wrong, or the client is not registered for it (client id, redirect URI, scope, purpose).",
                "Compare the auth URL that the backend creates with the registration at the provider.",
                &[Backend, Host],
            )
        }
        _ => diagnosis(
            "The operator did not identify the SIM, or does not permit its verification: the connection did not come from its mobile network (Wi-Fi, VPN, roaming), or the plan is excluded (MVNO, business, prepaid), or the user declined.",
            "Verify with Wi-Fi and VPN turned off. If it repeats, the operator can find the reason by the identifiers.",
            &[Host],
        ),
    }
}

fn deadline(step: &str) -> Diagnosis {
    match step {
        "acquire" => diagnosis(
            "Mobile data did not become available before `overall_ms` was over.",
            "Try again where the reception is better.",
            &[User],
        ),
        "authorize" => diagnosis(
            "The requests over the cellular network took longer than `overall_ms` in all; the list below has the time of each.",
            "Try again where the reception is better. If the same host is slow again, contact its operator.",
            &[Host],
        ),
        "start" | "complete" => diagnosis(
            "`overall_ms` was over before the backend responded; the list below has the time of each step.",
            "Find the request in the backend's log by the correlator, and see which call it waited for.",
            &[Backend],
        ),
        _ => UNKNOWN,
    }
}
