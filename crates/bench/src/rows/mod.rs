//! The rows of docs/BENCHMARKS.md: each starts what it measures and gives its figures.

mod attack;
mod beside;
mod calls;
mod plugins;
mod python;
mod size;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use msp_core::clock::Clock;

use crate::Failure;
use crate::cli::{Cli, Load, Send};
use crate::load::{Addresses, Amount, Calls, Garbage, Outcome, Replays, Shape, Traffic, run};
use crate::micro::{self, Floors};
use crate::process::Process;
use crate::report::{self, Figure};
use crate::site::{ONE_PROXY, Plan, Site, WIDE_GUARD};

/// Connections where a row names no other number.
const CONNECTIONS: usize = 16;

/// What all rows share.
struct Bench<'a> {
    cli: &'a Cli,
    clock: Arc<dyn Clock>,
    work: PathBuf,
    floors: Floors,
    figures: Vec<Figure>,
}

/// What one measurement of a server gave.
#[derive(Debug, Clone)]
struct Sample {
    outcome: Outcome,
    /// Processor time of the server's process for each right answer, in microseconds.
    cost: f64,
}

/// Measures the rows whose name begins with one of these, or all.
pub(crate) async fn measure(
    cli: &Cli,
    names: &[String],
    other: Option<&Path>,
    clock: Arc<dyn Clock>,
) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let work = cli.work.clone().unwrap_or_else(|| folder.path().to_owned());
    let (_, floors) = micro::all(&*clock)?;
    let mut bench = Bench { cli, clock, work, floors, figures: Vec::new() };
    let wanted = |row: &str| names.is_empty() || names.iter().any(|name| row.starts_with(name.as_str()));
    if wanted("classic") {
        calls::classic(&mut bench).await?;
    }
    if wanted("first-contact") {
        attack::first_contact(&mut bench).await?;
    }
    if wanted("envelope") {
        calls::envelope(&mut bench).await?;
    }
    if wanted("access") {
        calls::lines(&mut bench).await?;
    }
    if wanted("python") {
        python::throughput(&mut bench).await?;
        python::one_at_a_time(&mut bench).await?;
    }
    if wanted("slow") {
        python::beside_a_slow_one(&mut bench).await?;
    }
    if wanted("plugins") {
        plugins::throughput(&mut bench).await?;
    }
    if wanted("reload") {
        plugins::reload(&mut bench).await?;
    }
    if wanted("many") {
        plugins::many(&mut bench).await?;
    }
    if wanted("garbage") {
        attack::garbage(&mut bench).await?;
    }
    if wanted("attack") {
        attack::beside_a_flood(&mut bench).await?;
    }
    if wanted("size") {
        size::resident(&mut bench).await?;
    }
    if wanted("endurance") {
        size::endurance(&mut bench).await?;
    }
    match other {
        Some(other) if wanted("beside") => beside::measure(&mut bench, other).await?,
        None if names.iter().any(|name| name == "beside") => {
            return Err("the row beside compares with another msp-server: --other FILE".into());
        }
        _ => {}
    }
    report::figures(cli.json, &bench.figures)
}

/// One load, as the command line says.
pub(crate) async fn load(cli: &Cli, load: &Load, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let work = cli.work.clone().unwrap_or_else(|| folder.path().to_owned());
    let config = format!("{WIDE_GUARD}{ONE_PROXY}");
    let modules = "time_test=simple_time\nclock=clock\nslow=slow\n";
    let plan =
        Plan { clients: load.clients, classic: load.shape == Shape::Classic, config: &config, modules };
    let site = Site::start(&work, &plan, clock.clone()).await?;
    let amount =
        Amount { requests: load.requests, rate: load.rate, ..Amount::full(load.connections, cli.time) };
    let calls = |addresses| {
        let call = (load.shape, load.function.as_str());
        Calls::new(&site.key, load.clients, call, addresses, clock.clone())
    };
    let bench = Bench {
        cli,
        clock: clock.clone(),
        work,
        floors: Floors { classic: 0.0, envelope: 0.0 },
        figures: Vec::new(),
    };
    let sample = match load.send {
        Send::Calls => bench.sample(&site.process, amount, calls(Addresses::PerClient)?).await?,
        Send::FirstContact => bench.sample(&site.process, amount, calls(Addresses::Fresh(0))?).await?,
        Send::Replays => bench.sample(&site.process, amount, Replays::of(calls(Addresses::Socket)?)).await?,
        Send::Garbage => {
            let garbage = Garbage::new(&site.key, load.garbage, Some(1000), clock.unix())?;
            bench.sample(&site.process, amount, garbage).await?
        }
    };
    let Sample { outcome, cost } = sample;
    let ms = |share| outcome.percentile(share).as_secs_f64() * 1e3;
    let mut figures = vec![
        Figure::new("load", "right answers", outcome.right as f64, ""),
        Figure::new("load", "right answers a second", outcome.rate(), "/s"),
        Figure::new("load", "wrong answers", outcome.wrong as f64, ""),
        Figure::new("load", "server CPU for each", cost, "µs"),
    ];
    figures.extend(
        [0.5, 0.99, 0.999].map(|share| Figure::new("load", format!("p{}", share * 100.0), ms(share), "ms")),
    );
    figures.push(Figure::new("load", "resident memory", site.process.memory()? as f64 / 1e6, "MB"));
    report::figures(cli.json, &figures)?;
    outcome.first_wrong.map_or(Ok(()), |wrong| Err(format!("first wrong answer: {wrong}").into()))
}

impl Bench<'_> {
    /// Starts a server with this plan.
    async fn site(&self, plan: &Plan<'_>) -> Result<Site, Failure> {
        Site::start(&self.work, plan, self.clock.clone()).await
    }

    /// Starts the yardstick for answers of this size.
    fn echo(&self, answer: usize) -> Result<Process, Failure> {
        Process::start(&std::env::current_exe()?, &["echo", &answer.to_string()], &self.work)
    }

    fn amount(&self) -> Amount {
        Amount::full(CONNECTIONS, self.cli.time)
    }

    /// Sends the traffic and reads what the server used.
    async fn sample<T: Traffic + 'static>(
        &self,
        process: &Process,
        amount: Amount,
        traffic: T,
    ) -> Result<Sample, Failure> {
        self.sample_of(process, amount, Rc::new(traffic)).await
    }

    async fn sample_of<T: Traffic + 'static>(
        &self,
        process: &Process,
        amount: Amount,
        traffic: Rc<T>,
    ) -> Result<Sample, Failure> {
        let before = process.cpu()?;
        let outcome = run(process.address, amount, traffic, self.clock.clone()).await?;
        let used = process.cpu()?.saturating_sub(before);
        let cost = used.as_secs_f64() * 1e6 / (outcome.right.max(1)) as f64;
        Ok(Sample { outcome, cost })
    }

    /// As [`Bench::sample`], and every answer must be right.
    async fn right<T: Traffic + 'static>(
        &self,
        process: &Process,
        amount: Amount,
        traffic: &Rc<T>,
    ) -> Result<Sample, Failure> {
        let sample = self.sample_of(process, amount, traffic.clone()).await?;
        match &sample.outcome.first_wrong {
            None => Ok(sample),
            Some(wrong) => Err(format!("{} wrong answers, the first: {wrong}", sample.outcome.wrong).into()),
        }
    }

    /// The bytes of a request's body and of its answer's, by asking once.
    async fn sizes(&self, site: &Site, calls: &Calls) -> Result<(Vec<u8>, usize), Failure> {
        let mut connection = crate::http::Connection::open(site.process.address).await?;
        let mut request = Vec::new();
        let (_, body) = calls.body(0)?;
        crate::http::post(&mut request, "/v1", None, body.as_bytes());
        let (status, answer) = connection.exchange(&request).await?;
        if status == 200 {
            Ok((body.into_bytes(), answer.len()))
        } else {
            Err(format!("status {status}").into())
        }
    }
}

/// The one that a quarter of some figures do not reach.
fn lower_quartile(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 4).copied().unwrap_or(f64::NAN)
}

/// The middle one of some figures.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
