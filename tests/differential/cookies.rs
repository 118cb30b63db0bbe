//! The cookie jar: responses that set cookies, and the Cookie headers of subsequent requests.

use std::collections::BTreeSet;

use http::HeaderValue;
use number_verify::internals::{CookieJar, Redactor};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use crate::text::{mutated, to_bytes, to_text, word};
use crate::{SAME, Subject};

pub fn subject() -> Subject {
    let word = |name| word(&format!("cookies.{name}"));
    let url = || (word("scheme"), word("host"), word("path")).prop_map(|(scheme, host, path)| scheme + &host + &path);
    let attribute = (word("between"), mutated(word("attribute"))).prop_map(|(between, attribute)| between + &attribute);
    let attributes = vec(attribute, 0..5).prop_map(|attributes| attributes.concat());
    let equals = prop_oneof![30 => Just("="), 1 => Just("")];
    let pair = (word("name"), equals, word("value")).prop_map(|(name, equals, value)| name + equals + &value);
    let set = (url(), mutated(pair), attributes).prop_map(|(url, pair, attributes)| (url, pair + &attributes));
    let inputs = (vec(set, 1..5), vec(url(), 1..4)).prop_map(|(set, get)| {
        let set = set.into_iter().enumerate().map(|(index, (url, line))| {
            // Each cookie gets a unique value, without characters that are invalid in a header.
            let line = line.replace('#', &format!("v{index}"));
            json!({"url": url, "line": line.replace(|c: char| c != '\t' && c.is_ascii_control(), "")})
        });
        json!({"set": set.collect::<Vec<_>>(), "get": get})
    });
    Subject { name: "cookies", inputs: inputs.boxed(), ours, class }
}

fn ours(input: &Value) -> Value {
    let (jar, redactor) = (CookieJar::new(), Redactor::new());
    for set in input["set"].as_array().expect("a list") {
        let line = HeaderValue::from_bytes(&to_bytes(&set["line"])).expect("a header");
        jar.store(&url(&set["url"]), [&line].into_iter(), &redactor);
    }
    let header = |to| jar.header(&url(to)).map(|header| to_text(header.as_bytes())).unwrap_or_default();
    input["get"].as_array().expect("a list").iter().map(header).collect()
}

fn url(text: &Value) -> Url {
    Url::parse(text.as_str().expect("a URL")).expect("a URL")
}

/// Every cookie that only one side sends must have a reason.
fn class(input: &Value, ours: &Value, theirs: &Value) -> Option<&'static str> {
    let set: Vec<_> = input["set"].as_array()?.iter().filter_map(Set::new).collect();
    let mut class = SAME;
    for (index, get) in input["get"].as_array()?.iter().enumerate() {
        let (ours, theirs, to) = (pairs(&ours[index]), pairs(&theirs[index]), url(get));
        let differing = ours.iter().filter(|pair| !theirs.contains(pair)).map(|pair| (pair, true));
        let differing = differing.chain(theirs.iter().filter(|pair| !ours.contains(pair)).map(|pair| (pair, false)));
        let sorted = |pairs: &[&str]| pairs.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        if ours != theirs && sorted(&ours) == sorted(&theirs) && set.iter().any(Set::may_expire) {
            class = "the order after an expired cookie";
        }
        for (pair, is_ours) in differing.filter(|(pair, _)| !pair.is_empty()) {
            let name = pair.split('=').next()?;
            // Another cookie with that name may have replaced it.
            let same = set.iter().filter(|set| set.name == trim(name).to_ascii_lowercase());
            class = same.clone().find_map(|set| set.class(is_ours, &to, same.clone()))?;
        }
    }
    match class {
        SAME if ours == theirs => Some(SAME),
        SAME => set.iter().any(|set| set.line.contains(NO_BREAK)).then_some("a no-break space"),
        class => Some(class),
    }
}

fn pairs(header: &Value) -> Vec<&str> {
    header.as_str().unwrap_or_default().split("; ").map(trim).collect()
}

const PREFIXES: [&str; 3] = ["__host-", "__secure-", "__http-"];
const NO_BREAK: char = '\u{a0}';

struct Set<'a> {
    line: &'a str,
    name: String,
    from: Url,
}

impl<'a> Set<'a> {
    fn new(set: &'a Value) -> Option<Self> {
        let line = set["line"].as_str()?;
        let name = trim(trim(line.split(';').next()?).split('=').next()?).to_ascii_lowercase();
        Some(Self { line, name, from: url(&set["url"]) })
    }

    fn may_expire(&self) -> bool {
        let line = self.line.to_ascii_lowercase();
        line.contains("max-age") || line.contains("expires")
    }

    /// Why only one side sends this cookie, or an earlier one with this name, to this URL.
    fn class<'b>(&self, is_ours: bool, to: &Url, mut same: impl Iterator<Item = &'b Set<'b>>) -> Option<&'static str> {
        let attributes = self.line.split(';').skip(1).map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let domains = attributes.filter(|(name, _)| trim(name).eq_ignore_ascii_case("domain"));
        let domains: Vec<_> = domains.map(|(_, value)| trim(value).to_ascii_lowercase()).collect();
        let name = self.name.trim_start_matches(|c: char| !c.is_ascii_graphic());
        let is_dotted = |url: &Url| url.host_str().is_some_and(|host| host.ends_with('.'));
        if self.line.contains(NO_BREAK) {
            Some("a no-break space")
        } else if is_ours && is_dotted(to) {
            Some("a host with a trailing dot")
        } else if PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            Some("a cookie prefix")
        } else if self.from.scheme() == "https" && to.scheme() == "http" {
            Some("an https cookie on plain http")
        } else if self.from.scheme() == "http" && same.any(|set| set.from.scheme() == "https") {
            Some("an http cookie that replaces an https cookie")
        } else if domains.len() > 1 && domains.last().is_some_and(|domain| domain.trim_matches('.').is_empty()) {
            Some("an empty Domain after another one")
        } else if is_ours && domains.last().is_some_and(|domain| domain.trim_matches('.') == "co.uk") {
            Some("a public suffix")
        } else {
            None
        }
    }
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t', NO_BREAK])
}
