use super::*;

const NOW: Duration = Duration::from_secs(1_000);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn fail(failures: &mut Counters, from: &str, times: usize, now: Duration) {
    for _ in 0..times {
        failures.note(address(from), false, None, now);
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn five_failures_are_free_and_each_further_one_doubles_the_delay_up_to_five_minutes() {
    let mut failures = Counters::default();

    fail(&mut failures, "192.0.2.1", 5, NOW);
    assert_eq!(failures.standing(address("192.0.2.1"), NOW), Standing::Free);

    for delay in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
        fail(&mut failures, "192.0.2.1", 1, NOW);
        assert_eq!(failures.standing(address("192.0.2.1"), NOW), Standing::Slowed(NOW + seconds(delay)));
    }
    fail(&mut failures, "192.0.2.1", 80, NOW);
    assert_eq!(failures.standing(address("192.0.2.1"), NOW), Standing::Slowed(NOW + seconds(300)));
}

#[test]
fn a_delay_passes_and_failures_are_halved_every_five_minutes() {
    let mut failures = Counters::default();
    fail(&mut failures, "192.0.2.1", 8, NOW);

    assert_eq!(failures.standing(address("192.0.2.1"), NOW + seconds(4)), Standing::Free);
    let later = NOW + seconds(300);
    fail(&mut failures, "192.0.2.1", 1, later);
    assert_eq!(failures.standing(address("192.0.2.1"), later), Standing::Free, "8 halved, and one more: 5");
    fail(&mut failures, "192.0.2.1", 1, later);
    assert_eq!(failures.standing(address("192.0.2.1"), later), Standing::Slowed(later + seconds(1)));
}

#[test]
fn a_hundred_failures_ban_a_public_address_for_an_hour() {
    let mut failures = Counters::default();

    fail(&mut failures, "192.0.2.1", 99, NOW);
    assert!(failures.bans(NOW).is_empty());
    fail(&mut failures, "192.0.2.1", 3, NOW);

    assert_eq!(failures.standing(address("192.0.2.1"), NOW), Standing::Banned(NOW + seconds(3600)));
    let later = NOW + seconds(600);
    let ban = Ban { address: "192.0.2.1".to_owned(), failures: 102, remaining_sec: 3000 };
    assert_eq!(failures.bans(later), [ban]);
    let end = NOW + seconds(3600);
    assert_eq!((failures.standing(address("192.0.2.1"), end), failures.bans(end)), (Standing::Free, vec![]));
}

#[test]
fn a_banned_address_is_forgotten_its_failures_in_time() {
    let mut failures = Counters::default();
    fail(&mut failures, "192.0.2.1", 100, NOW);

    let end = NOW + seconds(3600);
    fail(&mut failures, "192.0.2.1", 5, end);

    assert_eq!(failures.standing(address("192.0.2.1"), end), Standing::Free);
}

#[test]
fn a_local_address_is_slowed_but_never_banned() {
    for local in [
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.1.1",
        "169.254.0.1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
    ] {
        let mut failures = Counters::default();
        fail(&mut failures, local, 1_000, NOW);
        assert_eq!(failures.standing(address(local), NOW), Standing::Slowed(NOW + seconds(300)), "{local}");
    }
}

#[test]
fn a_trusted_hop_is_slowed_but_never_banned() {
    let mut failures = Counters::default();
    for _ in 0..1_000 {
        failures.note(address("192.0.2.1"), true, None, NOW);
    }
    assert_eq!(failures.standing(address("192.0.2.1"), NOW), Standing::Slowed(NOW + seconds(300)));
}

#[test]
fn addresses_of_one_64_are_counted_together() {
    let mut failures = Counters::default();
    for n in 0..100 {
        fail(&mut failures, &format!("2001:db8:0:1::{n:x}"), 1, NOW);
    }

    assert_eq!(failures.standing(address("2001:db8:0:1:ffff::"), NOW), Standing::Banned(NOW + seconds(3600)));
    assert_eq!(failures.standing(address("2001:db8:0:2::"), NOW), Standing::Free);
    assert_eq!(failures.bans(NOW)[0].address, "2001:db8:0:1::/64");
}

#[test]
fn a_success_frees_the_account_but_takes_only_half_from_the_address() {
    let mut failures = Counters::default();
    let account = Digest::of(b"account");
    for _ in 0..14 {
        failures.note(address("192.0.2.1"), false, Some(&account), NOW);
    }
    assert_eq!(failures.account_delay(&account, NOW), seconds(256));

    failures.forgive(address("192.0.2.1"), &account, NOW);

    assert_eq!(failures.account_delay(&account, NOW), Duration::ZERO);
    assert_eq!(failures.standing(address("192.0.2.1"), NOW), Standing::Slowed(NOW + seconds(2)));
}

#[test]
fn a_success_never_lifts_a_ban_but_the_operator_does() {
    let mut failures = Counters::default();
    fail(&mut failures, "192.0.2.1", 100, NOW);
    for _ in 0..20 {
        failures.forgive(address("192.0.2.1"), &Digest::of(b"account"), NOW);
    }
    assert_eq!(failures.standing(address("192.0.2.1"), NOW), Standing::Banned(NOW + seconds(3600)));

    assert!(failures.lift_ban(address("::ffff:192.0.2.1"), NOW));

    assert!(!failures.lift_ban(address("192.0.2.1"), NOW));
    fail(&mut failures, "192.0.2.1", 1, NOW);
    assert_eq!(failures.standing(address("192.0.2.1"), NOW), Standing::Free);
}

#[test]
fn an_accounts_delay_counts_from_its_last_failure_wherever_it_came_from() {
    let mut failures = Counters::default();
    let account = Digest::of(b"account");
    for n in 0..8 {
        failures.note(address(&format!("198.51.100.{n}")), false, Some(&account), NOW);
    }

    assert_eq!(failures.account_delay(&account, NOW + seconds(1)), seconds(3));
    assert_eq!(failures.account_delay(&account, NOW + seconds(4)), Duration::ZERO);
    assert_eq!(failures.standing(address("198.51.100.1"), NOW), Standing::Free);
}

#[test]
fn a_full_table_drops_the_mildest_and_never_a_ban() {
    let mut table = Table::with_room_for(4);
    for _ in 0..100 {
        table.count("banned", true, NOW);
    }
    for _ in 0..7 {
        table.count("worse", true, NOW);
    }
    table.count("old", true, NOW);
    table.count("new", true, NOW + seconds(1));

    table.count("newest", true, NOW + seconds(2));

    assert!(table.get(&"old").is_none());
    for key in ["banned", "worse", "new", "newest"] {
        assert!(table.get(&key).is_some(), "{key}");
    }
}

#[test]
fn bans_fill_half_a_table_and_its_other_half_still_slows() {
    let mut table = Table::with_room_for(4);
    for key in 0..20 {
        for _ in 0..100 {
            table.count(key, true, NOW);
        }
    }

    assert_eq!(table.bans(NOW).map(|(key, _)| *key).collect::<Vec<_>>(), [0, 1]);
    assert!(table.get(&19).is_some_and(|counter| counter.slowed_until == NOW + seconds(300)));

    let end = NOW + seconds(3600);
    for _ in 0..100 {
        table.count(20, true, end);
    }
    assert_eq!(table.bans(end).map(|(key, _)| *key).collect::<Vec<_>>(), [20]);
}

#[test]
fn failed_passwords_are_counted_apart_and_bans_of_both_are_listed_and_lifted() {
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    let mut failures = ByKind::default();
    fail(failures.of(FailureKind::Proof), "192.0.2.1", 50, NOW);
    fail(failures.of(FailureKind::Key), "192.0.2.1", 50, NOW);
    assert!(matches!(failures.of(FailureKind::Key).standing(address, NOW), Standing::Banned(_)));
    assert_eq!(failures.of(FailureKind::Password).standing(address, NOW), Standing::Free);
    fail(failures.of(FailureKind::Password), "192.0.2.2", 100, NOW);
    assert_eq!(failures.bans(NOW).len(), 2);
    assert!(failures.lift_ban("192.0.2.2".parse().unwrap(), NOW));
    assert!(!failures.lift_ban("192.0.2.2".parse().unwrap(), NOW));
    assert_eq!(failures.bans(NOW).len(), 1);
}
