//! All limits of time, size and number that are not configurable, each with its reason.
//!
//! How the times relate: a verification ends at the latest after `Deadlines::overall_ms`; each step
//! has a shorter, separate timeout in the same settings. The times here are shorter still, or
//! concern what happens before or after a verification.

use std::time::Duration;

// Settings.

/// A longer timeout is a unit error.
pub const LONGEST_TIMEOUT_MS: u64 = 24 * 60 * 60 * 1000;
/// Hints of the settings, and of a start response: one for each operator that needs one, on a phone
/// with one or two SIMs.
pub const HINTS: usize = 16;
/// Headers per hint.
pub const HINT_HEADERS: usize = 16;
/// A browser's `User-Agent` has 100 to 200 characters.
pub const HINT_VALUE: usize = 1024;
/// Members of the start request that an app adds to one verification.
pub const START_FIELDS: usize = 16;
/// Characters per name.
pub const START_FIELD_NAME: usize = 64;
/// Names and values in total, as in the contract. Attestations of Apple and Google have 2 to 10
/// KiB.
pub const START_FIELDS_SIZE: usize = 16 * 1024;
/// A shorter value of an option, or one that is a word, identifies nothing, and host names and
/// error codes may contain it.
pub const MIN_SECRET_VALUE: usize = 8;
pub const MIN_SECRET_WORD: usize = 16;
/// CAMARA's limit for `x-correlator`.
pub const CORRELATOR: usize = 256;
/// Operators' chains have 2 to 8 redirects; browsers follow 20.
pub const MAX_REDIRECTS: u8 = 15;

// Times of a verifier.

/// How long `prepare()` holds the network for the next verification: time to type a number.
pub const PREPARED: Duration = Duration::from_secs(30);
/// How long the order of hosts is stored: operators rarely change them, and users sign in again
/// soon or after days.
pub const CHAIN_LIFETIME: Duration = Duration::from_hours(1);
/// Stored chains of hosts: for the SIMs of a phone, and a few networks abroad.
pub const CHAINS: usize = 16;
/// Connections opened ahead of one request, which limits the cost of a wrong guess. A TLS
/// connection takes three round trips to open, and is used for one to three requests.
pub const AHEAD: usize = 2;
/// `check()` only reads state that the platform has available.
pub const CHECK: Duration = Duration::from_secs(2);
/// A platform API that does not return must not block the next verification.
pub const RELEASE: Duration = Duration::from_secs(5);
/// How long a result waits for a progress listener that blocks: the listener receives the rest
/// later.
pub const LISTENER: Duration = Duration::from_millis(500);
/// A listener that blocks for longer no longer uses the thread budget of its kind.
pub const LISTENER_THREAD: Duration = Duration::from_secs(1);
/// How often a deadline checks the clock that includes sleep: after the device wakes, an expired
/// verification ends within this time.
pub const SLEEP_CHECK: Duration = Duration::from_secs(1);

/// How often the interface is checked on Linux while it is in use: a verification ends within a
/// quarter of a second after the loss.
#[cfg(target_os = "linux")]
pub const INTERFACE_CHECK: Duration = Duration::from_millis(100);

/// A call whose response no result depends on must not keep the app's process, or its network, for
/// long.
pub const ABORT: Duration = Duration::from_secs(2);

/// Reading the system's root certificates takes milliseconds; a store on a file system that hangs
/// must not block a verification.
#[cfg(not(target_os = "android"))]
pub const ROOTS: Duration = Duration::from_secs(5);

// Times of connections.

/// How long the IPv4 addresses of a host wait for the IPv6 ones (RFC 8305, section 3); on Apple
/// systems, also the first addresses for more.
pub const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How long others join a running lookup: one that takes longer may hang on a network that the
/// phone has left.
pub const JOINED_LOOKUP: Duration = Duration::from_secs(1);
/// The longest `Retry-After` of an operator that is waited for.
pub const PAUSE: Duration = Duration::from_secs(2);
/// The delay between connection attempts (RFC 8305, section 5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How long TLS sessions and DNS outlive the release of a network that is acquired again as the
/// same one, from its first acquisition: time for another attempt, or for the next step of a
/// sign-up. With a longer time, a server could link more visits by its session tickets.
pub const SAME_NETWORK: Duration = Duration::from_hours(1);
/// The maximum lifetime of a response in Linux's DNS client, whatever its TTL: operators move hosts
/// at short notice.
#[cfg(target_os = "linux")]
pub const CACHED_NAME: Duration = Duration::from_mins(5);
/// On the operator's side: after a longer time a server or a middlebox has often dropped the
/// connection.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(30);
/// To the backend. `prepare()` opens a connection for the next verification; after a longer time,
/// the phone may be on another network, where an old connection hangs.
#[cfg(feature = "http-backend")]
pub const IDLE_BACKEND_CONNECTION: Duration = PREPARED;
/// How much longer than a call a connection to the backend may take to open when no call waits for
/// it any more.
#[cfg(feature = "http-backend")]
pub const ABANDONED_CONNECTION: Duration = Duration::from_secs(1);
/// The longest `Retry-After` of the backend that is waited for, plus a random delay of up to the
/// same time. The app waits for longer ones: otherwise all phones of the last seconds of an outage
/// would retry together with the regular load, more than the backend is designed for
/// (`docs/scale.md`).
#[cfg(feature = "http-backend")]
pub const BACKEND_PAUSE: Duration = Duration::from_secs(2);

// Sizes of peer data.

/// Headers of one response, including those of informational responses.
pub const HEADERS: usize = 64 * 1024;
/// A body from the operator's side, encoded and decoded: a code in JSON, or a page whose title is
/// extracted.
pub const OPERATOR_BODY: usize = 64 * 1024;
/// More than any result needs; enough for an error page of a proxy.
#[cfg(feature = "http-backend")]
pub const BACKEND_BODY: usize = 256 * 1024;
/// A trace id. A `traceparent` has 55 characters.
pub const TRACE_ID: usize = 128;
/// A `Location`, and an auth URL. Real ones with signed request objects have 2 to 4 KiB.
pub const URL: usize = 16 * 1024;
/// RFC 6265, section 6.1, recommends at least this size per cookie.
pub const COOKIE: usize = 4096;
/// RFC 6265bis, section 5.6, has this limit.
pub const COOKIE_ATTRIBUTE: usize = 1024;
/// Real certificates have 1 to 3 KiB.
pub const CERTIFICATE: usize = 16 * 1024;
/// All certificates of a chain.
pub const CHAIN: usize = 64 * 1024;
/// Real ones have less than 2 KiB, with the certificate of their signer in them.
pub const OCSP_RESPONSE: usize = 16 * 1024;
/// A `ClientHello` that fits one packet: operators' middleboxes drop those that do not.
pub const CLIENT_HELLO: u64 = 1200;

// Numbers of peer data.

/// hyper's default limit is 100 headers, which real gateways come close to. More are treated as
/// malformed.
pub const HEADER_COUNT: usize = 1000;
/// 1xx responses before the response itself.
pub const INFORMATIONAL: usize = 8;
/// Real chains have 2 to 4 certificates.
pub const CERTIFICATES: usize = 8;
/// Per family: DNS must not direct a verification to hundreds of addresses. With both families, 8
/// attempts.
pub const ADDRESSES: usize = 4;
/// RFC 6265, section 6.1, recommends at least this many cookies per domain.
pub const COOKIES_OF_A_DOMAIN: usize = 50;
/// In total, more than the hosts of one verification ever set.
pub const COOKIES: usize = 180;
/// TLS sessions per network: a verification uses a handful of hosts.
pub const TLS_SESSIONS: usize = 64;
/// Cached DNS responses on Linux, one per host and family.
#[cfg(target_os = "linux")]
pub const CACHED_NAMES: u64 = 128;

// Stored text of a peer, in characters.

/// The title of a page.
pub const TITLE: usize = 80;
/// An OAuth error code.
pub const ERROR_CODE: usize = 64;
/// An `error_description`.
pub const DESCRIPTION: usize = 200;
/// A longer text is not stored: the stored part is less than a tenth of this.
pub const PEER_TEXT: usize = 4096;

// Threads of a verifier.

/// In total, including abandoned ones.
pub const THREADS: usize = 16;
/// Concurrent work of one kind: more would not be faster.
pub const THREADS_OF_A_KIND: usize = 4;
/// Threads reserved for each kind of work.
pub const RESERVED_THREADS: usize = 1;
