//! `server_time`: the time for machines.

use chrono::{DateTime, SecondsFormat, Utc};
use msp_core::clock::Clock;
use serde_json::{Value, json};

/// `unix` in whole seconds and the same moment in `iso`, UTC as of RFC 3339.
pub(super) fn run(_args: Option<Value>, clock: &dyn Clock) -> Value {
    let iso = DateTime::<Utc>::from(clock.now()).to_rfc3339_opts(SecondsFormat::Secs, true);
    json!({ "unix": clock.unix(), "iso": iso })
}

#[cfg(test)]
mod tests {
    use msp_core::clock::ManualClock;

    use super::*;

    #[test]
    fn both_members_are_the_same_moment() {
        let answer = run(None, &ManualClock::at(1_711_801_253));
        assert_eq!(answer, json!({ "unix": 1_711_801_253, "iso": "2024-03-30T12:20:53Z" }));
    }
}
