//! The behaviour of apps when a verification ends with `retry_later`.

use std::time::Duration;

use crate::simulation::Millis;

/// When an app retries a verification.
#[derive(Debug, Clone, Copy)]
pub struct App {
    /// Or after the backend's `Retry-After`, if that is longer.
    pub at_least: Millis,
    /// Upper bound of the random delay that is added.
    pub spread: Millis,
    /// The number of retries before the app uses another channel.
    pub times: u8,
}

/// As docs/errors.md advises; users are assumed not to give up earlier.
pub const ADVISED: App = App { at_least: 30_000, spread: 90_000, times: 2 };

/// Retries of an app that does not follow the advice.
pub const EAGER: App = App { at_least: 5_000, spread: 0, times: 5 };

impl App {
    pub fn wait(self, retry_after: Option<Duration>, random: u16) -> Millis {
        let retry_after = retry_after.map_or(0, |wait| Millis::try_from(wait.as_millis()).unwrap_or(Millis::MAX));
        let jitter = (u64::from(self.spread) * u64::from(random)) >> 16;
        self.at_least.max(retry_after) + Millis::try_from(jitter).expect("less than `spread`")
    }
}

#[test]
fn advice_matches_the_documentation() {
    let page = include_str!("../../docs/errors.md");
    let App { at_least, spread, times } = ADVISED;
    assert_eq!(times, 2, "at most twice");
    for words in [
        format!("after {} s, or after `retry_after_s` if that is longer", at_least / 1000),
        format!("random time of up to {} s", spread / 1000),
        "at most twice".to_owned(),
    ] {
        assert!(page.contains(&words), "{words}");
    }
}
