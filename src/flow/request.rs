//! One request of a walk, and its repetition after a short `Retry-After`.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use tokio::time::sleep;

use crate::authorization::Request;
use crate::limits;
use crate::network::Network;
use crate::retry_after::retry_after;
use crate::transport::{Repeat, Response, Timings, Transport, TransportError};

/// Sends the request, and once more after a short `Retry-After`.
pub(super) async fn send<N: Network>(
    transport: &Transport<N>,
    request: &Request,
    headers: HeaderMap,
    timings: &mut Timings,
) -> Result<Response, TransportError> {
    if request.spends_code {
        return transport.get(&request.url, headers, Repeat::Never, timings).await;
    }
    let response = transport.get(&request.url, headers.clone(), Repeat::Once, timings).await?;
    let Some(pause) = pause(&response) else { return Ok(response) };
    response.discard();
    sleep(pause).await;
    *timings = Timings::default();
    transport.get(&request.url, headers, Repeat::Once, timings).await
}

/// RFC 9110, section 10.2.3, and RFC 6585, section 4.
fn pause(response: &Response) -> Option<Duration> {
    let is_busy = matches!(response.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    let value = response.headers().get(header::RETRY_AFTER).filter(|_| is_busy)?;
    retry_after(value).filter(|pause| *pause <= limits::PAUSE)
}
