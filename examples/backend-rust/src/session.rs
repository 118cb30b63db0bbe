//! What only the keys can make and read: sessions, and whatever a store keeps that is personal.
//!
//! A session is a Fernet token; no replica of this backend remembers it. Its `state` is its hash: operators see the state, and cannot make
//! the session out of it.

use base64::prelude::{BASE64_URL_SAFE, Engine};
use fernet::{Fernet, MultiFernet};
use hmac::{Hmac, Mac};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Between replicas.
const CLOCK_SKEW_S: u64 = 60;

/// The first key makes, all of them check: so a key can be replaced while flows are under way.
#[derive(Clone)]
pub struct Keys {
    fernet: MultiFernet,
    each: Vec<Fernet>,
    hiding: Vec<u8>,
}

impl Keys {
    /// Of Fernet keys with commas between them.
    pub fn parse(text: &str) -> Option<Self> {
        let names: Vec<_> = text.split(',').map(str::trim).collect();
        let each = names.iter().map(|key| Fernet::new(key)).collect::<Option<Vec<_>>>()?;
        Some(Self { fernet: MultiFernet::new(each.clone()), each, hiding: names.first()?.as_bytes().to_vec() })
    }

    pub fn seal(&self, purpose: &str, value: &impl Serialize) -> Result<String, serde_json::Error> {
        Ok(self.fernet.encrypt(&serde_json::to_vec(&(purpose, value))?))
    }

    /// A token has one spelling only: base64 with other padding would be the same session under another hash.
    pub fn open<T: DeserializeOwned>(&self, purpose: &str, sealed: &str) -> Option<T> {
        BASE64_URL_SAFE.decode(sealed).ok()?;
        let (made_for, value): (String, T) = serde_json::from_slice(&self.fernet.decrypt(sealed).ok()?).ok()?;
        (made_for == purpose).then_some(value)
    }

    fn is_younger_than(&self, sealed: &str, seconds: u64) -> bool {
        self.each.iter().any(|key| key.decrypt_with_ttl(sealed, seconds).is_ok())
    }

    /// The same for the same text. Numbers and addresses are few: a hash without a key could be tried out.
    pub fn hide(&self, text: &str) -> String {
        let mac =
            Hmac::<Sha256>::new_from_slice(&self.hiding).map(|mac| mac.chain_update("hidden ").chain_update(text));
        mac.map(|mac| hex::encode(mac.finalize().into_bytes())).unwrap_or_default() // every length of key will do
    }
}

/// What `start` asked for. No later call can change it.
#[derive(Clone, Serialize, Deserialize)]
pub enum Purpose {
    /// Whether the SIM has this number.
    Verification { number: String },
    /// The number of the SIM.
    Retrieval,
}

/// What belongs to one flow. The purpose and the number come from here only.
#[derive(Clone, Serialize, Deserialize)]
pub struct Session {
    pub purpose: Purpose,
    pub nonce: String,
    /// PKCE's (RFC 7636).
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

    /// How long a session can be valid on any replica.
    pub fn longest_s(&self) -> u64 {
        self.lifetime_s + CLOCK_SKEW_S
    }

    pub fn make(&self, session: &Session) -> Result<String, serde_json::Error> {
        self.keys.seal("session", session)
    }

    /// A genuine session, though it may be too old.
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
    fn a_session_is_for_those_who_have_a_key() {
        let (old, new) = (Fernet::generate_key(), Fernet::generate_key());
        let token = sessions(&old).make(&session()).unwrap();
        assert!(!token.contains("4155550100"));
        let opened = sessions(&format!("{new}, {old}")).open(&token).unwrap();
        assert!(matches!(opened.purpose, Purpose::Verification { number } if number == "+14155550100"));
        assert!(sessions(&new).open(&token).is_none());
    }

    #[test]
    fn purpose_is_sealed_with_the_session() {
        let sessions = sessions(&Fernet::generate_key());
        let token = sessions.make(&Session { purpose: Purpose::Retrieval, ..session() }).unwrap();
        assert!(matches!(sessions.open(&token).unwrap().purpose, Purpose::Retrieval));
    }

    #[test]
    fn a_session_has_one_spelling() {
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
    fn what_python_made_is_read() {
        // The token of the format's specification, made in 1985: genuine, and too old.
        let keys = Keys::parse("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
        let token =
            "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
        assert_eq!(keys.fernet.decrypt(token).unwrap(), b"hello");
        assert!(!keys.is_younger_than(token, 300));
    }

    #[test]
    fn keys_are_32_bytes() {
        for text in ["", ",", "short", "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=,"] {
            assert!(Keys::parse(text).is_none(), "{text}");
        }
    }
}
