//! Responses of the token endpoint. Only the members that are used are parsed: providers send
//! lifetimes and scopes in various types.

use std::fmt;
use std::time::Duration;

use oauth2::basic::BasicTokenType;
use oauth2::{AccessToken, ErrorResponse, RefreshToken, Scope, TokenResponse};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A success (RFC 6749, section 5.1; OpenID Connect Core, section 3.1.3.3).
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct Tokens {
    access_token: AccessToken,
    pub id_token: Option<String>,
}

impl TryFrom<Map<String, Value>> for Tokens {
    type Error = &'static str;

    fn try_from(members: Map<String, Value>) -> Result<Self, Self::Error> {
        let access_token = members.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
        let id_token = match members.get("id_token") {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(token.clone()),
            Some(_) => return Err("the ID token is not a string"),
        };
        let access_token = AccessToken::new(access_token.ok_or("there is no access token")?.to_owned());
        Ok(Self { access_token, id_token })
    }
}

impl TokenResponse for Tokens {
    type TokenType = BasicTokenType;

    fn access_token(&self) -> &AccessToken {
        &self.access_token
    }

    fn token_type(&self) -> &BasicTokenType {
        &BasicTokenType::Bearer // the token is used as one
    }

    fn expires_in(&self) -> Option<Duration> {
        None
    }

    fn refresh_token(&self) -> Option<&RefreshToken> {
        None
    }

    fn scopes(&self) -> Option<&Vec<Scope>> {
        None
    }
}

/// An error: OAuth's, with `error` (RFC 6749, section 5.2), or CAMARA's, with `code`.
#[derive(Debug, Serialize, Deserialize)]
pub struct TokenRefusal(Map<String, Value>);

impl TokenRefusal {
    /// Whether the error concerns the user, so that another channel helps, and not the client or
    /// its configuration.
    pub fn is_user_error(&self) -> bool {
        let codes = ["error", "code"].into_iter().filter_map(|name| self.0.get(name)?.as_str());
        codes.map(str::to_ascii_lowercase).any(|code| matches!(code.as_str(), "invalid_grant" | "access_denied"))
    }
}

impl fmt::Display for TokenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the token endpoint refused")
    }
}

impl ErrorResponse for TokenRefusal {}
