//! Requests of every kind that the sealed door refuses without telling why.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use msp_core::clock::Clock;
use msp_protocol::envelope::{PairKeys, RequestParts, Rid};
use msp_protocol::sealing::BoxKey;
use msp_protocol::{OsRng, PrivateKey, PublicKey, Secret, classic};

use crate::Failure;
use crate::http::{self, Connection};
use crate::load::spread;
use crate::population::Member;
use crate::site::Site;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    ClassicExpired,
    ClassicNonceTwice,
    ClassicOwnAnswer,
    ClassicReplay,
    ClassicStranger,
    ClassicUnknownFunction,
    ClassicWrongSecret,
    ClassicWrongSecretFirstContact,
    ContentType,
    EnvelopeNotForUs,
    EnvelopeReplay,
    EnvelopeStranger,
    EnvelopeWrongSecret,
    Noise,
    Slowed,
}

impl Kind {
    pub(super) const ALL: [Self; 15] = [
        Self::ClassicExpired,
        Self::ClassicNonceTwice,
        Self::ClassicOwnAnswer,
        Self::ClassicReplay,
        Self::ClassicStranger,
        Self::ClassicUnknownFunction,
        Self::ClassicWrongSecret,
        Self::ClassicWrongSecretFirstContact,
        Self::ContentType,
        Self::EnvelopeNotForUs,
        Self::EnvelopeReplay,
        Self::EnvelopeStranger,
        Self::EnvelopeWrongSecret,
        Self::Noise,
        Self::Slowed,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ClassicExpired => "classic: too old",
            Self::ClassicNonceTwice => "classic: one nonce twice",
            Self::ClassicOwnAnswer => "classic: our own answer in it",
            Self::ClassicReplay => "classic: replay",
            Self::ClassicStranger => "classic: key unknown, all keys tried",
            Self::ClassicUnknownFunction => "classic: no such function",
            Self::ClassicWrongSecret => "classic: secret unknown, address known",
            Self::ClassicWrongSecretFirstContact => "classic: secret unknown, key searched for",
            Self::ContentType => "no JSON",
            Self::EnvelopeNotForUs => "envelope: sealed for another server",
            Self::EnvelopeReplay => "envelope: replay",
            Self::EnvelopeStranger => "envelope: key unknown",
            Self::EnvelopeWrongSecret => "envelope: secret unknown",
            Self::Noise => "malformed",
            Self::Slowed => "classic: address slowed",
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::ContentType => "text/plain",
            _ => "application/json",
        }
    }
}

/// Makes requests of each kind, each from an address of its own but where the kind asks for another.
pub(super) struct Maker {
    client: Member,
    boxed: BoxKey,
    pair: PairKeys,
    stranger: (BoxKey, PairKeys),
    wrong: Secret,
    /// Keys of the client with another server, whose public key is sealed for.
    elsewhere: PairKeys,
    clock: Arc<dyn Clock>,
    /// An answer of the server to a classic request.
    answer: String,
    accepted_classic: Vec<String>,
    accepted_envelope: Vec<String>,
}

/// How many accepted requests are sent again and again.
const REPLAYED: u64 = 64;
/// Where the client is known.
const KNOWN: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 0, 0, 1));
/// Where so much was refused that it is slowed.
const SLOWED: IpAddr = IpAddr::V4(Ipv4Addr::new(9, 0, 0, 2));

impl Maker {
    pub(super) async fn new(site: &Site, number: usize, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let (client, stranger) = (Member::of(number)?, PrivateKey::generate(&mut OsRng));
        let other = PrivateKey::generate(&mut OsRng);
        let pair = |key: &PrivateKey, server: &PublicKey| {
            PairKeys::of_client(key, server).ok_or("the server's key agrees on nothing")
        };
        let mut maker = Self {
            boxed: BoxKey::agree(&client.key, &site.key),
            pair: pair(&client.key, &site.key)?,
            stranger: (BoxKey::agree(&stranger, &site.key), pair(&stranger, &site.key)?),
            elsewhere: pair(&client.key, other.public())?,
            wrong: Secret::generate(&mut OsRng),
            clock,
            answer: String::new(),
            accepted_classic: Vec::new(),
            accepted_envelope: Vec::new(),
            client,
        };
        maker.prepare(site).await?;
        Ok(maker)
    }

    /// Has requests accepted that are replayed later, and an address slowed.
    async fn prepare(&mut self, site: &Site) -> Result<(), Failure> {
        let mut connection = Connection::open(site.process.address).await?;
        let mut request = Vec::new();
        for _ in 0..REPLAYED {
            let bodies = [
                self.classic(&self.boxed, &self.client.secret, 0, "time_test")?,
                self.envelope(&self.pair, &self.client.secret)?,
            ];
            for (body, keep) in
                bodies.into_iter().zip([&mut self.accepted_classic, &mut self.accepted_envelope])
            {
                http::post(&mut request, "/v1", Some(KNOWN), body.as_bytes());
                let (status, answer) = connection.exchange(&request).await?;
                if status != 200 {
                    return Err(format!("a good call was refused: status {status}").into());
                }
                if keep.is_empty() && self.answer.is_empty() {
                    self.answer = member(std::str::from_utf8(answer)?, "value")?;
                }
                keep.push(body);
            }
        }
        for _ in 0..8 {
            http::post(&mut request, "/v1", Some(SLOWED), b"{}");
            connection.exchange(&request).await?;
        }
        Ok(())
    }

    /// The `n`-th request: where it comes from, and its body.
    pub(super) fn make(&self, kind: Kind, n: u64) -> Result<(IpAddr, Vec<u8>), Failure> {
        let (stranger, strangers_pair) = &self.stranger;
        let (own, wrong) = (&self.client.secret, &self.wrong);
        let again =
            |bodies: &[String]| bodies.get((n % REPLAYED) as usize).cloned().ok_or("nothing to replay");
        let body = match kind {
            Kind::ClassicExpired => self.classic(&self.boxed, own, 1000, "time_test")?,
            Kind::ClassicNonceTwice => {
                let nonces = [[1; 24], [2; 24], [3; 24], [1; 24]];
                classic::Request::build_from(stranger, own.dangerously_as_str(), 1, "time_test", nonces)
            }
            Kind::ClassicOwnAnswer => {
                let body = self.classic(&self.boxed, own, 0, "time_test")?;
                body.replace(&member(&body, "entry")?, &self.answer)
            }
            Kind::ClassicReplay => again(&self.accepted_classic)?,
            Kind::ClassicStranger | Kind::Slowed => self.classic(stranger, wrong, 0, "time_test")?,
            Kind::ClassicUnknownFunction => self.classic(&self.boxed, own, 0, "no_such_function")?,
            Kind::ClassicWrongSecret | Kind::ClassicWrongSecretFirstContact => {
                self.classic(&self.boxed, wrong, 0, "time_test")?
            }
            Kind::ContentType => self.classic(&self.boxed, own, 0, "time_test")?,
            Kind::EnvelopeNotForUs => self.envelope(&self.elsewhere, own)?,
            Kind::EnvelopeReplay => again(&self.accepted_envelope)?,
            Kind::EnvelopeStranger => self.envelope(strangers_pair, wrong)?,
            Kind::EnvelopeWrongSecret => self.envelope(&self.pair, wrong)?,
            Kind::Noise => format!("{{\"id\":{n}}}"),
        };
        let address = match kind {
            Kind::ClassicExpired
            | Kind::ClassicReplay
            | Kind::ClassicUnknownFunction
            | Kind::ClassicWrongSecret => KNOWN,
            Kind::Slowed => SLOWED,
            _ => spread(0x2d00_0000, n),
        };
        Ok((address, body.into_bytes()))
    }

    fn classic(&self, key: &BoxKey, secret: &Secret, old: u64, function: &str) -> Result<String, Failure> {
        let ts = self.clock.unix().saturating_sub(old);
        Ok(classic::Request::build(key, secret, ts, &function.parse()?, &mut OsRng))
    }

    fn envelope(&self, pair: &PairKeys, secret: &Secret) -> Result<String, Failure> {
        let (rid, entry) = (Rid::generate(&mut OsRng), "time_test".parse()?);
        let parts = RequestParts { secret, ts: self.clock.unix(), entry: &entry, rid: &rid, args: None };
        Ok(pair.request(&parts, &mut OsRng)?)
    }
}

/// A member of a JSON object of texts.
fn member(json: &str, name: &str) -> Result<String, Failure> {
    let object: serde_json::Value = serde_json::from_str(json)?;
    Ok(object.get(name).and_then(serde_json::Value::as_str).ok_or("no such member")?.to_owned())
}
