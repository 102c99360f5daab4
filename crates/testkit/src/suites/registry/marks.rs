//! Marks, and what is kept of requests that were ahead.

use std::sync::Arc;
use std::time::Duration;

use msp_core::{KeptAhead, Marks};
use msp_protocol::{Digest, OsRng, Secret};

use super::{NOW, RegistryStand, generation, new_client};

pub async fn marks_outlive_the_process_and_raise_no_generation<R: RegistryStand>() {
    let stand = R::start().await;
    let before = generation(stand.registry()).await;
    marks_are_kept(stand.registry().clone(), async || stand.opened_again().await as Arc<dyn Marks>).await;
    assert_eq!(generation(stand.registry()).await, before);
}

/// The same for whatever keeps nothing but marks, such as what stands in for a registry where it must fail at will.
pub async fn marks_are_kept(marks: Arc<impl Marks + ?Sized>, opened_again: impl AsyncFn() -> Arc<dyn Marks>) {
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    assert_eq!(marks.marks().await.unwrap().accepted_until, 0, "none in a new registry");
    marks.set_accepted_until(NOW + 2).await.unwrap();
    marks.set_accepted_until(NOW).await.unwrap();
    marks.raise_client_mark(one, NOW + 40).await.unwrap();
    marks.raise_client_mark(one, NOW + 30).await.unwrap();
    let kept = |item: u8, ts| KeptAhead { client: two, item: [item; 24], ts };
    marks.keep_ahead(vec![kept(1, NOW + 50), kept(2, NOW + 60)]).await.unwrap();
    marks.keep_ahead(vec![kept(1, NOW + 50)]).await.unwrap();
    let stored = opened_again().await.marks().await.unwrap();
    assert_eq!(
        (stored.accepted_until, stored.clients),
        (NOW, vec![(one, NOW + 40)]),
        "a client's mark is never lowered"
    );
    assert_eq!(stored.ahead, [kept(1, NOW + 50), kept(2, NOW + 60)]);
    marks.forget_ahead(NOW + 60).await.unwrap();
    assert_eq!(marks.marks().await.unwrap().ahead, [kept(2, NOW + 60)]);
    assert_eq!(marks.end_previous_secret(one, two).await.unwrap(), None, "no secret of that client is known");
    assert_eq!(marks.marks().await.unwrap().clients, [(one, NOW + 40)]);
}

pub async fn a_mark_falls_when_the_previous_secret_ends_and_not_with_the_rotation<R: RegistryStand>() {
    let stand = R::start().await;
    let new = new_client(Some("laptop"));
    stand.registry().add_client(&new, "test").await.unwrap();
    let key = new.key.digest();
    stand.registry().raise_client_mark(key, NOW + 1_000_000).await.unwrap();
    let secret = Secret::generate(&mut OsRng).digest();
    let name = "laptop".parse().unwrap();
    stand.registry().rotate(&name, &secret, Duration::from_secs(60), "test").await.unwrap();
    assert_eq!(stand.registry().marks().await.unwrap().clients, [(key, NOW + 1_000_000)]);

    stand.registry().end_previous_secret(key, secret).await.unwrap();

    assert_eq!(stand.registry().marks().await.unwrap().clients, [(key, NOW + 300)]);
}
