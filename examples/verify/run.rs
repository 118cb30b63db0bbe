//! Runs the flows one after another; Ctrl-C cancels them.

use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use number_verify::{
    Config, NetworkBinding, NumberVerifier, ProgressListener, RetrievalFlow, Setting, Trace, TraceOutcome,
    VerificationFlow, VerifyError,
};
use tokio::time::timeout;

use crate::flags::Arguments;
use crate::phone::{FixedNetwork, ProgressPrinter};
use crate::report::{Outcome, SUCCEEDED, report};
use crate::usage;

/// Timeout for background work after a flow. Ctrl-C ends the program within a second.
const BACKGROUND: Duration = Duration::from_millis(800);

pub async fn run(arguments: &Arguments, config: Config) -> ExitCode {
    let mut interrupted = pin!(tokio::signal::ctrl_c());
    // Installs the signal handler.
    let _ = (&mut interrupted).now_or_never();
    let binding = match &arguments.interface {
        Some(name) => NetworkBinding::LinuxInterface { name: name.clone() },
        None => NetworkBinding::Unbound,
    };
    let verifier = match NumberVerifier::new(config, Arc::new(FixedNetwork(binding)), None) {
        Ok(verifier) => verifier,
        Err(error) if is_bad_flag(&error, arguments) => return usage(&error.to_string()),
        Err(error) => return ExitCode::from(before_any_flow(arguments, error)),
    };
    if arguments.prepare {
        let prepared = tokio::select! {
            prepared = verifier.prepare() => prepared,
            _ = &mut interrupted => {
                return ExitCode::from(before_any_flow(arguments, VerifyError::Cancelled));
            }
        };
        if let Err(error) = prepared {
            eprintln!("prepare: {error}");
        }
    }
    let ended = verifier.ended();
    let status = flows(arguments, verifier, interrupted).await;
    let _ = timeout(BACKGROUND, ended).await; // For the release of the network and the abort.
    status
}

async fn flows(
    arguments: &Arguments,
    verifier: Arc<NumberVerifier>,
    mut interrupted: Pin<&mut impl Future<Output = std::io::Result<()>>>,
) -> ExitCode {
    let mut worst = SUCCEEDED;
    for _ in 0..arguments.repeat {
        let flow = Flow::begin(&verifier, arguments);
        let result = tokio::select! {
            result = flow.result() => result,
            _ = &mut interrupted => {
                flow.cancel();
                flow.result().await
            }
        };
        if let Err(error @ VerifyError::InvalidConfig { setting: Setting::StartFields | Setting::Correlator }) = &result
        {
            return usage(&error.to_string());
        }
        let cancelled = matches!(result, Err(VerifyError::Cancelled));
        let status = report(arguments.json, result, &flow.trace());
        worst = worst.max(status);
        if cancelled {
            break;
        }
    }
    ExitCode::from(worst)
}

/// Reports an error with the trace that a flow would have.
fn before_any_flow(arguments: &Arguments, error: VerifyError) -> u8 {
    let outcome = Some(TraceOutcome::Failed);
    let trace = Trace { outcome, error: serde_json::from_str(&error.to_json()).ok(), ..Trace::default() };
    report(arguments.json, Err(error), &trace)
}

enum Flow {
    Verification(Arc<VerificationFlow>),
    Retrieval(Arc<RetrievalFlow>),
}

impl Flow {
    fn begin(verifier: &NumberVerifier, arguments: &Arguments) -> Self {
        let (options, progress) = (arguments.options(), Some(Arc::new(ProgressPrinter) as Arc<dyn ProgressListener>));
        if arguments.retrieve {
            Self::Retrieval(verifier.begin_retrieval(options, progress))
        } else {
            Self::Verification(verifier.begin_with(arguments.phone.clone(), options, progress))
        }
    }

    async fn result(&self) -> Result<Outcome, VerifyError> {
        Ok(match self {
            Self::Verification(flow) => Outcome::Verified(flow.result().await?.verified()),
            Self::Retrieval(flow) => Outcome::Number(flow.result().await?.phone_number()),
        })
    }

    fn cancel(&self) {
        match self {
            Self::Verification(flow) => flow.cancel(),
            Self::Retrieval(flow) => flow.cancel(),
        }
    }

    fn trace(&self) -> Trace {
        match self {
            Self::Verification(flow) => flow.trace(),
            Self::Retrieval(flow) => flow.trace(),
        }
    }
}

/// A platform without any trusted root is not the caller's mistake.
fn is_bad_flag(error: &VerifyError, arguments: &Arguments) -> bool {
    match error {
        VerifyError::InvalidConfig { setting } => {
            *setting != Setting::RootCertificates || !arguments.root_ca.is_empty()
        }
        _ => false,
    }
}
