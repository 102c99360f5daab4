//! What strangers cost, and what is left for the others.

use std::rc::Rc;
use std::time::Duration;

use super::{Bench, median};
use crate::Failure;
use crate::load::{Addresses, Amount, Bodies, Calls, Garbage, Rubbish, Shape, run};
use crate::report::Figure;
use crate::site::{ONE_PROXY, Plan, WIDE_GUARD};

const NATIVE: &str = "time_test=simple_time\n";

fn config() -> String {
    format!("{WIDE_GUARD}{ONE_PROXY}")
}

/// The search through 10,000 classic keys: for a client from a new address, and for a stranger.
pub(super) async fn first_contact(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let clients = 10_000;
    let site = bench.site(&Plan { clients, classic: true, config: &config(), modules: NATIVE }).await?;
    let call = (Shape::Classic, "time_test");
    let calls = Rc::new(Calls::new(&site.key, clients, call, Addresses::PerClient, bench.clock.clone())?);
    // The last keys cost most; until the keys are derived the first answers come late.
    let all = Amount { requests: Some(64), ..Amount::full(4, Duration::from_secs(60)) };
    bench.right(&site.process, all, &calls).await?;
    let (mut clients_cost, mut strangers_cost, mut next) = (Vec::new(), Vec::new(), 0);
    for _ in 0..bench.cli.rounds {
        let fresh = Calls::new(&site.key, clients, call, Addresses::Fresh(next), bench.clock.clone())?;
        let one_by_one = Amount::full(1, bench.cli.time);
        let sample = bench.right(&site.process, one_by_one, &Rc::new(fresh)).await?;
        next += sample.outcome.right + 1;
        clients_cost.push(sample.cost / 1e3);
        // Five failures of an address are free: enough addresses that none is slowed.
        let strangers = Garbage::new(&site.key, Rubbish::Classic, Some(1 << 24), bench.clock.unix())?;
        strangers_cost.push(bench.right(&site.process, one_by_one, &Rc::new(strangers)).await?.cost / 1e3);
    }
    let row = "first contact";
    bench.figures.extend([
        Figure::new(row, "a client of 10,000, on average", median(clients_cost), "ms").at_most(5.0, 3.0),
        Figure::new(row, "a stranger, all 10,000 keys", median(strangers_cost), "ms").at_most(5.0, 3.0),
    ]);
    Ok(())
}

/// Classic garbage from addresses that are being slowed, against a good request and the echo.
pub(super) async fn garbage(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let site = bench.site(&Plan { clients: 1, classic: true, config: &config(), modules: NATIVE }).await?;
    let call = (Shape::Classic, "time_test");
    let good = Rc::new(Calls::new(&site.key, 1, call, Addresses::PerClient, bench.clock.clone())?);
    let (body, answer) = bench.sizes(&site, &good).await?;
    let echo = bench.echo(answer)?;
    let bodies = Rc::new(Bodies { body, answer, forwarded: true });
    // From now on its address is known: a flood of first contacts would fill the search's queue.
    let once = Amount { requests: Some(1), ..Amount::full(1, bench.cli.time) };
    bench.right(&site.process, once, &good).await?;
    let bad = Rc::new(Garbage::new(&site.key, Rubbish::Classic, Some(16), bench.clock.unix())?);
    // Refusals are held back, so that it takes many connections; the others get as many.
    let flood = Amount::full(512, bench.cli.time);
    bench.right(&site.process, flood, &bad).await?;
    let (mut of_good, mut of_echo, mut costs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.cli.rounds {
        let echo = bench.right(&echo, flood, &bodies).await?.cost;
        let good = bench.right(&site.process, flood, &good).await?.cost;
        let bad = bench.right(&site.process, flood, &bad).await?.cost;
        of_good.push(bad / good);
        of_echo.push(bad / echo);
        costs.push(bad);
    }
    let row = "garbage";
    bench.figures.extend([
        Figure::new(row, "classic, address slowed", median(costs), "µs"),
        Figure::new(row, "of a good request", median(of_good), "×").at_most(1.0, 1.0),
        Figure::new(row, "of echo", median(of_echo), "×").at_most(f64::INFINITY, 1.0),
    ]);
    Ok(())
}

/// 5,000 sealed calls a second while 1,000 addresses send 20,000 requests a second that must be refused.
pub(super) async fn beside_a_flood(bench: &mut Bench<'_>) -> Result<(), Failure> {
    // The failures that an address has free are searched for first; this is about what comes after.
    let time = bench.cli.time * 5;
    for (kind, name) in [(Rubbish::Classic, "classic"), (Rubbish::Noise, "noise"), (Rubbish::Mixed, "mixed")]
    {
        // All have the classic shape too, so that what is searched for is tried on each key.
        let site =
            bench.site(&Plan { clients: 1000, classic: true, config: &config(), modules: NATIVE }).await?;
        let call = (Shape::Envelope, "time_test");
        let good = Calls::new(&site.key, 1000, call, Addresses::PerClient, bench.clock.clone())?;
        let good = Rc::new(crate::load::Prepared::of(good, (5000.0 * time.as_secs_f64()) as u64)?);
        let bad = Rc::new(Garbage::new(&site.key, kind, Some(1000), bench.clock.unix())?);
        let paced = |connections, rate| Amount { rate: Some(rate), ..Amount::full(connections, time) };
        let (address, clock) = (site.process.address, bench.clock.clone());
        let flood = run(address, paced(2048, 20_000.0), bad, clock.clone());
        let calls = run(address, paced(64, 5000.0), good, clock);
        let (flood, calls) = futures_util::future::join(flood, calls).await;
        let (flood, calls) = (flood?, calls?);
        if let Some(wrong) = flood.first_wrong {
            return Err(format!("{} of the flood not refused, the first: {wrong}", flood.wrong).into());
        }
        let served = calls.right as f64 / time.as_secs_f64();
        let row = "attack";
        bench.figures.extend([
            Figure::new(row, format!("{name}: refused"), flood.right as f64 / time.as_secs_f64(), "/s")
                .at_least(19_000.0, 19_900.0),
            Figure::new(row, format!("{name}: of 5,000 calls served"), served / 50.0, "%")
                .at_least(80.0, 95.0),
            Figure::new(row, format!("{name}: wrong answers"), calls.wrong as f64, "").at_most(0.0, 0.0),
        ]);
    }
    Ok(())
}
