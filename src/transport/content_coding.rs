//! Decodes the content coding of a body (RFC 9110, section 8.4). gzip is the only requested one.

use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use flate2::{Decompress, FlushDecompress, Status};
use http::{HeaderMap, header};

use super::error::TransportError;

/// The content codings in IANA's registry that are not supported. Any other value except gzip, such
/// as `UTF-8` or `binary`, is not a content coding and is ignored.
const UNSUPPORTED: [&str; 10] =
    ["aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "pack200-gzip", "x-compress", "zstd"];

const GZIP: [u8; 2] = [0x1f, 0x8b];
const CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
/// The allocation step of the decoder, in bytes.
const STEP: usize = 4096;

/// The decoded body, of at most this many bytes.
pub(super) fn decode(headers: &HeaderMap, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, TransportError> {
    let stated = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings = stated.flat_map(|list| list.split(',')).map(|coding| coding.trim().to_ascii_lowercase());
    let mut is_gzipped = false;
    for coding in codings {
        let is_gzip = matches!(coding.as_str(), "gzip" | "x-gzip");
        if UNSUPPORTED.contains(&coding.as_str()) || is_gzip && is_gzipped {
            return Err(TransportError::MalformedResponse);
        }
        is_gzipped |= is_gzip;
    }
    if is_gzipped && !body.is_empty() { gunzip(&body, limit) } else { Ok(body) }
}

/// Decodes all members (RFC 1952, section 2.2). Trailing bytes are ignored: gateways append zeros,
/// line ends and comments.
fn gunzip(mut body: &[u8], limit: usize) -> Result<Vec<u8>, TransportError> {
    let mut decoded = Vec::new();
    loop {
        let before = decoded.len();
        let trailer = inflate(after_header(body).ok_or(TransportError::MalformedResponse)?, &mut decoded, limit)?;
        body = after_trailer(trailer, &decoded[before..]).ok_or(TransportError::MalformedResponse)?;
        if !body.starts_with(&GZIP) {
            return Ok(decoded);
        }
    }
}

/// The bytes after the header of a member (RFC 1952, section 2.3). The header's checksum is
/// optional and not verified.
fn after_header(member: &[u8]) -> Option<&[u8]> {
    const DEFLATE: u8 = 8;
    const CHECKSUM: u8 = 1 << 1;
    const EXTRA: u8 = 1 << 2;
    const NAME: u8 = 1 << 3;
    const COMMENT: u8 = 1 << 4;
    const RESERVED: u8 = 7 << 5;
    let ([magic @ .., method, flags], rest) = member.split_first_chunk::<4>()?;
    let mut rest = rest.get(6..)?; // time, extra flags, system
    if *magic != GZIP || *method != DEFLATE || flags & RESERVED != 0 {
        return None;
    }
    if flags & EXTRA != 0 {
        let (length, extra) = rest.split_first_chunk()?;
        rest = extra.get(usize::from(u16::from_le_bytes(*length))..)?;
    }
    for text in [NAME, COMMENT] {
        if flags & text != 0 {
            let end = rest.iter().position(|byte| *byte == 0)?;
            rest = rest.get(end + 1..)?;
        }
    }
    if flags & CHECKSUM != 0 { rest.get(2..) } else { Some(rest) }
}

/// Appends the decoded bytes, and returns the bytes after the compressed data.
fn inflate<'a>(compressed: &'a [u8], decoded: &mut Vec<u8>, limit: usize) -> Result<&'a [u8], TransportError> {
    let mut decompress = Decompress::new(false);
    let mut rest = compressed;
    loop {
        decoded.reserve(STEP);
        let before = decompress.total_in();
        let status = decompress.decompress_vec(rest, decoded, FlushDecompress::None);
        let taken = usize::try_from(decompress.total_in() - before).ok();
        rest = taken.and_then(|taken| rest.get(taken..)).ok_or(TransportError::MalformedResponse)?;
        if decoded.len() > limit {
            return Err(TransportError::TooLarge);
        }
        match status {
            Ok(Status::StreamEnd) => return Ok(rest),
            Ok(_) if decoded.len() == decoded.capacity() => {}
            _ => return Err(TransportError::MalformedResponse),
        }
    }
}

/// The bytes after the trailer of a member, if its checksum and length match the decoded data.
fn after_trailer<'a>(trailer: &'a [u8], decoded: &[u8]) -> Option<&'a [u8]> {
    let (checksum, rest) = trailer.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let is_valid = u32::from_le_bytes(*checksum) == CRC.checksum(decoded)
        && usize::try_from(u32::from_le_bytes(*length)) == Ok(decoded.len());
    is_valid.then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::bufread::GzDecoder;
    use flate2::write::GzEncoder;
    use flate2::{Compression, GzBuilder};
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(codings: &[&str], body: &[u8]) -> Result<String, TransportError> {
        let mut headers = HeaderMap::new();
        for coding in codings {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_bytes(coding.as_bytes()).unwrap());
        }
        decode(&headers, body.to_vec(), 100).map(|body| String::from_utf8(body).unwrap())
    }

    #[test]
    fn unknown_codings_are_ignored_and_unsupported_ones_rejected() {
        for codings in [
            &["UTF-8"][..],
            &["none"],
            &["binary"],
            &["8bit"],
            &["identity"],
            &["identity, utf-8"],
            &["", "Identity"],
            &["caf\u{e9}"],
            &["ISO-8859-1,"],
        ] {
            assert_eq!(decoded(codings, b"{}").as_deref(), Ok("{}"), "{codings:?}");
        }
        for codings in [&["gzip"][..], &["GZIP, utf-8"], &["identity, x-gzip"], &["none", "gzip"]] {
            assert_eq!(decoded(codings, &gzip("{}")).as_deref(), Ok("{}"), "{codings:?}");
            assert_eq!(decoded(codings, b"").as_deref(), Ok(""), "{codings:?}");
        }
        for codings in
            [&["br"][..], &["Deflate"], &["identity, zstd"], &["gzip, br"], &["gzip, gzip"], &["gzip", "x-gzip"]]
        {
            assert_eq!(decoded(codings, &gzip("{}")), Err(TransportError::MalformedResponse), "{codings:?}");
        }
    }

    #[test]
    fn optional_header_fields_are_skipped() {
        let builder = || GzBuilder::new().mtime(1).operating_system(3);
        for builder in [
            builder().extra("extra"),
            builder().filename("name").comment("comment"),
            builder().extra("").filename("").comment(""),
        ] {
            let mut encoder = builder.write(Vec::new(), Compression::default());
            encoder.write_all(b"{}").unwrap();
            let whole = encoder.finish().unwrap();
            assert_eq!(decoded(&["gzip"], &whole).as_deref(), Ok("{}"));
            let with_checksum = [&whole[..3], &[whole[3] | 2], &whole[4..10]].concat();
            let header = whole.len() - gzip("{}").len() + 10;
            let with_checksum = [&with_checksum, &whole[10..header], b"\0\0", &whole[header..]].concat();
            assert_eq!(decoded(&["gzip"], &with_checksum).as_deref(), Ok("{}"));
            for flags in [0x20, 0x40, 0x80] {
                let reserved = [&whole[..3], &[whole[3] | flags], &whole[4..]].concat();
                assert_eq!(decoded(&["gzip"], &reserved), Err(TransportError::MalformedResponse), "{flags}");
            }
        }
    }

    #[test]
    fn wrong_trailer_is_malformed() {
        let whole = gzip("{\"code\":\"c\"}");
        for at in whole.len() - 8..whole.len() {
            let mut wrong = whole.clone();
            wrong[at] ^= 1;
            assert_eq!(decoded(&["gzip"], &wrong), Err(TransportError::MalformedResponse), "{at}");
        }
    }

    proptest! {
        /// Compared with the reader of `flate2`, which performs the same checks.
        #[test]
        fn corrupt_body_decodes_as_with_flate2(text in "[a-c]{0,99}", broken in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)) {
            let mut body = gzip(&text);
            for (at, byte) in broken {
                let at = at.index(body.len());
                body[at] = byte;
            }
            let mut expected = String::new();
            let is_whole = GzDecoder::new(&body[..]).read_to_string(&mut expected).is_ok();
            let has_header_checksum = body[3] & 2 != 0;
            prop_assume!(!has_header_checksum);
            let decoded = gunzip(&body, 100).map(|decoded| String::from_utf8_lossy(&decoded).into_owned());
            prop_assert_eq!(decoded.ok(), is_whole.then_some(expected));
        }
    }

    #[test]
    fn bytes_after_last_member_are_ignored() {
        for rest in [&b""[..], b"\0\0\0\0", b"\r\n", b"<!-- served by gw3 -->", b"\x1f", b"\0\x1f\x8b"] {
            assert_eq!(decoded(&["gzip"], &[&gzip("{}"), rest].concat()).as_deref(), Ok("{}"), "{rest:?}");
        }
        assert_eq!(decoded(&["gzip"], &[gzip("{"), gzip(""), gzip("}")].concat()).as_deref(), Ok("{}"), "members");
        let whole = gzip("{\"code\":\"c\"}");
        for broken in [b"{}".to_vec(), whole[..whole.len() - 1].to_vec(), [gzip("{}"), b"\x1f\x8b".to_vec()].concat()] {
            assert_eq!(decoded(&["gzip"], &broken), Err(TransportError::MalformedResponse), "{broken:?}");
        }
        for length in [99, 100, 101] {
            let half = "x".repeat(length / 2);
            let members = [gzip(&half), gzip(&"x".repeat(length - half.len()))].concat();
            assert_eq!(decoded(&["gzip"], &members).is_ok(), length <= 100, "{length}");
        }
    }
}
