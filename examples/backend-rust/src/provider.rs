//! An OpenID provider with CAMARA Number Verification: builds the auth URL, exchanges the code for
//! a token, and uses the token to get the result.
//!
//! Its metadata and keys are fetched on first use and cached for an hour.

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use moka::future::Cache;
use oauth2::basic::{BasicRevocationErrorResponse, BasicTokenIntrospectionResponse};
use oauth2::http::{Method, Request, StatusCode, header};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardRevocableToken,
    TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;
use uuid::Uuid;

use crate::contract::{is_e164, strict_json};
use crate::http::{Failure, Http, Kind, Step};
use crate::jwt::{ClientKey, Invalid, check_id_token, known_keys};
use crate::session::{Purpose, Session};
use crate::token::{TokenRefusal, Tokens};

const CACHE_LIFETIME: Duration = Duration::from_hours(1);
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The client registration at the provider.
pub struct Registration {
    /// Compared exactly with the issuer that the provider publishes.
    pub issuer: String,
    pub client_id: String,
    pub credential: Credential,
    pub redirect_uri: RedirectUrl,
    pub scope: String,
    /// Whether the auth URL contains the number, as CAMARA's `tel:` hint.
    pub login_hint: bool,
    pub verify_url: Url,
    /// None unless this backend retrieves numbers.
    pub retrieval: Option<Retrieval>,
    /// For all requests that one call of the phone needs.
    pub timeout: Duration,
}

/// Configuration of a retrieval: CAMARA's `device-phone-number`.
pub struct Retrieval {
    pub scope: String,
    pub url: Url,
}

/// The result of a session. No `Debug`: it contains a number.
pub enum SessionResult {
    /// Whether the session's number belongs to the SIM.
    Verified(bool),
    /// The number of the SIM, in E.164.
    Number(String),
}

pub enum Credential {
    Secret(SecretString),
    Key(ClientKey),
}

/// OpenID Connect Discovery, section 3.
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: AuthUrl,
    token_endpoint: TokenUrl,
    jwks_uri: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

type OAuth = Client<
    TokenRefusal,
    Tokens,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

pub struct Provider {
    registration: Registration,
    http: Http,
    metadata: Cache<(), Arc<Metadata>>,
    keys: Cache<(), Arc<JwkSet>>,
}

impl Provider {
    pub fn new(registration: Registration) -> Result<Self, reqwest::Error> {
        let metadata = Cache::builder().time_to_live(CACHE_LIFETIME).build();
        let keys = Cache::builder().time_to_live(CACHE_LIFETIME).build();
        Ok(Self { registration, http: Http::new()?, metadata, keys })
    }

    pub fn redirect_uri(&self) -> &str {
        self.registration.redirect_uri.as_str()
    }

    pub fn retrieves_numbers(&self) -> bool {
        self.registration.retrieval.is_some()
    }

    /// A new session, with a new nonce and PKCE verifier.
    pub fn session(purpose: Purpose) -> Session {
        let (_, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random().into_secret();
        Session { purpose, nonce, verifier: verifier.into_secret() }
    }

    fn retrieval(&self) -> Result<&Retrieval, Failure> {
        self.registration.retrieval.as_ref().ok_or(Failure::new(Step::DevicePhoneNumber, Kind::Misused))
    }

    fn scope(&self, session: &Session) -> Result<&str, Failure> {
        match session.purpose {
            Purpose::Verification { .. } => Ok(&self.registration.scope),
            Purpose::Retrieval => self.retrieval().map(|retrieval| retrieval.scope.as_str()),
        }
    }

    /// The authentication request (OpenID Connect Core, section 3.1.2.1), for the phone.
    pub async fn auth_url(&self, session: &Session, state: &str, deadline: Instant) -> Result<Url, Failure> {
        let metadata = in_time(deadline, Step::Discovery, self.metadata()).await?;
        let oauth = self.oauth(&metadata);
        let verifier = PkceCodeVerifier::new(session.verifier.clone());
        let mut request = oauth
            .authorize_url(|| CsrfToken::new(state.to_owned()))
            .add_scope(Scope::new(self.scope(session)?.to_owned()))
            .add_extra_param("prompt", "none")
            .add_extra_param("nonce", &session.nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
        if let Purpose::Verification { number } = &session.purpose
            && self.registration.login_hint
        {
            request = request.add_extra_param("login_hint", format!("tel:{number}"));
        }
        Ok(request.url().0)
    }

    /// Returns the result that the session requests, for the SIM that the code was issued for.
    pub async fn result(&self, session: &Session, code: &str, flow: Uuid) -> Result<SessionResult, Failure> {
        in_time(Instant::now() + self.registration.timeout, Step::Verify, async {
            let metadata = self.metadata().await?;
            let tokens = self.tokens(&metadata, session, code).await?;
            match &tokens.id_token {
                Some(id_token) => self.check(&metadata, id_token, &session.nonce).await?,
                // It was requested, and it binds the code to this session if the provider ignores
                // PKCE.
                None if self.scope(session)?.split(' ').any(|scope| scope == "openid") => {
                    return Err(Failure::new(Step::IdToken, Kind::Malformed));
                }
                None => {}
            }
            let token = tokens.access_token().secret();
            match &session.purpose {
                Purpose::Verification { number } => self.verify(token, number, flow).await.map(SessionResult::Verified),
                Purpose::Retrieval => self.device_phone_number(token, flow).await.map(SessionResult::Number),
            }
        })
        .await
    }

    /// Releases the provider's resources for a session that the phone aborts. Called once, after
    /// the session is marked as used, and cancelled after the provider timeout. It does not affect
    /// the response: a failure is logged.
    ///
    /// Store the provider's request id in the session, and take it only from there. Never look it
    /// up by number: an attacker who starts for a victim's number and aborts the resulting session
    /// would cancel the victim's running request.
    ///
    /// OpenID Connect with CAMARA Number Verification has nothing to release: a code that is not
    /// exchanged expires. Providers whose requests stay open need it, such as Vonage (Verify v2),
    /// where an open request blocks the next one for the same number with a 409: send
    /// `DELETE /v2/verify/{request_id}`, with the `request_id` of the start in `Session`.
    #[expect(clippy::unused_async, reason = "another provider's implementation sends a request")]
    pub async fn release(&self, _session: &Session) -> Result<(), Failure> {
        Ok(())
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, Failure> {
        let discovered = self.metadata.try_get_with((), async {
            let issuer = &self.registration.issuer;
            let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
            let metadata: Metadata = self.get(Step::Discovery, &url).await?;
            let endpoints = [metadata.authorization_endpoint.url(), metadata.token_endpoint.url()];
            let is_valid = metadata.issuer == *issuer
                && endpoints.into_iter().chain(&metadata.jwks_uri).all(|url| url.scheme() == "https");
            if is_valid { Ok(Arc::new(metadata)) } else { Err(Failure::new(Step::Discovery, Kind::Malformed)) }
        });
        discovered.await.map_err(|failure: Arc<Failure>| *failure)
    }

    async fn keys(&self, metadata: &Metadata) -> Result<Arc<JwkSet>, Failure> {
        let url = metadata.jwks_uri.as_ref().ok_or(Failure::new(Step::Keys, Kind::Malformed))?;
        let published = self.keys.try_get_with((), async {
            self.get(Step::Keys, url.as_str()).await.map(|keys| Arc::new(known_keys(keys)))
        });
        published.await.map_err(|failure: Arc<Failure>| *failure)
    }

    /// A document that the provider publishes. It is requested once more if there was no response,
    /// because the failure would be that of every call that waits for the document.
    async fn get<T: DeserializeOwned>(&self, step: Step, url: &str) -> Result<T, Failure> {
        let send = || async {
            let request = Request::get(url).header(header::ACCEPT, "application/json").body(Vec::new());
            self.http.send(step, request.map_err(|_| Failure::new(step, Kind::Malformed))?).await
        };
        let response = match send().await {
            Err(Failure { kind: Kind::Timeout | Kind::Unreachable, .. }) => send().await?,
            response => response?,
        };
        let status = response.status();
        if status != StatusCode::OK {
            return Err(Failure::with_status(step, Kind::Misused, status));
        }
        serde_json::from_slice(response.body()).map_err(|_| Failure::with_status(step, Kind::Malformed, status))
    }

    fn oauth(&self, metadata: &Metadata) -> OAuth {
        let oauth = Client::new(ClientId::new(self.registration.client_id.clone()))
            .set_auth_uri(metadata.authorization_endpoint.clone())
            .set_token_uri(metadata.token_endpoint.clone())
            .set_redirect_uri(self.registration.redirect_uri.clone());
        match &self.registration.credential {
            Credential::Key(_) => oauth,
            Credential::Secret(secret) => oauth
                .set_client_secret(ClientSecret::new(secret.expose_secret().to_owned()))
                .set_auth_type(secret_auth_type(metadata)),
        }
    }

    /// The token request (RFC 6749, section 4.1.3).
    async fn tokens(&self, metadata: &Metadata, session: &Session, code: &str) -> Result<Tokens, Failure> {
        let oauth = self.oauth(metadata);
        let mut request = oauth
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(session.verifier.clone()));
        if let Credential::Key(key) = &self.registration.credential {
            let assertion = key.assertion(&self.registration.client_id, metadata.token_endpoint.as_str());
            request = request
                .add_extra_param("client_assertion_type", JWT_BEARER)
                .add_extra_param("client_assertion", assertion.map_err(|_| Failure::new(Step::Token, Kind::Misused))?);
        }
        request.request_async(&self.http).await.map_err(|error| match error {
            RequestTokenError::Request(failure) => failure,
            RequestTokenError::ServerResponse(refusal) => {
                Failure::new(Step::Token, if refusal.is_user_error() { Kind::Refused } else { Kind::Misused })
            }
            RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Failure::new(Step::Token, Kind::Malformed),
        })
    }

    async fn check(&self, metadata: &Metadata, id_token: &str, nonce: &str) -> Result<(), Failure> {
        let (issuer, client) = (&self.registration.issuer, &self.registration.client_id);
        let mut result = check_id_token(id_token, &*self.keys(metadata).await?, issuer, client, nonce);
        if result == Err(Invalid::UnknownKey) {
            self.keys.invalidate(&()).await; // the keys may have been rotated
            result = check_id_token(id_token, &*self.keys(metadata).await?, issuer, client, nonce);
        }
        result.map_err(|invalid| {
            Failure::new(
                Step::IdToken,
                if invalid == Invalid::OtherVerification { Kind::Refused } else { Kind::Malformed },
            )
        })
    }

    /// CAMARA Number Verification, `phoneNumberVerify`.
    async fn verify(&self, token: &str, number: &str, flow: Uuid) -> Result<bool, Failure> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.registration.verify_url.as_str())
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header("x-correlator", flow.to_string())
            .body(json!({ "phoneNumber": number }).to_string().into_bytes());
        let request = request.map_err(|_| Failure::new(Step::Verify, Kind::Malformed))?;
        parse_verified(&self.http.send(Step::Verify, request).await?)
    }

    /// CAMARA Number Verification, `phoneNumberShare`.
    async fn device_phone_number(&self, token: &str, flow: Uuid) -> Result<String, Failure> {
        let request = Request::get(self.retrieval()?.url.as_str())
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::ACCEPT, "application/json")
            .header("x-correlator", flow.to_string())
            .body(Vec::new());
        let request = request.map_err(|_| Failure::new(Step::DevicePhoneNumber, Kind::Malformed))?;
        parse_number(&self.http.send(Step::DevicePhoneNumber, request).await?)
    }
}

async fn in_time<T>(
    deadline: Instant,
    step: Step,
    call: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let result = tokio::time::timeout_at(deadline, call).await;
    result.unwrap_or(Err(Failure::new(step, Kind::Timeout)))
}

/// How the client secret is sent: in the header, unless the provider accepts it only in the body
/// (OpenID Connect Discovery, section 3).
fn secret_auth_type(metadata: &Metadata) -> AuthType {
    let supports = |method: &str| match &metadata.token_endpoint_auth_methods_supported {
        Some(methods) => methods.iter().any(|supported| supported == method),
        None => method == "client_secret_basic",
    };
    let only_in_body = supports("client_secret_post") && !supports("client_secret_basic");
    if only_in_body { AuthType::RequestBody } else { AuthType::BasicAuth }
}

fn parse_verified(response: &HttpResponse) -> Result<bool, Failure> {
    if response.status() != StatusCode::OK {
        return Err(rejection(Step::Verify, response));
    }
    let body = strict_json(response.body());
    let verified = body.as_ref().and_then(|body| body.get("devicePhoneNumberVerified")).and_then(Value::as_bool);
    verified.ok_or(Failure::with_status(Step::Verify, Kind::Malformed, response.status()))
}

fn parse_number(response: &HttpResponse) -> Result<String, Failure> {
    if response.status() != StatusCode::OK {
        return Err(rejection(Step::DevicePhoneNumber, response));
    }
    let body = strict_json(response.body());
    let number = body.as_ref().and_then(|body| body.get("devicePhoneNumber")).and_then(Value::as_str);
    let failure = |kind| Failure::with_status(Step::DevicePhoneNumber, kind, response.status());
    let number = number.ok_or(failure(Kind::Malformed))?;
    if is_e164(number) { Ok(number.to_owned()) } else { Err(failure(Kind::NotE164)) }
}

fn rejection(step: Step, response: &HttpResponse) -> Failure {
    let status = response.status();
    let body = strict_json(response.body());
    let code = body.as_ref().and_then(|body| body.get("code")).and_then(Value::as_str).map(str::to_ascii_uppercase);
    let kind = match (status.as_u16(), code.as_deref()) {
        (403 | 409 | 410 | 422, Some(code)) if code != "PERMISSION_DENIED" => Kind::Refused,
        (404, Some("IDENTIFIER_NOT_FOUND" | "DEVICE_NOT_FOUND")) => Kind::Refused, // not an unknown path
        _ => Kind::Misused,
    };
    Failure::with_status(step, kind, status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &str) -> HttpResponse {
        let mut response = HttpResponse::new(body.as_bytes().to_vec());
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    #[test]
    fn verify_response_without_a_boolean_is_malformed() {
        assert_eq!(parse_verified(&response(200, r#"{"devicePhoneNumberVerified":true}"#)), Ok(true));
        assert_eq!(parse_verified(&response(200, r#"{"devicePhoneNumberVerified":false}"#)), Ok(false));
        for body in [
            "",
            "<html>",
            "{}",
            r#"{"devicePhoneNumberVerified":"true"}"#,
            r#"{"devicePhoneNumberVerified":1}"#,
            r#"{"devicePhoneNumberVerified":false,"devicePhoneNumberVerified":true}"#,
        ] {
            assert_eq!(parse_verified(&response(200, body)).unwrap_err().kind, Kind::Malformed, "{body}");
        }
    }

    #[test]
    fn number_that_is_not_e164_is_rejected() {
        let parse = |body: &str| parse_number(&response(200, body));
        assert_eq!(parse(r#"{"devicePhoneNumber":"+14155550100","more":1}"#), Ok("+14155550100".to_owned()));
        for text in [
            "",
            "+",
            "+1415",
            "14155550100",
            "+04155550100",
            "+1415555010012345",
            "+1 4155550100",
            "+14155550100 ",
            "+14155550100\\n",
            "tel:+14155550100",
            "+١٤١٥٥٥٥٠١٠٠",
        ] {
            let failure = parse(&format!(r#"{{"devicePhoneNumber":"{text}"}}"#)).unwrap_err();
            assert_eq!((failure.step, failure.kind), (Step::DevicePhoneNumber, Kind::NotE164), "{text}");
        }
        for body in [
            "",
            "<html>",
            "{}",
            r#""+14155550100""#,
            r#"["+14155550100"]"#,
            r#"{"devicePhoneNumber":null}"#,
            r#"{"devicePhoneNumber":14155550100}"#,
            r#"{"devicePhoneNumber":["+14155550100"]}"#,
            r#"{"phoneNumber":"+14155550100"}"#,
            r#"{"devicePhoneNumberVerified":true}"#,
            r#"{"devicePhoneNumber":"+14155550100","devicePhoneNumber":"+14155550199"}"#,
        ] {
            assert_eq!(parse(body).unwrap_err().kind, Kind::Malformed, "{body}");
        }
    }

    #[test]
    fn errors_of_the_user_and_of_this_backend_are_distinguished() {
        let cases = [
            (403, "NUMBER_VERIFICATION.USER_NOT_AUTHENTICATED_BY_MOBILE_NETWORK", Kind::Refused),
            (403, "NUMBER_VERIFICATION.INVALID_TOKEN_CONTEXT", Kind::Refused),
            (422, "SERVICE_NOT_APPLICABLE", Kind::Refused),
            (403, "PERMISSION_DENIED", Kind::Misused),
            (401, "UNAUTHENTICATED", Kind::Misused),
            (400, "INVALID_ARGUMENT", Kind::Misused),
            (404, "IDENTIFIER_NOT_FOUND", Kind::Refused),
            (404, "DEVICE_NOT_FOUND", Kind::Refused),
            (404, "NOT_FOUND", Kind::Misused),
        ];
        for (status, code, kind) in cases {
            let response = response(status, &format!(r#"{{"code":"{code}"}}"#));
            let failures = [
                (Step::Verify, parse_verified(&response).err()),
                (Step::DevicePhoneNumber, parse_number(&response).err()),
            ];
            for (step, failure) in failures {
                assert_eq!(failure, Some(Failure { step, kind, status: Some(status) }), "{code}");
            }
        }
        for body in ["<html>", r#"{"code":"PERMISSION_DENIED","code":"SERVICE_NOT_APPLICABLE"}"#] {
            assert_eq!(parse_verified(&response(403, body)).unwrap_err().kind, Kind::Misused, "{body}");
        }
    }

    #[test]
    fn client_secret_is_sent_in_the_header_if_supported() {
        let metadata = |methods: Option<&[&str]>| Metadata {
            issuer: String::new(),
            authorization_endpoint: AuthUrl::new("https://op.example/authorize".to_owned()).unwrap(),
            token_endpoint: TokenUrl::new("https://op.example/token".to_owned()).unwrap(),
            jwks_uri: None,
            token_endpoint_auth_methods_supported: methods.map(|all| all.iter().map(|&one| one.to_owned()).collect()),
        };
        let uses_header = |methods| matches!(secret_auth_type(&metadata(methods)), AuthType::BasicAuth);
        assert!(uses_header(None) && uses_header(Some(&[])));
        assert!(uses_header(Some(&["client_secret_post", "client_secret_basic"])));
        assert!(!uses_header(Some(&["private_key_jwt", "client_secret_post"])));
    }
}
