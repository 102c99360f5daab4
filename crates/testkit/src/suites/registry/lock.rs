//! Which server serves the registry.

use msp_core::RegistryError;

use super::{RegistryStand, new_client};

pub async fn one_server_holds_the_registry_and_gives_it_back<R: RegistryStand>() {
    let stand = R::start().await;
    let lock = stand.registry().lock_for_server().await.unwrap();
    let again = stand.opened_again().await;
    assert!(matches!(again.lock_for_server().await, Err(RegistryError::InUse(_))));
    again.add_client(&new_client(None), "test").await.unwrap();
    drop(lock);
    assert!(again.lock_for_server().await.is_ok());
}
