//! Where users have logged in from.

use std::net::Ipv4Addr;
use std::time::Duration;

use msp_core::{LogIn, LogInNetwork, LogInRow, MAX_LOG_INS, Way};
use msp_protocol::{Digest, UnixSecond};

use super::{NOW, RegistryStand, generation, new_user};

const HOUR: UnixSecond = NOW - NOW % 3600;

/// By password from the nth network.
fn from(user: Digest, n: usize) -> LogIn {
    let address = Ipv4Addr::from_bits(0x0a00_0000 + (u32::try_from(n).unwrap() << 8));
    LogIn { user, network: LogInNetwork::of(address.into()), way: Way::Password }
}

/// A stand with one user, who is kim.
async fn started<R: RegistryStand>() -> (R, Digest) {
    let (stand, kim) = (R::start().await, new_user("kim"));
    stand.registry().add_user(&kim, "test").await.unwrap();
    (stand, kim.id)
}

async fn rows(stand: &impl RegistryStand, user: Digest) -> Vec<LogInRow> {
    stand.registry().log_ins(&user).await.unwrap()
}

pub async fn accounts_12_a_row_tells_first_and_last_to_the_hour_and_failures_since_then<R: RegistryStand>() {
    let (stand, kim) = started::<R>().await;
    let registry = stand.registry();
    let before = (generation(registry).await, registry.audit_rows(9).await.unwrap());
    let log_in = from(kim, 1);
    let by_token = LogIn { way: Way::Token, ..log_in };
    registry.note_failed_log_ins(&[(log_in, 2), (by_token, 0), (log_in, 3)]).await.unwrap();
    let row = |first, last, failures| LogInRow {
        network: "10.0.1.0/24".to_owned(),
        way: Way::Password,
        first,
        last,
        failures,
    };
    assert_eq!(rows(&stand, kim).await, [row(None, None, 5)], "no failure, no row");
    registry.note_log_in(&log_in).await.unwrap();
    assert_eq!(rows(&stand, kim).await, [row(Some(HOUR), Some(HOUR), 0)]);
    registry.note_failed_log_ins(&[(log_in, 1)]).await.unwrap();
    assert_eq!(rows(&stand, kim).await, [row(Some(HOUR), Some(HOUR), 1)]);
    registry.note_log_in(&log_in).await.unwrap();
    assert_eq!(rows(&stand, kim).await, [row(Some(HOUR), Some(HOUR), 0)], "zero again within the hour");
    stand.clock().advance(Duration::from_secs(3600));
    registry.note_log_in(&log_in).await.unwrap();
    let later = HOUR + 3600;
    assert_eq!(rows(&stand, kim).await, [row(Some(HOUR), Some(later), 0)]);
    stand.clock().advance(Duration::from_secs(3600));
    registry.note_log_in(&by_token).await.unwrap();
    let ways: Vec<_> = rows(&stand, kim).await.into_iter().map(|row| row.way).collect();
    assert_eq!(ways, [Way::Token, Way::Password], "the one used last in front");
    registry.note_failed_log_ins(&[(log_in, u64::MAX), (log_in, u64::MAX)]).await.unwrap();
    assert!(
        rows(&stand, kim).await.iter().any(|row| row.failures >= 1 << 32),
        "and no more than can be kept"
    );
    assert_eq!((generation(registry).await, registry.audit_rows(9).await.unwrap()), before);
}

pub async fn accounts_11_a_user_has_logged_in_from_a_network_in_whatever_way_since_then<R: RegistryStand>() {
    let (stand, kim) = started::<R>().await;
    let registry = stand.registry();
    let network = from(kim, 1).network;
    let known = async |user, network, since| registry.has_logged_in(&user, network, since).await.unwrap();
    registry.note_failed_log_ins(&[(from(kim, 1), 9)]).await.unwrap();
    assert!(!known(kim, network, 0).await, "a failure is no log-in");
    registry.note_log_in(&LogIn { way: Way::Certificate, ..from(kim, 1) }).await.unwrap();
    assert!(known(kim, network, 0).await && known(kim, network, NOW).await);
    assert!(!known(kim, network, HOUR + 3600).await, "not since then");
    assert!(!known(kim, from(kim, 2).network, 0).await, "not from there");
    assert!(!known(Digest::of(b"nobody"), network, 0).await, "nobody else");
    let loopback = LogInNetwork::of(std::net::IpAddr::from([127, 0, 0, 1]));
    registry.note_log_in(&LogIn { network: loopback, ..from(kim, 1) }).await.unwrap();
    assert!(known(kim, loopback, NOW).await);
}

pub async fn accounts_12_a_user_has_64_rows_of_which_the_least_useful_go<R: RegistryStand>() {
    let (stand, kim) = started::<R>().await;
    let registry = stand.registry();
    for n in 0..MAX_LOG_INS - 2 {
        registry.note_log_in(&from(kim, n)).await.unwrap();
        stand.clock().advance(Duration::from_secs(3600));
    }
    let strangers: Vec<_> = (1000..1100).map(|n| (from(kim, n), u64::try_from(n).unwrap())).collect();
    registry.note_failed_log_ins(&strangers).await.unwrap();
    let kept = rows(&stand, kim).await;
    assert_eq!(kept.len(), MAX_LOG_INS);
    assert!(kept.iter().take(MAX_LOG_INS - 2).all(|row| row.last.is_some()), "no success went for a failure");
    let failed: Vec<_> = kept.iter().skip(MAX_LOG_INS - 2).map(|row| row.failures).collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.contains(&1099), "{failed:?}");

    // Successes take the room of failures, then that of the ones unused for longest.
    for n in [200, 201, 202] {
        registry.note_log_in(&from(kim, n)).await.unwrap();
    }
    let kept = rows(&stand, kim).await;
    assert_eq!(kept.len(), MAX_LOG_INS);
    assert!(kept.iter().all(|row| row.last.is_some()));
    let known = async |n| registry.has_logged_in(&kim, from(kim, n).network, 0).await.unwrap();
    assert!(!known(0).await && known(1).await && known(200).await && known(202).await);
    registry.note_failed_log_ins(&strangers).await.unwrap();
    assert_eq!(rows(&stand, kim).await, kept, "there is no room for a failure");
}

pub async fn accounts_12_of_many_log_ins_in_one_hour_the_one_that_is_noted_stays<R: RegistryStand>() {
    let (stand, kim) = started::<R>().await;
    // From the last network to the first, so that no order of names keeps them.
    for n in (0..MAX_LOG_INS + 20).rev() {
        stand.registry().note_log_in(&from(kim, n)).await.unwrap();
        assert!(stand.registry().has_logged_in(&kim, from(kim, n).network, NOW).await.unwrap(), "{n}");
    }
    for n in 500..500 + MAX_LOG_INS {
        stand.registry().note_log_in(&from(kim, n)).await.unwrap();
        assert!(stand.registry().has_logged_in(&kim, from(kim, n).network, NOW).await.unwrap(), "{n}");
    }
    assert_eq!(rows(&stand, kim).await.len(), MAX_LOG_INS);
}

pub async fn of_nobodys_log_ins_nothing_is_kept<R: RegistryStand>() {
    let (stand, kim) = started::<R>().await;
    let registry = stand.registry();
    let other = new_user("other");
    registry.add_user(&other, "test").await.unwrap();
    registry.note_log_in(&from(other.id, 1)).await.unwrap();
    registry.remove_user(&"kim".parse().unwrap(), "test").await.unwrap();
    // Written behind, after the user is gone.
    registry.note_log_in(&from(kim, 1)).await.unwrap();
    registry.note_failed_log_ins(&[(from(kim, 2), 1), (from(Digest::of(b"nobody"), 2), 1)]).await.unwrap();
    assert_eq!((rows(&stand, kim).await, rows(&stand, Digest::of(b"nobody")).await), (vec![], vec![]));
    assert_eq!(rows(&stand, other.id).await.len(), 1);
}
