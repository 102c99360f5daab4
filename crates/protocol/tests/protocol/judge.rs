//! A server in small: proof and freshness of the envelope shape, just enough to judge the vectors.

use std::collections::{HashMap, HashSet};

use msp_protocol::envelope::{Message, Outer, PairKeys, Rid};
use msp_protocol::{Body, DecodeError, Digest, OsRng, PrivateKey, PublicKey, Secret, UnixSecond};
use serde::Deserialize;
use serde_json::{Value, json};

/// How long after its time a request may still be told that its clock is wrong, in seconds.
const TOLD_WITHIN: u64 = 24 * 60 * 60;

#[derive(Deserialize)]
pub(crate) struct Party {
    pub(crate) name: String,
    pub(crate) private: String,
    pub(crate) public: String,
    pub(crate) secret: String,
    pub(crate) linked: bool,
}

impl Party {
    pub(crate) fn key(&self) -> PrivateKey {
        PrivateKey::from_base64(&self.private).unwrap()
    }

    fn secret_digest(&self) -> Digest {
        Secret::parse(&self.secret).unwrap().digest()
    }
}

struct Client {
    keys: PairKeys,
    /// None for an unlinked client, which may use any unlinked secret.
    own_secret: Option<Digest>,
}

/// A fresh server: its registry and what it remembers.
pub(crate) struct Judge {
    server: PrivateKey,
    ttl: u64,
    clients: HashMap<[u8; 32], Client>,
    unlinked: HashSet<Digest>,
    functions: Vec<String>,
    dummy: PairKeys,
    accepted: HashSet<([u8; 32], Rid)>,
    told: HashSet<([u8; 32], Rid)>,
    ahead: HashSet<([u8; 32], Rid)>,
}

impl Judge {
    pub(crate) fn new(server: &PrivateKey, ttl: u64, parties: &[Party], functions: &[String]) -> Self {
        let clients = parties.iter().map(|party| {
            let public: PublicKey = party.public.parse().unwrap();
            let keys = PairKeys::of_server(server, &public).unwrap();
            let own_secret = party.linked.then(|| party.secret_digest());
            (*public.as_bytes(), Client { keys, own_secret })
        });
        let unlinked = parties.iter().filter(|party| !party.linked).map(Party::secret_digest);
        Self {
            server: server.clone(),
            ttl,
            clients: clients.collect(),
            unlinked: unlinked.collect(),
            functions: functions.to_vec(),
            dummy: PairKeys::dummy(&mut OsRng),
            accepted: HashSet::new(),
            told: HashSet::new(),
            ahead: HashSet::new(),
        }
    }

    /// What the server answers, in the words of the vectors.
    pub(crate) fn answer(&mut self, body: &[u8], now: UnixSecond, floor: UnixSecond) -> Value {
        let plain = json!({"status": 401, "plain": true});
        match self.read(body) {
            Ok((client, message)) => self.freshness(client, &message, now, floor).unwrap_or(plain),
            Err(_) => plain,
        }
    }

    /// The claimed client and its message, if key and secret belong together.
    pub(crate) fn read(&self, body: &[u8]) -> Result<([u8; 32], Message), DecodeError> {
        let Body::Envelope(sealed) = Body::parse(body)? else {
            return Err(DecodeError::Sealed);
        };
        let outer = Outer::open(&self.server, &sealed)?;
        let Some(client) = self.clients.get(&outer.client) else {
            assert_eq!(outer.message(&self.dummy), Err(DecodeError::Sealed), "the dummy opens nothing");
            return Err(DecodeError::Sealed);
        };
        let message = outer.message(&client.keys)?;
        let fits = match &client.own_secret {
            Some(own) => *own == message.secret,
            None => self.unlinked.contains(&message.secret),
        };
        if fits { Ok((outer.client, message)) } else { Err(DecodeError::Sealed) }
    }

    /// None is the plain 401.
    fn freshness(
        &mut self,
        client: [u8; 32],
        message: &Message,
        now: UnixSecond,
        floor: UnixSecond,
    ) -> Option<Value> {
        let named = (client, message.rid);
        if self.accepted.contains(&named) || self.ahead.contains(&named) {
            return None;
        }
        let is_ahead = message.ts > now.saturating_add(self.ttl);
        if is_ahead || now.abs_diff(message.ts) > self.ttl || message.ts <= floor {
            let not_before = if !is_ahead && floor >= now { floor + 1 } else { now };
            if is_ahead {
                self.ahead.insert(named);
            }
            let tell = now.abs_diff(message.ts) <= TOLD_WITHIN && self.told.insert(named);
            return tell.then(|| json!({"status": 401, "code": "clock_skew", "not_before": not_before}));
        }
        self.accepted.insert(named);
        let entry = message.entry.as_str();
        Some(if self.functions.iter().any(|name| name == entry) {
            json!({"status": 200, "entry": entry, "value": message.args.clone().unwrap_or_else(|| json!(""))})
        } else {
            json!({"status": 200, "entry": entry, "error": "unknown_function"})
        })
    }
}
