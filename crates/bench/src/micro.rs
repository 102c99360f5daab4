//! Micro-benchmarks of every step of the wire format, as the server takes them.

use std::hint::black_box;
use std::time::Duration;

use msp_core::clock::Clock;
use msp_protocol::classic::{self, ReplyTag, Request};
use msp_protocol::envelope::{Answer, Outer, PairKeys, RequestParts, Rid};
use msp_protocol::sealing::{self, BoxKey};
use msp_protocol::{Body, Digest, FunctionName, OsRng, PrivateKey, Secret};
use serde_json::Value;

use crate::Failure;

/// How long one step is repeated at least, for each of [`ROUNDS`] figures.
const ROUND: Duration = Duration::from_millis(10);
/// Figures of which the least counts.
const ROUNDS: usize = 30;
/// What `time_test` answers.
pub(crate) const ANSWER: &str = "It is currently: \n\tSat Mar 30 13:20:53 2024";

/// One step and what it takes.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) microseconds: f64,
}

/// The steps of the crypto alone, summed for one request of each shape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floors {
    /// Four openings, the test for our own marks, one sealing with its mark.
    pub(crate) classic: f64,
    /// One X25519 with its seal, one opening, one answer key, one sealing.
    pub(crate) envelope: f64,
}

/// Measures all steps.
pub(crate) fn all(clock: &dyn Clock) -> Result<(Vec<Step>, Floors), Failure> {
    let bench = Bench { clock };
    let (server, client) = (PrivateKey::generate(&mut OsRng), PrivateKey::generate(&mut OsRng));
    let key = BoxKey::agree(&server, client.public());
    let mut steps = crypto(bench, &server, &client, &key);
    let of = |steps: &[Step], name| {
        steps.iter().find(|step| step.name == name).map_or(f64::NAN, |step| step.microseconds)
    };
    let floors = Floors {
        classic: of(&steps, "open 128 B")
            + 3.0 * of(&steps, "open 4 B")
            + of(&steps, "four marks tested")
            + of(&steps, "one mark made")
            + of(&steps, "seal 44 B"),
        envelope: of(&steps, "seal opened (one X25519, 625 B)")
            + of(&steps, "open 512 B")
            + of(&steps, "answer key")
            + of(&steps, "seal 512 B"),
    };
    steps.extend(classic_codec(bench, &server, &client, &key)?);
    steps.extend(envelope_codec(bench, &server, &client)?);
    Ok((steps, floors))
}

fn crypto(bench: Bench<'_>, server: &PrivateKey, client: &PrivateKey, key: &BoxKey) -> Vec<Step> {
    let nonce = [7; sealing::NONCE];
    let other = BoxKey::agree(client, client.public());
    let (small, large, wide) =
        (key.seal(&nonce, &[1; 4]), key.seal(&nonce, &[1; 128]), key.seal(&nonce, &[1; 512]));
    let tag = ReplyTag::new(server);
    let sealed = sealing::seal(server.public(), &[1; 625], &mut OsRng);
    let pair = PairKeys::of_server(server, client.public());
    let rid = Rid::from_bytes([1; 16]);
    vec![
        bench.step("open 4 B", || key.open(&nonce, &small)),
        bench.step("open 128 B", || key.open(&nonce, &large)),
        bench.step("open 512 B", || key.open(&nonce, &wide)),
        bench.step("failing trial of 4 B", || other.fits(&nonce, &small)),
        bench.step("seal 44 B", || key.seal(&nonce, &[1; 44])),
        bench.step("seal 512 B", || key.seal(&nonce, &[1; 512])),
        bench.step("four marks tested", || tag.marks_any(&[nonce; 4])),
        bench.step("one mark made", || tag.nonce(&mut OsRng)),
        bench.step("one X25519", || server.diffie_hellman(client.public().as_bytes())),
        bench.step("seal opened (one X25519, 625 B)", || sealing::open_seal(server, &sealed)),
        bench.step("answer key", || pair.as_ref().map(|pair| pair.answer_key(&rid))),
        bench.step("SHA-256 of a secret", || Digest::of(&[b'a'; 128])),
    ]
}

fn classic_codec(
    bench: Bench<'_>,
    server: &PrivateKey,
    client: &PrivateKey,
    key: &BoxKey,
) -> Result<Vec<Step>, Failure> {
    let (secret, entry): (_, FunctionName) = (Secret::generate(&mut OsRng), "time_test".parse()?);
    let sending = BoxKey::agree(client, server.public());
    let body = Request::build(&sending, &secret, 1_711_804_853, &entry, &mut OsRng);
    let Body::Classic(request) = Body::parse(body.as_bytes())? else { return Err("not classic".into()) };
    let tag = ReplyTag::new(server);
    let reply = classic::seal_reply(key, &tag, ANSWER, &mut OsRng);
    Ok(vec![
        bench.step("classic: body parsed", || Body::parse(body.as_bytes())),
        bench.step("classic: four values opened and checked", || request.open(key)),
        bench.step("classic: answer made", || classic::seal_reply(key, &tag, ANSWER, &mut OsRng)),
        bench.step("classic, client: request made", || {
            Request::build(&sending, &secret, 1_711_804_853, &entry, &mut OsRng)
        }),
        bench.step("classic, client: answer opened", || classic::open_reply(&sending, reply.as_bytes())),
    ])
}

fn envelope_codec(bench: Bench<'_>, server: &PrivateKey, client: &PrivateKey) -> Result<Vec<Step>, Failure> {
    let (secret, entry): (_, FunctionName) = (Secret::generate(&mut OsRng), "time_test".parse()?);
    let rid = Rid::generate(&mut OsRng);
    let ours = PairKeys::of_server(server, client.public()).ok_or("no pair")?;
    let theirs = PairKeys::of_client(client, server.public()).ok_or("no pair")?;
    let parts = RequestParts { secret: &secret, ts: 1_711_804_853, entry: &entry, rid: &rid, args: None };
    let body = theirs.request(&parts, &mut OsRng)?;
    let Body::Envelope(sealed) = Body::parse(body.as_bytes())? else { return Err("no envelope".into()) };
    let outer = Outer::open(server, &sealed)?;
    let answer =
        Answer { ts: 1, req: "0123456789abcdef".to_owned(), outcome: Ok(Value::String(ANSWER.to_owned())) };
    let reply = ours.seal_answer(&rid, &answer, &mut OsRng);
    Ok(vec![
        bench.step("envelope: body parsed", || Body::parse(body.as_bytes())),
        bench.step("envelope: seal opened", || Outer::open(server, &sealed)),
        bench.step("envelope: message opened and read", || outer.message(&ours)),
        bench.step("envelope: answer made", || ours.seal_answer(&rid, &answer, &mut OsRng)),
        bench.step("envelope: keys of a new client", || PairKeys::of_server(server, client.public())),
        bench.step("envelope, client: request made", || theirs.request(&parts, &mut OsRng)),
        bench.step("envelope, client: answer opened", || theirs.open_answer(&rid, reply.as_bytes())),
    ])
}

#[derive(Clone, Copy)]
struct Bench<'a> {
    clock: &'a dyn Clock,
}

impl Bench<'_> {
    /// The least time of one call: whatever else the machine does only adds to it.
    fn step<T>(self, name: &'static str, mut work: impl FnMut() -> T) -> Step {
        let microseconds = (0..ROUNDS).map(|_| self.round(&mut work)).fold(f64::INFINITY, f64::min);
        Step { name, microseconds }
    }

    fn round<T>(self, work: &mut impl FnMut() -> T) -> f64 {
        let start = self.clock.monotonic();
        let mut calls = 0_u32;
        loop {
            for _ in 0..16 {
                black_box(work());
            }
            calls += 16;
            let took = self.clock.monotonic().saturating_sub(start);
            if took >= ROUND {
                return took.as_secs_f64() * 1e6 / f64::from(calls);
            }
        }
    }
}
