//! The second example of docs/rust.md, in an app without the library's HTTP client.

use number_verify::NumberVerifier;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("the first one");
    let backend = Arc::new(ApiClient(consumer::client()));
    let config = consumer::config("https://backend.example");
    let verifier = NumberVerifier::with_backend(config, consumer::cellular(), backend, None).expect("valid settings");
    let verification = verifier.verify("+14155550100".to_owned()).await.expect("a result");
    println!("verified: {}", verification.verified());
}

include!(concat!(env!("CARGO_MANIFEST_DIR"), "/example-2.rs"));
