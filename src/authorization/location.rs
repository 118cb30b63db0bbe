//! Resolves the Location headers of a response to a URL, as browsers do (WHATWG URL, RFC 9110,
//! section 10.2.2).
//!
//! The fragment of the previous URL is not inherited: it would carry a secret to another host.

use percent_encoding::{AsciiSet, percent_encode};
use url::Url;

use super::Failure;
use crate::limits;
use crate::url_text::{has_userinfo, parse_url};

/// No ASCII: only bytes from 0x80 on are encoded, and existing escapes are left unchanged.
const NON_ASCII: &AsciiSet = &AsciiSet::EMPTY;

/// Accepts one Location, or several identical ones.
pub fn resolve<'a>(base: &Url, mut locations: impl Iterator<Item = &'a [u8]>) -> Result<Url, Failure> {
    let location = locations.next().ok_or(Failure::BadLocation)?.trim_ascii();
    if locations.any(|other| other.trim_ascii() != location) || location.is_empty() || location.len() > limits::URL {
        return Err(Failure::BadLocation);
    }
    let text = collapse_slashes(percent_encode(location, NON_ASCII).to_string());
    let url = parse_url(&text, Some(base)).map_err(|_| Failure::BadLocation)?;
    if has_userinfo(&text, Some(base)) { Err(Failure::ForbiddenRedirect) } else { Ok(url) }
}

/// Reduces three or more leading slashes to two, which the parser does only after a scheme.
/// Characters that it skips may precede and separate them.
fn collapse_slashes(text: String) -> String {
    let start = text.trim_start_matches(|c| c <= ' ');
    let rest = start.trim_start_matches(['/', '\\', '\t', '\n', '\r']);
    let slashes = start[..start.len() - rest.len()].matches(['/', '\\']).count();
    if slashes > 2 { format!("//{rest}") } else { text }
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
            ("/\t//other.test/c", "https://other.test/c"),
            ("\u{1}//\t\\/other.test/c", "https://other.test/c"),
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
        assert!(resolved(&[&[b'a'; limits::URL]]).is_ok());
        assert_eq!(resolved(&[b"c", b" c"]).as_deref(), Ok("https://op.test/a/c"));
    }

    #[test]
    fn bad_location_is_rejected() {
        let long = vec![b'a'; limits::URL + 1];
        let bad: [&[&[u8]]; 17] = [
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
            &["ftp://Aé.test/".as_bytes()],
            &[b"\x01wss:/\t/A\xe9.test"],
            &[b"https://xn--3ug/"],
            &[b"https://XN--A-YGN.test/"],
            &[b"file://x\tn--9ca260n/"],
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
            "myapp://user:\\@cb",
        ] {
            assert_eq!(resolved(&[location.as_bytes()]), Err("ForbiddenRedirect".to_owned()), "{location}");
        }
    }
}
