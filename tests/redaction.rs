//! Which text from a peer is retained, as properties: none, if it spells the number or a secret in
//! any form.

use http::{HeaderMap, HeaderValue, header};
use number_verify::internals::{
    AllowedHosts, CookieJar, Delivery, Failure, Head, Next, Redactor, Rules, StartResponse, Walk,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::string::string_regex;
use secrecy::ExposeSecret;
use url::form_urlencoded::byte_serialize;

const NUMBER: &str = "+14155550100";

/// What a flow retains of this text as a page title and as an error description.
fn retained(text: &str, state: &str) -> [Option<String>; 2] {
    let page = format!("<html><title>{text}</title></html>");
    let mut walk = walk(state);
    let Next::ReadBody(response) = walk.on_head(&Head { status: 200, headers: &HeaderMap::new() }) else {
        panic!("page")
    };
    assert!(matches!(response.read(page.as_bytes()), Err(Failure::UnexpectedPage)));
    let title = walk.title().map(str::to_owned);

    let description: String = byte_serialize(text.as_bytes()).collect();
    let location = format!("https://cb.test/cb?error=access_denied&state={state}&error_description={description}");
    let headers = HeaderMap::from_iter([(header::LOCATION, HeaderValue::from_str(&location).unwrap())]);
    let mut walk = self::walk(state);
    let next = walk.on_head(&Head { status: 302, headers: &headers });
    let Next::Fail(Failure::Denied(denial)) = next else { panic!("denied") };
    [title, denial.description.map(|text| text.expose_secret().to_owned())]
}

fn walk(state: &str) -> Walk {
    let redactor = Redactor::new();
    redactor.add_number(NUMBER);
    let rules = Rules {
        delivery: Delivery::Relay,
        cleartext: false,
        redirect_limit: 15,
        allowed_hosts: AllowedHosts::these([]),
        configured_redirect_uri: None,
        backend_origin: None,
    };
    let auth_url = format!("https://op.test/?state={state}&redirect_uri=https%3A%2F%2Fcb.test%2Fcb");
    let start = StartResponse { auth_url: auth_url.into(), redirect_uri: None, state: None, session: None };
    Walk::begin(start, rules, CookieJar::new(), redactor).ok().unwrap().0
}

/// The zeros of all scripts with decimal digits: the nine characters after each are the other
/// digits.
fn zeros() -> Vec<char> {
    let class = regex_syntax::parse(r"\p{Nd}").unwrap().into_kind();
    let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(class)) = class else { panic!("a class") };
    class.iter().flat_map(|range| (range.start()..=range.end()).step_by(10)).collect()
}

fn digit(zero: char, ascii: char) -> char {
    char::from_u32(u32::from(zero) + ascii.to_digit(10).unwrap()).unwrap()
}

fn separators(classes: &str) -> impl Strategy<Value = Vec<String>> + use<> {
    prop::collection::vec(string_regex(&format!("[{classes}]{{0,3}}")).unwrap(), NUMBER.len())
}

/// The number with or without its country code, in digits of one script, with a separator after
/// each.
fn spelled(zero: char, from: usize, separators: &[String]) -> String {
    let digits = NUMBER.chars().filter(char::is_ascii_digit).skip(from);
    digits.zip(separators).flat_map(|(ascii, separator)| [digit(zero, ascii).to_string(), separator.clone()]).collect()
}

#[derive(Debug, Clone, Copy)]
enum Escape {
    Plain,
    Decimal,
    Hexadecimal,
    Unterminated,
    Percent,
    PercentTwice,
    PercentOfEntity,
    EntityOfPercent,
    Json,
}

const ESCAPES: [Escape; 9] = [
    Escape::Plain,
    Escape::Decimal,
    Escape::Hexadecimal,
    Escape::Unterminated,
    Escape::Percent,
    Escape::PercentTwice,
    Escape::PercentOfEntity,
    Escape::EntityOfPercent,
    Escape::Json,
];

impl Escape {
    fn apply(self, c: char) -> String {
        let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
        match self {
            Self::Plain => c.to_string(),
            Self::Decimal => format!("&#{};", u32::from(c)),
            Self::Hexadecimal => format!("&#X{:05x};", u32::from(c)),
            Self::Unterminated => format!("&#{}", u32::from(c)),
            Self::Percent => percent(c.encode_utf8(&mut [0; 4])),
            Self::PercentTwice => Self::Percent.apply(c).replace('%', "%25"),
            Self::PercentOfEntity => percent(&Self::Decimal.apply(c)),
            Self::EntityOfPercent => Self::Percent.apply(c).replace('%', "&percnt;"),
            Self::Json => {
                c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat()
            }
        }
    }
}

/// An ASCII letter as a look-alike character, or the letter itself.
fn disguised(c: char, style: usize) -> char {
    let letter = |upper: u32, lower: u32| match c {
        'A'..='Z' => char::from_u32(upper + u32::from(c) - u32::from('A')),
        'a'..='z' => char::from_u32(lower + u32::from(c) - u32::from('a')),
        _ => None,
    };
    let disguise = match style {
        0 => letter(0xff21, 0xff41),
        1 => letter(0x1d400, 0x1d41a),
        2 => letter(0x24b6, 0x24d0),
        _ => None,
    };
    disguise.unwrap_or(c)
}

#[test]
fn number_in_any_spelling_removes_the_text() {
    for spelling in [
        "+14155550100",
        "+1&nbsp;415&nbsp;555&nbsp;0100",
        "+1&nbsp415&nbsp555&nbsp0100",
        "+1&ensp;415&hyphen;555&NoBreak;01&blk14;00",
        "+1&#8209;415&#8209;555&#8209;0100",
        "+1&#x2011;415&#x2011;555&#x2011;0100",
        "&plus;1&lpar;415&rpar;555&period;0100",
        "+1 415\u{2011}555\u{2013}0100",
        "%2B1%20415%20555%200100",
        "%252B1%2520415%2520555%25200100",
        "1%34155%3550100",
        "%31%34%31%35%35%35%35%30%31%30%30",
        "%u0031%u0034%u0031%u0035%u0035%u0035%u0035%u0030%u0031%u0030%u0030",
        r"\u0034\u0031\u0035\x35\x35\u{35}\U00000035\u0030\u0031\u0030\u0030",
        r"415\u2011555\u20110100",
        "&amp;#52;&amp;#49;&amp;#53;5550100",
        "&AMP;nbsp;415&amp;nbsp;555&amp;nbsp;0100",
        "&#000000000000052;15 555&#99999999999;01&#x110000;00",
        "&percnt;34155&percnt;3550100",
        "４１５５５５０１００",
        "٤١٥-٥٥٥-٠١٠٠",
        "４१५５௫𝟝𝟬١0⓪",
        "⁴¹⁵₅₅₅₀₁₀₀",
        "④①⑤ ⑤⑤⑤ ⓪①⓪⓪",
        "⑷⑴⑸⑸⑸⑸0⑴00",
        "⒋⒈⒌⒌⒌⒌🄀⒈🄀🄀",
        "❹❶❺➄➎⓹⓿➀⓿⓿",
        "4&sup1;5555⓪⑩⁰",
        "415555&frac12;0100&shy;4155550&shy;100",
        "4\u{20e3}1\u{20e3}5\u{20e3}5\u{fe0f}\u{20e3}5\u{20e3}5\u{20e3}0\u{20e3}1\u{20e3}0\u{20e3}0",
        "415\u{200b}555\u{ad}01\u{202e}00",
        "41555\u{5}50100",
        "555 0100",
        "415.555 ext. 0100",
    ] {
        assert_eq!(retained(&format!("No service for {spelling}, sorry"), "S"), [None, None], "{spelling}");
    }
}

#[test]
fn ordinary_text_is_retained() {
    for text in [
        "Sign in",
        "No service (error 1001)",
        "403 Forbidden",
        "50% &amp; more &#8211; 100%",
        "Anmelden – Zürich 2026-11-27 10:00",
        "ログイン",
        r"C:\users\x",
        "Call 0800 1234567 & ask",
        "The last six digits are 550100",
    ] {
        assert_eq!(retained(text, "topsecret"), [Some(text.to_owned()), Some(text.to_owned())], "{text}");
    }
}

#[test]
fn text_too_long_to_compare_is_removed() {
    assert_eq!(retained(&format!("Sign in{}", " ".repeat(5000)), "S"), [None, None]);
    let encoded = (0..20).fold("%34155550100".to_owned(), |text, _| text.replace('%', "%25"));
    assert_eq!(retained(&encoded, "S"), [None, None]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn number_with_any_separators_in_any_script_removes_the_text(
        zero in select(zeros()),
        from in 0..=4_usize,
        separators in separators(r"\p{P}\p{S}\p{Z}\p{C}\p{M}"),
    ) {
        let text = format!("for {}, sorry", spelled(zero, from, &separators));
        prop_assert_eq!(retained(&text, "S"), [None, None], "{}", text);
    }

    #[test]
    fn escaped_number_removes_the_text(
        zero in select(zeros()),
        from in 0..=4_usize,
        separators in separators(r"[\p{P}\p{S}\p{Z}]--[&%\\;#]"),
        escapes in prop::collection::vec(select(ESCAPES.to_vec()), 1..64),
    ) {
        let number = spelled(zero, from, &separators);
        let escaped: String = number.chars().zip(escapes.iter().cycle()).map(|(c, escape)| match escape {
            // Followed by a digit, this would be a different character.
            Escape::Unterminated if escapes.len() > 1 => Escape::Decimal.apply(c),
            escape => escape.apply(c),
        }).collect();
        prop_assert_eq!(retained(&format!("for {escaped} , sorry"), "S"), [None, None], "{}", escaped);
    }

    #[test]
    fn disguised_secret_removes_the_text(
        state in "[A-Za-z0-9]{4}[A-Za-z0-9_.~-]{2,28}",
        styles in prop::collection::vec(0..4_usize, 32),
        separators in prop::collection::vec(string_regex(r"[\p{Cf}\p{Mn}\p{Zs}]{0,2}").unwrap(), 32),
        escapes in prop::collection::vec(select(ESCAPES.to_vec()), 1..64),
    ) {
        let styled = state.chars().zip(&styles).map(|(c, style)| disguised(c, *style));
        let spelled: String =
            styled.zip(&separators).flat_map(|(c, separator)| [c.to_string(), separator.clone()]).collect();
        let escaped: String = spelled.chars().zip(escapes.iter().cycle()).map(|(c, escape)| match escape {
            Escape::Unterminated if escapes.len() > 1 => Escape::Decimal.apply(c),
            escape => escape.apply(c),
        }).collect();
        prop_assert_eq!(retained(&format!("for {escaped} , sorry"), &state), [None, None], "{}", escaped);
    }

    #[test]
    fn harmless_text_is_retained(text in r"[A-Za-zÀ-ÿ]{2,10}( [a-zäöü]{1,10}){0,4}( \([0-9]{1,4}\))?[.!?]?") {
        prop_assert_eq!(retained(&text, "s9-x2_k7"), [Some(text.clone()), Some(text)]);
    }
}
