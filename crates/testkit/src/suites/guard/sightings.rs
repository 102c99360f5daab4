//! From which addresses callers came.

use std::net::IpAddr;

use msp_core::Sighting;
use msp_protocol::Digest;

use super::{GuardLimits, GuardStand, key};

fn address(n: u8) -> IpAddr {
    [10, 0, 0, n].into()
}

async fn sight(stand: &impl GuardStand, n: u8, client: u8) -> Sighting {
    stand.guard().sightings.sight(address(n), &key(client)).await
}

async fn seen_from(stand: &impl GuardStand, n: u8) -> Vec<Digest> {
    stand.guard().sightings.seen_from(address(n)).await
}

pub async fn share_point_21_an_address_is_new_then_known_and_returned_after_its_ttl<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    assert_eq!(sight(&stand, 1, 1).await, Sighting::New);
    assert_eq!(sight(&stand, 2, 1).await, Sighting::New);
    stand.pass(300).await;
    assert_eq!(sight(&stand, 1, 1).await, Sighting::Known);
    stand.pass(301).await;
    assert_eq!(sight(&stand, 1, 1).await, Sighting::Returned);
    assert_eq!(sight(&stand, 1, 1).await, Sighting::Known);
    assert_eq!(sight(&stand, 2, 1).await, Sighting::Returned, "others do not disturb it");
}

pub async fn an_address_unseen_for_a_day_is_forgotten<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    sight(&stand, 1, 1).await;
    assert_eq!(seen_from(&stand, 1).await, [key(1)]);
    stand.pass(86_401).await;
    sight(&stand, 2, 1).await;
    assert_eq!(seen_from(&stand, 1).await, []);
    assert_eq!(sight(&stand, 1, 1).await, Sighting::New);
}

pub async fn an_address_is_known_by_its_last_eight_keys_the_last_one_first<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    for client in [0, 1, 2, 3, 4, 5, 6, 7, 8, 3] {
        let mapped = "::ffff:10.0.0.1".parse().unwrap();
        stand.guard().sightings.sight(mapped, &key(client)).await;
    }
    assert_eq!(seen_from(&stand, 1).await, [3, 8, 7, 6, 5, 4, 2, 1].map(key));
    assert_eq!(seen_from(&stand, 2).await, []);
}
