//! What a phone or another client needs to use this simulator.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use qrcodegen::{QrCode, QrCodeEcc};
use ring::digest::{SHA256, digest};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;

use super::Page;

/// The white modules around a code (ISO/IEC 18004).
const MARGIN: i32 = 4;

pub(super) async fn root_certificate(State(page): State<Arc<Page>>) -> Response {
    let label = (header::CONTENT_TYPE, "application/x-pem-file");
    let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"number-verify-simulator.pem\"");
    ([label, name], page.root_pem.clone()).into_response()
}

/// The flags of the command line for all hosts.
pub(super) async fn resolve(State(page): State<Arc<Page>>) -> String {
    let hosts = page.ready["hosts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let flags: Vec<_> = hosts.iter().filter_map(|host| Some(format!("--resolve {}", host.as_str()?))).collect();
    flags.join(" ")
}

/// The commands that verify the SIM's number, for a page at this URL.
pub(super) fn commands(page: &str, backend: &str, sims: &[String]) -> String {
    // The default of the command line is the default SIM; other numbers are masked.
    let phone = if sims.iter().any(|sim| sim.starts_with('+')) { "" } else { " --phone +NUMBER_OF_THE_SIM" };
    format!(
        "curl -so target/root.pem {page}root.pem\n\
         cargo run --example verify -- --any-network --backend {backend} \\\n  \
         --root-ca target/root.pem{phone} $(curl -s {page}resolve)"
    )
}

/// The URL of the page's section for phones, at the address by which the page was opened.
pub(super) async fn qr_code(headers: HeaderMap) -> Response {
    let Ok(code) = QrCode::encode_text(&format!("{}#connect", address(&headers)), QrCodeEcc::Medium) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    ([(header::CONTENT_TYPE, "image/svg+xml")], svg(&code)).into_response()
}

/// The URL by which the page was opened.
pub(super) fn address(headers: &HeaderMap) -> String {
    let authority = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("http://{authority}/")
}

fn svg(code: &QrCode) -> String {
    let modules = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
    let dark = modules.filter(|(x, y)| code.get_module(*x, *y));
    let path: Vec<_> = dark.map(|(x, y)| format!("M{},{}h1v1h-1z", x + MARGIN, y + MARGIN)).collect();
    let path = path.concat();
    let size = code.size() + 2 * MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0,0h{size}v{size}h-{size}z\"/><path d=\"{path}\"/></svg>"
    )
}

/// The fingerprint of a certificate in PEM form, as tools show it: `AB:CD:…`.
pub(super) fn sha256(pem: &str) -> String {
    let Ok(certificate) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return String::new() };
    let digest = digest(&SHA256, &certificate);
    let bytes: Vec<_> = digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    bytes.join(":")
}
