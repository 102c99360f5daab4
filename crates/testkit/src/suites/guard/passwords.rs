//! Failed passwords: who is refused, who is held, and who is neither.

use std::net::IpAddr;
use std::time::Duration;

use msp_core::{Attempt, AttemptStanding, PasswordBanOf, RefusedBy};
use msp_protocol::Digest;

use super::{GuardLimits, GuardStand, key};

const PUBLIC: &str = "203.0.113.1";

#[derive(Clone, Copy)]
struct Tried {
    account: Digest,
    exists: bool,
    address: IpAddr,
    is_hop: bool,
    is_known: bool,
}

impl Tried {
    fn on(account: u8, address: &str) -> Self {
        let address = address.parse().unwrap();
        Self { account: key(account), exists: true, address, is_hop: false, is_known: false }
    }

    fn known(self) -> Self {
        Self { is_known: true, ..self }
    }

    fn attempt(&self) -> Attempt<'_> {
        let Self { ref account, exists, address, is_hop, is_known } = *self;
        Attempt { account, exists, address, is_hop, is_known }
    }
}

async fn judge(stand: &impl GuardStand, tried: Tried) -> AttemptStanding {
    stand.log_ins().passwords.judge(tried.attempt()).await
}

async fn fail(stand: &impl GuardStand, tried: Tried, times: usize) {
    for _ in 0..times {
        stand.log_ins().passwords.failed(tried.attempt()).await;
    }
}

fn refused(by: RefusedBy, seconds: u64) -> AttemptStanding {
    AttemptStanding::Refused { by, retry_after: Duration::from_secs(seconds) }
}

/// An address that has not failed yet.
fn fresh(n: u8) -> String {
    format!("198.51.100.{n}")
}

pub async fn accounts_09_counts_are_kept_by_account_and_by_address_and_forgotten_in_time<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    fail(&stand, Tried::on(1, PUBLIC), 4).await;
    assert_eq!(judge(&stand, Tried::on(1, PUBLIC)).await, AttemptStanding::Free);
    stand.pass(599).await;
    fail(&stand, Tried::on(2, "::ffff:203.0.113.1"), 1).await;
    assert_eq!(judge(&stand, Tried::on(3, PUBLIC)).await, refused(RefusedBy::Address, 3600));
    assert_eq!(judge(&stand, Tried::on(1, &fresh(1))).await, AttemptStanding::Free, "four of the account");
    stand.pass(1).await;
    fail(&stand, Tried::on(1, &fresh(1)), 4).await;
    assert_eq!(
        judge(&stand, Tried::on(1, &fresh(2))).await,
        AttemptStanding::Free,
        "the first four are over"
    );
    for n in 0..5 {
        fail(&stand, Tried::on(9, &format!("2001:db8:0:1::{n}")), 1).await;
    }
    assert_eq!(judge(&stand, Tried::on(8, "2001:db8:0:1:f::")).await, refused(RefusedBy::Address, 3600));
    assert_eq!(judge(&stand, Tried::on(8, "2001:db8:0:2::")).await, AttemptStanding::Free);
    let failures = stand.guard().failures;
    assert_eq!(
        failures.standing(PUBLIC.parse().unwrap()).await,
        msp_core::Standing::Free,
        "apart from all else"
    );
}

pub async fn accounts_09_a_success_clears_the_account_and_takes_its_failures_off_the_address<
    G: GuardStand,
>() {
    let stand = G::start(GuardLimits::default()).await;
    fail(&stand, Tried::on(1, PUBLIC), 3).await;
    fail(&stand, Tried::on(2, PUBLIC), 1).await;
    stand.log_ins().passwords.succeeded(Tried::on(1, PUBLIC).attempt()).await;
    fail(&stand, Tried::on(2, PUBLIC), 3).await;
    assert_eq!(judge(&stand, Tried::on(3, PUBLIC)).await, AttemptStanding::Free, "four are left");
    fail(&stand, Tried::on(1, &fresh(1)), 4).await;
    assert_eq!(judge(&stand, Tried::on(1, &fresh(2))).await, AttemptStanding::Free, "the account began anew");
    fail(&stand, Tried::on(2, PUBLIC), 1).await;
    stand.log_ins().passwords.succeeded(Tried::on(2, PUBLIC).attempt()).await;
    assert_eq!(judge(&stand, Tried::on(3, PUBLIC)).await, refused(RefusedBy::Address, 3600), "a block stays");
}

pub async fn accounts_09_strangers_names_fill_a_bounded_table_and_free_nothing<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let nobody = Tried { exists: false, ..Tried::on(7, "127.0.0.1") };
    for n in 0..6 {
        fail(&stand, Tried { address: fresh(n).parse().unwrap(), ..nobody }, 1).await;
        fail(&stand, Tried::on(1, &fresh(n)), 1).await;
    }
    stand.pass(10).await;
    for n in 0..100_000_u32 {
        let account = Digest::of(&n.to_le_bytes());
        fail(&stand, Tried { account, ..nobody }, 1).await;
    }
    fail(&stand, Tried::on(1, "127.0.0.1"), 1).await;
    assert_eq!(judge(&stand, Tried::on(1, "127.0.0.1")).await, refused(RefusedBy::Account, 4), "the seventh");
    // A name that comes to exist keeps what was counted of it.
    fail(&stand, Tried { exists: true, ..nobody }, 1).await;
    assert!(matches!(judge(&stand, nobody).await, AttemptStanding::Refused { by: RefusedBy::Account, .. }));
}

pub async fn accounts_10_five_failures_close_a_public_address_for_an_hour<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    for account in 1..=5 {
        assert_eq!(judge(&stand, Tried::on(9, PUBLIC)).await, AttemptStanding::Free);
        fail(&stand, Tried::on(account, PUBLIC), 1).await;
    }
    assert_eq!(judge(&stand, Tried::on(9, PUBLIC).known()).await, refused(RefusedBy::Address, 3600));
    assert_eq!(judge(&stand, Tried::on(9, "203.0.113.2")).await, AttemptStanding::Free, "another address");
    stand.pass(3599).await;
    assert_eq!(judge(&stand, Tried::on(9, PUBLIC)).await, refused(RefusedBy::Address, 1));
    stand.pass(1).await;
    assert_eq!(judge(&stand, Tried::on(9, PUBLIC)).await, AttemptStanding::Free);
    fail(&stand, Tried::on(9, PUBLIC), 1).await;
    assert_eq!(judge(&stand, Tried::on(9, PUBLIC)).await, AttemptStanding::Free, "it counts anew");
}

pub async fn accounts_10_who_stands_for_many_is_held_unless_known<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    for address in
        ["127.0.0.1", "::1", "10.1.2.3", "192.168.1.1", "172.16.0.1", "100.64.0.1", "fd00::1", "fe80::1"]
    {
        for account in 100..150 {
            fail(&stand, Tried { exists: false, ..Tried::on(account, address) }, 1).await;
        }
        assert_eq!(judge(&stand, Tried::on(1, address)).await, AttemptStanding::Held, "{address}");
        assert_eq!(judge(&stand, Tried::on(1, address).known()).await, AttemptStanding::Free, "{address}");
    }
    let hop = |account| Tried { is_hop: true, ..Tried::on(account, PUBLIC) };
    for account in 10..60 {
        fail(&stand, hop(account), 1).await;
    }
    assert_eq!(judge(&stand, hop(1)).await, AttemptStanding::Held);
    assert_eq!(judge(&stand, hop(1).known()).await, AttemptStanding::Free);
}

pub async fn accounts_11_the_fifth_failure_of_an_account_closes_it_to_strangers_for_longer_each_time<
    G: GuardStand,
>() {
    let stand = G::start(GuardLimits::default()).await;
    for n in 0..4 {
        fail(&stand, Tried::on(1, &fresh(n)), 1).await;
    }
    for (n, window) in (4..).zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
        assert_eq!(judge(&stand, Tried::on(1, &fresh(n))).await, AttemptStanding::Free, "{window}");
        fail(&stand, Tried::on(1, &fresh(n)), 1).await;
        for address in ["127.0.0.1", "198.51.100.200", "10.0.0.1"] {
            let tried = Tried::on(1, address);
            assert_eq!(judge(&stand, tried).await, refused(RefusedBy::Account, window), "{address}");
            assert_eq!(judge(&stand, tried.known()).await, AttemptStanding::Held, "{address}");
        }
        assert_eq!(judge(&stand, Tried::on(2, &fresh(n))).await, AttemptStanding::Free, "another account");
        stand.pass(window).await;
    }
    assert_eq!(judge(&stand, Tried::on(1, &fresh(0)).known()).await, AttemptStanding::Held);
    stand.pass(300).await;
    assert_eq!(
        judge(&stand, Tried::on(1, &fresh(0)).known()).await,
        AttemptStanding::Free,
        "ten minutes later"
    );
}

pub async fn accounts_12_the_operator_sees_what_is_refused_and_lifts_it<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let passwords = stand.log_ins().passwords;
    fail(&stand, Tried::on(1, PUBLIC), 7).await;
    let bans = passwords.password_bans().await;
    let of: Vec<_> = bans.iter().map(|ban| (ban.of.clone(), ban.failures, ban.remaining_sec)).collect();
    let account = PasswordBanOf::Account(key(1).to_string());
    assert_eq!(of, [(account, 7, 4), (PasswordBanOf::Address(PUBLIC.to_owned()), 7, 3600)]);
    assert!(passwords.lift_address(PUBLIC.parse().unwrap()).await);
    assert!(!passwords.lift_address(PUBLIC.parse().unwrap()).await);
    assert_eq!(judge(&stand, Tried::on(2, PUBLIC)).await, AttemptStanding::Free);
    assert!(passwords.lift_account(&key(1)).await);
    assert!(!passwords.lift_account(&key(1)).await);
    assert_eq!(judge(&stand, Tried::on(1, PUBLIC)).await, AttemptStanding::Free);
    assert_eq!(passwords.password_bans().await, []);
}
