//! Decodes the encodings that a peer's text may have: percent-escapes, HTML entities, backslash
//! escapes, in any order and repeatedly.

use percent_encoding::percent_decode_str;

/// Enough for two or three layers of different encodings; a harmless text has one or two readings.
const MOST_READINGS: usize = 32;
/// Entities that another escape can begin with, and those of digits. Any other named entity is a
/// separator.
const NAMED: [(&str, char); 11] = [
    ("amp", '&'),
    ("num", '#'),
    ("semi", ';'),
    ("percnt", '%'),
    ("bsol", '\\'),
    ("sup1", '¹'),
    ("sup2", '²'),
    ("sup3", '³'),
    ("frac12", '½'),
    ("frac14", '¼'),
    ("frac34", '¾'),
];

/// The text itself, and its form after each sequence of decoding steps. `None` if there are too
/// many.
pub fn readings(text: &str) -> Option<Vec<String>> {
    let mut readings = vec![text.to_owned()];
    let mut next = 0;
    while let Some(reading) = readings.get(next) {
        let percent = percent_decode_str(reading).decode_utf8_lossy().into_owned();
        let entities = replace(reading, &['&'], entity);
        let escapes = replace(reading, &['\\', '%'], escape);
        for decoded in [percent, entities, escapes] {
            if !readings.contains(&decoded) {
                readings.push(decoded);
            }
        }
        if readings.len() > MOST_READINGS {
            return None;
        }
        next += 1;
    }
    Some(readings)
}

/// Replaces what `decode` recognises at one of the marks; it returns the character and the rest of
/// the text.
fn replace(text: &str, marks: &[char], decode: impl Fn(&str) -> Option<(char, &str)>) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(marks) {
        let (before, from) = rest.split_at(at);
        result.push_str(before);
        let mut undecoded = from.chars();
        let mark = undecoded.next();
        let (c, after) = decode(from).map_or((mark, undecoded.as_str()), |(c, after)| (Some(c), after));
        result.extend(c);
        rest = after;
    }
    result.push_str(rest);
    result
}

/// `&amp;`, `&#49;`, `&#x31;`; the semicolon may be missing after a number and after a name that is
/// known here.
fn entity(text: &str) -> Option<(char, &str)> {
    let entity = text.strip_prefix('&')?;
    let (c, rest) = match entity.strip_prefix('#') {
        Some(number) => {
            let (number, radix) = number.strip_prefix(['x', 'X']).map_or((number, 10), |hex| (hex, 16));
            let (digits, rest) = split(number, |c| c.is_digit(radix));
            (!digits.is_empty()).then(|| (code_point(digits, radix), rest))?
        }
        None => named(entity)?,
    };
    Some((c, rest.strip_prefix(';').unwrap_or(rest)))
}

fn named(entity: &str) -> Option<(char, &str)> {
    let (name, rest) = split(entity, |c| c.is_ascii_alphanumeric());
    if rest.starts_with(';') && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        let known = NAMED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        return Some((known.map_or(' ', |(_, c)| *c), rest));
    }
    NAMED.iter().find_map(|(known, c)| Some((*c, entity.strip_prefix(known)?)))
}

/// `\u0031` (two of them for a character of two UTF-16 units), `%u0031`, `\u{31}`, `\U00000031`,
/// `\x31`.
fn escape(text: &str) -> Option<(char, &str)> {
    if let Some((digits, rest)) = text.strip_prefix("\\u{").and_then(|text| text.split_once('}')) {
        return Some((code_point(digits, 16), rest));
    }
    let (digits, rest) = [("\\u", 4), ("%u", 4), ("\\x", 2), ("\\U", 8)]
        .into_iter()
        .find_map(|(mark, length)| text.strip_prefix(mark)?.split_at_checked(length))?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    let pair = || {
        let (low, rest) = rest.strip_prefix(['\\', '%'])?.strip_prefix('u')?.split_at_checked(4)?;
        let units = [u16::try_from(code).ok()?, u16::from_str_radix(low, 16).ok()?];
        Some((char::decode_utf16(units).next()?.ok()?, rest))
    };
    char::from_u32(code).map(|c| (c, rest)).or_else(pair).or(Some((char::REPLACEMENT_CHARACTER, rest)))
}

fn code_point(digits: &str, radix: u32) -> char {
    u32::from_str_radix(digits, radix).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded() {
        for (text, expected) in [
            ("%41%c3%a9%zz%ff%", "Aé%zz\u{fffd}%"),
            ("&#65;&#x42;&#X43;&#0068;&#69&#x46 ", "ABCDEF "),
            ("&#xD835;&#99999999999;&#;&#x;&;", "\u{fffd}\u{fffd}&#;&#x;&;"),
            ("a&nbsp;b&blk14;c&frac12d&SUP1;e", "a b c½d¹e"),
            ("&nbsp1 AT&T & b", "&nbsp1 AT&T & b"),
            (r"\u0041\u{42}\x43\U00000044%u0045", "ABCDE"),
            (r"\ud835\udfd9 \ud835 \udfd9\u0041", "𝟙 \u{fffd} \u{fffd}A"),
            (r"\u00 \u{} \xé \u{zz} \ \", "\\u00 \u{fffd} \\xé \u{fffd} \\ \\"),
            ("%2541", "A"),
            ("&amp;#65;", "A"),
            ("%26%2365%3b", "A"),
            ("&percnt;41 &bsol;u0041 &num;", "A A #"),
        ] {
            let readings = readings(text).unwrap();
            assert!(readings.iter().any(|reading| reading == expected), "{text}: {readings:?}");
            assert!(readings.iter().any(|reading| reading == text), "{text} itself");
        }
    }

    #[test]
    fn text_with_too_many_readings_has_none() {
        assert_eq!(readings("plain 100% &amp").map(|readings| readings.len()), Some(2));
        assert_eq!(readings(&format!("%{}41", "25".repeat(40))), None);
    }
}
