//! Checks of URL text before and after parsing: a plain host, and no userinfo.
//!
//! [`parse_url`] is the only place where this crate parses text as a URL.

use url::{ParseError, Url};

/// Parses a URL, or a reference to resolve against `base`, if its host is plain (see
/// [`is_plain_host`]).
///
/// `https:host` with a base of the same scheme is a path, but other parsers read a host there: it
/// must be plain in both readings.
pub fn parse_url(text: &str, base: Option<&Url>) -> Result<Url, ParseError> {
    check_host(text, base)?;
    match check_host(text, None) {
        Err(ParseError::IdnaError) => Err(ParseError::IdnaError),
        _ => Url::options().base_url(base).parse(text),
    }
}

/// Also detects an empty user name, which the parser drops: `<` is invalid in a host and in a port,
/// and valid where `@` does not end userinfo. After a backslash the parser accepts it in a URL
/// whose scheme is not special.
#[must_use]
pub fn has_userinfo(text: &str, base: Option<&Url>) -> bool {
    let replaced = text.replace('@', "<");
    let has_userinfo = |base| {
        let has_any = |url: Url| !url.username().is_empty() || url.password().is_some();
        parse_url(text, base).is_ok_and(|url| has_any(url) || parse_url(&replaced, base).is_err())
    };
    text.contains('@') && (has_userinfo(base) || has_userinfo(None))
}

/// Whether IDNA processing leaves this host unchanged, except for letter case.
///
/// Every other form is rejected before `url` or `cookie_store` process it. Their result depends on
/// the version of `idna_adapter` in the app's build: 1.0.0 has no Unicode tables, and panics in
/// debug builds on some non-ASCII hosts and on U+200F in a decoded `xn--` label.
#[must_use]
pub fn is_plain_host(host: &str) -> bool {
    const RIGHT_TO_LEFT_MARK: char = '\u{200f}';
    let is_disallowed = |label: &str| {
        let label = label.to_ascii_lowercase();
        let decoded = label.strip_prefix("xn--").and_then(idna::punycode::decode_to_string);
        decoded.is_some_and(|label| label.contains(RIGHT_TO_LEFT_MARK))
    };
    host.is_ascii() && !host.contains('%') && !host.split('.').any(is_disallowed)
}

/// Uses the parser itself to find the host, with substitutes for what it must not process: a host
/// that depends on the substitute is not plain. Substitutes are valid in a host and invalid in a
/// scheme.
fn check_host(text: &str, base: Option<&Url>) -> Result<(), ParseError> {
    let text = text.replace(['\t', '\n', '\r'], "").to_ascii_lowercase().replace("xn--", "xn__");
    let host = |stand_in: &str| -> Result<Option<String>, ParseError> {
        let text = text.replace(|c: char| c == '%' || !c.is_ascii(), stand_in);
        let url = Url::options().base_url(base).parse(&text)?;
        Ok(url.host_str().filter(|_| url.is_special()).map(|host| host.replace("xn__", "xn--")))
    };
    let found = host("_")?;
    let is_plain = found == host("~")? && found.is_none_or(|host| is_plain_host(&host));
    if is_plain { Ok(()) } else { Err(ParseError::IdnaError) }
}
