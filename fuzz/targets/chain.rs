//! The order of a server's certificates. The input is a sequence of DER certificates, the server's
//! first.
#![no_main]

use libfuzzer_sys::fuzz_target;
use number_verify::internals::bounded_chain;
use number_verify_fuzz::twice;
use tokio_rustls::rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// The maximum number of certificates in a chain, and the maximum size of one and of all.
const CERTIFICATES: usize = 8;
const CERTIFICATE: usize = 16 * 1024;
const CHAIN: usize = 64 * 1024;

fuzz_target!(|data: &[u8]| {
    let certificates = split(data);
    let Some((server, others)) = certificates.split_first() else { return };
    let Ok(chain) = twice(|| bounded_chain(server, others).map_err(|error| error.to_string())) else { return };
    assert_eq!(chain[0], *server);
    assert!(chain.len() <= CERTIFICATES && chain.iter().map(|der| der.len()).sum::<usize>() <= CHAIN);
    assert!(chain.iter().all(|der| der.len() <= CERTIFICATE));
    assert!(chain[1..].iter().all(|der| others.contains(der)), "a certificate that the server did not send");
    let names: Vec<_> = chain.iter().map(names).collect();
    for pair in names.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "each certificate issued the previous one");
    }
    for (at, (subject, _)) in names.iter().enumerate() {
        assert!(!names[..at].iter().any(|(other, _)| other == subject), "a repeated subject");
    }
    let mut subjects: Vec<_> =
        others.iter().filter(|der| EndEntityCert::try_from(*der).is_ok()).map(|der| names_of(der).0).collect();
    subjects.sort_unstable();
    let all = subjects.len();
    subjects.dedup();
    if subjects.len() == all {
        let reversed: Vec<_> = others.iter().rev().cloned().collect();
        assert_eq!(bounded_chain(server, &reversed).ok(), Some(chain), "the order sent by the server does not matter");
    }
});

/// Subject and issuer.
fn names_of(der: &CertificateDer<'_>) -> (Vec<u8>, Vec<u8>) {
    let certificate = EndEntityCert::try_from(der).expect("a certificate that was accepted");
    (certificate.subject().to_vec(), certificate.issuer().to_vec())
}

fn names(der: &CertificateDer<'static>) -> (Vec<u8>, Vec<u8>) {
    names_of(der)
}

/// Split by the lengths of the sequences; anything that is not a sequence is the last part.
fn split(mut data: &[u8]) -> Vec<CertificateDer<'_>> {
    let mut parts = Vec::new();
    while !data.is_empty() {
        let (part, rest) = data.split_at_checked(length(data).unwrap_or(data.len())).unwrap_or((data, &[]));
        parts.push(CertificateDer::from(part));
        data = rest;
    }
    parts
}

/// The length of a sequence including its header, with a length field of one to three bytes.
fn length(data: &[u8]) -> Option<usize> {
    match *data {
        [0x30, length @ 0..=0x7f, ..] => Some(2 + usize::from(length)),
        [0x30, 0x81, length, ..] => Some(3 + usize::from(length)),
        [0x30, 0x82, high, low, ..] => Some(4 + usize::from(u16::from_be_bytes([high, low]))),
        _ => None,
    }
}
