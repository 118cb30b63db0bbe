//! Encryption and authentication with the keys: sessions, and personal data in the store.
//!
//! A session is a Fernet token; no replica stores it. Its `state` is its hash, so that operators,
//! which see the state, cannot derive the session from it.

use base64::prelude::{BASE64_URL_SAFE, Engine};
use fernet::{Fernet, MultiFernet};
use hmac::{Hmac, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Between replicas.
const CLOCK_SKEW_S: u64 = 60;

/// The first key encrypts, all keys decrypt, so that a key can be replaced during running
/// verifications.
#[derive(Clone)]
pub struct Keys {
    fernet: MultiFernet,
    each: Vec<Fernet>,
    hmac_key: Vec<u8>,
}

impl Keys {
    /// Parses comma-separated Fernet keys.
    pub fn parse(text: &str) -> Option<Self> {
        let encoded: Vec<_> = text.split(',').map(str::trim).collect();
        let each = encoded.iter().map(|key| Fernet::new(key)).collect::<Option<Vec<_>>>()?;
        Some(Self { fernet: MultiFernet::new(each.clone()), each, hmac_key: encoded.first()?.as_bytes().to_vec() })
    }

    pub fn seal(&self, purpose: &str, value: &impl Serialize) -> Result<String, serde_json::Error> {
        Ok(self.fernet.encrypt(&serde_json::to_vec(&(purpose, value))?))
    }

    /// Rejects other spellings of a token: base64 with different padding would be the same session
    /// with a different hash.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, sealed: &str) -> Option<T> {
        BASE64_URL_SAFE.decode(sealed).ok()?;
        let (sealed_for, value): (String, T) = serde_json::from_slice(&self.fernet.decrypt(sealed).ok()?).ok()?;
        (sealed_for == purpose).then_some(value)
    }

    fn is_younger_than(&self, sealed: &str, seconds: u64) -> bool {
        self.each.iter().any(|key| key.decrypt_with_ttl(sealed, seconds).is_ok())
    }

    /// An HMAC: numbers and addresses are few, so an unkeyed hash could be reversed by brute force.
    pub fn keyed_hash(&self, text: &str) -> String {
        let mac =
            Hmac::<Sha256>::new_from_slice(&self.hmac_key).map(|mac| mac.chain_update("hidden ").chain_update(text));
        mac.map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default() // HMAC accepts any key length
    }
}

/// The purpose of `start`. No later call can change it.
#[derive(Clone, Serialize, Deserialize)]
pub enum Purpose {
    /// Whether this number belongs to the SIM.
    Verification { number: String },
    /// The number of the SIM.
    Retrieval,
}

/// The data of one verification or retrieval, and the only source of the purpose and the number.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    pub purpose: Purpose,
    pub nonce: String,
    /// The PKCE `code_verifier` (RFC 7636).
    pub verifier: String,
}

pub struct Sessions {
    keys: Keys,
    lifetime_s: u64,
}

impl Sessions {
    pub fn new(keys: Keys, lifetime_s: u64) -> Self {
        Self { keys, lifetime_s }
    }

    /// The longest time for which a replica accepts a session.
    pub fn max_lifetime_s(&self) -> u64 {
        self.lifetime_s + CLOCK_SKEW_S
    }

    pub fn make(&self, session: &Session) -> Result<String, serde_json::Error> {
        self.keys.seal("session", session)
    }

    /// Decrypts a session, which may have expired.
    pub fn open(&self, token: &str) -> Option<Session> {
        self.keys.open("session", token)
    }

    pub fn is_fresh(&self, token: &str) -> bool {
        self.keys.is_younger_than(token, self.lifetime_s)
    }
}

pub fn state_of(session: &str) -> String {
    digest(session)
}

pub fn digest(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let purpose = Purpose::Verification { number: "+14155550100".to_owned() };
        Session { purpose, nonce: "nonce".to_owned(), verifier: "verifier".to_owned() }
    }

    fn sessions(keys: &str) -> Sessions {
        Sessions::new(Keys::parse(keys).unwrap(), 300)
    }

    #[test]
    fn session_opens_only_with_a_known_key() {
        let (old, new) = (Fernet::generate_key(), Fernet::generate_key());
        let token = sessions(&old).make(&session()).unwrap();
        assert!(!token.contains("4155550100"));
        let opened = sessions(&format!("{new}, {old}")).open(&token).unwrap();
        assert!(matches!(opened.purpose, Purpose::Verification { number } if number == "+14155550100"));
        assert!(sessions(&new).open(&token).is_none());
    }

    #[test]
    fn purpose_is_stored_in_the_session() {
        let sessions = sessions(&Fernet::generate_key());
        let token = sessions.make(&Session { purpose: Purpose::Retrieval, ..session() }).unwrap();
        assert!(matches!(sessions.open(&token).unwrap().purpose, Purpose::Retrieval));
    }

    #[test]
    fn session_with_different_padding_is_rejected() {
        let sessions = sessions(&Fernet::generate_key());
        let token = sessions.make(&session()).unwrap();
        let bare = token.trim_end_matches('=');
        for other in
            [bare, &format!("{bare}="), &format!("{token}="), &format!("{token}===="), &format!(" {token}"), ""]
        {
            if other != token {
                assert!(sessions.open(other).is_none(), "{other}");
            }
        }
        assert!(sessions.open(&token).is_some() && sessions.is_fresh(&token));
    }

    #[test]
    fn token_of_the_fernet_specification_is_decrypted() {
        // The example token of the specification, from 1985: valid but expired.
        let keys = Keys::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
        let token =
            "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
        assert_eq!(keys.fernet.decrypt(token).unwrap(), b"hello");
        assert!(!keys.is_younger_than(token, 300));
    }

    #[test]
    fn key_that_is_not_32_bytes_is_rejected() {
        for text in ["", ",", "short", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=,"] {
            assert!(Keys::parse(text).is_none(), "{text}");
        }
    }
}
