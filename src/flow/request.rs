//! One request of a walk, retried once after a short `Retry-After`.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use tokio::time::sleep;

use crate::authorization::Request;
use crate::hints::Steering;
use crate::limits;
use crate::network::{Family, Network};
use crate::retry_after::retry_after;
use crate::trace::{AddressFamily, TlsVersion};
use crate::transport::tls::Version;
use crate::transport::{Repeat, Response, Restrictions, Timings, Transport, TransportError};

/// Sends the request, and once more after a short `Retry-After`.
pub(super) async fn send<N: Network>(
    transport: &Transport<N>,
    request: &Request,
    restrictions: Restrictions,
    headers: HeaderMap,
    timings: &mut Timings,
) -> Result<Response, TransportError> {
    if request.spends_code {
        return transport.get(&request.url, restrictions, headers, Repeat::Never, timings).await;
    }
    let response = transport.get(&request.url, restrictions, headers.clone(), Repeat::Once, timings).await?;
    let Some(pause) = pause(&response) else { return Ok(response) };
    response.discard();
    sleep(pause).await;
    *timings = Timings::default();
    transport.get(&request.url, restrictions, headers, Repeat::Once, timings).await
}

pub(super) fn restrictions(steering: &Steering) -> Restrictions {
    Restrictions {
        family: steering.address_family.map(|family| match family {
            AddressFamily::Ipv4 => Family::V4,
            AddressFamily::Ipv6 => Family::V6,
        }),
        max_tls: steering.max_tls.map(|version| match version {
            TlsVersion::Tls12 => Version::Tls12,
            TlsVersion::Tls13 => Version::Tls13,
        }),
    }
}

/// RFC 9110, section 10.2.3, and RFC 6585, section 4.
fn pause(response: &Response) -> Option<Duration> {
    let is_busy = matches!(response.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
    let value = response.headers().get(header::RETRY_AFTER).filter(|_| is_busy)?;
    retry_after(value).filter(|pause| *pause <= limits::PAUSE)
}
