//! What a call costs beside another build of the server.

use std::path::Path;
use std::rc::Rc;

use super::plugins::{self, Asks};
use super::{Bench, calls, lower_quartile};
use crate::Failure;
use crate::load::{Addresses, Calls, Shape, Traffic};
use crate::process::{Process, sibling};
use crate::report::Figure;
use crate::site::{self, NO_LINES, ONE_PROXY, Plan, WIDE_GUARD};

/// Clients of the sealed rows.
const CLIENTS: usize = 1000;

/// Measures calls of each kind with the other build, which may not know `[Log] Access`, and with this one, in turn.
pub(super) async fn measure(bench: &mut Bench<'_>, other: &Path) -> Result<(), Failure> {
    let this = sibling("msp-server")?;
    for (what, shape) in [("classic", Shape::Classic), ("envelope", Shape::Envelope)] {
        let other = sealed(bench, shape, "other", other, "").await?;
        let this = sealed(bench, shape, "this", &this, NO_LINES).await?;
        in_turn(bench, what, [other, this]).await?;
    }
    let other = plugin(bench, "other-plugin", other, "")?;
    let this = plugin(bench, "this-plugin", &this, NO_LINES)?;
    in_turn(bench, "plugin", [other, this]).await
}

async fn sealed(
    bench: &Bench<'_>,
    shape: Shape,
    name: &str,
    program: &Path,
    lines: &str,
) -> Result<(Process, Rc<Calls>), Failure> {
    let config = format!("{WIDE_GUARD}{ONE_PROXY}{lines}");
    let classic = shape == Shape::Classic;
    let plan = Plan { clients: CLIENTS, classic, config: &config, modules: calls::NATIVE };
    let folder = site::prepare(&bench.work.join(name), &plan, bench.clock.clone()).await?;
    site::next_second(&*bench.clock).await;
    let site = site::Site::start_of(program, &folder)?;
    let call = (shape, "time_test");
    let traffic = Rc::new(Calls::new(&site.key, CLIENTS, call, Addresses::PerClient, bench.clock.clone())?);
    calls::known(bench, &site.process, &traffic, CLIENTS).await?;
    Ok((site.process, traffic))
}

fn plugin(
    bench: &Bench<'_>,
    name: &str,
    program: &Path,
    lines: &str,
) -> Result<(Process, Rc<Asks>), Failure> {
    let process = plugins::one_plugin(&bench.work, name, program, lines)?;
    Ok((process, Rc::new(Asks::of("/asyn", br#"{"value":1}"#))))
}

async fn in_turn<T: Traffic + 'static>(
    bench: &mut Bench<'_>,
    what: &str,
    [other, this]: [(Process, Rc<T>); 2],
) -> Result<(), Failure> {
    let (mut others, mut costs) = (Vec::new(), Vec::new());
    for round in 0..=2 * bench.cli.rounds {
        for is_this in [round % 2 == 1, round % 2 == 0] {
            let (process, traffic) = if is_this { &this } else { &other };
            let cost = bench.right(process, bench.amount(), traffic).await?.cost;
            // The first round warms both.
            if round > 0 {
                if is_this { costs.push(cost) } else { others.push(cost) }
            }
        }
    }
    // What else the machine does only adds to a cost.
    let (other, this) = (lower_quartile(others), lower_quartile(costs));
    let row = "beside";
    bench.figures.extend([
        Figure::new(row, format!("{what}, the other build"), other, "µs"),
        Figure::new(row, format!("{what}, of the other build"), this / other, "×").at_most(1.03, 1.0),
    ]);
    Ok(())
}
