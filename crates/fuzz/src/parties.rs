//! The two sides, with keys that never change, so that an input means the same in every run.

use std::sync::LazyLock;

use msp_protocol::classic::ReplyTag;
use msp_protocol::envelope::PairKeys;
use msp_protocol::sealing::BoxKey;
use msp_protocol::{PrivateKey, Secret};

pub(crate) static SERVER: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_bytes(&[1; 32]));
pub(crate) static CLIENT: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_bytes(&[2; 32]));
/// Seals the envelopes; a fresh one for each would only cost time.
pub(crate) static EPHEMERAL: LazyLock<PrivateKey> = LazyLock::new(|| PrivateKey::from_bytes(&[3; 32]));
pub(crate) static BOX: LazyLock<BoxKey> = LazyLock::new(|| BoxKey::agree(&CLIENT, SERVER.public()));
pub(crate) static REPLY_TAG: LazyLock<ReplyTag> = LazyLock::new(|| ReplyTag::new(&SERVER));
pub(crate) static PAIR: LazyLock<PairKeys> = LazyLock::new(|| {
    let pair = PairKeys::of_server(&SERVER, CLIENT.public());
    let Some(pair) = pair else { panic!("the client's key is good") };
    pair
});
pub(crate) static SECRET: LazyLock<Secret> = LazyLock::new(|| {
    let Ok(secret) = Secret::parse(&"5a".repeat(64)) else { panic!("the secret is good") };
    secret
});
