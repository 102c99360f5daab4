//! The commands that ask a server.

use msp_client::{Client, ClientError, Clock as _, SystemClock};
use msp_protocol::FunctionName;
use serde_json::{Value, json};

use crate::error::CliError;
use crate::{arguments, cli, output};

/// A `call`, its words understood before anything is sent.
#[derive(Debug)]
pub(crate) struct PreparedCall {
    pub(crate) url: Option<String>,
    function: FunctionName,
    args: Option<Value>,
    classic: bool,
    json: bool,
}

impl PreparedCall {
    pub(crate) fn new(call: cli::Call) -> Result<Self, CliError> {
        let (url, name) = target(call.target)?;
        let json = call.json.is_some();
        let args = arguments::read(&call.args, call.json.flatten().as_deref())?;
        if call.classic && args.is_some() {
            return Err(CliError::usage(
                "the classic shape takes no arguments; leave --classic or the arguments out",
            ));
        }
        Ok(Self { url, function: function(&name)?, args, classic: call.classic, json })
    }

    pub(crate) async fn run(self, client: &Client) -> Result<(), CliError> {
        let answer = answer(client, &self.function, self.args, self.classic).await?;
        output::print_answer(&answer, self.json)
    }
}

/// Gives the command what stands before its name, as in `msp-client URL call FUNCTION`.
pub(crate) fn take_from_before(
    command: &mut cli::Command,
    url: Option<String>,
    classic: bool,
) -> Result<(), CliError> {
    let takes_classic = matches!(command, cli::Command::Call(_));
    let place = match command {
        cli::Command::Call(call) => {
            call.classic |= classic;
            match (url, call.target.len()) {
                (Some(url), 1) => {
                    call.target.insert(0, url);
                    None
                }
                (Some(_), _) => return Err(CliError::usage("two URLs; give the server once")),
                (None, _) => None,
            }
        }
        cli::Command::Functions(query) | cli::Command::Ping(query) => url.map(|url| (url, &mut query.url)),
        _ if url.is_some() => return Err(CliError::usage("this command takes no URL; leave it out")),
        _ => None,
    };
    match place {
        Some((_, Some(_))) => return Err(CliError::usage("two URLs; give the server once")),
        Some((url, place)) => *place = Some(url),
        None => {}
    }
    if classic && !takes_classic {
        return Err(CliError::usage("--classic goes with call; leave it out"));
    }
    Ok(())
}

/// Calls a function in the shape asked for.
pub(crate) async fn answer(
    client: &Client,
    function: &FunctionName,
    args: Option<Value>,
    classic: bool,
) -> Result<Value, ClientError> {
    if classic {
        output::while_waiting(client.call_classic(function)).await.map(Value::String)
    } else {
        output::while_waiting(client.call(function, args)).await
    }
}

/// Reads a function's name.
pub(crate) fn function(name: &str) -> Result<FunctionName, CliError> {
    name.parse().map_err(|error| CliError::usage(format!("function {name:?}: {error}")))
}

pub(crate) async fn ping(client: &Client, json: bool) -> Result<(), CliError> {
    let before = SystemClock.now();
    let ping = output::while_waiting(client.ping()).await?;
    let round_trip = SystemClock.now().duration_since(before).unwrap_or_default();
    if json {
        let round_trip_ms = round_trip.as_secs_f64() * 1000.0;
        return output::print_json(
            &json!({ "version": ping.version, "time": ping.time, "round_trip_ms": round_trip_ms }),
        );
    }
    let ahead = i128::from(ping.time) - i128::from(SystemClock.unix());
    let clock = match ahead {
        -1..=1 => "in step".to_owned(),
        2.. => format!("{ahead} s ahead"),
        _ => format!("{} s behind", -ahead),
    };
    let version = ping.version.escape_debug();
    output::print(&format!("version {version}, {:.1} ms, clock {clock}", round_trip.as_secs_f64() * 1000.0))
}

pub(crate) async fn functions(client: &Client, json: bool) -> Result<(), CliError> {
    let functions = output::while_waiting(client.functions()).await?;
    if json { output::print_json(&functions) } else { output::print_functions(&functions) }
}

/// Tells the server from the function: only a URL has a scheme.
fn target(words: Vec<String>) -> Result<(Option<String>, String), CliError> {
    let is_url = |word: &str| word.starts_with("http://") || word.starts_with("https://");
    match <[String; 2]>::try_from(words) {
        Ok([url, function]) if is_url(&url) => Ok((Some(url), function)),
        Ok([server, function]) if server.contains([':', '.', '/']) || server == "localhost" => {
            let wrong = format!("{server:?} has no http:// or https:// before it");
            Err(CliError::usage(format!("{wrong}; perhaps: call http://{server} {function}")))
        }
        Ok([function, argument]) => Err(CliError::usage(format!(
            "{argument:?}: arguments have names; write: call {function} --arg NAME={argument}"
        ))),
        Err(words) => match words.into_iter().next() {
            Some(function) if !is_url(&function) => Ok((None, function)),
            _ => Err(CliError::usage("which function? write: call [URL] FUNCTION")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Result<(Option<String>, String), CliError> {
        target(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn a_word_with_a_scheme_is_the_server_and_the_other_the_function() {
        assert_eq!(words(&["time_test"]).unwrap(), (None, "time_test".into()));
        assert_eq!(words(&["https://h", "f"]).unwrap(), (Some("https://h".into()), "f".into()));
    }

    #[test]
    fn a_missing_function_and_a_server_without_a_scheme_are_usage_errors() {
        for wrong in [vec!["http://h"], vec!["localhost:8000", "f"], vec!["f", "http://h"]] {
            assert!(matches!(words(&wrong), Err(CliError::Usage(_))), "{wrong:?}");
        }
    }
}
