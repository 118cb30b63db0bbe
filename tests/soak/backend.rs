//! The app's backend. It accepts only the code and state of the same verification.

use std::sync::Arc;

use async_trait::async_trait;
use number_verify::{AuthorizationStart, Backend, BackendError, CompletionRequest, StartRequest};
use tokio::time::sleep;

use crate::faults::{Call, FAULTS, Fault};
use crate::hosts;
use crate::ledger::Ledger;
use crate::network::ROUND_TRIP;

pub struct AppBackend {
    pub ledger: Arc<Ledger>,
}

async fn response<'a>(call: Option<&'a Call>, usual: &'a str) -> Result<&'a str, BackendError> {
    sleep(ROUND_TRIP).await;
    match call {
        None => Ok(usual),
        Some(Call::Fails(error)) => Err(error.clone()),
        Some(Call::Hangs) => std::future::pending().await,
        Some(Call::Returns(response)) => Ok(response),
    }
}

#[async_trait]
impl Backend for AppBackend {
    async fn start(&self, request: Arc<StartRequest>) -> Result<Arc<AuthorizationStart>, BackendError> {
        let planned = hosts::named(&request.correlator()).ok_or(BackendError::Failed)?;
        let fault = planned.fault.and_then(|fault| match &FAULTS[fault].1 {
            Fault::Start(call) => Some(call),
            _ => None,
        });
        let auth_url = response(fault, &hosts::auth_url(&planned)).await?.to_owned();
        let redirect_uri = Some("https://app.example.test/cb".to_owned());
        let (session, state) = (Some(format!("se55ion-{}", planned.id)), Some(hosts::state(planned.id)));
        Ok(AuthorizationStart::new(auth_url, redirect_uri, session, state, Vec::new()))
    }

    async fn complete(&self, request: Arc<CompletionRequest>) -> Result<String, BackendError> {
        let planned = hosts::named(&request.correlator()).ok_or(BackendError::Failed)?;
        let id = planned.id;
        let expected = (Some(hosts::code(id)), Some(hosts::state(id)), Some(format!("se55ion-{id}")));
        if (request.code(), request.state(), request.session()) != expected {
            self.ledger.broke(format!("{planned:?} completes with values of another verification"));
        }
        let fault = planned.fault.and_then(|fault| match &FAULTS[fault].1 {
            Fault::Complete(call) => Some(call),
            _ => None,
        });
        response(fault, r#"{"verified":true}"#).await.map(str::to_owned)
    }
}
