//! Decodes the content coding of a body (RFC 9110, section 8.4). gzip is the only requested one.

use std::io::Read;

use flate2::bufread::GzDecoder;
use http::{HeaderMap, header};

use super::error::TransportError;

/// The content codings in IANA's registry that are not supported. A value that is neither here nor gzip, such as `UTF-8` or `binary`,
/// is not a content coding and is ignored.
const OTHERS: [&str; 10] =
    ["aes128gcm", "br", "compress", "dcb", "dcz", "deflate", "exi", "pack200-gzip", "x-compress", "zstd"];

/// The decoded body, of at most this many bytes.
pub(super) fn decode(headers: &HeaderMap, body: Vec<u8>, limit: usize) -> Result<Vec<u8>, TransportError> {
    let stated = headers.get_all(header::CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let codings = stated.flat_map(|list| list.split(',')).map(|coding| coding.trim().to_ascii_lowercase());
    let mut is_gzipped = false;
    for coding in codings {
        let is_gzip = matches!(coding.as_str(), "gzip" | "x-gzip");
        if OTHERS.contains(&coding.as_str()) || is_gzip && is_gzipped {
            return Err(TransportError::MalformedResponse);
        }
        is_gzipped |= is_gzip;
    }
    if is_gzipped && !body.is_empty() { gunzip(&body, limit) } else { Ok(body) }
}

/// Decodes all members (RFC 1952, section 2.2). Bytes after them are ignored: gateways append zeros, line ends and comments.
fn gunzip(mut body: &[u8], limit: usize) -> Result<Vec<u8>, TransportError> {
    let mut decoded = Vec::new();
    loop {
        let mut member = GzDecoder::new(body);
        let left = limit - decoded.len();
        let taken = member.by_ref().take(left as u64 + 1).read_to_end(&mut decoded);
        if taken.map_err(|_| TransportError::MalformedResponse)? > left {
            return Err(TransportError::TooLarge);
        }
        body = member.into_inner();
        if !body.starts_with(&[0x1f, 0x8b]) {
            return Ok(decoded);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::HeaderValue;

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
    fn what_is_no_coding_changes_nothing() {
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
    fn what_comes_after_the_last_member_is_ignored() {
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
