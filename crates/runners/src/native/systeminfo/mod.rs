//! `systeminfo`: what there is to know of the machine, in parts; and the views that show one part each.

mod cpu;
mod disk;
mod info;
mod net;
mod ram;
mod readings;
mod upgrades;
mod uptime;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use msp_core::clock::Clock;
use msp_core::{BoxFuture, Input, Job, JsonStatus, Output, Response, RunError, Runner};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::native::within_limit;
use cpu::Times;
use net::Counters;
use readings::Readings;

/// A part of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Cpu,
    Disk,
    Info,
    Net,
    Ram,
    Upgrades,
    Uptime,
}

impl Part {
    const ALL: [Self; 7] =
        [Self::Net, Self::Cpu, Self::Uptime, Self::Disk, Self::Upgrades, Self::Ram, Self::Info];

    const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Disk => "disk",
            Self::Info => "info",
            Self::Net => "net",
            Self::Ram => "ram",
            Self::Upgrades => "upgrades",
            Self::Uptime => "uptime",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }
}

/// The machine, with the earlier readings that speeds and shares of time are measured from.
#[derive(Debug)]
pub(super) struct Machine {
    clock: Arc<dyn Clock>,
    times: Mutex<Readings<Times>>,
    counters: Mutex<Readings<Counters>>,
}

impl Machine {
    /// Nothing has been read yet.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, times: Mutex::default(), counters: Mutex::default() }
    }

    /// Blocks for as long as the kernel takes.
    fn part(&self, part: Part) -> Result<Value, RunError> {
        match part {
            Part::Cpu => cpu::part(|times| self.base(&self.times, times).map(|(_, base)| base)),
            Part::Disk => disk::part(),
            Part::Info => Ok(info::part()),
            Part::Net => net::part(|counters| self.base(&self.counters, counters)),
            Part::Ram => ram::part(),
            Part::Upgrades => Ok(upgrades::part()),
            Part::Uptime => uptime::part(),
        }
    }

    fn every_part(&self) -> Result<Value, RunError> {
        let parts = Part::ALL.into_iter().map(|part| Ok((part.name().to_owned(), self.part(part)?)));
        parts.collect::<Result<_, _>>().map(Value::Object)
    }

    fn base<T: Clone>(&self, readings: &Mutex<Readings<T>>, reading: &T) -> Option<(Duration, T)> {
        let now = self.clock.monotonic();
        readings.lock().unwrap_or_else(PoisonError::into_inner).base(now, reading)
    }
}

/// What a file of the kernel or the system says; bytes that are not UTF-8 are replaced.
fn read(path: &str) -> Result<String, RunError> {
    let bytes = std::fs::read(path).map_err(|error| RunError::Failed(format!("{path}: {error}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Rounded to one decimal.
fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Runs `systeminfo` or one of its views.
#[derive(Debug)]
pub(super) struct SystemInfo {
    machine: Arc<Machine>,
    /// The part a view shows; none shows all, or the one that is asked for.
    view: Option<Part>,
}

impl SystemInfo {
    /// The function of this name.
    pub(super) fn find(module: &str, machine: &Arc<Machine>) -> Option<Self> {
        let view = match module {
            "cpuinfo" => Some(Part::Cpu),
            "diskinfo" => Some(Part::Disk),
            "ifinfo" => Some(Part::Net),
            "raminfo" => Some(Part::Ram),
            "systeminfo" => None,
            "uptime" => Some(Part::Uptime),
            _ => return None,
        };
        Some(Self { machine: machine.clone(), view })
    }

    async fn show(&self, job: Job, args: Option<&Value>, subpath: Option<String>) -> Result<Value, Refused> {
        let (part, key) = match self.view {
            Some(view) => (Some(view), text(args, "key")?),
            None => (requested_part(args, subpath)?, None),
        };
        let (machine, limits) = (self.machine.clone(), job.limits);
        let reading = spawn_blocking(move || {
            let value = part.map_or_else(|| machine.every_part(), |part| machine.part(part));
            // A file system that hangs holds the slot, so that no more than its limit of threads wait for it.
            drop(job);
            value
        });
        let value = match timeout(limits.timeout, reading).await {
            Ok(Ok(value)) => value?,
            Ok(Err(error)) => return Err(RunError::Failed(error.to_string()).into()),
            Err(_) => return Err(RunError::Timeout.into()),
        };
        let value = match key {
            Some(key) => member(&value, key)?,
            None => value,
        };
        Ok(within_limit(value, limits.max_output)?)
    }
}

impl Runner for SystemInfo {
    fn run(&self, mut job: Job) -> BoxFuture<'_, Result<Output, RunError>> {
        Box::pin(async {
            let Input { args, request } = std::mem::take(&mut job.input);
            let is_request = request.is_some();
            let subpath = request.and_then(|request| request.subpath);
            match self.show(job, args.as_ref(), subpath).await {
                Ok(value) => Ok(Output::Value(value)),
                Err(refused) if is_request => refused.into_response().map(Output::Response),
                Err(refused) => Err(refused.into_error()),
            }
        })
    }
}

/// Why nothing is told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refused {
    Failed(RunError),
    /// The view has no such key; those it has.
    Key(String, Vec<String>),
    Part(String),
}

impl Refused {
    fn into_error(self) -> RunError {
        match self {
            Self::Failed(error) => error,
            Self::Key(_, keys) if keys.is_empty() => {
                RunError::BadArguments("this function answers a list, which has no keys".to_owned())
            }
            Self::Key(_, keys) => {
                RunError::BadArguments(format!("no such key: there are {}", keys.join(", ")))
            }
            Self::Part(_) => {
                let parts = Part::ALL.map(Part::name).join(", ");
                RunError::BadArguments(format!("no such part: there are {parts}"))
            }
        }
    }

    /// As the original answers on the web.
    fn into_response(self) -> Result<Response, RunError> {
        match self {
            Self::Failed(error) => Err(error),
            Self::Key(key, _) => {
                let error = format!("key, {key}, not found.");
                Ok(Response::json(JsonStatus::BadRequest, &json!({ "error": error })))
            }
            Self::Part(part) => {
                let error = format!("{part} is not a member of response_data");
                Ok(Response::json(JsonStatus::NotFound, &json!({ "Error": error })))
            }
        }
    }
}

impl From<RunError> for Refused {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

/// The part that a call asks for; a path goes before an argument.
fn requested_part(args: Option<&Value>, subpath: Option<String>) -> Result<Option<Part>, Refused> {
    let name = match subpath.filter(|subpath| !subpath.is_empty()) {
        Some(subpath) => Some(subpath),
        None => text(args, "subpath")?.or(text(args, "part")?),
    };
    name.map(|name| Part::named(&name).ok_or(Refused::Part(name))).transpose()
}

/// The argument of this name; an empty text counts as none.
fn text(args: Option<&Value>, name: &str) -> Result<Option<String>, RunError> {
    match args.and_then(|args| args.get(name)) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
        Some(_) => Err(RunError::BadArguments(format!("{name} is to be text"))),
    }
}

/// An object with this member alone.
fn member(value: &Value, key: String) -> Result<Value, Refused> {
    let members = value.as_object();
    match members.and_then(|members| members.get(&key)) {
        Some(value) => Ok(Value::Object([(key, value.clone())].into_iter().collect())),
        None => {
            Err(Refused::Key(key, members.into_iter().flat_map(|members| members.keys().cloned()).collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use msp_core::Body;

    use super::*;

    fn bad<T>(message: &str) -> Result<T, RunError> {
        Err(RunError::BadArguments(message.to_owned()))
    }

    #[test]
    fn a_part_is_asked_for_by_path_or_argument() {
        let part = |args: Value, subpath: Option<&str>| {
            requested_part(Some(&args), subpath.map(str::to_owned)).map_err(Refused::into_error)
        };
        assert_eq!(part(json!({ "part": "cpu", "more": 1 }), None), Ok(Some(Part::Cpu)));
        assert_eq!(part(json!({ "part": "cpu", "subpath": "ram" }), None), Ok(Some(Part::Ram)));
        assert_eq!(part(json!({ "part": "cpu" }), Some("net")), Ok(Some(Part::Net)));
        for nothing in [json!({}), json!(null), json!([1]), json!("cpu"), json!({ "part": "" })] {
            assert_eq!(part(nothing, Some("")), Ok(None));
        }
        assert_eq!(part(json!({ "part": 1 }), None), bad("part is to be text"));
        let there_are = "no such part: there are net, cpu, uptime, disk, upgrades, ram, info";
        assert_eq!(part(json!({ "part": "CPU" }), None), bad(there_are));
        assert_eq!(part(json!({}), Some("cpu/")), bad(there_are));
    }

    #[test]
    fn a_key_gives_its_member_alone() {
        let value = json!({ "a": [1], "b": 2 });
        let key = |value, key: &str| member(value, key.to_owned()).map_err(Refused::into_error);
        assert_eq!(key(&value, "a"), Ok(json!({ "a": [1] })));
        assert_eq!(key(&value, "c"), bad("no such key: there are a, b"));
        assert_eq!(key(&json!([{ "a": 1 }]), "a"), bad("this function answers a list, which has no keys"));
    }

    #[test]
    fn refusals_on_the_web_are_those_of_the_original() {
        let answer = |refused: Refused| {
            let (status, _, body) = refused.into_response()?.into_parts();
            let Body::Bytes(body) = body else { panic!("a stream") };
            Ok((status, serde_json::from_slice::<Value>(&body).unwrap()))
        };
        let part = json!({ "Error": "x is not a member of response_data" });
        assert_eq!(answer(Refused::Part("x".to_owned())), Ok((404, part)));
        let key = json!({ "error": "key, x, not found." });
        assert_eq!(answer(Refused::Key("x".to_owned(), Vec::new())), Ok((400, key)));
        assert_eq!(answer(Refused::Failed(RunError::Timeout)), Err(RunError::Timeout));
    }

    #[test]
    fn what_cannot_be_read_fails_by_its_name() {
        let Err(RunError::Failed(message)) = read("/nowhere/at/all") else { panic!("it was read") };
        assert!(message.starts_with("/nowhere/at/all: "), "{message}");
    }
}
