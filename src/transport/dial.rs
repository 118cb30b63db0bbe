//! Opens a TCP connection to a host: Happy Eyeballs (RFC 8305) over the given network, and NAT64
//! (RFC 7050) for IPv4 literals on networks without IPv4.
//!
//! Addresses that a flow must not connect to are skipped, whatever DNS returns.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::{Instant, sleep_until};
use url::Host;

use super::destination::Destination;
use super::error::TransportError;
use super::meter::{Stopwatch, Timings};
use crate::limits;
use crate::network::address::{AllowedHosts, is_forbidden};
use crate::network::{Family, Network, NetworkError};

/// The connection, and the family of its address.
pub(super) async fn dial<N: Network>(
    network: &N,
    destination: &Destination,
    allowed: &AllowedHosts,
    timings: &mut Timings,
) -> Result<(N::Stream, Family), TransportError> {
    let Destination { host, port, restrictions, .. } = destination;
    match host {
        Host::Domain(name) => dial_name(network, name, *port, restrictions.family, allowed, timings).await,
        Host::Ipv4(ip) => dial_literal(network, IpAddr::V4(*ip), *port, allowed, timings).await,
        Host::Ipv6(ip) => dial_literal(network, IpAddr::V6(*ip), *port, allowed, timings).await,
    }
}

async fn dial_literal<N: Network>(
    network: &N,
    ip: IpAddr,
    port: u16,
    allowed: &AllowedHosts,
    timings: &mut Timings,
) -> Result<(N::Stream, Family), TransportError> {
    if is_forbidden(ip) && !allowed.contains(&ip.to_string(), port) {
        return Err(TransportError::ForbiddenAddress);
    }
    let _connecting = Stopwatch::start(&mut timings.connect);
    Ok(connect(network, ip, port, Nat64::IfUnreachable).await?)
}

/// Whether an IPv4 address may be reached through the network's NAT64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nat64 {
    IfUnreachable,
    /// The network's DNS servers synthesize IPv6 addresses (DNS64, RFC 6147).
    Never,
}

async fn connect<N: Network>(
    network: &N,
    ip: IpAddr,
    port: u16,
    translation: Nat64,
) -> Result<(N::Stream, Family), NetworkError> {
    let family = if ip.is_ipv6() { Family::V6 } else { Family::V4 };
    let outcome = network.connect(SocketAddr::new(ip, port)).await;
    if let (Err(NetworkError::Unreachable), IpAddr::V4(ip), Nat64::IfUnreachable) = (&outcome, ip, translation)
        && let Some(embedded) = nat64(network, ip).await
    {
        return Ok((network.connect(SocketAddr::new(IpAddr::V6(embedded), port)).await?, Family::V6));
    }
    Ok((outcome?, family))
}

/// One lookup per family, or for the only requested one, and attempts that start one after another
/// while lookups and earlier attempts continue.
async fn dial_name<N: Network>(
    network: &N,
    name: &str,
    port: u16,
    only: Option<Family>,
    allowed: &AllowedHosts,
    timings: &mut Timings,
) -> Result<(N::Stream, Family), TransportError> {
    let translation = if only.is_some() { Nat64::IfUnreachable } else { Nat64::Never };
    let mut lookups: FuturesUnordered<_> = [Family::V4, Family::V6]
        .into_iter()
        .filter(|family| only.is_none_or(|only| only == *family))
        .map(async |family| (family, network.resolve(name, port, family).await))
        .collect();
    let other =
        |lookups: &FuturesUnordered<_>| if lookups.is_empty() { OtherFamily::Done } else { OtherFamily::Pending };
    let usable = |ip: &IpAddr| allowed.contains(name, port) || !is_forbidden(*ip);
    let mut race = Race::new();
    // A lookup that is complete immediately takes no time.
    while let Some(Some((family, resolved))) = lookups.next().now_or_never() {
        race.on_lookup(family, resolved, usable, other(&lookups));
    }
    let Timings { dns, connect: connecting, .. } = timings;
    let mut connecting = Some(connecting);
    let mut stopwatch = (!lookups.is_empty()).then(|| Stopwatch::start(dns));
    let mut attempts = FuturesUnordered::new();
    loop {
        if let Some(ip) = race.next() {
            if let Some(connecting) = connecting.take() {
                drop(stopwatch.take());
                stopwatch = Some(Stopwatch::start(connecting));
            }
            attempts.push(connect(network, ip, port, translation));
        }
        tokio::select! {
            biased;
            Some(outcome) = attempts.next() => match outcome {
                Ok(connected) => {
                    drop(stopwatch);
                    return Ok(connected);
                }
                Err(error) => race.on_failure(error),
            },
            Some((family, resolved)) = lookups.next() => race.on_lookup(family, resolved, usable, other(&lookups)),
            () = sleep_until(race.next_attempt), if !race.waiting.is_empty() => {}
            else => {
                drop(stopwatch);
                return Err(race.failure);
            }
        }
    }
}

/// The lookup of the other family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OtherFamily {
    Pending,
    Done,
}

/// The order and timing of connection attempts.
struct Race {
    waiting: Waiting,
    has_begun: bool,
    next_attempt: Instant,
    /// The error if no attempt succeeds.
    failure: TransportError,
}

impl Race {
    fn new() -> Self {
        let waiting = Waiting::default();
        Self { waiting, has_begun: false, next_attempt: Instant::now(), failure: TransportError::Dns }
    }

    fn on_lookup(
        &mut self,
        family: Family,
        resolved: Result<Vec<IpAddr>, NetworkError>,
        usable: impl FnMut(&IpAddr) -> bool,
        other: OtherFamily,
    ) {
        match resolved {
            Ok(addresses) => {
                let found = !addresses.is_empty();
                self.waiting.add(family, addresses.into_iter().filter(usable).take(limits::ADDRESSES));
                if found && self.waiting.is_empty() && !self.has_begun {
                    self.failure = TransportError::ForbiddenAddress;
                }
            }
            Err(NetworkError::Failed | NetworkError::Unreachable | NetworkError::Denied) => {}
        }
        if !self.has_begun {
            let waits_for_v6 = family == Family::V4 && other == OtherFamily::Pending;
            self.next_attempt = Instant::now() + if waits_for_v6 { limits::RESOLUTION_DELAY } else { Duration::ZERO };
        }
    }

    fn on_failure(&mut self, error: NetworkError) {
        self.failure = TransportError::from(error);
        self.next_attempt = Instant::now();
    }

    /// The address to try now, if an attempt is due.
    fn next(&mut self) -> Option<IpAddr> {
        let now = Instant::now();
        let ip = if now >= self.next_attempt { self.waiting.next() } else { None }?;
        self.has_begun = true;
        self.next_attempt = now + limits::ATTEMPT_DELAY;
        Some(ip)
    }
}

/// Addresses not tried yet; the families alternate, IPv6 first (RFC 8305, section 4).
#[derive(Default)]
struct Waiting {
    v6: VecDeque<IpAddr>,
    v4: VecDeque<IpAddr>,
    v4_is_next: bool,
}

impl Waiting {
    fn add(&mut self, family: Family, addresses: impl Iterator<Item = IpAddr>) {
        match family {
            Family::V6 => self.v6.extend(addresses),
            Family::V4 => self.v4.extend(addresses),
        }
    }

    fn is_empty(&self) -> bool {
        self.v6.is_empty() && self.v4.is_empty()
    }

    fn next(&mut self) -> Option<IpAddr> {
        let (preferred, other) =
            if self.v4_is_next { (&mut self.v4, &mut self.v6) } else { (&mut self.v6, &mut self.v4) };
        let address = preferred.pop_front().or_else(|| other.pop_front())?;
        self.v4_is_next = address.is_ipv6();
        Some(address)
    }
}

/// The IPv6 address of an IPv4 host through this network's NAT64, if it has one (RFC 7050, section
/// 3).
async fn nat64<N: Network>(network: &N, ip: Ipv4Addr) -> Option<Ipv6Addr> {
    let addresses = network.resolve("ipv4only.arpa", 0, Family::V6).await.ok()?;
    addresses.into_iter().find_map(|address| match address {
        IpAddr::V6(known) => translated(known, ip),
        IpAddr::V4(_) => None,
    })
}

/// The prefix comes from a DNS server, so it can turn an allowed address into a forbidden one.
fn translated(known: Ipv6Addr, ip: Ipv4Addr) -> Option<Ipv6Addr> {
    embed(known, ip).filter(|ip| !is_forbidden(IpAddr::V6(*ip)))
}

/// Replaces 192.0.0.170 or 192.0.0.171 in a translated address by another IPv4 address, with the
/// prefix lengths of RFC 6052, section 2.2.
fn embed(known: Ipv6Addr, ip: Ipv4Addr) -> Option<Ipv6Addr> {
    const PLACES: [[usize; 4]; 6] =
        [[12, 13, 14, 15], [9, 10, 11, 12], [7, 9, 10, 11], [6, 7, 9, 10], [5, 6, 7, 9], [4, 5, 6, 7]];
    let mut octets = known.octets();
    let place = PLACES
        .iter()
        .find(|place| matches!(place.map(|i| octets.get(i).copied().unwrap_or_default()), [192, 0, 0, 170 | 171]))?;
    for (i, octet) in place.iter().zip(ip.octets()) {
        *octets.get_mut(*i)? = octet;
    }
    Some(octets.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_address_is_embedded_for_each_nat64_prefix_length() {
        let ip = Ipv4Addr::new(198, 51, 100, 7);
        for (known, expected) in [
            ("64:ff9b::192.0.0.170", Some("64:ff9b::198.51.100.7")),
            ("64:ff9b::192.0.0.171", Some("64:ff9b::198.51.100.7")),
            ("2001:db8:c000:aa::", Some("2001:db8:c633:6407::")),
            ("2001:db8:100:c000:00:aa00::", Some("2001:db8:100:c633:64:700::")),
            ("2001:db8::1", None),
        ] {
            assert_eq!(embed(known.parse().unwrap(), ip), expected.map(|text| text.parse().unwrap()), "{known}");
        }
    }

    #[test]
    fn nat64_prefix_that_leads_to_a_forbidden_address_is_ignored() {
        let ip = Ipv4Addr::new(198, 51, 100, 7);
        for (known, expected) in [
            ("64:ff9b::192.0.0.170", Some("64:ff9b::198.51.100.7")),
            ("fe80::192.0.0.170", None),
            ("ff02::192.0.0.170", None),
            ("fec0::192.0.0.170", None),
            ("2002:7f00:1::192.0.0.170", None),
        ] {
            assert_eq!(translated(known.parse().unwrap(), ip), expected.map(|text| text.parse().unwrap()), "{known}");
        }
        assert_eq!(translated("64:ff9b::192.0.0.170".parse().unwrap(), Ipv4Addr::LOCALHOST), None);
    }

    #[test]
    fn address_families_alternate() {
        let mut waiting = Waiting::default();
        let (v4, v6): (IpAddr, IpAddr) = (Ipv4Addr::new(192, 0, 2, 1).into(), Ipv6Addr::LOCALHOST.into());
        waiting.add(Family::V4, [v4, v4].into_iter());
        waiting.add(Family::V6, [v6, v6].into_iter());
        let order: Vec<_> = std::iter::from_fn(|| waiting.next()).collect();
        assert_eq!(order, [v6, v4, v6, v4]);
    }
}
