//! A call's arguments, from the command line's words.

use std::io::Read as _;

use msp_protocol::envelope::whole_numbers_fit;
use serde_json::{Map, Value};

use crate::error::CliError;

/// Puts `--arg` and `--json` together; `None` when neither gives any.
pub(crate) fn read(args: &[String], json: Option<&str>) -> Result<Option<Value>, CliError> {
    match (args, json) {
        ([], None) => Ok(None),
        ([], Some("-")) => parse_json(&standard_input()?).map(Some),
        ([], Some(text)) => parse_json(text).map(Some),
        (_, None) => named(args).map(Some),
        (_, Some(_)) => Err(CliError::usage("give the arguments by --arg or by --json, not by both")),
    }
}

fn named(args: &[String]) -> Result<Value, CliError> {
    let mut members = Map::new();
    for arg in args {
        let (name, text) = match arg.split_once('=') {
            Some((name, text)) if !name.is_empty() => (name, text),
            _ => return Err(CliError::usage(format!("--arg {arg:?}: write it as NAME=VALUE"))),
        };
        if members.insert(name.to_owned(), value(text)).is_some() {
            return Err(CliError::usage(format!("--arg {name:?}: given twice")));
        }
    }
    Ok(Value::Object(members))
}

/// JSON where the text is JSON; a number that would lose digits stays text.
fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(Value::Number(number)) if number.is_f64() && is_integer(text) => Value::String(text.to_owned()),
        Ok(value) => value,
        Err(_) => Value::String(text.to_owned()),
    }
}

fn is_integer(text: &str) -> bool {
    text.trim().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

fn parse_json(text: &str) -> Result<Value, CliError> {
    let value = serde_json::from_str(text).map_err(|error| {
        CliError::usage(format!(
            "--json: not JSON ({error}); --json without arguments goes to the end of the line"
        ))
    })?;
    match whole_numbers_fit(text.as_bytes()) {
        true => Ok(value),
        false => Err(CliError::usage(
            "--json: a whole number in it is beyond 64 bits; write it as text, in quotes",
        )),
    }
}

fn standard_input() -> Result<String, CliError> {
    let mut text = String::new();
    // More than any request holds: what is longer is refused when the request is made.
    let limit = 1 << 20;
    std::io::stdin()
        .take(limit)
        .read_to_string(&mut text)
        .map_err(|error| CliError::usage(format!("--json -: cannot read standard input: {error}")))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn args(texts: &[&str]) -> Result<Option<Value>, CliError> {
        read(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>(), None)
    }

    #[test]
    fn a_value_is_json_where_it_is_json_and_text_otherwise() {
        for (text, expected) in [
            ("x=5", json!(5)),
            ("x=-1.5", json!(-1.5)),
            ("x=true", json!(true)),
            ("x=null", Value::Null),
            ("x=[1,\"a\"]", json!([1, "a"])),
            ("x={\"a\":{}}", json!({"a": {}})),
            ("x=\"5\"", json!("5")),
            ("x=", json!("")),
            ("x=plain words", json!("plain words")),
            ("x=a=b", json!("a=b")),
            ("x=007", json!("007")),
            ("x=True", json!("True")),
            ("x=[1", json!("[1")),
            ("x=2024-03-30", json!("2024-03-30")),
            ("x=18446744073709551615", json!(u64::MAX)),
            ("x=18446744073709551616", json!("18446744073709551616")),
            ("x=-9223372036854775809", json!("-9223372036854775809")),
        ] {
            assert_eq!(args(&[text]).unwrap(), Some(json!({ "x": expected })), "{text}");
        }
    }

    #[test]
    fn an_argument_without_a_name_or_given_twice_is_a_usage_error() {
        for wrong in [vec!["x"], vec!["=1"], vec![""], vec!["x=1", "x=2"]] {
            assert!(matches!(args(&wrong), Err(CliError::Usage(_))), "{wrong:?}");
        }
    }

    #[test]
    fn json_gives_any_value_but_not_together_with_named_arguments() {
        assert_eq!(read(&[], Some("[1,2]")).unwrap(), Some(json!([1, 2])));
        assert_eq!(read(&[], None).unwrap(), None);
        assert!(matches!(read(&[], Some("time_test")), Err(CliError::Usage(_))));
        assert!(matches!(read(&["x=1".into()], Some("{}")), Err(CliError::Usage(_))));
    }
}
