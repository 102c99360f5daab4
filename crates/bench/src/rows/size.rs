//! Memory, and the time of a start.

use std::rc::Rc;
use std::time::Duration;

use super::{Bench, CONNECTIONS, median};
use crate::Failure;
use crate::load::{Addresses, Amount, Calls, Shape};
use crate::report::Figure;
use crate::site::{Plan, Site, WIDE_GUARD, next_second, prepare};

const NATIVE: &str = "time_test=simple_time\n";
/// Where the table has the limits' defaults.
const DEFAULTS: &str = "";

/// Resident memory idle and with 100,000 clients, and the time to the first answer of a start with these.
pub(super) async fn resident(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let row = "size";
    let idle = bench.site(&Plan { clients: 1, classic: true, config: DEFAULTS, modules: NATIVE }).await?;
    bench.figures.push(Figure::new(row, "resident, idle", mega(&idle)?, "MB").at_most(20.0, 12.0));
    drop(idle);
    let clients = 100_000;
    let plan = Plan { clients, classic: false, config: DEFAULTS, modules: NATIVE };
    let folder = prepare(&bench.work, &plan, bench.clock.clone()).await?;
    let key = crate::population::server_key(&folder.join("sec"))?;
    let call = (Shape::Envelope, "time_test");
    let calls = Rc::new(Calls::new(&key, 1, call, Addresses::Socket, bench.clock.clone())?);
    let (mut starts, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..bench.cli.rounds {
        next_second(&*bench.clock).await;
        let before = bench.clock.monotonic();
        let site = Site::start_in(&folder)?;
        let first = Amount { requests: Some(1), ..Amount::full(1, Duration::from_secs(10)) };
        bench.right(&site.process, first, &calls).await?;
        starts.push(bench.clock.monotonic().saturating_sub(before).as_secs_f64());
        sizes.push(mega(&site)?);
    }
    bench.figures.extend([
        Figure::new(row, "resident, 100,000 clients", median(sizes), "MB").at_most(80.0, 50.0),
        Figure::new(row, "start to first answer, 100,000 clients", median(starts), "s").at_most(1.0, 0.3),
    ]);
    Ok(())
}

/// Ten million requests: resident memory after each million.
pub(super) async fn endurance(bench: &mut Bench<'_>) -> Result<(), Failure> {
    let row = "endurance";
    let config = format!("[Clients]\nRequestTTL=2\n{WIDE_GUARD}");
    let site = bench.site(&Plan { clients: 1, classic: true, config: &config, modules: NATIVE }).await?;
    let call = (Shape::Classic, "time_test");
    let calls = Rc::new(Calls::new(&site.key, 1, call, Addresses::Socket, bench.clock.clone())?);
    let million = Amount { requests: Some(1_000_000), ..Amount::full(CONNECTIONS, Duration::from_secs(600)) };
    let mut sizes = Vec::new();
    for _ in 0..10 {
        bench.right(&site.process, million, &calls).await?;
        sizes.push(mega(&site)?);
    }
    let text: Vec<_> = sizes.iter().map(|size| format!("{size:.0}")).collect();
    let [_, second, .., last] = sizes.as_slice() else { return Err("ten figures".into()) };
    bench.figures.push(Figure::new(
        row,
        format!("resident after each million: {}", text.join(" ")),
        *last,
        "MB",
    ));
    bench.figures.push(Figure::new(row, "the last of the second", last / second, "×").at_most(1.1, 1.02));
    Ok(())
}

fn mega(site: &Site) -> Result<f64, Failure> {
    Ok(site.process.memory()? as f64 / 1e6)
}
