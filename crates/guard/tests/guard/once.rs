//! What every guard must do, and what of that shows in this one's memory and marks.

use std::sync::Arc;

use msp_core::{Admission, Marks, Rejection, Replay as _};
use msp_testkit::guard_suite;
use msp_testkit::suites::guard::{START, envelope};
use msp_testkit::suites::registry::marks::marks_are_kept;

use crate::support::World;

guard_suite!(World);

#[tokio::test]
async fn what_stands_in_for_the_registry_here_keeps_marks_as_a_registry_does() {
    let store = World::new().await.store;
    marks_are_kept(store.clone(), async || store.clone() as Arc<dyn Marks>).await;
}

#[tokio::test]
async fn share_point_06_the_ttl_can_change_while_it_runs() {
    let mut world = World::new().await;
    world.set_ttl(10).await;
    assert_eq!(world.send(1, START - 11).await, Err(Rejection::TooOld { not_before: START, tell: true }));

    world.set_ttl(60).await;

    assert_eq!(world.send(2, START - 60).await, Ok(()));
}

#[tokio::test]
async fn times_at_the_ends_of_the_scale_are_never_written() {
    let world = World::new().await;

    for n in 2..200 {
        assert!(world.send(n, u64::MAX).await.is_err());
    }
    assert!(world.store.marks().ahead.iter().all(|kept| i64::try_from(kept.ts).is_ok()));
    assert!(world.store.marks().clients.iter().all(|(_, mark)| i64::try_from(*mark).is_ok()));
    assert_eq!(world.guard.admit(envelope(2, 500, START)).await, Ok(()));
}

#[tokio::test]
async fn an_accepted_request_is_forgotten_when_its_time_can_be_accepted_no_more() {
    let world = World::new().await;
    assert_eq!(world.send(1, START + 30).await, Ok(()));

    world.pass(62).await;
    assert_eq!(world.guard.status().entries, 1);

    world.pass(1).await;
    assert_eq!(world.guard.status().entries, 0);
}

#[tokio::test]
async fn a_refused_request_takes_no_place() {
    let world = World::new().await;
    for items in [vec![], vec![[7; 24], [7; 24]]] {
        let request = Admission { items, ..envelope(1, 1, START) };
        assert_eq!(world.guard.admit(request).await, Err(Rejection::Replayed));
    }
    assert_eq!(world.guard.status().entries, 0);
}
