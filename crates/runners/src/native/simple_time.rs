//! `simple_time`: the time for people, as the demo function `time_test` tells it.

use chrono::{DateTime, Datelike as _, Local, TimeZone, Timelike as _};
use msp_core::clock::Clock;
use serde_json::Value;

/// The local time in a sentence of two lines.
pub(super) fn run(_args: Option<Value>, clock: &dyn Clock) -> Value {
    Value::String(sentence(&DateTime::<Local>::from(clock.now())))
}

/// C's `ctime` in the C locale: English names, the day of the month padded with a space.
fn sentence<Z: TimeZone>(time: &DateTime<Z>) -> String {
    let month = MONTHS.get(time.month0() as usize).copied().unwrap_or_default();
    let (day, year) = (time.day(), time.year());
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    // chrono's `%a %b %e %H:%M:%S %Y` reads its pattern anew each time and takes twice as long.
    format!(
        "It is currently: \n\t{} {month} {day:2} {hour:02}:{minute:02}:{second:02} {year}",
        time.weekday()
    )
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;

    #[test]
    fn share_point_14_the_native_time_has_the_documented_shape() {
        let at = |unix| sentence(&Utc.timestamp_opt(unix, 0).unwrap());
        assert_eq!(at(1_711_804_853), "It is currently: \n\tSat Mar 30 13:20:53 2024");
        assert_eq!(at(1_709_254_800), "It is currently: \n\tFri Mar  1 01:00:00 2024");
    }
}
