//! Limits a server's certificate chain before a path is built from it.
//!
//! A platform may try the candidates in different orders by name before it checks a signature
//! (Android's `TrustManagerImpl` does), so that a dozen self-made certificates can occupy it
//! forever. Here a chain has a single order, in which no name occurs twice.

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{CertificateError, Error};
use webpki::EndEntityCert;

use crate::limits;

/// The server's certificate, followed by those certificates of which each issued the previous one,
/// by name. All others are omitted: the platform has the roots, and a certificate that issued
/// nothing here is not needed.
///
/// Fails if the server's certificate itself is too large or cannot be parsed.
pub fn bounded(
    server: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let unreadable = || Error::InvalidCertificate(CertificateError::BadEncoding);
    if server.len() > limits::CERTIFICATE {
        return Err(unreadable());
    }
    let mut last = EndEntityCert::try_from(server).map_err(|_| unreadable())?;
    let candidates: Vec<_> = others
        .iter()
        .filter(|der| der.len() <= limits::CERTIFICATE)
        .filter_map(|der| Some((der, EndEntityCert::try_from(der).ok()?)))
        .collect();
    let mut names = vec![last.subject().to_vec()];
    let mut chain = vec![server.clone().into_owned()];
    let mut size = server.len();
    while chain.len() < limits::CERTIFICATES && !names.iter().any(|name| name == last.issuer()) {
        let issuers = || candidates.iter().filter(|(_, certificate)| certificate.subject() == last.issuer());
        // If the platform trusts a cross-signed certificate, it has the self-signed form itself.
        let cross_signed = issuers().find(|(_, certificate)| certificate.issuer() != certificate.subject());
        let Some((der, issuer)) = cross_signed.or_else(|| issuers().next()) else { break };
        size += der.len();
        if size > limits::CHAIN {
            break;
        }
        names.push(issuer.subject().to_vec());
        chain.push((*der).clone().into_owned());
        last = EndEntityCert::try_from(*der).map_err(|_| unreadable())?;
    }
    Ok(chain)
}

/// Empty if it is too large, as if the server had stapled none.
pub(super) fn bounded_ocsp(response: &[u8]) -> &[u8] {
    if response.len() <= limits::OCSP_RESPONSE { response } else { &[] }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, Issuer, KeyPair};

    use super::*;

    fn params(subject: &str, padding: usize) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, subject);
        if padding > 0 {
            let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![0; padding]);
            params.custom_extensions.push(extension);
        }
        params
    }

    /// A certificate with these names; signatures are not checked here.
    fn padded(subject: &str, issuer: &str, padding: usize) -> CertificateDer<'static> {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::new(params(issuer, 0), KeyPair::generate().unwrap());
        params(subject, padding).signed_by(&key, &issuer).unwrap().der().clone()
    }

    fn certificate(subject: &str, issuer: &str) -> CertificateDer<'static> {
        padded(subject, issuer, 0)
    }

    #[test]
    fn each_certificate_issues_the_previous_one() {
        let (server, a, b, root) =
            (certificate("server", "a"), certificate("a", "b"), certificate("b", "root"), certificate("root", "root"));
        let (unrelated, garbage) = (certificate("x", "y"), CertificateDer::from(vec![1, 2, 3]));
        let chain = |others: &[&CertificateDer<'static>]| {
            bounded(&server, &others.iter().map(|der| (*der).clone()).collect::<Vec<_>>()).unwrap()
        };
        let full = [&server, &a, &b, &root].map(Clone::clone);
        assert_eq!(chain(&[&a, &b, &root]), full);
        assert_eq!(chain(&[&root, &b, &a]), full, "in another order");
        assert_eq!(chain(&[&server, &a, &a, &b, &b, &server, &root]), full, "with duplicates");
        assert_eq!(chain(&[&unrelated, &garbage, &a, &unrelated, &b, &root]), full, "among others");
        assert_eq!(chain(&[&b, &root]).len(), 1, "with a gap");
        assert_eq!(chain(&[]).len(), 1, "alone");
    }

    #[test]
    fn cross_signed_issuer_is_preferred_to_self_signed_form() {
        let (server, self_signed, crossed) =
            (certificate("server", "a"), certificate("a", "a"), certificate("a", "old root"));
        for others in [[self_signed.clone(), crossed.clone()], [crossed.clone(), self_signed]] {
            assert_eq!(bounded(&server, &others).unwrap(), [server.clone(), crossed.clone()]);
        }
    }

    #[test]
    fn ambiguous_chain_has_a_single_path() {
        let same_name: Vec<_> = (0..20).map(|_| certificate("a", "a")).collect();
        assert_eq!(bounded(&certificate("server", "a"), &same_name).unwrap().len(), 2);
        assert_eq!(bounded(&certificate("a", "a"), &same_name).unwrap().len(), 1);
        let ring: Vec<_> = (0..20).map(|i| certificate(["a", "b", "c"][i % 3], ["b", "c", "a"][i % 3])).collect();
        assert_eq!(bounded(&certificate("server", "a"), &ring).unwrap().len(), 4);
        let complete: Vec<_> = (0..64).map(|i| certificate(&(i / 8).to_string(), &(i % 8).to_string())).collect();
        let chain = bounded(&certificate("server", "3"), &complete).unwrap();
        assert!(chain.len() <= limits::CERTIFICATES);
    }

    #[test]
    fn length_and_size_are_limited() {
        let long: Vec<_> = (0..20).map(|i| certificate(&i.to_string(), &(i + 1).to_string())).collect();
        assert_eq!(bounded(&certificate("server", "0"), &long).unwrap().len(), limits::CERTIFICATES);
        assert!(bounded(&padded("server", "a", limits::CERTIFICATE), &[]).is_err());
        let large = padded("a", "b", limits::CERTIFICATE);
        assert_eq!(bounded(&certificate("server", "a"), &[large]).unwrap().len(), 1);
        let heavy: Vec<_> = (0..7).map(|i| padded(&i.to_string(), &(i + 1).to_string(), 15_000)).collect();
        let chain = bounded(&certificate("server", "0"), &heavy).unwrap();
        assert_eq!(chain.len(), 5);
        assert!(chain.iter().map(|der| der.len()).sum::<usize>() <= limits::CHAIN);
        assert!(bounded(&CertificateDer::from(vec![0x30, 0x80]), &[]).is_err());
    }
}
