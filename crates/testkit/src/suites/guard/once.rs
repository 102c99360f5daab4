//! What is used once.

use std::time::Duration;

use msp_core::{MAX_WAITING, TooManyWaiting};
use msp_protocol::Digest;

use super::{GuardLimits, GuardStand, key};

const MINUTE: Duration = Duration::from_secs(60);

pub async fn accounts_08_what_is_used_once_is_taken_once_and_in_time<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let once = stand.log_ins().once;
    once.put(&key(1), b"challenge".to_vec(), MINUTE).await.unwrap();
    assert_eq!(once.take(&key(2)).await, None);
    assert_eq!(once.take(&key(1)).await, Some(b"challenge".to_vec()));
    assert_eq!(once.take(&key(1)).await, None);
    once.put(&key(1), b"first".to_vec(), MINUTE).await.unwrap();
    once.put(&key(1), b"second".to_vec(), MINUTE).await.unwrap();
    stand.pass(59).await;
    assert_eq!(once.take(&key(1)).await, Some(b"second".to_vec()));
    once.put(&key(1), b"late".to_vec(), MINUTE).await.unwrap();
    stand.pass(60).await;
    assert_eq!(once.take(&key(1)).await, None);
}

pub async fn accounts_08_no_more_waits_than_may_and_what_has_ended_makes_room<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let once = stand.log_ins().once;
    for n in 0..MAX_WAITING {
        once.put(&Digest::of(&n.to_le_bytes()), Vec::new(), MINUTE).await.unwrap();
    }
    assert_eq!(once.put(&key(1), Vec::new(), MINUTE).await, Err(TooManyWaiting));
    stand.clock().advance(MINUTE);
    once.put(&key(1), Vec::new(), MINUTE).await.unwrap();
}
