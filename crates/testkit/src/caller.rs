//! A registered client that packs its requests by hand.

use std::net::SocketAddr;

use msp_core::{Grants, NewClient};
use msp_protocol::envelope::{Answer, PairKeys, RequestParts, Rid};
use msp_protocol::sealing::BoxKey;
use msp_protocol::{FunctionName, OsRng, PrivateKey, PublicKey, Secret, classic};
use serde_json::Value;

use crate::machine::now;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    /// All headers but `Date`, sorted, one a line.
    pub headers: String,
    /// The body, which is text in every answer of ours.
    pub body: String,
}

impl Answered {
    /// Reads an answer to its end.
    pub async fn of(response: reqwest::Response) -> Self {
        let mut headers: Vec<String> = response
            .headers()
            .iter()
            .filter(|(name, _)| *name != "date")
            .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
            .collect();
        headers.sort();
        Self {
            status: response.status().as_u16(),
            headers: headers.join("\n"),
            body: response.text().await.unwrap(),
        }
    }

    /// The plain 401: nothing but the status.
    pub fn assert_plain(&self) {
        assert_eq!((self.status, self.headers.as_str(), self.body.as_str()), (401, "content-length: 0", ""));
    }
}

/// A client's keys and secret, and the server it calls.
#[derive(Clone)]
pub struct Caller {
    /// Its private key.
    pub key: PrivateKey,
    /// Its secret.
    pub secret: Secret,
    /// The public key of the server.
    pub server: PublicKey,
    /// Where the server listens.
    pub address: SocketAddr,
}

impl Caller {
    /// The same client with another's secret.
    pub fn with_secret_of(&self, other: &Self) -> Self {
        Self { secret: other.secret.clone(), ..self.clone() }
    }

    fn pair(&self) -> PairKeys {
        PairKeys::of_client(&self.key, &self.server).unwrap()
    }

    /// A classic body.
    pub fn classic(&self, ts: u64, function: &str) -> String {
        let key = BoxKey::agree(&self.key, &self.server);
        classic::Request::build(&key, &self.secret, ts, &name(function), &mut OsRng)
    }

    /// The text of a classic answer.
    pub fn open_classic(&self, answered: &Answered) -> String {
        assert_eq!(answered.status, 200, "{answered:?}");
        let key = BoxKey::agree(&self.key, &self.server);
        classic::open_reply(&key, answered.body.as_bytes()).unwrap()
    }

    /// An envelope body with its `rid`.
    pub fn envelope(&self, ts: u64, function: &str, args: Option<&Value>) -> (Rid, String) {
        let rid = Rid::generate(&mut OsRng);
        let entry = name(function);
        let parts = RequestParts { secret: &self.secret, ts, entry: &entry, rid: &rid, args };
        let body = self.pair().request(&parts, &mut OsRng).unwrap();
        (rid, body)
    }

    /// An envelope body of this moment, for programs that live by the machine's clock.
    pub fn fresh(&self, function: &str) -> String {
        self.envelope(now(), function, None).1
    }

    /// What an envelope answer holds.
    pub fn open(&self, rid: &Rid, answered: &Answered) -> Answer {
        self.pair().open_answer(rid, answered.body.as_bytes()).unwrap()
    }
}

fn name(function: &str) -> FunctionName {
    function.parse().unwrap()
}

/// A client as `appendclient` would register it.
pub fn new_client(key: &PrivateKey, secret: &Secret, name: Option<&str>) -> NewClient {
    NewClient {
        key: *key.public(),
        secret: secret.digest(),
        name: name.map(|name| name.parse().unwrap()),
        grants: Grants::Standard,
        expires: None,
        classic: name.is_none(),
        revive: false,
    }
}
