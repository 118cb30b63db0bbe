//! Signed tokens of OpenID Connect: the provider's ID token and the client assertion.

use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyOperations, PublicKeyUse};
use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode,
    get_current_timestamp,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// CAMARA allows 300 s.
const ASSERTION_LIFETIME_S: u64 = 60;

/// The members of a key that are used. Others, such as certificates, are not parsed.
const USED_MEMBERS: [&str; 10] = ["kty", "crv", "x", "y", "n", "e", "kid", "use", "key_ops", "alg"];

/// The keys that can be parsed; others are ignored (RFC 7517, section 5).
pub fn known_keys(published: PublishedKeys) -> JwkSet {
    let read = |mut key: Value| {
        key.as_object_mut()?.retain(|name, _| USED_MEMBERS.contains(&name.as_str()));
        serde_json::from_value(key).ok()
    };
    JwkSet { keys: published.keys.into_iter().filter_map(read).collect() }
}

#[derive(Deserialize)]
pub struct PublishedKeys {
    keys: Vec<Value>,
}

/// Why an ID token is invalid.
#[derive(Debug, PartialEq, Eq)]
pub enum Invalid {
    /// No cached key of the provider fits: the keys may have been rotated.
    UnknownKey,
    /// It belongs to another verification: the code was injected.
    OtherVerification,
    Malformed,
}

#[derive(Deserialize)]
struct Claims {
    nonce: Option<String>,
    azp: Option<String>,
    aud: Value,
}

/// OpenID Connect Core, section 3.1.3.7.
pub fn check_id_token(token: &str, keys: &JwkSet, issuer: &str, client: &str, nonce: &str) -> Result<(), Invalid> {
    let header = decode_header(token).map_err(|_| Invalid::Malformed)?;
    if header.alg.family() == AlgorithmFamily::Hmac {
        return Err(Invalid::Malformed); // a MAC is not a signature of the provider
    }
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[client]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    let has_key_id = |key: &&Jwk| header.kid.is_none() || header.kid == key.common.key_id;
    for key in keys.keys.iter().filter(has_key_id).filter(|key| suits(key, header.alg)) {
        let Ok(key) = DecodingKey::from_jwk(key) else { continue };
        match decode::<Claims>(token, &key, &validation) {
            Ok(token) => return check_claims(&token.claims, client, nonce),
            Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
            Err(_) => return Err(Invalid::Malformed),
        }
    }
    Err(Invalid::UnknownKey)
}

/// Whether the key may verify signatures of this algorithm (RFC 7517, section 4; RFC 7518, section
/// 3.1; RFC 8037).
fn suits(key: &Jwk, algorithm: Algorithm) -> bool {
    let matches_type = match &key.algorithm {
        AlgorithmParameters::RSA(_) => algorithm.family() == AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(key) => match algorithm {
            Algorithm::ES256 => key.curve == EllipticCurve::P256,
            Algorithm::ES384 => key.curve == EllipticCurve::P384,
            _ => false,
        },
        AlgorithmParameters::OctetKeyPair(key) => algorithm == Algorithm::EdDSA && key.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let common = &key.common;
    matches_type
        && common.public_key_use.as_ref().is_none_or(|used| *used == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|operations| operations.contains(&KeyOperations::Verify))
        && common.key_algorithm.is_none_or(|intended| intended == algorithm.into())
}

fn check_claims(claims: &Claims, client: &str, nonce: &str) -> Result<(), Invalid> {
    let has_other_audience = claims.aud.as_array().is_some_and(|all| all.iter().any(|one| one != client));
    let party = claims.azp.as_deref();
    if party.is_some_and(|party| party != client) || party.is_none() && has_other_audience {
        return Err(Invalid::Malformed);
    }
    if claims.nonce.as_deref() == Some(nonce) { Ok(()) } else { Err(Invalid::OtherVerification) }
}

/// The private key of this client (`private_key_jwt`).
#[derive(Clone)]
pub struct ClientKey {
    key: EncodingKey,
    algorithm: Algorithm,
    id: Option<String>,
}

impl ClientKey {
    pub fn parse(pem: &[u8], algorithm: &str, id: Option<String>) -> Option<Self> {
        let algorithm: Algorithm = algorithm.parse().ok()?;
        let key = match algorithm.family() {
            AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(pem),
            AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem),
            AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem),
            AlgorithmFamily::Hmac => return None,
        };
        let this = Self { key: key.ok()?, algorithm, id };
        this.assertion("", "").ok()?; // fails if the algorithm does not fit the key
        Some(this)
    }

    /// For one use (RFC 7523, section 3).
    pub fn assertion(&self, client: &str, audience: &str) -> Result<String, Error> {
        #[derive(Serialize)]
        struct Assertion<'a> {
            iss: &'a str,
            sub: &'a str,
            aud: &'a str,
            jti: Uuid,
            iat: u64,
            exp: u64,
        }
        let now = get_current_timestamp();
        let header = Header { kid: self.id.clone(), ..Header::new(self.algorithm) };
        let (jti, exp) = (Uuid::new_v4(), now + ASSERTION_LIFETIME_S);
        encode(&header, &Assertion { iss: client, sub: client, aud: audience, jti, iat: now, exp }, &self.key)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A new key on P-256.
    fn pem() -> String {
        rcgen::KeyPair::generate().unwrap().serialize_pem()
    }

    fn key(pem: &str) -> EncodingKey {
        EncodingKey::from_ec_pem(pem.as_bytes()).unwrap()
    }

    fn keys(pem: &str, id: &str) -> JwkSet {
        let mut jwk = Jwk::from_encoding_key(&key(pem), Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(id.to_owned());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        JwkSet { keys: vec![jwk] }
    }

    fn claims(changes: &[(&str, Value)]) -> Value {
        let exp = get_current_timestamp() + 300;
        let mut claims =
            json!({ "iss": "https://op.example", "aud": "client", "sub": "user", "exp": exp, "nonce": "nonce" });
        for (name, value) in changes {
            claims[*name] = value.clone();
        }
        claims
    }

    fn signed(pem: &str, id: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &key(pem)).unwrap()
    }

    fn check(token: &str, keys: &JwkSet) -> Result<(), Invalid> {
        check_id_token(token, keys, "https://op.example", "client", "nonce")
    }

    #[test]
    fn id_token_with_wrong_claims_is_rejected() {
        let pem = pem();
        let keys = keys(&pem, "one");
        assert_eq!(check(&signed(&pem, Some("one"), &claims(&[])), &keys), Ok(()));
        assert_eq!(check(&signed(&pem, None, &claims(&[])), &keys), Ok(()));
        let shared = ("aud", json!(["client", "other"]));
        let with_party = claims(&[shared.clone(), ("azp", json!("client"))]);
        assert_eq!(check(&signed(&pem, None, &with_party), &keys), Ok(()));
        assert_eq!(check(&signed(&pem, None, &claims(&[shared])), &keys), Err(Invalid::Malformed));
        let bad = [
            ("iss", json!("https://other.example"), Invalid::Malformed),
            ("aud", json!("other"), Invalid::Malformed),
            ("azp", json!("other"), Invalid::Malformed),
            ("exp", json!(get_current_timestamp() - 300), Invalid::Malformed),
            ("exp", Value::Null, Invalid::Malformed),
            ("sub", Value::Null, Invalid::Malformed),
            ("nonce", json!("other"), Invalid::OtherVerification),
            ("nonce", Value::Null, Invalid::OtherVerification),
        ];
        for (name, value, expected) in bad {
            let mut claims = claims(&[(name, value.clone())]);
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(name);
            }
            assert_eq!(check(&signed(&pem, Some("one"), &claims), &keys), Err(expected), "{name}");
        }
    }

    #[test]
    fn id_token_without_signature_of_a_published_key_is_rejected() {
        let (pem, other) = (pem(), pem());
        let keys = keys(&pem, "one");
        assert_eq!(check(&signed(&other, Some("two"), &claims(&[])), &keys), Err(Invalid::UnknownKey));
        assert_eq!(check(&signed(&other, Some("one"), &claims(&[])), &keys), Err(Invalid::UnknownKey));
        let secret = EncodingKey::from_secret(b"a public value");
        let unsigned = encode(&Header::new(Algorithm::HS256), &claims(&[]), &secret).unwrap();
        for token in [unsigned.as_str(), "", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            assert_eq!(check(token, &keys), Err(Invalid::Malformed), "{token}");
        }
    }

    #[test]
    fn keys_of_unknown_types_are_ignored() {
        let (pem, id) = (pem(), "one");
        let mut published =
            vec![json!({ "kty": "new", "kid": id }), json!({ "kty": "EC", "crv": "secp256k1" }), json!(1)];
        published.extend(keys(&pem, id).keys.iter().map(|key| serde_json::to_value(key).unwrap()));
        let known = known_keys(PublishedKeys { keys: published });
        assert_eq!(check(&signed(&pem, Some(id), &claims(&[])), &known), Ok(()));
    }

    #[test]
    fn client_assertion_has_the_required_claims() {
        let pem = pem();
        let client = ClientKey::parse(pem.as_bytes(), "ES256", Some("one".to_owned())).unwrap();
        let (one, other) = (client.assertion("client", "https://op.example/token"), client.assertion("client", "x"));
        let one = one.unwrap();
        assert_ne!(one, other.unwrap());
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["https://op.example/token"]);
        validation.set_issuer(&["client"]);
        validation.sub = Some("client".to_owned());
        let key = DecodingKey::from_jwk(&keys(&pem, "one").keys[0]).unwrap();
        let claims = decode::<Value>(&one, &key, &validation).unwrap().claims;
        assert!(claims["jti"].is_string());
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
        assert_eq!(decode_header(&one).unwrap().kid.as_deref(), Some("one"));
    }

    #[test]
    fn key_that_does_not_fit_its_algorithm_is_rejected() {
        let pem = pem();
        for algorithm in ["ES384", "RS256", "EdDSA", "HS256", "none", ""] {
            assert!(ClientKey::parse(pem.as_bytes(), algorithm, None).is_none(), "{algorithm}");
        }
        assert!(ClientKey::parse(b"no key", "ES256", None).is_none());
    }
}
