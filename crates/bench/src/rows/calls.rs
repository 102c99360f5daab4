//! What a good call costs, against a bare echo of equal sizes in the same run.

use std::rc::Rc;

use super::{Bench, lower_quartile, median};
use crate::Failure;
use crate::load::{Addresses, Bodies, Calls, Shape};
use crate::process::Process;
use crate::report::Figure;
use crate::site::{NO_LINES, ONE_PROXY, Plan, WIDE_GUARD};

/// Native functions only, so that no worker shares the machine.
pub(super) const NATIVE: &str = "time_test=simple_time\n";

/// Costs of the same server or echo, one for each round.
struct Costs(Vec<f64>);

impl Costs {
    /// The median of the ratios, round by round.
    fn over(&self, other: &Self) -> f64 {
        median(self.0.iter().zip(&other.0).map(|(a, b)| a / b).collect())
    }

    fn median(&self) -> f64 {
        median(self.0.clone())
    }
}

/// Measures echo and servers with different numbers of clients in turn, round by round.
async fn in_turn(bench: &Bench<'_>, shape: Shape, counts: &[usize]) -> Result<(Costs, Vec<Costs>), Failure> {
    let config = format!("{WIDE_GUARD}{ONE_PROXY}{NO_LINES}");
    let mut sites = Vec::new();
    let mut sizes = None;
    for clients in counts {
        let plan =
            Plan { clients: *clients, classic: shape == Shape::Classic, config: &config, modules: NATIVE };
        let site = bench.site(&plan).await?;
        let call = (shape, "time_test");
        let calls = Calls::new(&site.key, *clients, call, Addresses::PerClient, bench.clock.clone())?;
        if sizes.is_none() {
            sizes = Some(bench.sizes(&site, &calls).await?);
        }
        let calls = Rc::new(calls);
        // Until each client was answered once, its keys are not derived and its address is not known.
        known(bench, &site.process, &calls, *clients).await?;
        sites.push((site, calls));
    }
    let (body, answer) = sizes.ok_or("nothing to measure")?;
    let echo = bench.echo(answer)?;
    let bodies = Rc::new(Bodies { body, answer, forwarded: true });
    bench.right(&echo, bench.amount(), &bodies).await?;
    let mut yardstick = Costs(Vec::new());
    let mut costs: Vec<Costs> = counts.iter().map(|_| Costs(Vec::new())).collect();
    for _ in 0..bench.cli.rounds {
        yardstick.0.push(bench.right(&echo, bench.amount(), &bodies).await?.cost);
        for ((site, calls), costs) in sites.iter().zip(&mut costs) {
            costs.0.push(bench.right(&site.process, bench.amount(), calls).await?.cost);
        }
    }
    Ok((yardstick, costs))
}

/// Calls once for each client, from its own address; first contacts are searched for by one thread, so few at a time.
pub(super) async fn known(
    bench: &Bench<'_>,
    process: &Process,
    calls: &Rc<Calls>,
    clients: usize,
) -> Result<(), Failure> {
    let whole = crate::load::Amount::full(super::CONNECTIONS, std::time::Duration::from_secs(600));
    let amount = crate::load::Amount { requests: Some(clients as u64), ..whole };
    bench.right(process, amount, calls).await.map(drop)
}

/// Classic, native: one client against echo and floor, more clients against one.
pub(super) async fn classic(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let counts = [1, 1000, 10_000];
    let (echo, costs) = in_turn(bench, Shape::Classic, &counts).await?;
    let [one, thousand, ten_thousand] = costs.as_slice() else { return Err("three servers".into()) };
    let floor = echo.median() + bench.floors.classic;
    let row = "classic";
    bench.figures.extend([
        Figure::new(row, "bare echo of equal sizes", echo.median(), "µs"),
        Figure::new(row, "floor: echo and the crypto", floor, "µs"),
        Figure::new(row, "1 client", one.median(), "µs"),
        Figure::new(row, "1 client, of echo", one.over(&echo), "×").at_most(2.0, 1.5),
        Figure::new(row, "1 client, of floor", one.over(&echo) * echo.median() / floor, "×")
            .at_most(1.3, 1.1),
        Figure::new(row, "1,000 clients, of 1 client", thousand.over(one), "×").at_most(1.1, 1.02),
        Figure::new(row, "10,000 clients, of 1 client", ten_thousand.over(one), "×").at_most(1.1, 1.02),
    ]);
    Ok(())
}

/// Envelope, native: the same cost from one to 100,000 clients.
pub(super) async fn envelope(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let counts = [1, 1000, 100_000];
    let (echo, costs) = in_turn(bench, Shape::Envelope, &counts).await?;
    let [one, thousand, most] = costs.as_slice() else { return Err("three servers".into()) };
    let floor = echo.median() + bench.floors.envelope;
    let row = "envelope";
    bench.figures.extend([
        Figure::new(row, "bare echo of equal sizes", echo.median(), "µs"),
        Figure::new(row, "floor: echo and the crypto", floor, "µs"),
        Figure::new(row, "1 client", one.median(), "µs"),
        Figure::new(row, "1 client, of floor", one.over(&echo) * echo.median() / floor, "×")
            .at_most(1.3, 1.1),
        Figure::new(row, "1,000 clients, of 1 client", thousand.over(one), "×").at_most(1.1, 1.05),
        Figure::new(row, "100,000 clients, of 1 client", most.over(one), "×").at_most(1.1, 1.05),
    ]);
    Ok(())
}

/// What a line in the log costs a call: the same server with such lines and without.
pub(super) async fn lines(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let mut sites = Vec::new();
    // Of one client and of two, so that each server has a folder of its own; the cost does not follow their number.
    for (clients, lines) in [(1, NO_LINES), (2, "")] {
        let config = format!("{WIDE_GUARD}{ONE_PROXY}{lines}");
        let site = bench.site(&Plan { clients, classic: false, config: &config, modules: NATIVE }).await?;
        let call = (Shape::Envelope, "time_test");
        let calls = Calls::new(&site.key, clients, call, Addresses::PerClient, bench.clock.clone())?;
        let calls = Rc::new(calls);
        known(bench, &site.process, &calls, clients).await?;
        sites.push((site, calls));
    }
    let [(quiet_site, their), (telling_site, own)] = sites.as_slice() else {
        return Err("two servers".into());
    };
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // A difference of two costs is small beside what else the machine does, which only adds to a cost: so there are more
    // rounds, each server goes first in turn, and the lower quartiles are compared.
    for round in 0..3 * bench.cli.rounds {
        for telling in [round % 2 == 1, round % 2 == 0] {
            let (site, calls) = if telling { (telling_site, own) } else { (quiet_site, their) };
            let cost = bench.right(&site.process, bench.amount(), calls).await?.cost;
            if telling { with.push(cost) } else { without.push(cost) }
        }
    }
    let dearer = lower_quartile(with) - lower_quartile(without);
    let figure = Figure::new("access log", "a line of each call, over none", dearer, "µs");
    bench.figures.push(figure.at_most(3.0, 1.0));
    Ok(())
}
