//! From the Location headers of an answer to a URL, as browsers read them (WHATWG URL, RFC 9110, section 10.2.2).
//!
//! A fragment of the URL before is not inherited: it would carry a secret to another host.

use percent_encoding::{AsciiSet, percent_encode};
use url::Url;

use super::Failure;

const LONGEST: usize = 16 * 1024;
/// Nothing of ASCII: only bytes from 0x80 on are encoded, and existing escapes stay as they are.
const NON_ASCII: &AsciiSet = &AsciiSet::EMPTY;

/// One Location, or several that are the same.
pub(super) fn resolve<'a>(base: &Url, mut locations: impl Iterator<Item = &'a [u8]>) -> Result<Url, Failure> {
    let location = locations.next().ok_or(Failure::BadLocation)?.trim_ascii();
    if locations.any(|other| other.trim_ascii() != location) || location.is_empty() || location.len() > LONGEST {
        return Err(Failure::BadLocation);
    }
    let text = percent_encode(location, NON_ASCII).to_string();
    let url = Url::options().base_url(Some(base)).parse(&text).map_err(|_| Failure::BadLocation)?;
    if has_userinfo(&text, &url) { Err(Failure::ForbiddenRedirect) } else { Ok(url) }
}

/// Looks at the text too: the parser drops an empty user name.
pub(super) fn has_userinfo(text: &str, url: &Url) -> bool {
    if !url.username().is_empty() || url.password().is_some() {
        return true;
    }
    let is_special = matches!(url.scheme(), "http" | "https");
    let slash = |c: char| c == '/' || is_special && c == '\\';
    let text: String = text.chars().filter(|c| !matches!(c, '\t' | '\n' | '\r')).collect();
    let scheme_length = format!("{}:", url.scheme()).len();
    let with_scheme =
        text.get(..scheme_length).is_some_and(|start| start.eq_ignore_ascii_case(&format!("{}:", url.scheme())));
    let rest = if with_scheme { text.get(scheme_length..).unwrap_or_default() } else { &text };
    let slashes = rest.chars().take_while(|c| slash(*c)).count();
    let has_authority = slashes >= 2 || with_scheme && is_special;
    let authority = rest.get(slashes..).unwrap_or_default().split(|c| slash(c) || matches!(c, '?' | '#')).next();
    has_authority && authority.is_some_and(|authority| authority.contains('@'))
}
