//! The plugin door: Python plugins and native functions against aiohttp, reloads under load, a hundred plugins.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use super::{Bench, CONNECTIONS, Sample, median};
use crate::Failure;
use crate::http::{self, Connection};
use crate::load::{Amount, Bodies, Traffic, run};
use crate::process::{Process, sibling};
use crate::report::Figure;
use crate::site::NO_LINES;

const YARDSTICK: &str = include_str!("aiohttp_yardstick.py");
/// What the plugins answer that are measured.
const VALUE: &str = "def request_handler(self, **data):\n        return 200, {'value': 1}";
/// Plugins of the row about many.
const MANY: usize = 100;
/// Reloads while requests come, one a second.
const RELOADS: u32 = 10;
/// Requests a second meanwhile.
const RATE: f64 = 5000.0;
/// The key of the servers under test, which reloads need.
const KEY: &str = "key-of-the-bench";

/// One path, asked for again and again.
pub(super) struct Asks {
    request: Vec<u8>,
    right: &'static [u8],
}

impl Asks {
    pub(super) fn of(path: &str, right: &'static [u8]) -> Self {
        Self { request: http::get(path, None), right }
    }
}

impl Traffic for Asks {
    type Ticket = ();

    fn request(&self, _n: u64, to: &mut Vec<u8>) -> Result<(), Failure> {
        to.clone_from(&self.request);
        Ok(())
    }

    fn check(&self, (): (), status: u16, body: &[u8]) -> Result<(), Failure> {
        if status == 200 && body.trim_ascii() == self.right {
            return Ok(());
        }
        Err(format!("status {status}: {}", String::from_utf8_lossy(body)).into())
    }
}

/// A plugin with this handler.
fn plugin(class: &str, handler: &str) -> String {
    format!("from plugincore.baseplugin import BasePlugin\n\n\nclass {class}(BasePlugin):\n    {handler}\n")
}

fn versioned(number: u32) -> String {
    plugin("Version", &format!("async def request_handler(self, **data):\n        return 200, {number}"))
}

/// A folder for a server with these plugins.
#[expect(clippy::disallowed_methods, reason = "the files of a server under test hold nothing private")]
fn folder(work: &Path, name: &str, plugins: &[(String, String)], more: &str) -> Result<PathBuf, Failure> {
    let folder = work.join(name);
    for inner in ["config", "plugins"] {
        std::fs::create_dir_all(folder.join(inner))?;
    }
    let config =
        format!("[Doors]\nplugin=on\n[Ops]\nport=0\n[paths]\nplugins=plugins\n[auth]\napikey={KEY}\n{more}");
    std::fs::write(folder.join("config/config.ini"), config)?;
    let modules = "[Modules]\nserver_time=server_time\necho=echo\n[echo]\nRoute=open\n";
    std::fs::write(folder.join("config/modules.ini"), modules)?;
    for (name, source) in plugins {
        std::fs::write(folder.join("plugins").join(name), source)?;
    }
    Ok(folder)
}

fn start(folder: &Path) -> Result<Process, Failure> {
    Process::start(&sibling("msp-server")?, &["--port", "0"], folder)
}

/// Starts this msp-server with the async plugin alone, whose route is `/asyn`, and with these lines in config.ini.
pub(super) fn one_plugin(work: &Path, name: &str, program: &Path, more: &str) -> Result<Process, Failure> {
    let plugins = [("asyn.py".to_owned(), plugin("Asyn", &format!("async {VALUE}")))];
    Process::start(program, &["--port", "0"], &folder(work, name, &plugins, more)?)
}

/// The interpreter that has aiohttp.
fn python() -> PathBuf {
    std::env::var_os("MSP_TEST_PYTHON").map_or_else(|| "python3".into(), PathBuf::from)
}

/// Requests a second of plugins and of a native function against aiohttp's, and how even their times are.
pub(super) async fn throughput(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let plugins = [
        ("asyn.py".to_owned(), plugin("Asyn", &format!("async {VALUE}"))),
        ("syn.py".to_owned(), plugin("Syn", VALUE)),
    ];
    let server = start(&folder(&bench.work, "plugins", &plugins, NO_LINES)?)?;
    let aiohttp = Process::start(&python(), &["-c", YARDSTICK], &bench.work)?;
    let (yardstick, value) = (Rc::new(Asks::of("/bench", br#"{"value": 1}"#)), br#"{"value":1}"#);
    let ours = [
        ("async plugin", Rc::new(Asks::of("/asyn", value)), 1.0, 2.0),
        ("sync plugin", Rc::new(Asks::of("/syn", value)), 1.0, 2.0),
        ("native function", Rc::new(Asks::of("/echo?value=1", br#"{"value":"1"}"#)), 8.0, 12.0),
    ];
    let echo = bench.echo(value.len())?;
    let bare = Rc::new(Bodies { body: Vec::new(), answer: value.len(), forwarded: false });
    let (mut base, mut echoed, mut all) =
        (Rates::default(), Rates::default(), ours.each_ref().map(|_| Rates::default()));
    for _ in 0..bench.cli.rounds {
        let sample = bench.right(&aiohttp, bench.amount(), &yardstick).await?;
        let of = sample.outcome.rate();
        base.note(&sample, of);
        echoed.note(&bench.right(&echo, bench.amount(), &bare).await?, of);
        for ((_, asks, ..), rates) in ours.iter().zip(&mut all) {
            rates.note(&bench.right(&server, bench.amount(), asks).await?, of);
        }
    }
    let row = "plugins";
    bench.figures.extend([
        Figure::new(row, "aiohttp, one process", median(base.rates), "/s"),
        Figure::new(row, "aiohttp, CPU for each", median(base.costs), "µs"),
        Figure::new(row, "bare echo of aiohttp", median(echoed.ratios), "×"),
        Figure::new(row, "bare echo, CPU for each", median(echoed.costs), "µs"),
    ]);
    for ((what, _, must, strive), rates) in ours.into_iter().zip(all) {
        bench.figures.extend([
            Figure::new(row, what, median(rates.rates), "/s"),
            Figure::new(row, format!("{what} of aiohttp"), median(rates.ratios), "×").at_least(must, strive),
            Figure::new(row, format!("{what}, CPU of the server for each"), median(rates.costs), "µs"),
            Figure::new(row, format!("{what}, p99 of p50"), median(rates.tails), "×").at_most(3.0, 2.0),
        ]);
    }
    Ok(())
}

/// What the rounds of one row gave.
#[derive(Default)]
struct Rates {
    rates: Vec<f64>,
    /// Against aiohttp in the same round.
    ratios: Vec<f64>,
    costs: Vec<f64>,
    tails: Vec<f64>,
}

impl Rates {
    fn note(&mut self, sample: &Sample, of: f64) {
        let Sample { outcome, cost } = sample;
        self.rates.push(outcome.rate());
        self.ratios.push(outcome.rate() / of);
        self.costs.push(*cost);
        self.tails.push(outcome.percentile(0.99).as_secs_f64() / outcome.percentile(0.5).as_secs_f64());
    }
}

/// Asks for a version; what was acknowledged when a request was sent is the least that may answer it.
struct Versions {
    request: Vec<u8>,
    in_force: Rc<Cell<u32>>,
    old: RefCell<u64>,
}

impl Traffic for Versions {
    type Ticket = u32;

    fn request(&self, _n: u64, to: &mut Vec<u8>) -> Result<u32, Failure> {
        to.clone_from(&self.request);
        Ok(self.in_force.get())
    }

    fn check(&self, least: u32, status: u16, body: &[u8]) -> Result<(), Failure> {
        let version = std::str::from_utf8(body)?.parse::<u32>();
        match version {
            Ok(version) if status == 200 && version >= least => Ok(()),
            Ok(_) if status == 200 => {
                *self.old.borrow_mut() += 1;
                Ok(())
            }
            _ => Err(format!("status {status}: {}", String::from_utf8_lossy(body)).into()),
        }
    }
}

/// Reloads while requests come: none may be lost, and nothing old may answer what was sent after the acknowledgement.
pub(super) async fn reload(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let folder = folder(&bench.work, "reload", &[("version.py".to_owned(), versioned(0))], NO_LINES)?;
    let server = start(&folder)?;
    let in_force = Rc::new(Cell::new(0));
    let versions = Rc::new(Versions {
        request: http::get("/version", None),
        in_force: in_force.clone(),
        old: RefCell::default(),
    });
    let amount =
        Amount { rate: Some(RATE), ..Amount::full(CONNECTIONS, Duration::from_secs(u64::from(RELOADS) + 2)) };
    let load = run(server.address, amount, versions.clone(), bench.clock.clone());
    let reloads = async {
        let mut connection = Connection::open(server.address).await?;
        let mut took = Vec::new();
        for number in 1..=RELOADS {
            tokio::time::sleep(Duration::from_secs(1)).await;
            replace(&folder.join("plugins"), &versioned(number))?;
            let began = bench.clock.monotonic();
            let (status, _) = connection.exchange(&http::get("/reload/version", Some(KEY))).await?;
            if status != 200 {
                return Err(format!("a reload was answered {status}").into());
            }
            took.push((bench.clock.monotonic().saturating_sub(began)).as_secs_f64() * 1e3);
            in_force.set(number);
        }
        Ok::<_, Failure>(took)
    };
    let (outcome, took) = futures_util::future::join(load, reloads).await;
    let (outcome, took) = (outcome?, took?);
    let row = "reload";
    bench.figures.extend([
        Figure::new(
            row,
            format!("requests during {RELOADS} reloads"),
            (outcome.right + outcome.wrong) as f64,
            "",
        ),
        Figure::new(row, "requests a second", outcome.rate(), "/s"),
        Figure::new(row, "requests lost or refused", outcome.wrong as f64, "").at_most(0.0, 0.0),
        Figure::new(row, "answered by old code after a reload", *versions.old.borrow() as f64, "")
            .at_most(0.0, 0.0),
        Figure::new(row, "a reload takes", median(took), "ms"),
        Figure::new(row, "p99 meanwhile", outcome.percentile(0.99).as_secs_f64() * 1e3, "ms"),
    ]);
    outcome.first_wrong.map_or(Ok(()), |wrong| Err(format!("first wrong answer: {wrong}").into()))
}

#[expect(clippy::disallowed_methods, reason = "the files of a server under test hold nothing private")]
fn replace(plugins: &Path, source: &str) -> Result<(), Failure> {
    std::fs::write(plugins.join("new~"), source)?;
    Ok(std::fs::rename(plugins.join("new~"), plugins.join("version.py"))?)
}

/// How soon the last of many plugins answers, and what the server itself holds then.
pub(super) async fn many(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let handler = "def request_handler(self, **data):\n        return 200, 1";
    let plugins: Vec<_> = (0..MANY)
        .map(|number| (format!("p{number:03}.py"), plugin(&format!("P{number:03}"), handler)))
        .collect();
    let folder = folder(&bench.work, "many", &plugins, NO_LINES)?;
    let (mut times, mut held) = (Vec::new(), Vec::new());
    for _ in 0..bench.cli.rounds {
        let began = bench.clock.monotonic();
        let server = start(&folder)?;
        let mut connection = Connection::open(server.address).await?;
        for number in 0..MANY {
            let ask = http::get(&format!("/p{number:03}"), None);
            while connection.exchange(&ask).await?.0 != 200 {
                if bench.clock.monotonic().saturating_sub(began) > Duration::from_secs(60) {
                    return Err(format!("plugin {number} does not answer").into());
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        times.push(bench.clock.monotonic().saturating_sub(began).as_secs_f64());
        held.push(server.memory()? as f64 / 1e6);
    }
    let row = "many plugins";
    bench.figures.extend([
        Figure::new(row, format!("start to the last of {MANY}"), median(times), "s").at_most(5.0, 3.0),
        Figure::new(row, "memory of the server", median(held), "MB").at_most(30.0, 20.0),
    ]);
    Ok(())
}
