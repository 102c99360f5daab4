//! The demo function as a Python module.

use std::rc::Rc;

use super::{Bench, CONNECTIONS, median};
use crate::Failure;
use crate::load::{Addresses, Amount, Bodies, Calls, Shape, run};
use crate::report::Figure;
use crate::site::{ONE_PROXY, Plan, Site, WIDE_GUARD};

const PYTHON: &str = "time_test=clock\nslow=slow\n";

/// The original on a machine whose echo answers [`ECHO`] requests a second: its best with one client.
const ORIGINAL_ONE: f64 = 2617.0;
/// And with a thousand clients.
const ORIGINAL_THOUSAND: f64 = 21.4;
const ECHO: f64 = 130_000.0;

async fn site(bench: &Bench<'_>, clients: usize) -> Result<(Site, Rc<Calls>), Failure> {
    let config = format!("{WIDE_GUARD}{ONE_PROXY}");
    let site = bench.site(&Plan { clients, classic: true, config: &config, modules: PYTHON }).await?;
    let call = (Shape::Classic, "time_test");
    let calls = Rc::new(Calls::new(&site.key, clients, call, Addresses::PerClient, bench.clock.clone())?);
    let all = Amount {
        requests: Some(clients as u64),
        ..Amount::full(CONNECTIONS, std::time::Duration::from_secs(600))
    };
    bench.right(&site.process, all, &calls).await?;
    Ok((site, calls))
}

/// Requests a second over 16 connections, against the original's, scaled by the echo of this run.
pub(super) async fn throughput(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let ((one, one_calls), (thousand, thousand_calls)) = (site(bench, 1).await?, site(bench, 1000).await?);
    let (body, answer) = bench.sizes(&one, &one_calls).await?;
    let echo = bench.echo(answer)?;
    let bodies = Rc::new(Bodies { body, answer, forwarded: true });
    let (mut rates, mut ones, mut thousands) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.cli.rounds {
        let scale = bench.right(&echo, bench.amount(), &bodies).await?.outcome.rate() / ECHO;
        let rate = bench.right(&one.process, bench.amount(), &one_calls).await?.outcome.rate();
        ones.push(rate / (ORIGINAL_ONE * scale));
        let many = bench.right(&thousand.process, bench.amount(), &thousand_calls).await?.outcome.rate();
        thousands.push(many / (ORIGINAL_THOUSAND * scale));
        rates.push((rate, many, scale * ECHO));
    }
    let of = |pick: fn(&(f64, f64, f64)) -> f64| median(rates.iter().map(pick).collect());
    let row = "python";
    bench.figures.extend([
        Figure::new(row, "bare echo, 16 connections", of(|rate| rate.2), "/s"),
        Figure::new(row, "time_test, 16 connections, 1 client", of(|rate| rate.0), "/s"),
        Figure::new(row, "of the original at its best", median(ones), "×").at_least(8.0, 12.0),
        Figure::new(row, "time_test, 16 connections, 1,000 clients", of(|rate| rate.1), "/s"),
        Figure::new(row, "of the original with 1,000 clients", median(thousands), "×")
            .at_least(800.0, 1200.0),
    ]);
    Ok(())
}

/// The time of one call with nobody beside it.
pub(super) async fn one_at_a_time(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let (site, calls) = site(bench, 1).await?;
    let mut halves = Vec::new();
    for _ in 0..bench.cli.rounds {
        let amount = Amount::full(1, bench.cli.time);
        let sample = bench.right(&site.process, amount, &calls).await?;
        halves.push(sample.outcome.percentile(0.5).as_secs_f64() * 1e3);
    }
    bench.figures.push(Figure::new("python", "1 connection, p50", median(halves), "ms").at_most(0.25, 0.15));
    Ok(())
}

/// Fifteen callers of `time_test` beside one that always sleeps 20 ms in its function.
pub(super) async fn beside_a_slow_one(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let (site, calls) = site(bench, 1).await?;
    let call = (Shape::Classic, "slow");
    let slow = Rc::new(Calls::new(&site.key, 1, call, Addresses::PerClient, bench.clock.clone())?);
    let (mut tails, mut slept) = (Vec::new(), 0);
    for _ in 0..bench.cli.rounds {
        let address = site.process.address;
        let beside = run(address, Amount::full(1, bench.cli.time), slow.clone(), bench.clock.clone());
        let fast = bench.right(&site.process, Amount::full(CONNECTIONS - 1, bench.cli.time), &calls);
        let (beside, fast) = futures_util::future::join(beside, fast).await;
        slept += beside?.right;
        tails.push(fast?.outcome.percentile(0.99).as_secs_f64() * 1e3);
    }
    let row = "slow caller";
    bench.figures.push(Figure::new(row, "calls that slept", slept as f64, ""));
    bench.figures.push(Figure::new(row, "p99 of the 15 others", median(tails), "ms").at_most(2.0, 0.6));
    Ok(())
}
