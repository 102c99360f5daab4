//! A full guard refuses and forgets nothing early.

use msp_core::{Rejection, Replay as _};
use msp_guard::MemoryGuardConfig;

use msp_testkit::suites::guard::{START, classic, envelope, key};

use crate::support::World;

fn small(max_entries: usize, caller_share: f64) -> MemoryGuardConfig {
    MemoryGuardConfig { max_entries, caller_share, ..MemoryGuardConfig::default() }
}

#[tokio::test]
async fn a_full_table_refuses_until_entries_are_due() {
    let world = World::with(small(10, 1.0)).await;
    assert_eq!(world.guard.admit(classic(1, 0, START)).await, Ok(()));
    assert_eq!(world.guard.admit(classic(2, 1, START + 1)).await, Ok(()));
    assert_eq!(world.guard.status().entries, 8);

    assert_eq!(world.guard.admit(classic(3, 2, START)).await, Err(Rejection::Full));
    assert_eq!(world.guard.admit(envelope(3, 100, START)).await, Ok(()));
    assert_eq!(world.guard.admit(envelope(3, 101, START)).await, Ok(()));
    assert_eq!(world.guard.admit(envelope(4, 102, START)).await, Err(Rejection::Full));
    assert_eq!(
        world.guard.admit(classic(1, 0, START)).await,
        Err(Rejection::Replayed),
        "nothing is forgotten"
    );

    world.clock.set_unix(START + 32);
    assert_eq!(world.guard.admit(envelope(4, 102, START + 32)).await, Err(Rejection::Full));
    world.clock.set_unix(START + 33);
    assert_eq!(world.guard.admit(envelope(4, 102, START + 33)).await, Ok(()));
    assert_eq!(world.guard.status().entries, 9, "classic values are remembered for twice the TTL");
    world.clock.set_unix(START + 63);
    assert_eq!(world.guard.admit(envelope(4, 103, START + 63)).await, Ok(()));
    assert_eq!(world.guard.status().entries, 2);
}

#[tokio::test]
async fn one_caller_holds_at_most_its_share_and_the_others_go_on() {
    let world = World::with(small(160, 1.0 / 16.0)).await;
    for n in 0..10 {
        assert_eq!(world.guard.admit(envelope(1, n, START)).await, Ok(()));
    }

    assert_eq!(world.guard.admit(envelope(1, 10, START)).await, Err(Rejection::Full));
    assert_eq!(world.guard.admit(classic(2, 100, START)).await, Ok(()));
    world.pass(33).await;
    assert_eq!(world.guard.admit(envelope(1, 11, START + 33)).await, Ok(()));
}

#[tokio::test]
async fn the_share_counts_requests_kept_as_ahead_and_beyond_it_their_client_is_bound() {
    let world = World::with(small(64, 1.0 / 16.0)).await;
    for n in 0..4 {
        assert!(matches!(world.send(n, START + 40).await, Err(Rejection::TooNew { .. })));
    }
    assert_eq!(world.send(4, START).await, Err(Rejection::Full));

    assert!(matches!(world.send(5, START + 41).await, Err(Rejection::TooNew { .. })));

    assert_eq!(world.guard.status().entries, 4);
    assert_eq!(world.store.marks().clients, [(key(1), START + 41)]);
}

#[tokio::test]
async fn limits_change_while_it_runs_and_forget_nothing() {
    let mut world = World::with(small(4, 1.0)).await;
    for n in 0..4 {
        assert_eq!(world.guard.admit(envelope(1, n, START)).await, Ok(()));
    }
    assert_eq!(world.guard.admit(envelope(1, 4, START)).await, Err(Rejection::Full));
    world.config.max_entries = 8;
    world.guard.reconfigure(world.config);
    assert_eq!(world.guard.admit(envelope(1, 4, START)).await, Ok(()));

    world.config.max_entries = 1;
    world.guard.reconfigure(world.config);

    assert_eq!(world.guard.admit(envelope(1, 5, START)).await, Err(Rejection::Full));
    assert_eq!((world.guard.status().entries, world.guard.status().max_entries), (5, 1));
    for n in 0..5 {
        assert_eq!(world.guard.admit(envelope(1, n, START)).await, Err(Rejection::Replayed));
    }
}
