//! Hostile hosts return all secrets that they know, wherever they can: none is reported or logged.

use std::sync::Arc;

use crate::captured;
use crate::flow::{ATTESTATION, Phone, Setting, TOKEN};
use crate::script::{Chain, Instead, STATE};
use crate::server::Reply;

const CANARY: &str = "c4n4ry-c0de";
const NUMBER: &str = "14155550100";

#[tokio::test(start_paused = true)]
#[rustfmt::skip] // one row, one line
async fn hostile_hosts_leak_no_secrets() {
    captured::start();
    let secrets = [CANARY, NUMBER, "555-0100", STATE, TOKEN, ATTESTATION, "4f1c9a7be0d24c55a9", "15550001111", "c4n4ry-cookie"].map(str::to_owned);
    let cookie = "Set-Cookie: sid=c4n4ry-cookie; Path=/";
    let redirect = |to: &str| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n{cookie}\r\nContent-Length: 0\r\n\r\n");
    let page = |status: u16, body: &str| format!("HTTP/1.1 {status} {CANARY}\r\n{cookie}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for (name, reply) in [
        ("code at redirect_uri", redirect(&format!("https://app.example.test/cb?code={CANARY}&state={STATE}"))),
        ("other state", redirect(&format!("https://app.example.test/cb?code={CANARY}&state={CANARY}"))),
        ("no state", redirect(&format!("https://app.example.test/cb?code={CANARY}"))),
        ("error code", redirect(&format!("https://app.example.test/cb?error={CANARY}&state={STATE}&x={CANARY}"))),
        ("error with the number", redirect(&format!("https://app.example.test/cb?error=no_{NUMBER}&state={STATE}"))),
        ("description", redirect(&format!("https://app.example.test/cb?error=access_denied&error_description={CANARY}+{NUMBER}&state={STATE}"))),
        ("userinfo", redirect(&format!("https://{CANARY}@operator-a.test/"))),
        ("custom scheme", redirect(&format!("evil://{CANARY}?code={CANARY}"))),
        ("forbidden address", redirect(&format!("https://127.0.0.1/?code={CANARY}"))),
        ("cleartext", redirect(&format!("http://operator-a.test/?code={CANARY}&state={CANARY}"))),
        ("unparsable", redirect(&format!("https://[{CANARY}"))),
        ("the state as a host", redirect(&format!("https://{STATE}.test/"))),
        ("the number as a host", redirect(&format!("https://n{NUMBER}.test/"))),
        ("the number as a host, in parts", redirect("https://1-415-555-0100.test/")),
        ("the number as a trace id", redirect("https://operator-a.test/").replace(cookie, &format!("X-Request-ID: id-{NUMBER}"))),
        ("the nonce as a host", redirect("https://x.4f1c9a7be0d24c55a9.test/")),
        ("the app's options as an error code", redirect(&format!("https://app.example.test/cb?error={TOKEN}_{ATTESTATION}&state={STATE}"))),
        ("the app's options as a description", redirect(&format!("https://app.example.test/cb?error=access_denied&error_description={TOKEN}+{ATTESTATION}&state={STATE}"))),
        ("the app's options as a host", redirect(&format!("https://{TOKEN}.{ATTESTATION}.test/"))),
        ("the app's options in a page", page(403, &format!("<title>{TOKEN} {ATTESTATION}</title>"))),
        ("page", page(200, &format!("<title>{NUMBER} {STATE} c4n4ry-cookie</title>{CANARY}"))),
        ("forbidden page", page(403, &format!("<title>{NUMBER} {STATE}</title>{CANARY}"))),
        ("code in JSON", page(200, &format!(r#"{{"code":"{CANARY}","state":"{STATE}"}}"#))),
        ("other state in JSON", page(200, &format!(r#"{{"code":"{CANARY}","state":"{CANARY}"}}"#))),
        ("error in JSON", page(400, &format!(r#"{{"error":"no_{NUMBER}","error_description":"{CANARY}"}}"#))),
        ("CAMARA error", page(403, &format!(r#"{{"status":403,"code":"no_{STATE}","message":"{CANARY} {NUMBER}"}}"#))),
        ("garbage", format!("{CANARY} {NUMBER}\r\n\r\n")),
        ("truncated", format!("HTTP/1.1 200 OK\r\nX: {CANARY}\r\n{cookie}\r\nContent-Length: 900\r\n\r\n{CANARY}")),
    ] {
        for (hop, retrieves) in [(1, false), (3, false), (1, true), (3, true)] {
            let mut chain = Chain::new("S1");
            chain.instead(hop, Instead::Always(Reply::SendAndClose(reply.clone().into())));
            let auth_url = chain.auth_url();
            let phone = Phone::new(Setting::new(Arc::new(chain), auth_url));
            let outcome = if retrieves { phone.retrieve().await } else { phone.verify().await };
            let name = format!("{name} at hop {hop}, retrieval: {retrieves}");
            let error = outcome.result.as_ref().err().map(|error| format!("{error:?} {error} {}", error.to_json()));
            let (json, table, text) = (outcome.trace.to_json(), outcome.trace.to_table(), outcome.trace.explain());
            let shown = format!("{error:?} {:?} {json} {table} {text}", outcome.trace);
            captured::assert_without(&shown, &secrets, &name);
        }
    }
    captured::assert_without(&captured::text(), &secrets, "the log");
}
