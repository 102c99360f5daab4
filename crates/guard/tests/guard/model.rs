//! Whatever happens in whatever order, no accepted request is accepted again, and none refused as ahead at
//! all.

use std::collections::HashSet;

use msp_core::clock::Clock;
use msp_core::{Rejection, Replay as _};
use proptest::prelude::*;

use msp_testkit::suites::guard::{classic, envelope};

use crate::support::{World, Writes};

#[derive(Debug, Clone)]
enum Step {
    /// A new request of this client, whose clock differs by so much.
    Send {
        client: u8,
        skew: i64,
        classic: bool,
    },
    /// One of all requests sent so far, once more.
    Again(prop::sample::Index),
    /// All of them once more.
    AllAgain,
    Advance(u64),
    Tick,
    JumpClock(i64),
    Crash,
    Restart,
    Ttl(u64),
    Writes(Writes),
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    let skew = prop_oneof![4 => -3_i64..=4, 3 => -70_i64..=70];
    prop_oneof![
        12 => (0..3_u8, skew, any::<bool>())
            .prop_map(|(client, skew, classic)| Step::Send { client, skew, classic }),
        6 => any::<prop::sample::Index>().prop_map(Step::Again),
        3 => Just(Step::AllAgain),
        6 => (0..80_u64).prop_map(Step::Advance),
        3 => Just(Step::Tick),
        2 => (-200_i64..=200).prop_map(Step::JumpClock),
        2 => Just(Step::Crash),
        2 => Just(Step::Restart),
        2 => prop_oneof![Just(5), Just(30), Just(90)].prop_map(Step::Ttl),
        1 => prop_oneof![Just(Writes::Fail), Just(Writes::FailThoughWritten)].prop_map(Step::Writes),
        2 => Just(Step::Writes(Writes::Work)),
        1 => Just(Step::Reload),
    ]
}

/// What must hold, and how often it was put to the test.
struct Model {
    world: World,
    sent: Vec<msp_core::Admission>,
    accepted: HashSet<usize>,
    refused_as_ahead: HashSet<usize>,
}

impl Model {
    async fn take(&mut self, step: Step) {
        match step {
            Step::Send { client, skew, classic: four } => {
                let (n, ts) = (self.sent.len() as u64, self.world.clock.unix().saturating_add_signed(skew));
                self.sent.push(if four { classic(client, n, ts) } else { envelope(client, 4 * n, ts) });
                self.send(self.sent.len() - 1).await;
            }
            Step::Again(index) if !self.sent.is_empty() => self.send(index.index(self.sent.len())).await,
            Step::Again(_) => {}
            Step::AllAgain => {
                for n in 0..self.sent.len() {
                    self.send(n).await;
                }
            }
            Step::Advance(seconds) => self.world.clock.advance(std::time::Duration::from_secs(seconds)),
            Step::Tick => self.world.guard.tick().await,
            Step::JumpClock(by) => {
                self.world.clock.set_unix(self.world.clock.unix().saturating_add_signed(by));
            }
            Step::Crash => self.crash().await,
            Step::Restart => {
                let _may_fail = self.world.guard.close().await;
                self.crash().await;
            }
            Step::Ttl(seconds) => self.world.set_ttl(seconds).await,
            Step::Writes(writes) => self.world.store.set(writes),
            Step::Reload => {
                let _may_fail = self.world.guard.reload_marks().await;
            }
        }
    }

    async fn crash(&mut self) {
        if self.world.guard.status().mark_failing {
            // What could not be kept in the registry is kept in memory only, and that is now gone.
            self.refused_as_ahead.clear();
        }
        self.world.crash().await;
    }

    async fn send(&mut self, n: usize) {
        let request = self.sent[n].clone();
        match self.world.guard.admit(request).await {
            Ok(()) => {
                assert!(self.accepted.insert(n), "request {n} was accepted twice");
                assert!(!self.refused_as_ahead.contains(&n), "request {n} was ahead and became valid");
            }
            Err(Rejection::TooNew { .. }) => {
                self.refused_as_ahead.insert(n);
            }
            Err(_) => {}
        }
    }

    fn check(&self) {
        let believed = self.world.guard.status().accepted_until;
        assert!(
            believed <= self.world.store.marks().accepted_until,
            "the mark is not as durable as believed"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_accepted_request_is_ever_accepted_again(steps in prop::collection::vec(step(), 1..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            let (sent, accepted, refused_as_ahead) = Default::default();
            let mut model = Model { world, sent, accepted, refused_as_ahead };
            for step in steps {
                model.take(step).await;
                model.check();
            }
            model.world.store.set(Writes::Work);
            for jump in [0, -100, 100, 60, -30] {
                model.take(Step::JumpClock(jump)).await;
                model.take(Step::AllAgain).await;
                model.take(Step::Crash).await;
                model.take(Step::Ttl(90)).await;
                model.take(Step::AllAgain).await;
            }
        });
    }
}
