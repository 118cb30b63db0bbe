//! A provider stub with counters: how often each code was exchanged, and each token used. It
//! accepts a code any number of times, so that a second use is never hidden. Its counters survive
//! its restarts.
//!
//! The code `cN` and the token `tN` belong to verification N, whose number is N too; each fifth SIM
//! has a different number.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use hyper::service::service_fn;
use hyper::{Request, Response, server::conn::http1};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, Issuer, KeyPair};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::lab::certificates::authority;
use crate::replica::free_port;

pub fn number(index: u32) -> String {
    format!("+1415{index:07}")
}

pub fn is_of_sim(index: u32) -> bool {
    !index.is_multiple_of(5)
}

#[derive(Default)]
pub struct Books {
    calls: HashMap<u32, Calls>,
    /// Requests that do not belong to any verification.
    pub wrong: Vec<String>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Calls {
    pub exchanges: u8,
    pub verifications: u8,
}

impl Books {
    pub fn calls(&self, index: u32) -> Calls {
        self.calls.get(&index).copied().unwrap_or_default()
    }

    pub fn most(&self) -> Calls {
        let most = |of: fn(&Calls) -> u8| self.calls.values().map(of).max().unwrap_or_default();
        Calls { exchanges: most(|calls| calls.exchanges), verifications: most(|calls| calls.verifications) }
    }

    fn token(&mut self, body: &[u8]) -> Option<Value> {
        let form: HashMap<_, _> = url::form_urlencoded::parse(body).collect();
        let index = form.get("code")?.strip_prefix('c')?.parse().ok()?;
        self.calls.entry(index).or_default().exchanges += 1;
        Some(json!({ "access_token": format!("t{index}"), "token_type": "Bearer", "expires_in": 300 }))
    }

    fn verify(&mut self, authorization: &str, body: &[u8]) -> Option<Value> {
        let index = authorization.strip_prefix("Bearer t")?.parse().ok()?;
        let body: Value = serde_json::from_slice(body).ok()?;
        self.calls.get_mut(&index)?.verifications += 1;
        (body["phoneNumber"] == number(index)).then(|| json!({ "devicePhoneNumberVerified": is_of_sim(index) }))
    }
}

pub struct Provider {
    port: u16,
    config: Arc<ServerConfig>,
    books: Arc<Mutex<Books>>,
    pub root_pem: String,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Provider {
    pub fn new() -> Result<Self> {
        let (params, key) = authority("soak root")?;
        let root_pem = params.self_signed(&key)?.pem();
        let leaf_key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(["localhost".to_owned()])?;
        leaf.use_authority_key_identifier_extension = true; // required by Python 3.13 and later
        let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, key))?;
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(leaf_key.serialize_der().into()))?;
        let (port, books) = (free_port()?, Arc::default());
        Ok(Self { port, config: Arc::new(config), books, root_pem, running: None })
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    pub fn books(&self) -> Arc<Mutex<Books>> {
        self.books.clone()
    }

    pub fn start(&mut self) -> Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", self.port))?;
        listener.set_nonblocking(true)?;
        let (stop, stopped) = oneshot::channel();
        let (acceptor, books, url) = (TlsAcceptor::from(self.config.clone()), self.books.clone(), self.url());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    ended = accept(listener, acceptor, books, url.into()) => eprintln!("provider: {ended:?}"),
                }
            });
        });
        self.running = Some((stop, thread));
        Ok(())
    }

    /// Breaks all connections, and the pending work for them.
    pub fn stop(&mut self) -> Result<()> {
        let (stop, thread) = self.running.take().context("the provider does not run")?;
        let _ = stop.send(());
        thread.join().map_err(|_| anyhow::anyhow!("the provider panicked"))
    }
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, books: Arc<Mutex<Books>>, url: Arc<str>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, books, url) = (acceptor.clone(), books.clone(), url.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| respond(request, books.clone(), url.clone()));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(
    request: Request<Incoming>,
    books: Arc<Mutex<Books>>,
    url: Arc<str>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // A replica that was killed has sent only a part.
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let path = head.uri.path();
    let response = if path.ends_with("/openid-configuration") {
        let (authorize, token) = (format!("{url}/authorize"), format!("{url}/token"));
        Some(json!({ "issuer": &*url, "authorization_endpoint": authorize, "token_endpoint": token }))
    } else if path.ends_with("/token") {
        open(&books).token(&body)
    } else {
        let authorization = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        open(&books).verify(authorization, &body)
    };
    let status = if response.is_some() { 200 } else { 400 };
    let response = response.unwrap_or_else(|| {
        open(&books).wrong.push(format!("{} {path} {}", head.method, String::from_utf8_lossy(&body)));
        Value::Null
    });
    let mut response = Response::new(Full::from(response.to_string()));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

pub fn open(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    books.lock().unwrap_or_else(PoisonError::into_inner)
}
