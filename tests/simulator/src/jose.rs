//! Signed tokens (RFC 7515, ES256 only): signed with one key, verified with another.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use rcgen::KeyPair;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

/// A P-256 key pair.
#[derive(Debug)]
pub(crate) struct Key {
    pair: KeyPair,
    signer: EcdsaKeyPair,
}

impl Key {
    pub(crate) fn generate() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let pair = KeyPair::generate()?;
        let random = SystemRandom::new();
        let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pair.serialized_der(), &random)
            .map_err(|error| error.to_string())?;
        Ok(Self { pair, signer })
    }

    /// The private key (PKCS #8).
    pub(crate) fn pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// The public key (RFC 7517).
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let (x, y) = self.pair.public_key_raw()[1..].split_at(32); // after the tag byte of an uncompressed point
        let [x, y] = [x, y].map(encode);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": id, "x": x, "y": y })
    }

    pub(crate) fn sign(&self, id: &str, claims: &Value) -> Result<String, ring::error::Unspecified> {
        let header = json!({ "alg": "ES256", "typ": "JWT", "kid": id });
        let signed = [header.to_string(), claims.to_string()].map(encode).join(".");
        let signature = self.signer.sign(&SystemRandom::new(), signed.as_bytes())?;
        Ok(format!("{signed}.{}", encode(signature)))
    }

    /// The claims of a token that this key has signed.
    pub(crate) fn check(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if decode(header)?.get("alg")? != "ES256" {
            return None;
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key_raw());
        key.verify(signed.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        decode(claims)
    }
}

/// base64url without padding, as for all parts of a token.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
