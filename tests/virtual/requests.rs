//! Requests look like a browser's navigation, byte for byte: operators' middleboxes compare them.

use std::sync::Arc;

use number_verify::Header;

use crate::flow::{Phone, Setting};
use crate::script::Chain;

/// The heads of all requests to the operator's side, without the request line and with secret
/// values left out.
async fn heads(operator_headers: &[(&str, &str)]) -> Vec<String> {
    let chain = Arc::new(Chain::new("S2"));
    let auth_url = chain.auth_url();
    let mut setting = Setting::new(chain.clone(), auth_url);
    setting.config.operator_headers =
        operator_headers.iter().map(|(name, value)| Header::new((*name).to_owned(), (*value).to_owned())).collect();
    let outcome = Phone::new(setting).verify().await;
    assert_eq!(outcome.result.as_ref().ok(), Some(&true), "{:?}", outcome.result);
    chain.requests().into_iter().map(|request| request.head.split_once("\r\n").unwrap().1.to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn header_names_have_usual_case_and_order() {
    let heads = heads(&[]).await;
    assert!(heads.len() > 3);
    for head in &heads {
        let names: Vec<_> = head.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name).collect();
        let usual = ["Host", "User-Agent", "Accept", "Accept-Encoding", "Cookie"];
        let expected: Vec<_> = usual.into_iter().filter(|name| names.contains(name)).collect();
        assert_eq!(names, expected, "{head}");
        assert!(
            head.contains("\r\nAccept: text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8\r\n"),
            "{head}"
        );
    }
    assert!(heads.iter().any(|head| !head.contains("Accept-Encoding")), "one hop is plain http");
    assert!(heads.iter().any(|head| head.contains("Cookie: ")), "one hop requires a cookie");
}

#[tokio::test(start_paused = true)]
async fn settings_replace_default_header_values() {
    let heads = heads(&[("accept", "application/json"), ("x-box", "1"), ("user-agent", "Mozilla/5.0")]).await;
    let first = &heads[0];
    for line in ["Accept: application/json\r\n", "User-Agent: Mozilla/5.0\r\n", "X-Box: 1\r\n"] {
        assert!(first.contains(line), "{first}");
    }
    assert!(!first.contains("text/html"), "{first}");
}
