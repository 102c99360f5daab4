//! When a call is tried again, and after what wait.

use std::time::Duration;

use msp_protocol::envelope::FailureCode;
use msp_protocol::{CryptoRngCore, ErrorCode, UnixSecond};

use crate::error::ClientError;

/// What has been tried for one call.
#[derive(Debug, Default)]
pub(crate) struct Retries {
    repeated: u32,
    /// Set once the server has said that the clocks differ.
    not_before: Option<UnixSecond>,
}

impl Retries {
    /// The earliest time that the next request may carry.
    pub(crate) fn not_before(&self) -> UnixSecond {
        self.not_before.unwrap_or(0)
    }

    /// The wait before the next attempt; the error itself when there is to be none.
    pub(crate) fn after(
        &mut self,
        error: ClientError,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Duration, ClientError> {
        if let ClientError::Answer {
            code: FailureCode::Known(ErrorCode::ClockSkew),
            not_before,
            server_time,
            ..
        } = &error
        {
            let not_before = not_before.unwrap_or(0);
            let wait = Duration::from_secs(not_before.saturating_sub(*server_time));
            if self.not_before.is_some() || wait > LONGEST_WAIT {
                return Err(error);
            }
            self.not_before = Some(not_before);
            return Ok(wait);
        }
        if !error.is_safe_to_retry() || self.repeated == MAX_REPEATED {
            return Err(error);
        }
        self.repeated += 1;
        let step = FIRST_WAIT * 2_u32.pow(self.repeated - 1);
        // Half to one and a half steps, so that many clients do not come back together.
        Ok(step / 2 + step * (rng.next_u32() >> 16) / 0x1_0000)
    }
}

/// How often a call is tried again that surely has not run.
const MAX_REPEATED: u32 = 3;

/// The middle of the first wait; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// How near the server's `not_before` must be to be waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use msp_protocol::OsRng;

    use super::*;

    fn answer(code: ErrorCode, not_before: Option<UnixSecond>) -> ClientError {
        let (message, request) = ("m".into(), "r".into());
        ClientError::Answer { code: code.into(), message, not_before, server_time: 1_000, request }
    }

    #[test]
    fn a_busy_server_is_asked_three_more_times_after_longer_and_longer_waits() {
        let mut retries = Retries::default();

        for middle in [100, 200, 400] {
            let wait = retries.after(answer(ErrorCode::Busy, None), &mut OsRng).unwrap().as_millis();
            assert!((middle / 2..=middle * 3 / 2).contains(&wait), "{wait} ms, not around {middle}");
        }
        assert!(retries.after(answer(ErrorCode::Busy, None), &mut OsRng).is_err());
    }

    #[test]
    fn a_call_that_may_have_run_or_never_will_is_not_tried_again() {
        let codes = ErrorCode::ALL.into_iter();
        for code in codes.filter(|code| !matches!(code, ErrorCode::Busy | ErrorCode::ClockSkew)) {
            assert!(Retries::default().after(answer(code, None), &mut OsRng).is_err(), "{code}");
        }
        let address: crate::Address = "http://host".parse().unwrap();
        for error in [
            ClientError::Interrupted { address: address.clone(), cause: "reset".into() },
            ClientError::Timeout { address: address.clone(), after: Duration::from_secs(1) },
            ClientError::Refused { address: address.clone() },
            ClientError::Status { address, status: 503 },
        ] {
            assert!(Retries::default().after(error, &mut OsRng).is_err());
        }
    }

    #[test]
    fn a_clock_skew_is_answered_once_and_waited_for_where_it_is_near() {
        let skew = |not_before| answer(ErrorCode::ClockSkew, not_before);
        for (not_before, wait) in
            [(None, Some(0)), (Some(900), Some(0)), (Some(1_010), Some(10)), (Some(1_011), None)]
        {
            let mut retries = Retries::default();

            let first = retries.after(skew(not_before), &mut OsRng);

            assert_eq!(first.ok(), wait.map(Duration::from_secs), "{not_before:?}");
            assert!(retries.after(skew(Some(900)), &mut OsRng).is_err() == wait.is_some());
        }
    }
}
