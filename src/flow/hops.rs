//! The requests over the cellular network, from the auth URL to the completion.

use super::ahead::Ahead;
use super::errors::{is_lost_response, transport_error, unreadable, walk_error};
use super::headers::{self, Origin};
use super::request;
use super::trace_ids;
use crate::authorization::{Completion, Head, Next, Request, Walk};
use crate::cellular::{Acquired, Lease};
use crate::error::VerifyError;
use crate::hints::{Hints, Steering};
use crate::network::{Network, Unusable};
use crate::recorder::Recorder;
use crate::secret::Redactor;
use crate::settings::Settings;
use crate::transport::{Destination, TransportError};

/// What all requests of one flow share.
pub(super) struct Hops<'a> {
    pub(super) settings: &'a Settings,
    pub(super) record: &'a Recorder,
    pub(super) redactor: &'a Redactor,
    pub(super) hints: Hints,
    pub(super) ahead: &'a Ahead<'a>,
}

impl Hops<'_> {
    /// Follows the redirect chain to its end.
    pub(super) async fn follow<N: Network>(
        &self,
        mut walk: Walk,
        mut request: Request,
        acquired: &Acquired<N>,
        lease: &Lease<N>,
    ) -> Result<Completion, VerifyError> {
        let Acquired { transport, .. } = acquired;
        let first = request.url.origin();
        loop {
            let host = self.redactor.redact_host(request.url.host_str().unwrap_or_default());
            let mut hop = self.record.hop_began(request.url.scheme(), host);
            let origin = if request.url.origin() == first { Origin::First } else { Origin::Other };
            let steering = self.steering(&request);
            let headers = headers::of(&request, origin, &steering, self.settings);
            let restrictions = request::restrictions(&steering);
            if let Some(destination) = Destination::of(&request.url, restrictions) {
                self.ahead.uses(&destination);
                self.record.opened_ahead(&self.ahead.open(acquired, Some(&destination)), self.redactor);
            }
            let sending = request::send(transport, &request, restrictions, headers, &mut hop.timings);
            // If the network is lost now, the callback's response cannot arrive, but the backend
            // may have the result.
            let sent = if walk.is_at_redirect_uri() {
                tokio::select! {
                    biased;
                    sent = sending => sent,
                    _ = lease.lost() => Err(TransportError::Unavailable(Unusable::InterfaceDown)),
                }
            } else {
                sending.await
            };
            let response = match sent {
                Err(error) if walk.is_at_redirect_uri() && is_lost_response(&error, &hop) => {
                    // The backend may have the result, so it is requested.
                    return Ok(Completion::Ended);
                }
                response => response.map_err(|error| transport_error(error, &hop))?,
            };
            let status = response.status().as_u16();
            hop.status = Some(status);
            let next = walk.on_head(&Head { status, headers: response.headers() });
            hop.trace_ids = trace_ids::of(response.headers(), self.redactor);
            hop.report_response();
            let completion = match next {
                Next::Follow(next) => {
                    response.discard();
                    request = next;
                    continue;
                }
                Next::Done(completion) => {
                    response.discard();
                    Ok(completion)
                }
                Next::Fail(failure) => Err(failure),
                Next::ReadBody(body) => {
                    let completion = match transport.read(response).await {
                        Ok(bytes) => body.read(&bytes),
                        Err(error) => unreadable(&error)
                            .and_then(|why| body.unreadable(why))
                            .ok_or_else(|| transport_error(error, &hop))?,
                    };
                    hop.page_title = walk.title().map(str::to_owned);
                    completion
                }
            };
            if completion.is_ok() && self.settings.open_ahead {
                self.ahead.remember(&acquired.id, self.redactor);
            }
            return completion.map_err(|failure| walk_error(failure, &hop));
        }
    }

    /// Hints do not apply to the origin of the backend.
    fn steering(&self, request: &Request) -> Steering {
        if request.url.origin() == self.settings.start_url.origin() {
            return Steering::default();
        }
        self.hints.for_host(request.url.host_str().unwrap_or_default())
    }
}
