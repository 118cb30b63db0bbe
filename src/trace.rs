//! What a verification did and how long it took, safe to send to support: it contains no query,
//! code, phone number or cookie value.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// The version of the JSON, described by `docs/trace.schema.json`. A reader ignores members that it
/// does not know; everything else that it could misread is a new version.
const VERSION: u32 = 1;

/// The course of one verification, including a failed one. All times are in whole milliseconds; a
/// phase that did not occur is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
#[uniffi(name = "CoreTrace")] // Set here because uniffi.toml does not rename it in its methods (uniffi 0.32).
pub struct Trace {
    /// The value of the `x-correlator` header in all backend requests of this verification.
    pub correlator: String,
    /// How connections were bound; absent until the network is available.
    pub network: Option<NetworkKind>,
    /// The requests over the cellular network, in order.
    pub hops: Vec<Hop>,
    /// The hosts to which this verification opened a connection ahead of a request, in order, used
    /// or not.
    pub opened_ahead: Vec<String>,
    /// The backend's `start` call.
    pub start_ms: Option<u64>,
    /// Acquiring the cellular network; concurrent with `start`.
    pub acquire_ms: Option<u64>,
    /// All requests over the cellular network.
    pub authorize_ms: Option<u64>,
    /// The backend's `complete` call.
    pub complete_ms: Option<u64>,
    /// The whole verification.
    pub total_ms: u64,
    /// How it ended; absent while it runs.
    pub outcome: Option<TraceOutcome>,
    /// The error, if it failed.
    pub error: Option<TraceError>,
}

/// How a verification or retrieval ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
pub enum TraceOutcome {
    /// The SIM owns the number.
    Verified,
    /// The SIM has another number.
    NotVerified,
    /// The number of the SIM was retrieved.
    Retrieved,
    /// With an error.
    Failed,
}

/// An error as in its JSON. The names are text so that an older reader accepts those of later
/// versions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct TraceError {
    /// The kind of error.
    pub kind: String,
    /// The step that failed, if the error belongs to one.
    pub step: Option<String>,
    /// What failed, if the kind has causes; the setting, if one is invalid.
    pub cause: Option<String>,
    /// The request that failed, counted from 1, if the error belongs to one.
    pub hop: Option<u32>,
    /// The host of that request.
    pub host: Option<String>,
    /// What happened and the recommended action, in English.
    pub message: String,
    /// The recommended action for the app.
    pub fallback: String,
    /// What a peer reported.
    pub detail: TraceErrorDetail,
}

/// What a peer reported about an error; unknown values are absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct TraceErrorDetail {
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Seconds to wait before another attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
    /// The TLS alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// The operator's error code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One request over the cellular network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, uniffi::Record)]
#[serde(default)]
pub struct Hop {
    /// Counted from 1.
    pub index: u32,
    /// `http` or `https`.
    pub scheme: String,
    /// The host, without path and query.
    pub host: String,
    /// The HTTP status; absent if there was no response.
    pub status: Option<u16>,
    /// DNS resolution; absent for a reused connection or an IP address.
    pub dns_ms: Option<u64>,
    /// Opening the TCP connection, or waiting for one that is being opened ahead.
    pub connect_ms: Option<u64>,
    /// The TLS handshake.
    pub tls_ms: Option<u64>,
    /// From the request to the complete response headers.
    pub first_byte_ms: Option<u64>,
    /// Whether an open connection was reused.
    pub reused: bool,
    /// Whether the connection was opened ahead of this request, by `prepare()` or by a
    /// verification; its DNS and TLS times are then absent.
    pub opened_ahead: bool,
    /// Whether TLS resumed an earlier session.
    pub tls_resumed: bool,
    /// Bytes received on the socket, including TLS.
    pub bytes_in: u64,
    /// Bytes sent on the socket, including TLS.
    pub bytes_out: u64,
    /// The address family of the connection; absent if there was none.
    pub family: Option<AddressFamily>,
    /// The TLS version; absent for plain http.
    pub tls_version: Option<TlsVersion>,
    /// The server's identifiers for this request, by the response header that carried them, for the
    /// operator's support: `x-correlator`, `x-request-id`, `x-correlation-id`, `traceparent` (W3C
    /// Trace Context), `x-orange-trace-id`, `x-vig-trace-id`, `x-amz-cf-id`, `cf-ray`. A value has
    /// at most 128 characters of `A-Z a-z 0-9 . _ : / = + -`. A value that contains a secret of the
    /// verification is omitted, as is one that could be a phone number while a retrieval does not
    /// know the number.
    pub trace_ids: HashMap<String, String>,
    /// The title of an unexpected page, at most 80 characters. Absent if it contains a secret of
    /// the verification or, while a retrieval does not know the number, what could be one.
    pub page_title: Option<String>,
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, uniffi::Enum)]
#[serde(rename_all = "lowercase")]
pub enum AddressFamily {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// A TLS version. Older ones are not supported (RFC 8996).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, uniffi::Enum)]
pub enum TlsVersion {
    /// 1.2 (RFC 5246).
    #[serde(rename = "1.2")]
    Tls12,
    /// 1.3 (RFC 8446).
    #[serde(rename = "1.3")]
    Tls13,
}

/// How the connections over the cellular network were bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, uniffi::Enum)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// To an Android network.
    AndroidNetwork,
    /// To an interface of an Apple system.
    AppleInterface,
    /// To an interface of a Linux system.
    LinuxInterface,
    /// Not bound: development only.
    Unbound,
}

#[uniffi::export(name = "CoreTrace")]
impl Trace {
    /// The trace as a JSON object with its field names and `version`, which is 1
    /// (`docs/trace.schema.json` in the repository).
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = serde_json::json!(self);
        if let Some(members) = json.as_object_mut() {
            members.insert("version".to_owned(), VERSION.into());
        }
        json.to_string()
    }

    /// The trace as a plain-text table.
    #[must_use]
    pub fn to_table(&self) -> String {
        let mut table = format!(
            "{:>3} {:<6} {:<36} {:<4} {:>6} {:>6} {:>7} {:>6} {:>3} {:>10} {:<7} {:>8} {:>8}\n",
            "hop", "scheme", "host", "ip", "status", "dns", "connect", "tls", "", "first byte", "", "in", "out"
        );
        for hop in &self.hops {
            let origin = match (hop.reused, hop.opened_ahead, hop.tls_resumed) {
                (true, _, _) => "reused",
                (false, true, _) => "ahead",
                (false, false, true) => "resumed",
                (false, false, false) => "new",
            };
            let _ = writeln!(
                table,
                "{:>3} {:<6} {:<36} {:<4} {:>6} {:>6} {:>7} {:>6} {:>3} {:>10} {origin:<7} {:>8} {:>8}",
                hop.index,
                hop.scheme,
                hop.host,
                cell(hop.family),
                cell(hop.status),
                cell(hop.dns_ms),
                cell(hop.connect_ms),
                cell(hop.tls_ms),
                hop.tls_version.map(|version| version.to_string()).unwrap_or_default(),
                cell(hop.first_byte_ms),
                hop.bytes_in,
                hop.bytes_out,
            );
            let mut trace_ids: Vec<&str> = hop.trace_ids.keys().map(String::as_str).collect();
            trace_ids.sort_unstable();
            for name in trace_ids {
                let _ = writeln!(table, "    {name}: {}", hop.trace_ids[name]);
            }
            if let Some(title) = &hop.page_title {
                let _ = writeln!(table, "    page: {title}");
            }
        }
        if !self.opened_ahead.is_empty() {
            let _ = writeln!(table, "opened ahead: {}", self.opened_ahead.join(", "));
        }
        let _ = writeln!(
            table,
            "start {} ms, acquire {} ms, authorize {} ms, complete {} ms, total {} ms; correlator {}",
            cell(self.start_ms),
            cell(self.acquire_ms),
            cell(self.authorize_ms),
            cell(self.complete_ms),
            self.total_ms,
            self.correlator,
        );
        table
    }
}

impl fmt::Display for AddressFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
