//! The first example of docs/rust.md.

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let verified = is_theirs(consumer::cellular()).await.expect("a result");
    println!("verified: {verified}");
}

include!(concat!(env!("CARGO_MANIFEST_DIR"), "/example-1.rs"));
