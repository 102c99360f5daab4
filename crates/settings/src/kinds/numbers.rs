//! Kinds of numbers: counts, times, sizes, shares.

use std::fmt::Display;
use std::time::Duration;

use super::Kind;

/// A whole number from the first to the second, of the unit.
#[derive(Debug)]
pub struct Number<T>(pub T, pub T, pub &'static str);

impl<T: Whole> Kind<T> for Number<T> {
    fn read(&self, text: &str) -> Option<T> {
        within(digits(text)?, self.0, self.1)
    }

    fn expects(&self) -> String {
        let Self(min, max, unit) = self;
        match *unit {
            "" => format!("a whole number from {min} to {max}"),
            unit => format!("a whole number of {unit} from {min} to {max}"),
        }
    }
}

/// Seconds, from the first to the second.
#[derive(Debug)]
pub struct Seconds(pub u64, pub u64);

impl Kind<Duration> for Seconds {
    fn read(&self, text: &str) -> Option<Duration> {
        Number(self.0, self.1, "").read(text).map(Duration::from_secs)
    }

    fn expects(&self) -> String {
        Number(self.0, self.1, "seconds").expects()
    }
}

/// A part of a whole.
#[derive(Debug)]
pub struct Share;

impl Kind<f64> for Share {
    fn read(&self, text: &str) -> Option<f64> {
        let share: f64 = match text.split_once('/') {
            None => text.parse().ok()?,
            Some((part, whole)) => part.trim().parse::<f64>().ok()? / whole.trim().parse::<f64>().ok()?,
        };
        (share > 0.0 && share <= 1.0).then_some(share)
    }

    fn expects(&self) -> String {
        "a share above 0 and at most 1, such as 1/16 or 0.0625".to_owned()
    }
}

/// Bytes from the first to the second, or KiB and MiB with `K` and `M`.
#[derive(Debug)]
pub struct Size<T>(pub T, pub T);

impl<T: Whole> Kind<T> for Size<T> {
    fn read(&self, text: &str) -> Option<T> {
        let (number, unit) = match text.char_indices().last() {
            Some((at, 'k' | 'K')) => (text.get(..at)?, KIB),
            Some((at, 'm' | 'M')) => (text.get(..at)?, MIB),
            _ => (text, 1),
        };
        within(digits(number)?.checked_mul(unit)?, self.0, self.1)
    }

    fn expects(&self) -> String {
        format!("a size from {} to {} (bytes, or with K or M)", size_text(self.0), size_text(self.1))
    }
}

/// What a number or a size is kept in: an unsigned integer, so that no range can be larger than its type.
pub trait Whole: Copy + Display + Ord + Sync + TryFrom<u64> + TryInto<u64> {}

impl<T: Copy + Display + Ord + Sync + TryFrom<u64> + TryInto<u64>> Whole for T {}

/// The number as its type, when it is in the range.
fn within<T: Whole>(number: u64, min: T, max: T) -> Option<T> {
    T::try_from(number).ok().filter(|number| (min..=max).contains(number))
}

/// Only digits: no sign, no space, no other base.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn size_text<T: Whole>(bytes: T) -> String {
    match bytes.try_into() {
        Ok(bytes) if bytes != 0 && bytes % MIB == 0 => format!("{}M", bytes / MIB),
        Ok(bytes) if bytes != 0 && bytes % KIB == 0 => format!("{}K", bytes / KIB),
        _ => bytes.to_string(),
    }
}

/// Bytes in a `K`.
const KIB: u64 = 1024;

/// Bytes in an `M`.
const MIB: u64 = 1024 * KIB;
