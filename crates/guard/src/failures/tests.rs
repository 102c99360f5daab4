use super::*;

const NOW: Duration = Duration::from_secs(1_000);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn fail(failures: &mut Counters, from: &str, times: usize, now: Duration) {
    for _ in 0..times {
        failures.note(address(from), false, now);
    }
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
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
fn a_banned_address_is_forgotten_its_failures_in_time() {
    let mut failures = Counters::default();
    fail(&mut failures, "192.0.2.1", 100, NOW);

    let end = NOW + seconds(3600);
    fail(&mut failures, "192.0.2.1", 5, end);

    assert_eq!(failures.standing(address("192.0.2.1"), end), Standing::Free);
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
