//! Registered clients, the same for the same number, so that a registry can be filled once and used again.

use std::path::Path;
use std::sync::Arc;

use msp_core::clock::Clock;
use msp_core::{ClientStore as _, Grants, NewClient};
use msp_protocol::{Digest, OsRng, PrivateKey, Secret};
use msp_registry::SqlRegistry;

use crate::Failure;

/// One client of the bench.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) key: PrivateKey,
    pub(crate) secret: Secret,
}

impl Member {
    /// The client of this number; its keys are known to everybody, so they protect nothing.
    pub(crate) fn of(number: usize) -> Result<Self, Failure> {
        let derive = |what: &str| Digest::of(format!("msp-bench {what} {number}").as_bytes());
        let secret = format!("{}{}", derive("secret"), derive("rest of the secret"));
        Ok(Self { key: PrivateKey::from_bytes(derive("key").as_bytes()), secret: Secret::parse(&secret)? })
    }

    fn new_client(&self, number: usize, classic: bool) -> Result<NewClient, Failure> {
        Ok(NewClient {
            key: *self.key.public(),
            secret: self.secret.digest(),
            name: Some(format!("bench-{number}").parse()?),
            grants: Grants::Standard,
            expires: None,
            classic,
            revive: false,
        })
    }
}

/// Registers the clients `0..count` in the folder's registry; `classic` has the classic search try their keys.
pub(crate) async fn register(
    keypath: &Path,
    count: usize,
    classic: bool,
    clock: Arc<dyn Clock>,
) -> Result<(), Failure> {
    msp_keyfile::create_private_folder(keypath)?;
    let url = format!("sqlite:{}", keypath.join("registry.db").display());
    let registry = SqlRegistry::open(&url, clock).await?;
    let known = registry.clients().await?.len();
    let progress = indicatif::ProgressBar::new(count as u64).with_message("clients registered");
    for number in known..count {
        progress.set_position(number as u64);
        registry.add_client(&Member::of(number)?.new_client(number, classic)?, "bench").await?;
    }
    progress.finish_and_clear();
    Ok(())
}

/// Makes a server key in the folder, unless there is one, and gives its public half.
pub(crate) fn server_key(keypath: &Path) -> Result<msp_protocol::PublicKey, Failure> {
    msp_keyfile::create_private_folder(keypath)?;
    match msp_keyfile::server_keys(keypath)? {
        msp_keyfile::ServerKeys::Found(key) => Ok(*key.public()),
        msp_keyfile::ServerKeys::Missing => {
            let key = PrivateKey::generate(&mut OsRng);
            msp_keyfile::create_server_keys(keypath, &key)?;
            Ok(*key.public())
        }
    }
}
