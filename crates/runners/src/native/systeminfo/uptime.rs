//! How long the machine has been running.

use msp_core::RunError;
use serde_json::{Value, json};

use super::read;

const FILE: &str = "/proc/uptime";

/// `pretty` for people and the whole `seconds`.
pub(super) fn part() -> Result<Value, RunError> {
    let seconds = seconds(&read(FILE)?).ok_or_else(|| RunError::Failed(format!("{FILE} is no time")))?;
    Ok(json!({ "pretty": pretty(seconds), "seconds": seconds }))
}

/// The whole seconds of `/proc/uptime`.
fn seconds(text: &str) -> Option<u64> {
    text.split(['.', ' ']).next()?.parse().ok()
}

/// As `uptime -p` says it: weeks, days, hours and minutes.
fn pretty(seconds: u64) -> String {
    let minutes = seconds / 60;
    let units = [
        (minutes / (60 * 24 * 7), "week"),
        (minutes / (60 * 24) % 7, "day"),
        (minutes / 60 % 24, "hour"),
        (minutes % 60, "minute"),
    ];
    let said: Vec<_> = units
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    if said.is_empty() { "up less than a minute".to_owned() } else { format!("up {}", said.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_whole_and_all_of_them() {
        assert_eq!(seconds("840.78 823.56\n"), Some(840));
        assert_eq!(seconds("90061.00 1.00\n"), Some(90061));
        for odd in ["", "\n", "x", "-1.0 2", ".5", "99999999999999999999.0 1", "\u{fffd}"] {
            assert_eq!(seconds(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn pretty_leaves_out_what_is_zero() {
        assert_eq!(pretty(59), "up less than a minute");
        assert_eq!(pretty(60), "up 1 minute");
        assert_eq!(pretty(2 * 86400 + 3600 + 180 + 59), "up 2 days, 1 hour, 3 minutes");
        assert_eq!(pretty(7 * 86400), "up 1 week");
        assert_eq!(pretty(16 * 86400 + 7200), "up 2 weeks, 2 days, 2 hours");
        assert!(pretty(u64::MAX).starts_with("up 30500568904943 weeks, "));
    }
}
