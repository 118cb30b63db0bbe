//! The configuration and the options of a verification. Each line is a setting: name, `=`, value.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use number_verify::internals::{Input, PhoneNumber, Purpose, Settings, has_userinfo};
use number_verify::{
    Cleartext, CodeDelivery, Config, Header, Hint, OperatorHeaders, StartField, VerificationOptions, VerifyError,
};
use number_verify_fuzz::{digits, text, twice};
use url::Url;

const NUMBER: &str = "+14155550100";
/// Headers that the client sets itself, regardless of the app.
const RESERVED: [&str; 8] = [
    "host",
    "cookie",
    "content-length",
    "transfer-encoding",
    "connection",
    "accept-encoding",
    "idempotency-key",
    "x-correlator",
];

fuzz_target!(|data: &[u8]| {
    let text = text(data);
    let config = config(&text, false);
    assert_eq!(format!("{config:?}"), format!("{:?}", self::config(&text, true)), "a secret is printed");
    let outcome =
        twice(|| Settings::check(&config).map(|settings| described(&settings)).map_err(|error| report(&error)));
    match (outcome, Settings::check(&config)) {
        (Ok(_), Ok(settings)) => {
            check(&config, &settings);
            let options = options(&text, false);
            assert_eq!(format!("{options:?}"), format!("{:?}", self::options(&text, true)), "a secret is printed");
            for purpose in [Purpose::Verify(PhoneNumber::parse(&NUMBER.into()).expect("a number")), Purpose::Retrieve] {
                match Input::check(purpose, &options, &settings) {
                    Ok(input) => correlator(&input.correlator, &options),
                    Err(error) => drop(report(&error)),
                }
            }
        }
        (Err(_), Err(_)) => {}
        _ => panic!("equal input gives equal output"),
    }
});

fn lines<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix('='))
}

/// The complete report of an error depends only on the setting.
fn report(error: &VerifyError) -> String {
    let VerifyError::InvalidConfig { setting } = error else { panic!("{error}") };
    let same = VerifyError::InvalidConfig { setting: *setting };
    let [report, expected] = [error, &same].map(|error| format!("{} {error} {error:?}", error.to_json()));
    assert_eq!(report, expected);
    report
}

/// Names, each with an optional value.
fn pairs<'a>(text: &'a str, name: &'a str, is_masked: bool) -> impl Iterator<Item = (String, String)> + 'a {
    let value = move |value: &str| if is_masked { String::new() } else { value.trim().to_owned() };
    lines(text, name).filter_map(|line| line.split_once(':')).map(move |(name, text)| (name.to_owned(), value(text)))
}

fn headers(text: &str, name: &str, is_masked: bool) -> Vec<Arc<Header>> {
    pairs(text, name, is_masked).map(|(name, value)| Header::new(name, value)).collect()
}

fn config(text: &str, is_masked: bool) -> Config {
    let one = |name| lines(text, name).last().map(str::to_owned);
    let all = |name| lines(text, name).map(str::to_owned).collect();
    let number = |name, default| lines(text, name).last().and_then(|value| value.parse().ok()).unwrap_or(default);
    let mut config = Config::new(one("backend_url").unwrap_or_else(|| "https://api.test/nv".to_owned()));
    config.start_path = one("start_path").unwrap_or(config.start_path);
    config.complete_path = one("complete_path").unwrap_or(config.complete_path);
    config.abort_path = one("abort_path");
    config.headers = headers(text, "headers", is_masked);
    config.operator_headers = headers(text, "operator_headers", is_masked);
    config.operator_headers_to =
        if one("all_hosts").is_some() { OperatorHeaders::AllHosts } else { OperatorHeaders::FirstHost };
    config.hints = lines(text, "hint").map(|host| Hint { host: host.to_owned(), ..Hint::default() }).collect();
    config.code_delivery = if one("follow").is_some() { CodeDelivery::FollowThrough } else { CodeDelivery::Relay };
    config.cleartext = if one("no_cleartext").is_some() { Cleartext::Never } else { Cleartext::OnRedirects };
    config.redirect_uri = one("redirect_uri");
    config.redirect_limit = u8::try_from(number("redirect_limit", 15)).unwrap_or(0);
    config.deadlines.overall_ms = number("overall_ms", 20_000);
    config.deadlines.connect_ms = number("connect_ms", 5_000);
    config.slow_after_ms = number("slow_after_ms", 4_000);
    config.auth_origin = one("auth_origin");
    config.user_agent = one("user_agent");
    config.development.allow_http_backend = one("allow_http_backend").is_some();
    config.development.resolve = all("resolve");
    config.development.dns_servers = all("dns_servers");
    let names = &mut config.field_names;
    for (field, name) in [
        (&mut names.phone_number, "name_phone"),
        (&mut names.session, "name_session"),
        (&mut names.verified, "name_verified"),
    ] {
        *field = one(name).unwrap_or_else(|| field.clone());
    }
    config
}

fn options(text: &str, is_masked: bool) -> VerificationOptions {
    let fields = pairs(text, "start_fields", is_masked).map(|(name, json)| StartField::new(name, json));
    VerificationOptions {
        headers: headers(text, "option_headers", is_masked),
        start_fields: fields.collect(),
        correlator: lines(text, "correlator").last().map(str::to_owned),
    }
}

/// The settings as text, for comparison.
fn described(settings: &Settings) -> String {
    let mut resolve: Vec<_> = settings.overrides.iter().collect();
    resolve.sort_unstable();
    format!(
        "{} {} {} {:?} {:?} {:?} {resolve:?} {:?}",
        settings.base_url,
        settings.start_url,
        settings.complete_url,
        settings.abort_url,
        settings.auth_origin,
        settings.redirect_uri,
        settings.dns_servers
    )
}

fn check(config: &Config, settings: &Settings) {
    let base = &settings.base_url;
    let is_local = matches!(base.host_str(), Some("localhost" | "[::1]"))
        || base.host_str().is_some_and(|host| host.starts_with("127."));
    let is_http = base.scheme() == "http" && (is_local || config.development.allow_http_backend);
    assert!(base.scheme() == "https" || is_http, "{base}");
    assert!(
        !has_userinfo(&config.backend_url, None) && base.username().is_empty() && base.password().is_none(),
        "{base}"
    );
    let calls = [&settings.start_url, &settings.complete_url].into_iter().chain(&settings.abort_url);
    for call in calls {
        assert_eq!(call.origin(), base.origin(), "{call}");
        assert!(call.path().starts_with(base.path()) && call.fragment().is_none(), "{call} is not under {base}");
        assert!(call.username().is_empty() && call.password().is_none(), "{call}");
    }
    for (headers, replaceable) in [(&settings.headers, false), (&settings.operator_headers, true)] {
        for (name, value) in headers {
            assert!(!RESERVED.contains(&name.as_str()) && (replaceable || name != "user-agent"), "{name}");
            assert!(value.is_sensitive() && value.to_str().is_ok(), "{name}");
        }
    }
    assert!(settings.user_agent.to_str().is_ok() && (1..=15).contains(&settings.redirect_limit));
    assert!(
        (1..=86_400_000).contains(&settings.overall.as_millis())
            && (1..=86_400_000).contains(&settings.slow_after.as_millis())
    );
    let is_origin = |url: &Url| url.scheme() == "https" && url.path() == "/" && url.query().is_none();
    assert!(settings.auth_origin.as_ref().is_none_or(is_origin), "{:?}", settings.auth_origin);
    for ((host, port), addresses) in &settings.overrides {
        assert!(!host.is_empty() && !addresses.is_empty());
        assert!(settings.allowed_hosts().contains(&host.to_uppercase(), *port) || !host.is_ascii(), "{host}");
    }
}

/// The correlator is safe to log.
fn correlator(correlator: &str, options: &VerificationOptions) {
    assert!(
        (1..=256).contains(&correlator.len()) && correlator.is_ascii() && !correlator.contains([' ', '\n', '"']),
        "{correlator}"
    );
    if options.correlator.is_some() {
        assert!(!digits(correlator).contains(&NUMBER[5..]) || options.correlator.as_deref() == Some(correlator));
    }
}
