//! `echo`: what it is given.

use msp_core::clock::Clock;
use serde_json::Value;

/// The arguments as they came; the empty text without any.
pub(super) fn run(args: Option<Value>, _clock: &dyn Clock) -> Value {
    args.unwrap_or_else(|| Value::String(String::new()))
}

#[cfg(test)]
mod tests {
    use msp_core::clock::ManualClock;
    use serde_json::json;

    use super::*;

    #[test]
    fn it_gives_back_what_it_is_given() {
        let clock = ManualClock::at(0);
        assert_eq!(run(Some(json!({"a": [1, null]})), &clock), json!({"a": [1, null]}));
        assert_eq!(run(None, &clock), json!(""));
    }
}
