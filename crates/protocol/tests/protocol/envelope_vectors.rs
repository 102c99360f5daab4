//! The envelope shape, against what an independent implementation made.

use msp_protocol::encoding::{decode_url, encode_url};
use msp_protocol::envelope::{Answer, PairKeys, RequestParts, Rid};
use msp_protocol::{DecodeError, PrivateKey, PublicKey, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::judge::{Judge, Party};
use crate::scripted::Scripted;

#[derive(Deserialize)]
struct Vectors {
    request_ttl: u64,
    server: ServerKeys,
    clients: Vec<Party>,
    functions: Vec<String>,
    cases: Vec<Case>,
    answers: Vec<Reply>,
}

#[derive(Deserialize)]
struct ServerKeys {
    private: String,
    public: String,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    server_now: u64,
    #[serde(default)]
    floor: u64,
    client: Option<String>,
    rid: Option<String>,
    truncate: Option<String>,
    request: Option<Parts>,
    body: String,
    expect: Value,
    answer: Option<Made>,
}

#[derive(Deserialize)]
struct Parts {
    secret: String,
    ts: u64,
    entry: String,
    #[serde(default, deserialize_with = "present")]
    args: Option<Value>,
    ephemeral_hex: String,
    nonce_hex: String,
}

#[derive(Deserialize)]
struct Made {
    nonce_hex: String,
    text: String,
    body: String,
}

#[derive(Deserialize)]
struct Reply {
    name: String,
    client: String,
    rid: String,
    body: String,
    expect: Value,
}

/// Keeps `null` apart from a missing member.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn rid(text: &str) -> Rid {
    Rid::from_bytes(decode_url(text).unwrap().try_into().unwrap())
}

impl Vectors {
    fn read() -> Self {
        serde_json::from_str(include_str!("../vectors/envelope-vectors.json")).unwrap()
    }

    fn server(&self) -> PublicKey {
        self.server.public.parse().unwrap()
    }

    fn judge(&self) -> Judge {
        let server = PrivateKey::from_base64(&self.server.private).unwrap();
        assert_eq!(*server.public(), self.server());
        Judge::new(&server, self.request_ttl, &self.clients, &self.functions)
    }

    fn client(&self, name: &str) -> PrivateKey {
        self.clients.iter().find(|party| party.name == name).unwrap().key()
    }

    fn keys(&self, client: &str) -> PairKeys {
        PairKeys::of_client(&self.client(client), &self.server()).unwrap()
    }

    fn case(&self, name: &str) -> &Case {
        self.cases.iter().find(|case| case.name == name).unwrap()
    }
}

/// The bodies that a step stands for.
fn bodies(step: &Step) -> Vec<String> {
    if step.truncate.is_none() {
        return vec![step.body.clone()];
    }
    let body: Value = serde_json::from_str(&step.body).unwrap();
    let sealed = decode_url(body["sealed"].as_str().unwrap()).unwrap();
    (0..sealed.len()).map(|length| json!({"sealed": encode_url(&sealed[..length])}).to_string()).collect()
}

/// The outcome of an answer in the words of the vectors.
fn outcome(answer: &Answer) -> Value {
    match &answer.outcome {
        Ok(value) => json!({"value": value}),
        Err(failure) => {
            let mut error = json!({"code": failure.code.to_string(), "message": failure.message});
            if let Some(not_before) = failure.not_before {
                error["not_before"] = not_before.into();
            }
            json!({"error": error})
        }
    }
}

#[test]
fn every_step_of_every_case_is_judged_as_expected() {
    let vectors = Vectors::read();
    for case in &vectors.cases {
        let mut judge = vectors.judge();
        for (number, step) in case.steps.iter().enumerate() {
            for body in bodies(step) {
                let answer = judge.answer(body.as_bytes(), step.server_now, step.floor);
                let read = judge.read(body.as_bytes());
                assert_eq!(answer, step.expect, "{}, step {number}: {read:?}", case.name);
            }
        }
    }
}

#[test]
fn the_vectors_hold_enough_of_each_kind() {
    let vectors = Vectors::read();
    let runs = |case: &&Case| case.steps.iter().all(|step| step.expect["status"] == 200);
    let good = vectors.cases.iter().filter(runs).count();
    assert!(good >= 12 && vectors.cases.len() - good >= 25 && vectors.answers.len() >= 20);
}

#[test]
fn the_listed_parts_give_the_listed_bodies() {
    let vectors = Vectors::read();
    for (case, step, parts) in vectors
        .cases
        .iter()
        .flat_map(|case| case.steps.iter().filter_map(move |step| Some((case, step, step.request.as_ref()?))))
    {
        let client = step.client.as_deref().unwrap();
        let made = vectors.keys(client).request(
            &RequestParts {
                secret: &Secret::parse(&parts.secret).unwrap(),
                ts: parts.ts,
                entry: &parts.entry.parse().unwrap(),
                rid: &rid(step.rid.as_ref().unwrap()),
                args: parts.args.as_ref(),
            },
            &mut Scripted::new(&[&parts.ephemeral_hex, &parts.nonce_hex]),
        );
        assert_eq!(made.as_ref(), Ok(&step.body), "{}", case.name);
    }
}

#[test]
fn the_clients_open_the_answers_and_the_server_seals_the_like() {
    let vectors = Vectors::read();
    for (case, step, made) in vectors
        .cases
        .iter()
        .flat_map(|case| case.steps.iter().filter_map(move |step| Some((case, step, step.answer.as_ref()?))))
    {
        let (keys, rid) = (vectors.keys(step.client.as_ref().unwrap()), rid(step.rid.as_ref().unwrap()));
        let answer = keys.open_answer(&rid, made.body.as_bytes()).unwrap();
        let text: Value = serde_json::from_str(&made.text).unwrap();
        let member = if answer.outcome.is_ok() { "value" } else { "error" };
        assert_eq!(outcome(&answer)[member], text[member], "{}", case.name);
        assert_eq!((json!(answer.ts), json!(answer.req)), (text["ts"].clone(), text["req"].clone()));
        let again = keys.seal_answer(&rid, &answer, &mut Scripted::new(&[&made.nonce_hex]));
        assert_eq!(again.len(), made.body.len(), "{}: the same size class", case.name);
        assert_eq!(keys.open_answer(&rid, again.as_bytes()).as_ref(), Ok(&answer), "{}", case.name);
    }
}

#[test]
fn a_client_takes_the_servers_answer_to_its_own_request_only() {
    let vectors = Vectors::read();
    for reply in &vectors.answers {
        let opened = vectors.keys(&reply.client).open_answer(&rid(&reply.rid), reply.body.as_bytes());
        let found = opened.as_ref().map_or_else(|_| json!({"refused": true}), outcome);
        assert_eq!(found, reply.expect, "{}: {:?}", reply.name, opened.err());
    }
}

#[test]
fn the_log_gets_the_true_reason() {
    let vectors = Vectors::read();
    let reasons = [
        ("version-2", DecodeError::Version),
        ("inside-of-72-bytes", DecodeError::Size),
        ("flipped-outer-tag", DecodeError::Sealed),
        ("flipped-inner-tag", DecodeError::Sealed),
        ("ephemeral-low-order-0", DecodeError::Point),
        ("client-key-low-order-0", DecodeError::Sealed),
        ("stranger", DecodeError::Sealed),
        ("check-wrong", DecodeError::Checksum),
        ("check-too-large", DecodeError::IntegerRange),
        ("id-empty", DecodeError::Empty),
        ("ts-float", DecodeError::Json),
        ("rid-short", DecodeError::Size),
        ("rid-unpadded", DecodeError::Base64),
        ("entry-control", DecodeError::Name),
        ("duplicate-ts", DecodeError::DuplicateMember),
        ("args-duplicate-deep-in-args", DecodeError::DuplicateMember),
        ("args-lists-too-deep", DecodeError::Depth),
        ("unknown-too-deep", DecodeError::Depth),
        ("trailing-brace", DecodeError::Json),
        ("not-utf-8", DecodeError::Utf8),
        ("too-large", DecodeError::Size),
        ("sealed-standard-alphabet", DecodeError::Base64),
        ("sealed-twice", DecodeError::Json),
        ("body-list-of-all", DecodeError::Json),
        ("classic-beside-sealed-null", DecodeError::Json),
    ];
    for (name, reason) in reasons {
        let body = &vectors.case(name).steps[0].body;
        assert_eq!(vectors.judge().read(body.as_bytes()).err(), Some(reason), "{name}");
    }
}
