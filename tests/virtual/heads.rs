//! Malformed response heads: a redirect is a status and a Location, and no other malformed field
//! ends the flow. After any repair the connection is not reused, and if a body is needed,
//! contradictory lengths are an error.

use std::sync::Arc;

use crate::flow::{Outcome, Phone, Setting};
use crate::script::{Chain, Instead};
use crate::server::Reply;

const JSON: &str = r#"{"code":"code-c0de"}"#;

/// The verification with this head at the fourth hop, whose host also serves the next hop.
async fn redirected(head: &str) -> Outcome {
    let mut chain = Chain::new("S2");
    chain.instead(4, Instead::Always(Reply::Send(head.into())));
    flow(chain).await
}

/// The verification with this last response.
async fn completed(reply: Reply) -> Outcome {
    let mut chain = Chain::new("S1");
    chain.instead(3, Instead::Always(reply));
    flow(chain).await
}

async fn flow(chain: Chain) -> Outcome {
    let auth_url = chain.auth_url();
    Phone::new(Setting::new(Arc::new(chain), auth_url)).verify().await
}

#[tokio::test(start_paused = true)]
async fn malformed_heads_of_redirects_are_tolerated() {
    const LOCATION: &str = "Location: https://operator-a.test/consent?tx=9c1d77\r\n";
    const COOKIE: &str = "Set-Cookie: opsess=1b9d6bcd4f; Path=/\r\n";
    let plain = format!("HTTP/1.1 302 Found\r\n{LOCATION}{COOKIE}Content-Length: 0\r\n\r\n");
    let outcome = redirected(&plain).await;
    assert_eq!((outcome.result.as_ref().ok(), outcome.connections.len()), (Some(&true), 3), "{:?}", outcome.result);
    for (name, head) in [
        ("folded Location", plain.replace("Location: ", "Location:\r\n ")),
        ("folded cookie", plain.replace("; Path", ";\r\n\tPath")),
        ("space before a colon", plain.replace(COOKIE, &format!("{COOKIE}X-Frame-Options : DENY\r\n"))),
        ("space before Location's colon", plain.replace("Location:", "Location \t:")),
        ("a PHP warning", plain.replace(COOKIE, &format!("PHP Warning: x in /y.php on line 3\r\n{COOKIE}"))),
        ("a line without a colon", plain.replace(COOKIE, &format!("<br />\r\n{COOKIE}"))),
        ("a control character", plain.replace(COOKIE, &format!("X: a\u{0}b\r\n{COOKIE}"))),
        ("lower-case protocol", plain.replace("HTTP/1.1", "http/1.1")),
        ("two spaces after the version", plain.replace("HTTP/1.1 ", "HTTP/1.1  ")),
        ("an invalid version", plain.replace("HTTP/1.1", "HTTP/2")),
        ("two carriage returns", plain.replace("\r\n", "\r\r\n")),
        (
            "chunked twice",
            plain.replace("Content-Length: 0", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        ),
        (
            "chunked with a length",
            plain.replace("Content-Length: 0", "Transfer-Encoding: chunked\r\nContent-Length: 0"),
        ),
        (
            "chunked in HTTP/1.0",
            plain.replace("1.1 302", "1.0 302").replace("Content-Length: 0", "Transfer-Encoding: chunked"),
        ),
        ("another transfer coding", plain.replace("Content-Length: 0", "Transfer-Encoding: gzip")),
        ("a negative length", plain.replace("Content-Length: 0", "Content-Length: -1")),
        ("two lengths", plain.replace("Content-Length: 0", "Content-Length: 0\r\nContent-Length: 10")),
        ("a length that is not a number", plain.replace("Content-Length: 0", "Content-Length: none")),
        ("a length of 30 digits", plain.replace("Content-Length: 0", &format!("Content-Length: {}", "9".repeat(30)))),
    ] {
        assert_ne!(head, plain, "{name}");
        let outcome = redirected(&head).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name}: {:?}", outcome.result);
        assert_eq!(outcome.connections.len(), 4, "{name}: the connection is not reused");
    }
}

#[tokio::test(start_paused = true)]
async fn contradictory_lengths_of_needed_bodies_are_errors() {
    let length = JSON.len();
    let chunked = format!("{length:x}\r\n{JSON}\r\n0\r\n\r\n");
    for (name, response) in [
        ("folded", format!("HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: {length}\r\n\r\n{JSON}")),
        ("not a field", format!("http/1.1  200\r\nWarning\r\nContent-Length : {length}\r\n\r\n{JSON}")),
        ("a length in a list", format!("HTTP/1.1 200 OK\r\nContent-Length: {length}, {length}\r\n\r\n{JSON}")),
        (
            "chunked twice",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: Chunked\r\n\r\n{chunked}"),
        ),
        ("chunked in a list", format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n{chunked}")),
        ("identity and chunked", format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n{chunked}")),
        ("chunked in HTTP/1.0", format!("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}")),
    ] {
        let outcome = completed(Reply::Send(response.into())).await;
        assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{name}: {:?}", outcome.result);
        assert_eq!(outcome.completed_with.as_deref(), Some("code-c0de"), "{name}");
    }
    let until_close = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n{JSON}");
    assert_eq!(completed(Reply::SendAndClose(until_close.into())).await.result.ok(), Some(true), "identity");
    for (name, head) in [
        ("two lengths", format!("Content-Length: {length}\r\nContent-Length: 3")),
        ("a length with chunked", format!("Content-Length: {length}\r\nTransfer-Encoding: chunked")),
        ("chunked with a length", format!("Transfer-Encoding: chunked\r\nContent-Length: {length}")),
        ("another transfer coding", "Transfer-Encoding: gzip, chunked".to_owned()),
        ("a negative length", "Content-Length: -1".to_owned()),
        ("a length with a sign", format!("Content-Length: +{length}")),
        ("lengths in a list", format!("Content-Length: {length}, 3")),
    ] {
        let outcome = completed(Reply::SendAndClose(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{JSON}").into())).await;
        let error = outcome.error_json();
        assert_eq!(error["cause"], "malformed_response", "{name}: {error}");
        assert_eq!(outcome.completed_with, None, "{name}");
    }
}
