//! Who fails is slowed, and banned when it does not stop; who stands for many is not.

use std::net::IpAddr;

use msp_core::clock::Clock as _;
use msp_core::{Ban, Standing};

use super::{GuardLimits, GuardStand};

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

async fn fail(stand: &impl GuardStand, from: &str, times: usize) {
    for _ in 0..times {
        stand.guard().failures.note(address(from), false).await;
    }
}

/// For how long it is slowed.
async fn slowed(stand: &impl GuardStand, from: &str) -> Option<u64> {
    match stand.guard().failures.standing(address(from)).await {
        Standing::Free => None,
        Standing::Slowed(until) => Some((until - stand.clock().monotonic()).as_secs()),
        Standing::Banned(until) => panic!("{from} is banned until {until:?}"),
    }
}

/// For how long it is banned.
async fn banned(stand: &impl GuardStand, from: &str) -> Option<u64> {
    match stand.guard().failures.standing(address(from)).await {
        Standing::Banned(until) => Some((until - stand.clock().monotonic()).as_secs()),
        Standing::Free | Standing::Slowed(_) => None,
    }
}

pub async fn five_failures_are_free_and_each_further_one_slows_longer<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    fail(&stand, "192.0.2.1", 5).await;
    assert_eq!(slowed(&stand, "192.0.2.1").await, None);
    for delay in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        fail(&stand, "192.0.2.1", 1).await;
        assert_eq!(slowed(&stand, "192.0.2.1").await, Some(delay));
    }
    fail(&stand, "192.0.2.1", 80).await;
    assert_eq!(slowed(&stand, "192.0.2.1").await, Some(300), "never longer, up to a ban");
    assert_eq!(slowed(&stand, "192.0.2.2").await, None, "others are not");
    stand.pass(300).await;
    assert_eq!(slowed(&stand, "192.0.2.1").await, None);
}

pub async fn a_hundred_failures_ban_a_public_address_for_an_hour<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    fail(&stand, "192.0.2.1", 99).await;
    assert_eq!(stand.guard().failures.bans().await, []);
    fail(&stand, "192.0.2.1", 3).await;
    assert_eq!(banned(&stand, "192.0.2.1").await, Some(3600));
    stand.pass(600).await;
    let ban = Ban { address: "192.0.2.1".to_owned(), failures: 102, remaining_sec: 3000 };
    assert_eq!(stand.guard().failures.bans().await, [ban]);
    stand.pass(3000).await;
    assert_eq!(slowed(&stand, "192.0.2.1").await, None, "it is free again");
    assert_eq!(stand.guard().failures.bans().await, []);
}

pub async fn who_stands_for_many_is_slowed_and_never_banned<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let local = [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.0.1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
    ];
    for (from, is_hop) in local.map(|from| (from, false)).into_iter().chain([("192.0.2.1", true)]) {
        for _ in 0..1_000 {
            stand.guard().failures.note(address(from), is_hop).await;
        }
        assert_eq!(slowed(&stand, from).await, Some(300), "{from}");
    }
    assert_eq!(stand.guard().failures.bans().await, []);
}

pub async fn addresses_of_one_64_are_counted_together<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    for n in 0..100 {
        fail(&stand, &format!("2001:db8:0:1::{n:x}"), 1).await;
    }
    assert_eq!(banned(&stand, "2001:db8:0:1:ffff::").await, Some(3600));
    assert_eq!(slowed(&stand, "2001:db8:0:2::").await, None);
    assert_eq!(stand.guard().failures.bans().await[0].address, "2001:db8:0:1::/64");
}

pub async fn a_success_takes_only_half_from_the_address<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    fail(&stand, "192.0.2.1", 14).await;
    stand.guard().failures.forgive(address("192.0.2.1")).await;
    assert_eq!(slowed(&stand, "192.0.2.1").await, Some(2));
}

pub async fn a_success_never_lifts_a_ban_but_the_operator_does<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let failures = stand.guard().failures;
    fail(&stand, "192.0.2.1", 100).await;
    for _ in 0..20 {
        failures.forgive(address("192.0.2.1")).await;
    }
    assert_eq!(banned(&stand, "192.0.2.1").await, Some(3600));
    assert!(failures.lift_ban(address("::ffff:192.0.2.1")).await);
    assert!(!failures.lift_ban(address("192.0.2.1")).await);
    fail(&stand, "192.0.2.1", 1).await;
    assert_eq!(slowed(&stand, "192.0.2.1").await, None);
}
