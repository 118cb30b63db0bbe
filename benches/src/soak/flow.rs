//! One verification of a random kind, and its invariants.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use fastrand::Rng;
use hyper::Request;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use url::Url;

use super::Pace;
use super::outages::Met;
use super::phones::{ANOTHER, Call, Phones, Reply, Violation};
use super::provider::{Books, Calls, is_of_sim, number, open};

const ONCE: Calls = Calls { exchanges: 1, verifications: 1 };
const NEVER: Calls = Calls { exchanges: 0, verifications: 0 };

pub struct World {
    pub phones: Phones,
    pub books: Arc<Mutex<Books>>,
    pub at_once: Arc<Semaphore>,
    pub seed: u64,
    pub pace: Pace,
}

pub async fn run(world: Arc<World>, index: u32, permit: OwnedSemaphorePermit) -> Result<(), Violation> {
    let rng = Rng::with_seed(world.seed ^ (u64::from(index) << 32));
    let mut flow = Flow { world: &world, index, rng, permit: Some(permit) };
    let kind = flow.rng.u16(..1000);
    let ended = match kind {
        0 if !world.pace.is_quick => flow.expired().await,
        0..150 => flow.followed_through().await,
        150..250 => flow.replayed().await,
        250..300 => flow.sent_twice().await,
        300..350 => flow.with_two_keys().await,
        350..400 => flow.aborted().await,
        400..450 => flow.with_another_session().await,
        _ => flow.relayed().await,
    };
    ended.map_err(|violation| {
        format!(
            "verification {index} of kind {kind}: {violation}; at the provider: {:?}",
            open(&world.books).calls(index)
        )
    })
}

struct Flow<'a> {
    world: &'a World,
    index: u32,
    rng: Rng,
    permit: Option<OwnedSemaphorePermit>,
}

struct Session {
    token: String,
    state: String,
    /// A lower bound of the time when it was created.
    since: Instant,
    /// The number of outages at that time.
    outages: usize,
}

impl Flow<'_> {
    async fn relayed(&mut self) -> Result<(), Violation> {
        let session = self.session().await?;
        let call = self.world.phones.call("/complete", &self.completion(&session));
        self.completed(&session, &call).await.map(drop)
    }

    /// Requests the callback's result several times; also if the callback's response was lost.
    async fn followed_through(&mut self) -> Result<(), Violation> {
        let session = self.session().await?;
        let path = format!("/callback?code=c{}&state={}", self.index, session.state);
        let request = Request::get(path).header("X-Number-Verify-Session", &session.token);
        let (first, met) = self.world.phones.attempt(request, String::new()).await?;
        let first = first.filter(|first| first.status != 503);
        if let Some(first) = &first {
            self.check_result(first, met, &session)?;
        }
        let is_lost = first.is_none();
        let is_unchanged = |reply: &Reply| first.as_ref().is_none_or(|first| first.body == reply.body);
        for _ in 0..2 {
            let call = self.world.phones.call("/complete", &json!({ "session": session.token }));
            let reply = call.send().await?;
            let met = met.and(call.met());
            match reply {
                None if self.world.pace.is_quick => {}
                Some(reply) if is_unchanged(&reply) && !reply.is(409, ANOTHER) => {
                    self.check_result(&reply, met, &session)?;
                }
                Some(reply) if reply.is(409, ANOTHER) && (is_lost || met.redis) => {
                    self.count("results of an interrupted callback: none");
                }
                reply => return Err(format!("{first:?}, then {reply:?}, {met:?}")),
            }
        }
        Ok(())
    }

    async fn replayed(&mut self) -> Result<(), Violation> {
        let session = self.session().await?;
        let body = self.completion(&session);
        let call = self.world.phones.call("/complete", &body);
        let Some(first) = self.completed(&session, &call).await? else { return Ok(()) };
        self.pause().await?;
        self.check_rejected(&body, 409).await?;
        self.abort(&session).await?;
        // Its result was stored before it was returned, unless Redis was unavailable.
        let again = call.send().await?;
        if again.as_ref() != Some(&first) && !call.met().redis {
            return Err(format!("the same call has another response: {first:?}, {again:?}"));
        }
        if first.status == 200 {
            self.check_calls(ONCE)?;
        }
        self.count("completed calls repeated: the same response, and rejected with another key");
        Ok(())
    }

    async fn sent_twice(&mut self) -> Result<(), Violation> {
        let session = self.session().await?;
        let call = self.world.phones.call("/complete", &self.completion(&session));
        let (one, other) = tokio::join!(self.completed(&session, &call), self.completed(&session, &call));
        let (one, other) = (one?, other?);
        if one != other && !call.met().may_lose() && !call.met().provider {
            return Err(format!("the same call, twice concurrently: {one:?}, {other:?}"));
        }
        self.count("calls sent twice concurrently");
        Ok(())
    }

    async fn with_two_keys(&mut self) -> Result<(), Violation> {
        let session = self.session().await?;
        let body = self.completion(&session);
        let calls = [self.world.phones.call("/complete", &body), self.world.phones.call("/complete", &body)];
        let (one, other) = tokio::join!(calls[0].send(), calls[1].send());
        let met = calls[0].met().and(calls[1].met());
        let (replies, mut results) = ([one?, other?], 0);
        for reply in replies.iter().flatten().filter(|reply| !reply.is(409, ANOTHER)) {
            self.check_result(reply, met, &session)?;
            results += 1;
        }
        if results > 1 || (results == 0 && !met.may_lose()) {
            return Err(format!("two concurrent keys: {replies:?}"));
        }
        self.count("sessions completed with two concurrent keys: one result");
        Ok(())
    }

    async fn aborted(&mut self) -> Result<(), Violation> {
        let session = self.session().await?;
        if !self.abort(&session).await? || !self.abort(&session).await? {
            return Ok(());
        }
        self.check_rejected(&self.completion(&session), 409).await?;
        self.check_calls(NEVER)?;
        self.count("aborted: never completed");
        Ok(())
    }

    /// Does not use up the actual session.
    async fn with_another_session(&mut self) -> Result<(), Violation> {
        let (session, other) = (self.session().await?, self.session().await?);
        let mixed = json!({ "code": self.code(), "state": other.state, "session": session.token });
        self.check_rejected(&mixed, 403).await?;
        let forged = format!("{}AAAA{}", &session.token[..40], &session.token[44..]);
        let state = &session.state;
        self.check_rejected(&json!({ "code": self.code(), "state": state, "session": forged }), 401).await?;
        self.check_calls(NEVER)?;
        let call = self.world.phones.call("/complete", &self.completion(&session));
        self.completed(&session, &call).await?;
        self.count("sessions with another state, or a forged token: rejected");
        Ok(())
    }

    async fn expired(&mut self) -> Result<(), Violation> {
        let session = self.session().await?;
        self.rest(self.world.pace.lifetime + Duration::from_secs(2)).await?;
        self.check_rejected(&self.completion(&session), 409).await?;
        self.check_calls(NEVER)?;
        self.count("expired: never completed");
        Ok(())
    }

    /// A confirmed start, sometimes followed by a pause.
    async fn session(&mut self) -> Result<Session, Violation> {
        let phones = &self.world.phones;
        let (body, outages) = (json!({ "phoneNumber": number(self.index) }), phones.outages.total());
        loop {
            let (call, since) = (phones.call("/start", &body), Instant::now());
            match call.send().await? {
                Some(reply) if reply.status == 200 => {
                    let session = read(&reply.body, since, outages).map_err(|error| format!("{error:#}: {reply:?}"))?;
                    self.count("starts confirmed");
                    if self.rng.u8(..50) == 0 && call.send().await? != Some(reply) && !call.met().redis {
                        return Err("the same start has another response".to_owned());
                    }
                    self.pause().await?;
                    return Ok(session);
                }
                Some(reply) if matches!(reply.status, 502 | 504) && call.met().provider => {
                    self.count("starts rejected by a new replica without the provider");
                }
                None if self.world.pace.is_quick && call.met().may_lose() => self.count("starts begun again"),
                reply => return Err(format!("start: {reply:?}, {:?}", call.met())),
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    fn code(&self) -> String {
        format!("c{}", self.index)
    }

    fn completion(&self, session: &Session) -> Value {
        json!({ "code": self.code(), "state": session.state, "session": session.token })
    }

    /// The result; or `None`, for which only an outage can be the reason.
    async fn completed(&self, session: &Session, call: &Call<'_>) -> Result<Option<Reply>, Violation> {
        let reply = call.send().await?;
        let met = call.met();
        match reply {
            None if self.world.pace.is_quick && met.may_lose() => self.count("completions without a final response"),
            Some(reply) if reply.is(409, ANOTHER) => {
                let is_old = session.since.elapsed() + Duration::from_secs(2) > self.world.pace.lifetime;
                if !met.may_lose() && !is_old {
                    return Err(format!("a confirmed session is lost: {reply:?}, {met:?}"));
                }
                self.count(if met.is_killed() {
                    "completions lost: replica killed"
                } else {
                    "completions lost: Redis unavailable"
                });
            }
            Some(reply) => {
                self.check_result(&reply, met, session)?;
                return Ok(Some(reply));
            }
            None => return Err(format!("no final response: {met:?}")),
        }
        Ok(None)
    }

    /// Requires the right result, or an error because the provider was unavailable. A refusal is a
    /// violation.
    fn check_result(&self, reply: &Reply, met: Met, session: &Session) -> Result<(), Violation> {
        let is_right = is_of_sim(self.index);
        match reply.status {
            200 if serde_json::from_slice::<Value>(&reply.body)
                .is_ok_and(|it| it == json!({ "verified": is_right })) =>
            {
                self.count(if is_right { "verified" } else { "not verified" });
                if self.world.phones.outages.total() > session.outages {
                    self.count("results after a restart since the start");
                }
                self.check_calls(ONCE)
            }
            502 | 504 if met.provider => {
                self.count("results without the provider (502)");
                Ok(())
            }
            _ => Err(format!("{reply:?}, {met:?}")),
        }
    }

    async fn check_rejected(&self, completion: &Value, status: u16) -> Result<(), Violation> {
        let reply = self.world.phones.call("/complete", completion).send().await?;
        let is_rejected = reply.as_ref().is_some_and(|reply| reply.is(status, ANOTHER));
        let is_unknown = reply.is_none() && self.world.pace.is_quick;
        if is_rejected || is_unknown { Ok(()) } else { Err(format!("not rejected: {reply:?}")) }
    }

    /// Returns false if the outcome is unknown.
    async fn abort(&self, session: &Session) -> Result<bool, Violation> {
        let call = self.world.phones.call("/abort", &json!({ "session": session.token, "reason": "cancelled" }));
        match call.send().await? {
            Some(reply) if reply.status == 204 => Ok(true),
            None if self.world.pace.is_quick => Ok(false),
            reply => Err(format!("not aborted: {reply:?}")),
        }
    }

    fn check_calls(&self, expected: Calls) -> Result<(), Violation> {
        let calls = open(&self.world.books).calls(self.index);
        if calls == expected { Ok(()) } else { Err(format!("{expected:?} expected")) }
    }

    /// Keeps sessions open during outages. Other verifications run meanwhile.
    async fn pause(&mut self) -> Result<(), Violation> {
        if self.rng.u8(..10) > 0 {
            return Ok(());
        }
        let share = self.rng.f64();
        self.rest(self.world.pace.longest_pause.mul_f64(share)).await
    }

    async fn rest(&mut self, how_long: Duration) -> Result<(), Violation> {
        self.permit = None;
        sleep(how_long).await;
        self.permit = Some(self.world.at_once.clone().acquire_owned().await.map_err(|error| error.to_string())?);
        Ok(())
    }

    fn count(&self, what: &'static str) {
        self.world.phones.tally.add(what);
    }
}

fn read(body: &Bytes, since: Instant, outages: usize) -> Result<Session> {
    let body: Value = serde_json::from_slice(body)?;
    let text = |name: &str| body[name].as_str().with_context(|| format!("no {name}"));
    let auth_url = Url::parse(text("authUrl")?)?;
    let state = auth_url.query_pairs().find(|(name, _)| name == "state").context("no state")?.1.into_owned();
    Ok(Session { token: text("session")?.to_owned(), state, since, outages })
}
