//! Parses the head of a response as browsers do: deviations are repaired before hyper parses it.
//!
//! A redirect needs only a status and a Location; nothing else in its head may end the flow. A head
//! without deviations is left unchanged, byte for byte. Any other head is rewritten, and its
//! connection is not reused, because the start of the next response is unknown.

/// A head that hyper can parse.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) bytes: Vec<u8>,
    pub(super) is_repaired: bool,
    /// Whether another head follows (RFC 9110, section 15.2).
    pub(super) is_informational: bool,
    /// Whether the end of the body is contradictory (RFC 9112, section 6.3), so that the body must
    /// not be used.
    pub(super) has_unusable_body: bool,
}

/// The number of bytes before the status line: empty lines are ignored, as RFC 9112, section 2.2,
/// requires for requests.
pub(super) fn start(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// The length of the head at the start of these bytes, including the empty line; `None` if it is
/// incomplete. `from` is the start of the line to continue with.
pub(super) fn end(bytes: &[u8], from: &mut usize) -> Option<usize> {
    while let Some(length) = bytes[*from..].iter().position(|byte| *byte == b'\n') {
        let is_empty = without_line_end(&bytes[*from..*from + length]).is_empty();
        *from += length + 1;
        if is_empty {
            return Some(*from);
        }
    }
    None
}

/// Repairs deviations. A head without a status line is left unchanged, because hyper rejects it.
pub(super) fn repaired(bytes: Vec<u8>) -> Head {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(without_line_end);
    let Some(status) = lines.next().and_then(StatusLine::parse) else {
        return Head { bytes, is_repaired: false, is_informational: false, has_unusable_body: false };
    };
    let (fields, fields_are_odd) = fields(lines);
    let framing = Framing::of(&fields, status.version);
    let is_informational = (100..200).contains(&status.code) && status.code != 101;
    let has_unusable_body = framing == Framing::Contradictory;
    let ends_oddly = bytes.windows(2).any(|pair| pair == b"\r\r");
    let is_repaired = status.is_odd || fields_are_odd || ends_oddly || framing != Framing::Plain;
    let bytes = if is_repaired { serialize(status.code, &fields, &framing) } else { bytes };
    Head { bytes, is_repaired, is_informational, has_unusable_body }
}

fn without_line_end(line: &[u8]) -> &[u8] {
    let length = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    &line[..length]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

struct StatusLine {
    version: Version,
    code: u16,
    is_odd: bool,
}

impl StatusLine {
    /// Accepts the protocol name in any case, any version, any whitespace, and any reason phrase.
    fn parse(line: &[u8]) -> Option<Self> {
        let (name, rest) = line.split_at_checked(5)?;
        let (version, rest) = rest.split_at(rest.iter().position(|byte| is_blank(*byte))?);
        let rest = rest.trim_ascii_start();
        let (digits, reason) = rest.split_at_checked(3)?;
        let is_version = version.len() <= 8 && version.split(|byte| *byte == b'.').all(is_number);
        let is_status = is_number(digits) && !reason.first().is_some_and(u8::is_ascii_digit);
        if !name.eq_ignore_ascii_case(b"HTTP/") || !is_version || !is_status {
            return None;
        }
        let is_plain = [b"HTTP/1.0 ", b"HTTP/1.1 "].iter().any(|start| line.starts_with(*start))
            && line.len() == 9 + rest.len()
            && reason.first().is_none_or(|byte| *byte == b' ')
            && reason.iter().all(|byte| is_text(*byte));
        Some(Self {
            version: if version.starts_with(b"0") || version == b"1.0" { Version::Http10 } else { Version::Http11 },
            code: std::str::from_utf8(digits).ok()?.parse().ok()?,
            is_odd: !is_plain,
        })
    }
}

/// A name and its value, with folded lines joined.
type Field = (Vec<u8>, Vec<u8>);

/// The fields, and whether any of them deviates. Lines that are not fields are skipped.
fn fields<'a>(lines: impl Iterator<Item = &'a [u8]>) -> (Vec<Field>, bool) {
    let mut fields: Vec<Option<Field>> = Vec::new();
    let mut is_odd = false;
    for line in lines.take_while(|line| !line.is_empty()) {
        if is_blank(line[0]) {
            is_odd = true;
            unfold(fields.last_mut(), line);
            continue;
        }
        let field = field(line);
        let is_plain = field.as_ref().is_some_and(|(name, _)| line[name.len()] == b':') && !line.contains(&b'\r');
        is_odd |= !is_plain;
        fields.push(field);
    }
    (fields.into_iter().flatten().map(|(name, value)| (name, value.trim_ascii().to_vec())).collect(), is_odd)
}

fn field(line: &[u8]) -> Option<Field> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    // A bare CR is replaced by a space (RFC 9112, section 2.2).
    let value: Vec<u8> = line[colon + 1..].iter().map(|byte| if *byte == b'\r' { b' ' } else { *byte }).collect();
    let is_field =
        !name.is_empty() && name.iter().all(|byte| is_token(*byte)) && value.iter().all(|byte| is_text(*byte));
    is_field.then(|| (name.to_vec(), value))
}

/// RFC 9112, section 5.2. The continuation of a skipped line is skipped as well.
fn unfold(field: Option<&mut Option<Field>>, line: &[u8]) {
    let Some(field) = field else { return };
    if !line.iter().all(|byte| is_text(*byte)) {
        *field = None;
    }
    if let Some((_, value)) = field {
        value.push(b' ');
        value.extend_from_slice(line.trim_ascii());
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Allowed in a value (RFC 9110, section 5.5).
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Where the body ends (RFC 9112, section 6.3).
#[derive(Debug, PartialEq, Eq)]
enum Framing {
    /// As stated by the fields.
    Plain,
    /// As stated by this field or, without one, at the end of the connection.
    Repaired(Option<String>),
    Contradictory,
}

impl Framing {
    fn of(fields: &[Field], version: Version) -> Self {
        let stated_codings = elements(fields, "transfer-encoding");
        let lengths = elements(fields, "content-length");
        let is_chunked = |coding: &String| coding.eq_ignore_ascii_case("chunked");
        let codings: Vec<_> = stated_codings.iter().filter(|coding| !coding.eq_ignore_ascii_case("identity")).collect();
        let stated = fields.iter().filter(|(name, _)| is_framing(name)).count();
        let length = lengths.first().filter(|first| lengths.iter().all(|length| length == *first));
        let length =
            length.and_then(|length| is_number(length.as_bytes()).then(|| length.parse::<u64>().ok()).flatten());
        match (codings.as_slice(), length) {
            ([], None) if lengths.is_empty() && stated == 0 => Self::Plain,
            ([], None) if lengths.is_empty() => Self::Repaired(None),
            ([], Some(_)) if stated == 1 && lengths.len() == 1 => Self::Plain,
            ([], Some(length)) => Self::Repaired(Some(format!("Content-Length: {length}"))),
            ([coding], None)
                if is_chunked(coding) && stated == 1 && stated_codings.len() == 1 && version == Version::Http11 =>
            {
                Self::Plain
            }
            ([_, ..], None) if lengths.is_empty() && codings.iter().all(|coding| is_chunked(coding)) => {
                Self::Repaired(Some("Transfer-Encoding: chunked".to_owned()))
            }
            _ => Self::Contradictory,
        }
    }
}

/// The elements of a list (RFC 9110, section 5.6.1), over all fields of this name.
fn elements(fields: &[Field], name: &str) -> Vec<String> {
    let values = fields.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name.as_bytes()));
    let elements = values.flat_map(|(_, value)| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    elements
        .filter(|element| !element.is_empty())
        .map(|element| String::from_utf8_lossy(element).into_owned())
        .collect()
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn is_framing(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"transfer-encoding") || name.eq_ignore_ascii_case(b"content-length")
}

fn serialize(code: u16, fields: &[Field], framing: &Framing) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {code:03} \r\n").into_bytes();
    for (name, value) in fields.iter().filter(|(name, _)| *framing == Framing::Plain || !is_framing(name)) {
        head.extend([name.as_slice(), b": ", value, b"\r\n"].concat());
    }
    if let Framing::Repaired(Some(field)) = framing {
        head.extend([field.as_bytes(), b"\r\n"].concat());
    }
    head.extend(b"\r\n");
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Head {
        let length = end(text.as_bytes(), &mut 0).expect("a complete head");
        assert_eq!(length, text.len(), "{text:?}");
        repaired(text.as_bytes().to_vec())
    }

    /// What hyper receives, with spaces instead of line ends.
    fn repaired_text(text: &str) -> String {
        String::from_utf8(read(text).bytes).unwrap().replace("\r\n", " ").trim_end().to_owned()
    }

    #[test]
    fn valid_heads_are_unchanged() {
        for text in [
            "HTTP/1.1 302 Found\r\nLocation: https://b/x\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 302\nLocation:https://b/x\n\n",
            "HTTP/1.0 200 \r\n\r\n",
            "HTTP/1.1 200 Tr\u{e8}s bien\r\nX-A:\r\nX-B:\ta \tb\r\nX-A: \u{e9}\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 999 What\r\n\r\n",
        ] {
            let head = read(text);
            assert_eq!((head.bytes.as_slice(), head.is_repaired), (text.as_bytes(), false), "{text:?}");
            assert!(!head.has_unusable_body, "{text:?}");
        }
    }

    #[test]
    fn odd_status_lines_are_repaired() {
        for (line, expected) in [
            ("http/1.1 302 Found", "HTTP/1.1 302"),
            ("HTTP/1.1  302 Found", "HTTP/1.1 302"),
            ("HTTP/1.1\t302", "HTTP/1.1 302"),
            ("HTTP/1.1 302\tFound", "HTTP/1.1 302"),
            ("HTTP/1.1 302Found", "HTTP/1.1 302"),
            ("HTTP/1.1 302 Fo\u{1}und", "HTTP/1.1 302"),
            ("HTTP/2 302", "HTTP/1.1 302"),
            ("HTTP/2.0 302 Found", "HTTP/1.1 302"),
            ("HTTP/1.01 302 Found", "HTTP/1.1 302"),
            ("HTTP/0.9 302 Found", "HTTP/1.1 302"),
        ] {
            let head = read(&format!("{line}\r\n\r\n"));
            assert!(head.is_repaired, "{line}");
            assert_eq!(String::from_utf8(head.bytes).unwrap().trim_end(), expected, "{line}");
        }
        for line in [
            "302 Found",
            "HTTP/1.1",
            "HTTP/1.1 30",
            "HTTP/1.1 3022",
            "HTTP/x 302",
            "HTTP/1..1 302",
            "HTTP/ 302",
            "ICY 302 OK",
            "<html>",
        ] {
            let text = format!("{line}\r\n\r\n");
            let head = read(&text);
            assert_eq!((head.bytes.as_slice(), head.is_repaired), (text.as_bytes(), false), "hyper rejects {line}");
        }
    }

    #[test]
    fn odd_fields_are_repaired_or_skipped() {
        for (fields, expected) in [
            // Folded.
            ("Location:\r\n https://b/x\r\n", "Location: https://b/x"),
            ("Location: https://b/x\r\n\t\r\n", "Location: https://b/x"),
            ("A: 1\r\n  2\r\n\t3\r\nB: 4\r\n", "A: 1 2 3 B: 4"),
            (" lost\r\nA: 1\r\n", "A: 1"),
            ("A: 1\r\n \u{1}\r\n 2\r\nB: 2\r\n", "B: 2"),
            // Not fields.
            ("X-Frame-Options : DENY\r\nA: 1\r\n", "X-Frame-Options: DENY A: 1"),
            ("X\t: DENY\r\n", "X: DENY"),
            ("PHP Warning: something\r\n folded\r\nA: 1\r\n", "A: 1"),
            ("nonsense\r\nA: 1\r\n", "A: 1"),
            (": no name\r\nA: 1\r\n", "A: 1"),
            ("HTTP/1.1 302 Found\r\nA: 1\r\n", "A: 1"),
            ("Caf\u{e9}: 1\r\nA: 1\r\n", "A: 1"),
            ("(a): 1\r\nA: 1\r\n", "A: 1"),
            ("B: x\u{0}y\r\nA: 1\r\n", "A: 1"),
            ("B: x\u{7f}\r\nA: 1\r\n", "A: 1"),
            // Line ends.
            ("A: 1\r\r\nB: 2\r\n", "A: 1 B: 2"),
            ("A: 1\rB: 2\r\n", "A: 1 B: 2"),
        ] {
            let text = format!("HTTP/1.1 302 Found\r\n{fields}\r\n");
            assert_eq!(repaired_text(&text), format!("HTTP/1.1 302  {expected}"), "{fields:?}");
            assert!(read(&text).is_repaired, "{fields:?}");
        }
        assert!(read("HTTP/1.1 302 Found\r\r\nA: 1\r\r\n\r\r\n").is_repaired, "every line end is odd");
    }

    #[test]
    fn repeated_framing_is_repaired_and_contradictory_is_unusable() {
        for (fields, expected) in [
            ("Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5"),
            ("Content-Length: 5, 5\r\n", "Content-Length: 5"),
            ("Content-Length:\r\n", ""),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: chunked, Chunked\r\n", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: identity, chunked\r\n", "Transfer-Encoding: chunked"),
            ("Transfer-Encoding: identity\r\n", ""),
            ("Transfer-Encoding: identity\r\nContent-Length: 5\r\n", "Content-Length: 5"),
        ] {
            let head = read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"));
            let text = String::from_utf8(head.bytes).unwrap();
            assert_eq!(
                text.replace("\r\n", " ").trim_end(),
                format!("HTTP/1.1 200  {expected}").trim_end(),
                "{fields:?}"
            );
            assert!(head.is_repaired && !head.has_unusable_body, "{fields:?}");
        }
        for fields in [
            "Content-Length: -1\r\n",
            "Content-Length: +5\r\n",
            "Content-Length: 5 bytes\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 5, 6\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
            "Transfer-Encoding: gzip\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, gzip\r\n",
            "Transfer-Encoding: xchunked\r\n",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}A: 1\r\n\r\n");
            assert_eq!(repaired_text(&text), "HTTP/1.1 200  A: 1", "{fields:?}");
            assert!(read(&text).has_unusable_body, "{fields:?}");
        }
        assert_eq!(
            repaired_text("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "HTTP/1.1 200  Transfer-Encoding: chunked"
        );
    }

    #[test]
    fn informational_responses_are_followed_by_another_head() {
        for (status, expected) in [(100, true), (103, true), (199, true), (101, false), (200, false), (302, false)] {
            assert_eq!(read(&format!("HTTP/1.1 {status} X\r\n\r\n")).is_informational, expected, "{status}");
        }
    }

    proptest! {
        /// The end is found at the same place for any input, in pieces of any size; hyper's parser
        /// decides the rest.
        #[test]
        fn end_is_the_same_for_any_pieces(lines in proptest::collection::vec("[ -~\\t\\r\u{0}\u{e9}]{0,20}", 0..12), piece in 1_usize..40) {
            let text = format!("HTTP/1.1 302 Found\n{}\n\n", lines.join("\n"));
            let whole = end(text.as_bytes(), &mut 0);
            prop_assert!(whole.is_some());
            let mut from = 0;
            let in_pieces = (0..=text.len() / piece).find_map(|n| end(&text.as_bytes()[..text.len().min((n + 1) * piece)], &mut from));
            prop_assert_eq!(in_pieces, whole);
            let head = repaired(text.as_bytes()[..whole.unwrap()].to_vec());
            // A repaired head needs no further repair.
            let again = repaired(head.bytes.clone());
            prop_assert_eq!((&again.bytes, again.is_repaired, again.has_unusable_body), (&head.bytes, false, false));
        }

        /// A head that hyper's parser accepts without leniency is left unchanged, except for its
        /// framing.
        #[test]
        fn head_valid_for_hyper_is_unchanged(lines in proptest::collection::vec("[A-Za-z-]{1,8}: ?[!-~\u{e9}]{0,20}", 1..12)) {
            let text = format!("HTTP/1.1 302 Found\r\n{}\r\n\r\n", lines.join("\r\n"));
            let mut fields = [httparse::EMPTY_HEADER; 20];
            let mut parser = httparse::Response::new(&mut fields);
            prop_assert!(parser.parse(text.as_bytes()).is_ok_and(|parsed| parsed.is_complete()), "{:?}", text);
            prop_assert_eq!(read(&text).bytes, text.into_bytes());
        }
    }
}
