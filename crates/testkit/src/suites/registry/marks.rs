//! Marks, and what is kept of requests that were ahead.

use std::time::Duration;

use msp_core::KeptAhead;
use msp_protocol::{Digest, OsRng, Secret};

use super::{NOW, RegistryStand, generation, new_client};

pub async fn marks_outlive_the_process_and_raise_no_generation<R: RegistryStand>() {
    let stand = R::start().await;
    let before = generation(stand.registry()).await;
    let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
    assert_eq!(stand.registry().marks().await.unwrap().accepted_until, 0, "none in a new registry");
    stand.registry().set_accepted_until(NOW + 2).await.unwrap();
    stand.registry().set_accepted_until(NOW).await.unwrap();
    stand.registry().raise_client_mark(one, NOW + 40).await.unwrap();
    stand.registry().raise_client_mark(one, NOW + 30).await.unwrap();
    let kept = |item: u8, ts| KeptAhead { client: two, item: [item; 24], ts };
    stand.registry().keep_ahead(vec![kept(1, NOW + 50), kept(2, NOW + 60)]).await.unwrap();
    stand.registry().keep_ahead(vec![kept(1, NOW + 50)]).await.unwrap();
    let marks = stand.opened_again().await.marks().await.unwrap();
    assert_eq!(
        (marks.accepted_until, marks.clients),
        (NOW, vec![(one, NOW + 40)]),
        "a client's mark is never lowered"
    );
    assert_eq!(marks.ahead, [kept(1, NOW + 50), kept(2, NOW + 60)]);
    stand.registry().forget_ahead(NOW + 60).await.unwrap();
    assert_eq!(stand.registry().marks().await.unwrap().ahead, [kept(2, NOW + 60)]);
    assert_eq!(generation(stand.registry()).await, before);
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
