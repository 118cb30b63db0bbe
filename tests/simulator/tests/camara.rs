//! The operator that apps use directly, over real connections: the OpenID Connect flow, and all its
//! error responses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use number_verify_simulator::{CLIENT_ID, CLIENT_SECRET, Options, Sim, Simulator};
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;
use url::form_urlencoded::Serializer;

const NUMBER: &str = "+14155550100";
const REDIRECT_URI: &str = "myapp://verified?from=operator";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";
const SCOPE: &str = "openid dpv:FraudPreventionAndDetection number-verification:verify";

type Pairs<'a> = Vec<(&'a str, &'a str)>;

struct HttpResponse {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl HttpResponse {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    /// The parameters received by the redirect_uri.
    fn redirected(&self) -> HashMap<String, String> {
        assert_eq!(self.status, 302, "{}", self.body);
        let location = Url::parse(&self.headers["location"]).unwrap();
        assert!(location.as_str().starts_with(REDIRECT_URI), "{location}");
        location.query_pairs().into_owned().collect()
    }
}

async fn call(simulator: &Simulator, method: &str, url: &str, headers: &str, body: &str) -> HttpResponse {
    let url = Url::parse(url).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(simulator.root_ca_pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let host = url.host_str().unwrap().to_owned();
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, url.port().unwrap())).await.unwrap();
    let name = ServerName::try_from(host.clone()).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let path = &url[url::Position::BeforePath..];
    let (port, length) = (url.port().unwrap(), body.len());
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n");
    let request = format!("{head}Content-Length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await; // the peer may omit close_notify
    let response = String::from_utf8(response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers =
        lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.into()));
    HttpResponse { status, headers: headers.collect(), body: body.to_owned() }
}

fn challenge() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()))
}

/// A valid request, with these parameters replaced; an empty value removes the parameter.
fn with<'a>(good: &[(&'a str, &'a str)], changes: &[(&'a str, &'a str)]) -> Pairs<'a> {
    let unchanged = good.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    unchanged.chain(changes).filter(|(_, value)| !value.is_empty()).copied().collect()
}

async fn authorize(simulator: &Simulator, changes: &[(&str, &str)]) -> HttpResponse {
    let (discovered, challenge) = (discover(simulator).await, challenge());
    let good = [
        ("client_id", CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT_URI),
        ("scope", SCOPE),
        ("prompt", "none"),
        ("state", "the state"),
        ("nonce", "the nonce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let query = Serializer::new(String::new()).extend_pairs(with(&good, changes)).finish();
    let endpoint = discovered["authorization_endpoint"].as_str().unwrap();
    call(simulator, "GET", &format!("{endpoint}?{query}"), "", "").await
}

async fn discover(simulator: &Simulator) -> Value {
    let url = format!("{}/.well-known/openid-configuration", simulator.camara_issuer());
    let discovered = call(simulator, "GET", &url, "", "").await.json();
    assert_eq!(discovered["issuer"], simulator.camara_issuer());
    discovered
}

async fn code(simulator: &Simulator, changes: &[(&str, &str)]) -> String {
    authorize(simulator, changes).await.redirected()["code"].clone()
}

fn basic(secret: &str) -> String {
    let credentials = BASE64_STANDARD.encode(format!("{CLIENT_ID}:{secret}"));
    format!("Authorization: Basic {credentials}\r\n")
}

async fn token(simulator: &Simulator, code: &str, authentication: &str, changes: &[(&str, &str)]) -> HttpResponse {
    let good = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
    ];
    let body = Serializer::new(String::new()).extend_pairs(with(&good, changes)).finish();
    let headers = format!("Content-Type: application/x-www-form-urlencoded\r\n{authentication}");
    call(simulator, "POST", &format!("{}/token", simulator.camara_issuer()), &headers, &body).await
}

#[tokio::test]
async fn code_is_exchanged_for_a_token_that_returns_the_result() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let redirected = authorize(&simulator, &[]).await.redirected();
    assert_eq!((redirected["state"].as_str(), redirected["from"].as_str()), ("the state", "operator"));
    let response = token(&simulator, &redirected["code"], &basic(CLIENT_SECRET), &[]).await;
    assert_eq!((response.status, response.headers["cache-control"].as_str()), (200, "no-store"));
    let response = response.json();

    let claims = claims(&simulator, response["id_token"].as_str().unwrap()).await;
    assert_eq!((&claims["aud"], &claims["nonce"]), (&json!(CLIENT_ID), &json!("the nonce")));
    assert_eq!(claims["iss"], simulator.camara_issuer());
    assert!(!claims.to_string().contains("4155550100"), "{claims}");

    let bearer = format!("Authorization: Bearer {}\r\n", response["access_token"].as_str().unwrap());
    let headers = format!("Content-Type: application/json\r\n{bearer}");
    let body = json!({ "phoneNumber": NUMBER }).to_string();
    let result = call(&simulator, "POST", &simulator.camara_verify_url(), &headers, &body).await;
    assert_eq!((result.status, result.json()), (200, json!({ "devicePhoneNumberVerified": true })));
    let again = call(&simulator, "POST", &simulator.camara_verify_url(), &headers, &body).await;
    assert_eq!(again.status, 401, "a token is used once");
}

const RETRIEVAL_SCOPE: &str = "openid dpv:FraudPreventionAndDetection number-verification:device-phone-number:read";

async fn access_token(simulator: &Simulator, scope: &str) -> String {
    let code = code(simulator, &[("scope", scope)]).await;
    let response = token(simulator, &code, &basic(CLIENT_SECRET), &[]).await.json();
    assert_eq!(response["scope"], scope);
    response["access_token"].as_str().unwrap().to_owned()
}

async fn verify(simulator: &Simulator, token: &str) -> HttpResponse {
    let headers = format!("Content-Type: application/json\r\nAuthorization: Bearer {token}\r\n");
    let body = json!({ "phoneNumber": NUMBER }).to_string();
    call(simulator, "POST", &simulator.camara_verify_url(), &headers, &body).await
}

async fn device_phone_number(simulator: &Simulator, token: &str) -> HttpResponse {
    let url = Url::parse(&simulator.camara_verify_url()).unwrap().join("device-phone-number").unwrap();
    let headers = format!("x-correlator: a-flow\r\nAuthorization: Bearer {token}\r\n");
    call(simulator, "GET", url.as_str(), &headers, "").await
}

#[tokio::test]
async fn token_with_retrieval_scope_returns_the_number_once() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let token = access_token(&simulator, RETRIEVAL_SCOPE).await;
    let response = device_phone_number(&simulator, &token).await;
    assert_eq!((response.status, response.json()), (200, json!({ "devicePhoneNumber": NUMBER })));
    assert_eq!(response.headers["x-correlator"], "a-flow");
    assert_eq!(device_phone_number(&simulator, &token).await.status, 401);
}

#[tokio::test]
async fn token_permits_only_the_operations_of_its_scopes() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let denied = |response: &HttpResponse| (response.status, response.json()["code"].clone());
    let token = access_token(&simulator, SCOPE).await;
    assert_eq!(denied(&device_phone_number(&simulator, &token).await), (403, json!("PERMISSION_DENIED")));
    let token = access_token(&simulator, RETRIEVAL_SCOPE).await;
    assert_eq!(denied(&verify(&simulator, &token).await), (403, json!("PERMISSION_DENIED")));
    let both = format!("{SCOPE} number-verification:device-phone-number:read");
    assert_eq!(verify(&simulator, &access_token(&simulator, &both).await).await.status, 200);
    assert_eq!(device_phone_number(&simulator, &access_token(&simulator, &both).await).await.status, 200);
    let discovered = discover(&simulator).await;
    let scopes = discovered["scopes_supported"].as_array().unwrap();
    assert!(RETRIEVAL_SCOPE.split(' ').all(|scope| scopes.contains(&json!(scope))), "{scopes:?}");
}

/// The claims of an ID token, if it is signed with the published key.
async fn claims(simulator: &Simulator, id_token: &str) -> Value {
    let discovered = discover(simulator).await;
    let keys = call(simulator, "GET", discovered["jwks_uri"].as_str().unwrap(), "", "").await.json();
    let decode = |text: &Value| BASE64_URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap();
    let point = [vec![4], decode(&keys["keys"][0]["x"]), decode(&keys["keys"][0]["y"])].concat();
    let (signed, signature) = id_token.rsplit_once('.').unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), &BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    let claims = signed.split_once('.').unwrap().1;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

#[tokio::test]
async fn authentication_response_is_sent_to_the_redirect_uri() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let cases: [(&[(&str, &str)], &str); 15] = [
        (&[("prompt", "login")], "invalid_request"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("scope", "")], "invalid_scope"),
        (&[("scope", "openid number-verification:verify")], "invalid_scope"),
        (&[("scope", "openid dpv:FraudPreventionAndDetection")], "invalid_scope"),
        (&[("scope", "dpv:A dpv:B number-verification:verify")], "invalid_scope"),
        (&[("scope", "dpv:A number-verification:verify email")], "invalid_scope"),
        (&[("state", "one"), ("state", "two")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("code_challenge", ""), ("code_challenge_method", ""), ("nonce", "")], "invalid_request"),
        (&[("code_challenge", ""), ("code_challenge_method", ""), ("state", "")], "invalid_request"),
        (&[("request", "a.b.c")], "request_not_supported"),
        (&[("request_uri", "https://app.example/request")], "request_uri_not_supported"),
    ];
    for (changes, error) in cases {
        let redirected = authorize(&simulator, changes).await.redirected();
        assert_eq!((redirected["error"].as_str(), redirected.get("code")), (error, None), "{changes:?}");
    }
    // If the client's address cannot be trusted, there is no redirect.
    for changes in
        [[("redirect_uri", "")], [("redirect_uri", "/relative")], [("client_id", "")], [("client_id", "other")]]
    {
        let response = authorize(&simulator, &changes).await;
        assert_eq!((response.status, response.headers.get("location")), (400, None), "{changes:?}");
    }
}

#[tokio::test]
async fn phone_outside_the_network_gets_login_required() {
    let elsewhere = Sim::new(IpAddr::from([192, 0, 2, 0]), 24, NUMBER);
    let simulator = Simulator::start(Options { sims: vec![elsewhere], ..Options::default() }).unwrap();
    let redirected = authorize(&simulator, &[]).await.redirected();
    assert_eq!((redirected["error"].as_str(), redirected["state"].as_str()), ("login_required", "the state"));
}

#[tokio::test]
async fn token_request_must_match_the_code() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let cases: [(&[(&str, &str)], &str); 8] = [
        (&[("code", "invented")], "invalid_grant"),
        (&[("redirect_uri", "myapp://other")], "invalid_grant"),
        (&[("code_verifier", "another-verifier-of-at-least-forty-three-characters")], "invalid_grant"),
        (&[("code_verifier", "")], "invalid_grant"),
        (&[("redirect_uri", "")], "invalid_request"),
        (&[("code", "")], "invalid_request"),
        (&[("grant_type", "")], "invalid_request"),
        (&[("grant_type", "password")], "unsupported_grant_type"),
    ];
    for (changes, error) in cases {
        let code = code(&simulator, &[]).await;
        let response = token(&simulator, &code, &basic(CLIENT_SECRET), changes).await;
        assert_eq!((response.status, response.json()["error"].as_str()), (400, Some(error)), "{changes:?}");
    }
    let code = code(&simulator, &[]).await;
    assert_eq!(token(&simulator, &code, &basic(CLIENT_SECRET), &[]).await.status, 200);
    let again = token(&simulator, &code, &basic(CLIENT_SECRET), &[]).await;
    assert_eq!((again.status, again.json()["error"].as_str()), (400, Some("invalid_grant")));
}

#[tokio::test]
async fn id_token_requires_openid_and_verifier_requires_pkce() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let plain = [("scope", "dpv:A number-verification:verify"), ("code_challenge", ""), ("code_challenge_method", "")];
    let code = code(&simulator, &plain).await;
    let response = token(&simulator, &code, &basic(CLIENT_SECRET), &[("code_verifier", "")]).await;
    assert_eq!((response.status, response.json().get("id_token").is_some()), (200, false));
}

#[tokio::test]
async fn client_must_use_exactly_one_authentication_method() {
    let simulator = Simulator::start(Options::default()).unwrap();
    let in_body = [("client_id", CLIENT_ID), ("client_secret", CLIENT_SECRET)];
    let with_another_secret = [("client_id", CLIENT_ID), ("client_secret", "other")];
    let cases = [
        (basic(CLIENT_SECRET), Pairs::new(), 200, None),
        (String::new(), in_body.to_vec(), 200, None),
        (basic("other"), Pairs::new(), 401, Some("invalid_client")),
        (String::new(), with_another_secret.to_vec(), 401, Some("invalid_client")),
        (String::new(), Pairs::new(), 401, Some("invalid_client")),
        (basic(CLIENT_SECRET), in_body.to_vec(), 400, Some("invalid_request")),
    ];
    for (authentication, changes, status, error) in cases {
        let code = code(&simulator, &[]).await;
        let response = token(&simulator, &code, &authentication, &changes).await;
        assert_eq!(
            (response.status, response.json()["error"].as_str()),
            (status, error),
            "{authentication} {changes:?}"
        );
    }
}

#[tokio::test]
async fn client_assertion_is_validated() {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
    use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

    let simulator = Simulator::start(Options::default()).unwrap();
    let pem = simulator.camara_client_key_pem();
    let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der(), &random).unwrap();
    let sign = |claims: &Value| {
        let parts = [json!({ "alg": "ES256" }).to_string(), claims.to_string()];
        let signed = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part)).join(".");
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(key.sign(&random, signed.as_bytes()).unwrap()))
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let audience = format!("{}/token", simulator.camara_issuer());
    let good = json!({ "iss": CLIENT_ID, "sub": CLIENT_ID, "aud": audience, "jti": "1", "iat": now, "exp": now + 60 });
    let bad = [
        ("iss", json!("other")),
        ("sub", json!("other")),
        ("aud", json!("https://other.example")),
        ("exp", json!(now - 1)),
        ("exp", json!(now + 400)),
        ("iat", json!(now - 400)),
        ("jti", Value::Null),
    ];
    let mut cases = vec![(sign(&good), 200), (sign(&good), 401)]; // the second is a replay
    for (number, (name, value)) in bad.into_iter().enumerate() {
        let mut claims = good.clone();
        claims["jti"] = format!("bad {number}").into();
        claims[name] = value;
        cases.push((sign(&claims), 401));
    }
    cases.push((format!("{}AA", sign(&good)), 401));
    for (assertion, status) in cases {
        let code = code(&simulator, &[]).await;
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let parameters = [("client_assertion", assertion.as_str()), ("client_assertion_type", kind)];
        assert_eq!(token(&simulator, &code, "", &parameters).await.status, status, "{assertion}");
    }
}
