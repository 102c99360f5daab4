//! Whether the time of a refusal tells its reason: refusals of every kind in random order, compared as distributions.
//!
//! An attacker sees when a refusal came and knows when the request was sent; the server's ticks can be guessed from
//! the answers. So two figures of each refusal are compared: how long it took, and how far behind its tick it came.

mod kinds;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use msp_core::clock::Clock;
use msp_protocol::RngCore as _;

use crate::cli::Cli;
use crate::load::{Amount, Traffic, run};
use crate::report::{self, Row};
use crate::site::{ONE_PROXY, Plan, Site, WIDE_GUARD};
use crate::{Failure, http};

use kinds::{Kind, Maker};

/// Connections; two kinds of fifteen are searched for, so that the search's queue of 64 holds all that come at once.
const CONNECTIONS: usize = 256;
/// Registered clients with the classic shape, so that the search takes its time.
const CLIENTS: usize = 1000;
/// The server's ticks, in microseconds.
const TICK_US: f64 = 25_000.0;

/// One refusal as its sender saw it.
#[derive(Debug, Clone, Copy)]
struct Seen {
    kind: Kind,
    sent: Duration,
    received: Duration,
}

/// Sends requests of all kinds in random order.
struct Refusals {
    maker: Maker,
    clock: Arc<dyn Clock>,
    /// Made with each that is sent, for later: how long one takes to make would else tell when it was sent.
    ready: RefCell<VecDeque<(Kind, IpAddr, Vec<u8>)>>,
    seen: RefCell<Vec<Seen>>,
}

impl Refusals {
    fn make_one(&self, n: u64) -> Result<(), Failure> {
        let place = msp_protocol::OsRng.next_u64() as usize % Kind::ALL.len();
        let kind = Kind::ALL.get(place).copied().unwrap_or(Kind::Noise);
        let (address, body) = self.maker.make(kind, n)?;
        self.ready.borrow_mut().push_back((kind, address, body));
        Ok(())
    }
}

impl Traffic for Refusals {
    type Ticket = (Kind, Duration);

    fn request(&self, n: u64, to: &mut Vec<u8>) -> Result<Self::Ticket, Failure> {
        // Two for the first ones, so that there is always one.
        (0..1 + u64::from(n < CONNECTIONS as u64)).try_for_each(|_| self.make_one(n))?;
        let (kind, address, body) = self.ready.borrow_mut().pop_front().ok_or("nothing is ready")?;
        http::post_as(to, kind.content_type(), Some(address), &body);
        Ok((kind, self.clock.monotonic()))
    }

    fn check(&self, (kind, sent): Self::Ticket, status: u16, body: &[u8]) -> Result<(), Failure> {
        if status != 401 || !body.is_empty() {
            return Err(format!("{kind:?} was not refused: status {status}").into());
        }
        self.seen.borrow_mut().push(Seen { kind, sent, received: self.clock.monotonic() });
        Ok(())
    }
}

/// Measures `each` refusals of every kind, on average, and prints how far each kind stands out.
pub(crate) async fn measure(cli: &Cli, each: u64, clock: Arc<dyn Clock>) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let work = cli.work.clone().unwrap_or_else(|| folder.path().to_owned());
    // What is replayed must not grow too old meanwhile.
    let config = format!("{WIDE_GUARD}{ONE_PROXY}[Clients]\nRequestTTL=300\n");
    let plan = Plan { clients: CLIENTS, classic: true, config: &config, modules: "time_test=simple_time\n" };
    let site = Site::start(&work, &plan, clock.clone()).await?;
    let maker = Maker::new(&site, CLIENTS - 1, clock.clone()).await?;
    let refusals = Rc::new(Refusals {
        maker,
        clock: clock.clone(),
        ready: RefCell::default(),
        seen: RefCell::default(),
    });
    let requests = each * Kind::ALL.len() as u64;
    // Without a pause each would come right behind a tick, where it matters least how long the finding takes.
    let pause = Duration::from_millis(25);
    let amount =
        Amount { requests: Some(requests), pause, ..Amount::full(CONNECTIONS, Duration::from_secs(3600)) };
    let outcome = run(site.process.address, amount, refusals.clone(), clock).await?;
    if let Some(wrong) = outcome.first_wrong {
        return Err(format!("{} wrong answers, the first: {wrong}", outcome.wrong).into());
    }
    let seen = refusals.seen.borrow();
    report::timing(cli.json, &rows(&seen))
}

/// How each kind compares with all others together.
fn rows(seen: &[Seen]) -> Vec<Row> {
    let ticks = grid(seen);
    let figures: Vec<(Kind, f64, f64)> = seen
        .iter()
        .map(|one| (one.kind, us(one.received.saturating_sub(one.sent)), behind(one, ticks)))
        .collect();
    let pick = |wanted: &dyn Fn(Kind) -> bool, figure: fn(&(Kind, f64, f64)) -> f64| {
        let mut picked: Vec<f64> = figures.iter().filter(|one| wanted(one.0)).map(figure).collect();
        picked.sort_by(f64::total_cmp);
        picked
    };
    let row = |kind: Kind| {
        let (own, others) = (move |one: Kind| one == kind, move |one: Kind| one != kind);
        let (took, behind) = (pick(&own, |one| one.1), pick(&own, |one| one.2));
        let bound =
            1.95 * (1.0 / took.len().max(1) as f64 + 1.0 / (seen.len() - took.len()).max(1) as f64).sqrt();
        Row {
            kind: kind.name(),
            count: took.len(),
            took_ms: middle(&took) / 1e3,
            behind_us: middle(&behind),
            took_distance: distance(&took, &pick(&others, |one| one.1)),
            behind_distance: distance(&behind, &pick(&others, |one| one.2)),
            bound,
        }
    };
    Kind::ALL.into_iter().map(row).collect()
}

/// Where the ticks lie, in microseconds past the full 25 ms of our clock: the phase at which no answer comes before.
fn grid(seen: &[Seen]) -> f64 {
    let mut phases: Vec<f64> = seen.iter().map(|one| us(one.received) % TICK_US).collect();
    phases.sort_by(f64::total_cmp);
    // The largest gap between neighbours on the circle ends where the answers of a tick begin.
    let wrapped = phases.first().map(|first| first + TICK_US);
    let next = phases.iter().skip(1).copied().chain(wrapped);
    let gaps = phases.iter().zip(next).map(|(from, to)| (to - from, to % TICK_US));
    gaps.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(0.0, |(_, begins)| begins)
}

fn behind(one: &Seen, ticks: f64) -> f64 {
    (us(one.received) - ticks).rem_euclid(TICK_US)
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn middle(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The Kolmogorov-Smirnov distance of two sorted samples: the largest difference of their shares below any value.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let (mut i, mut j, mut largest) = (0, 0, 0.0_f64);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let value = x.min(*y);
        while a.get(i).is_some_and(|next| *next <= value) {
            i += 1;
        }
        while b.get(j).is_some_and(|next| *next <= value) {
            j += 1;
        }
        largest = largest.max((i as f64 / a.len() as f64 - j as f64 / b.len() as f64).abs());
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_is_none_for_equal_samples_and_one_for_parted_ones() {
        assert!(distance(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]) < 1e-9);
        assert!((distance(&[1.0, 2.0], &[3.0, 4.0]) - 1.0).abs() < 1e-9);
        assert!((distance(&[1.0, 3.0], &[2.0, 4.0]) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_grid_is_found_from_the_answers() {
        let seen: Vec<_> = (0..1000)
            .map(|n| Seen {
                kind: Kind::Noise,
                sent: Duration::ZERO,
                received: Duration::from_micros(n * 25_000 + 24_000 + n % 1500),
            })
            .collect();
        assert!((grid(&seen) - 24_000.0).abs() < 5.0);
        assert!(behind(&seen[999], grid(&seen)) < 1500.0);
    }
}
