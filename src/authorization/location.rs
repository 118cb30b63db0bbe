//! From the Location headers of an answer to a URL, as browsers read them (WHATWG URL, RFC 9110, section 10.2.2).
//!
//! A fragment of the URL before is not inherited: it would carry a secret to another host.

use percent_encoding::{AsciiSet, percent_encode};
use url::Url;

use super::Failure;

pub(super) const LONGEST: usize = 16 * 1024;
/// Nothing of ASCII: only bytes from 0x80 on are encoded, and existing escapes stay as they are.
const NON_ASCII: &AsciiSet = &AsciiSet::EMPTY;

/// One Location, or several that are the same.
pub(super) fn resolve<'a>(base: &Url, mut locations: impl Iterator<Item = &'a [u8]>) -> Result<Url, Failure> {
    let location = locations.next().ok_or(Failure::BadLocation)?.trim_ascii();
    if locations.any(|other| other.trim_ascii() != location) || location.is_empty() || location.len() > LONGEST {
        return Err(Failure::BadLocation);
    }
    let text = collapse_slashes(percent_encode(location, NON_ASCII).to_string());
    if has_unicode_host(&text, base.scheme()) {
        return Err(Failure::BadLocation);
    }
    let url = Url::options().base_url(Some(base)).parse(&text).map_err(|_| Failure::BadLocation)?;
    if has_userinfo(&text, &url) { Err(Failure::ForbiddenRedirect) } else { Ok(url) }
}

/// Three slashes and more at the beginning are two, which the parser does only behind a scheme.
fn collapse_slashes(text: String) -> String {
    let rest = text.trim_start_matches(['/', '\\']);
    if text.len() - rest.len() > 2 { format!("//{rest}") } else { text }
}

/// Looks at the text too: the parser drops an empty user name.
pub(crate) fn has_userinfo(text: &str, url: &Url) -> bool {
    let in_text = Authority::of(text, url.scheme()).text.contains('@');
    in_text || !url.username().is_empty() || url.password().is_some()
}

/// Whether the host is not plain ASCII, percent-encoded or not: the parser here knows such hosts only in their `xn--` form.
pub(crate) fn has_unicode_host(text: &str, base_scheme: &str) -> bool {
    let Authority { text, is_special } = Authority::of(text, base_scheme);
    is_special && (text.contains('%') || !text.is_ascii())
}

/// User information, host and port, as they are written; empty where there are none.
struct Authority {
    text: String,
    /// Whether the scheme is one for which browsers have rules about hosts.
    is_special: bool,
}

impl Authority {
    fn of(text: &str, base_scheme: &str) -> Self {
        let text: String = text.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
        let own_scheme = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
        let (scheme, rest) = own_scheme.unwrap_or((base_scheme, &text));
        let is_special = ["http", "https"].iter().any(|special| scheme.eq_ignore_ascii_case(special));
        let slash = |c: char| c == '/' || is_special && c == '\\';
        let after_slashes = rest.trim_start_matches(slash);
        let slashes = rest.len() - after_slashes.len();
        let has_authority = slashes >= 2 || own_scheme.is_some() && is_special;
        let authority = after_slashes.split(|c| slash(c) || matches!(c, '?' | '#')).next().filter(|_| has_authority);
        Self { text: authority.unwrap_or_default().to_owned(), is_special }
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://op.test/a/b?x=1#secret";

    fn resolved(locations: &[&[u8]]) -> Result<String, String> {
        let url = resolve(&Url::parse(BASE).unwrap(), locations.iter().copied());
        url.map(String::from).map_err(|failure| format!("{failure:?}"))
    }

    #[test]
    fn locations_resolve_as_in_browsers() {
        for (location, expected) in [
            ("c", "https://op.test/a/c"),
            ("/c", "https://op.test/c"),
            ("?y=2", "https://op.test/a/b?y=2"),
            ("?", "https://op.test/a/b?"),
            ("//other.test/c", "https://other.test/c"),
            ("///other.test/c", "https://other.test/c"),
            ("\\\\other.test\\c", "https://other.test/c"),
            ("../%2e%2E/c", "https://op.test/c"),
            ("  /c\t", "https://op.test/c"),
            ("/a\tb", "https://op.test/ab"),
            ("/%2f+%zz|", "https://op.test/%2f+%zz|"),
            ("/a b\"", "https://op.test/a%20b%22"),
            ("/é", "https://op.test/%C3%A9"),
            ("#f", "https://op.test/a/b?x=1#f"),
            ("HTTPS://OP.TEST:443/", "https://op.test/"),
            ("https://2130706433/", "https://127.0.0.1/"),
            ("https://xn--mnchen-3ya.test/", "https://xn--mnchen-3ya.test/"),
            ("myapp://Cb?code=1", "myapp://Cb?code=1"),
            ("/c?to=https://a@b.test/", "https://op.test/c?to=https://a@b.test/"),
            ("/c/@home", "https://op.test/c/@home"),
            ("/münchen", "https://op.test/m%C3%BCnchen"),
            ("myapp://münchen", "myapp://m%C3%BCnchen"),
            ("mailto:a@b.test", "mailto:a@b.test"),
        ] {
            assert_eq!(resolved(&[location.as_bytes()]).as_deref(), Ok(expected), "{location}");
        }
        assert_eq!(resolved(&[b"/\xe9\xff"]).as_deref(), Ok("https://op.test/%E9%FF"));
        assert_eq!(resolved(&[b"c", b" c"]).as_deref(), Ok("https://op.test/a/c"));
    }

    #[test]
    fn bad_locations() {
        let long = vec![b'a'; LONGEST + 1];
        let bad: [&[&[u8]]; 12] = [
            &[],
            &[b""],
            &[b" \t"],
            &[b"c", b"d"],
            &[&long],
            &[b"https://"],
            &[b"https://[::1"],
            &[b"https://a:99999/"],
            &["https://münchen.test/".as_bytes()],
            &["//Aé.test".as_bytes()],
            &[b"https:%41.test"],
            &[b"\\\\a\xff"],
        ];
        for locations in bad {
            assert_eq!(resolved(locations), Err("BadLocation".to_owned()), "{locations:?}");
        }
    }

    #[test]
    fn userinfo_is_seen_in_the_text() {
        for location in [
            "https://user@op.test/",
            "https://user:pw@op.test/",
            "https://@op.test/",
            "https://:@op.test/",
            "//@op.test/",
            "\\\\@op.test/",
            "/\\@op.test/",
            "/\t/@op.test/",
            "htt\tps://@op.test/",
            "https:///@op.test/",
            "http:@op.test/",
            "myapp://@cb",
        ] {
            assert_eq!(resolved(&[location.as_bytes()]), Err("ForbiddenRedirect".to_owned()), "{location}");
        }
    }
}
