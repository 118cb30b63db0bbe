//! All limits of time, size and number that no setting changes, each with its reason.
//!
//! How the times relate: a verification ends after `Deadlines::overall_ms` at the latest, whatever it waits for; each step has a shorter
//! timeout of its own, in the same settings. The times here are shorter still, or concern what happens before or after a verification.

use std::time::Duration;

// Settings.

/// A longer timeout is a mistake in the unit.
pub const LONGEST_TIMEOUT_MS: u64 = 24 * 60 * 60 * 1000;
/// Hints of the settings, and of a start response: one for each operator that needs one, on a phone with one or two SIMs.
pub const HINTS: usize = 16;
/// Of one hint.
pub const HINT_HEADERS: usize = 16;
/// A browser's `User-Agent` has 100 to 200 characters.
pub const HINT_VALUE: usize = 1024;
/// Members of the start request that an app adds to one verification.
pub const START_FIELDS: usize = 16;
/// Of their names, in characters.
pub const START_FIELD_NAME: usize = 64;
/// Of all of them, as the contract has it. Attestations of Apple and Google have 2 to 10 KiB.
pub const START_FIELDS_SIZE: usize = 16 * 1024;
/// A shorter value of an option, or one that is a word, identifies nothing, and host names and error codes may contain it.
pub const TELLING_VALUE: usize = 8;
pub const TELLING_WORD: usize = 16;
/// CAMARA's limit of `x-correlator`.
pub const CORRELATOR: usize = 256;
/// Operators' chains have 2 to 8 redirects; browsers follow 20.
pub const MAX_REDIRECTS: u8 = 15;

// Time, of a verifier.

/// How long `prepare()` holds the network for a verification to come: time to type a number.
pub const PREPARED: Duration = Duration::from_secs(30);
/// How long it is remembered which hosts followed each other: operators change them seldom, and people sign in again soon or after days.
pub const CHAIN_LIFETIME: Duration = Duration::from_hours(1);
/// Chains of hosts that are remembered: of the SIMs of a phone, and of a few networks abroad.
pub const CHAINS: usize = 16;
/// Connections that open ahead of one request: what a wrong guess costs at most. A TLS connection takes three round trips to open, and one is
/// used for one to three requests.
pub const AHEAD: usize = 2;
/// `check()` reads the platform's own state, which is at hand.
pub const CHECK: Duration = Duration::from_secs(2);
/// A platform API that does not return must not keep the next verification from the network.
pub const RELEASE: Duration = Duration::from_secs(5);
/// How long a result waits for a progress listener that blocks: the listener gets the rest later.
pub const LISTENER: Duration = Duration::from_millis(500);
/// A listener that blocks for longer no longer counts towards the threads of its kind.
pub const LISTENER_THREAD: Duration = Duration::from_secs(1);
/// How often a deadline looks at the clock that counts sleep: a device that wakes up ends within this time.
pub const SLEEP_CHECK: Duration = Duration::from_secs(1);

/// How often Linux's interface is looked at while it is in use: a verification ends within a quarter of a second after its loss.
#[cfg(target_os = "linux")]
pub const INTERFACE_CHECK: Duration = Duration::from_millis(100);

/// A call whose response no result waits for must not keep the app's process, or its network, for long.
pub const ABORT: Duration = Duration::from_secs(2);

/// Reading the system's root certificates takes milliseconds; a store on a file system that hangs must not keep a verification.
#[cfg(not(target_os = "android"))]
pub const ROOTS: Duration = Duration::from_secs(5);

// Time, of connections.

/// How long the IPv4 addresses of a host wait for the IPv6 ones (RFC 8305, section 3); on Apple systems, also the first addresses for more.
pub const RESOLUTION_DELAY: Duration = Duration::from_millis(50);
/// How long others join a lookup that is running: one that takes longer may hang on a network that the phone has left.
pub const JOINED_LOOKUP: Duration = Duration::from_secs(1);
/// The longest `Retry-After` of an operator that is waited for.
pub const PAUSE: Duration = Duration::from_secs(2);
/// How long one connection attempt has before the next begins concurrently (RFC 8305, section 5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How long TLS sessions and names outlive the release of a network that comes back as the same one, from its first acquisition: time for
/// another attempt, or for the next step of a sign-up. Longer, a server could link more visits by its tickets.
pub const SAME_NETWORK: Duration = Duration::from_hours(1);
/// How long Linux's DNS client uses a response at most, whatever its TTL: operators move hosts with short notice.
#[cfg(target_os = "linux")]
pub const CACHED_NAME: Duration = Duration::from_mins(5);
/// On the operator's side: beyond this a server or a middlebox on the way has often forgotten the connection.
pub const IDLE_CONNECTION: Duration = Duration::from_secs(30);
/// To the backend. `prepare()` opens a connection for a verification to come; later, the phone may be on another network, where an old one
/// hangs.
#[cfg(feature = "http-backend")]
pub const IDLE_BACKEND_CONNECTION: Duration = PREPARED;
/// How much longer than a call a connection to the backend may take to open that no call waits for any more.
#[cfg(feature = "http-backend")]
pub const ABANDONED_CONNECTION: Duration = Duration::from_secs(1);
/// The longest `Retry-After` of the backend that is waited for, up to twice as long at random. A longer one is the app's to wait for: otherwise
/// all phones of the last seconds of an outage come back with those that come anyway, more than the backend is made for (`docs/scale.md`).
#[cfg(feature = "http-backend")]
pub const BACKEND_PAUSE: Duration = Duration::from_secs(2);

// Sizes, of what peers send.

/// Headers of one response, with those of informational responses.
pub const HEADERS: usize = 64 * 1024;
/// A body from the operator's side, as it comes and decoded: a code in JSON, or a page whose title is kept.
pub const OPERATOR_BODY: usize = 64 * 1024;
/// More than a result ever needs; enough for an error page of a proxy.
#[cfg(feature = "http-backend")]
pub const BACKEND_BODY: usize = 256 * 1024;
/// A trace id. A `traceparent` has 55 characters.
pub const TRACE_ID: usize = 128;
/// A `Location`, and an auth URL. Real ones with signed request objects have 2 to 4 KiB.
pub const URL: usize = 16 * 1024;
/// RFC 6265, section 6.1, asks for at least this much of one cookie.
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

// Numbers, of what peers send.

/// hyper's own limit is 100 headers, which real gateways come near to. More break the protocol, as this client has it.
pub const HEADER_COUNT: usize = 1000;
/// Responses of status 1xx before the response itself.
pub const INFORMATIONAL: usize = 8;
/// Real chains have 2 to 4 certificates.
pub const CERTIFICATES: usize = 8;
/// Of each family: a name server must not send the verification to hundreds. With both families, 8 attempts.
pub const ADDRESSES: usize = 4;
/// RFC 6265, section 6.1, asks for at least this many cookies of one domain.
pub const COOKIES_OF_A_DOMAIN: usize = 50;
/// In all, more than the hosts of one verification ever set.
pub const COOKIES: usize = 180;
/// TLS sessions of one network: a verification meets a handful of hosts.
pub const TLS_SESSIONS: usize = 64;
/// Cached responses of name servers on Linux, one for each family of a host.
#[cfg(target_os = "linux")]
pub const CACHED_NAMES: u64 = 128;

// What is kept of a peer's text, in characters.

/// The title of a page.
pub const TITLE: usize = 80;
/// An OAuth error code.
pub const ERROR_CODE: usize = 64;
/// An `error_description`.
pub const DESCRIPTION: usize = 200;
/// Nothing is kept of a longer text: what is kept is less than a tenth of this.
pub const PEER_TEXT: usize = 4096;

// Threads, of a verifier.

/// In all, abandoned ones included.
pub const THREADS: usize = 16;
/// Work of one kind at one time: more would not be faster.
pub const THREADS_OF_A_KIND: usize = 4;
/// Threads that no other kind of work can take.
pub const RESERVED_THREADS: usize = 1;
