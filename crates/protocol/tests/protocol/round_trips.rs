//! What goes in comes out, and nothing that comes in makes a panic.

use msp_protocol::classic::{self, ReplyTag};
use msp_protocol::encoding::{decode_key, decode_lenient, decode_url, encode_url};
use msp_protocol::enrolment::Enrolment;
use msp_protocol::envelope::{
    Answer, Failure, FailureCode, MAX_MESSAGE, MAX_VALUE_DEPTH, Message, Outer, PairKeys, RequestParts, Rid,
};
use msp_protocol::sealing::{BoxKey, SEAL_OVERHEAD, open_seal, seal};
use msp_protocol::{Body, DecodeError, ErrorCode, FunctionName, OsRng, PrivateKey, Secret};
use proptest::prelude::*;
use serde_json::{Value, json};

const NONCE_AND_TAG: usize = 24 + 16;
/// Version byte and client key before the inner box.
const CLAIM: usize = 1 + 32;

fn server() -> PrivateKey {
    PrivateKey::from_bytes(&[1; 32])
}

fn client() -> PrivateKey {
    PrivateKey::from_bytes(&[2; 32])
}

fn pair() -> PairKeys {
    PairKeys::of_client(&client(), server().public()).unwrap()
}

fn secret() -> Secret {
    Secret::parse(&"5a".repeat(64)).unwrap()
}

fn request(entry: &FunctionName, ts: u64, rid: &Rid, args: Option<&Value>) -> Result<String, DecodeError> {
    let parts = RequestParts { secret: &secret(), ts, entry, rid, args };
    pair().request(&parts, &mut OsRng)
}

fn read(body: &str) -> Result<Message, DecodeError> {
    let Body::Envelope(sealed) = Body::parse(body.as_bytes())? else {
        panic!("read as classic");
    };
    let outer = Outer::open(&server(), &sealed)?;
    assert_eq!(&outer.client, client().public().as_bytes());
    outer.message(&PairKeys::of_server(&server(), client().public()).unwrap())
}

/// The bytes of `sealed` or `value` in a body.
fn bytes_in(body: &str, member: &str) -> Vec<u8> {
    let body: Value = serde_json::from_str(body).unwrap();
    decode_url(body[member].as_str().unwrap()).unwrap()
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e9..1e9).prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_name() -> impl Strategy<Value = FunctionName> {
    "[^\\p{Cc}]{1,30}".prop_map(|text| text.parse().unwrap())
}

fn any_outcome() -> impl Strategy<Value = Result<Value, Failure>> {
    let code = prop_oneof![
        prop::sample::select(&ErrorCode::ALL[..]).prop_map(FailureCode::Known),
        "new_[a-z]{1,9}".prop_map(FailureCode::Unknown),
    ];
    let failure = (code, ".{0,50}", any::<Option<u64>>());
    prop_oneof![
        any_json().prop_map(Ok),
        failure.prop_map(|(code, message, not_before)| Err(Failure { code, message, not_before })),
    ]
}

/// The padded size by the words of docs/PROTOCOL.md, counted up instead of computed.
fn is_size_class(size: usize) -> bool {
    (9..=16).any(|bits| size == 1 << bits) || (size > 64 * 1024 && size.is_multiple_of(64 * 1024))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_request_comes_out_as_it_went_in(
        entry in any_name(), ts in any::<u64>(), rid in any::<[u8; 16]>(), args in prop::option::of(any_json()),
    ) {
        let rid = Rid::from_bytes(rid);
        let body = request(&entry, ts, &rid, args.as_ref()).unwrap();
        let sealed = bytes_in(&body, "sealed").len();
        prop_assert!(is_size_class(sealed - SEAL_OVERHEAD - CLAIM - NONCE_AND_TAG));
        let expected = Message { secret: secret().digest(), ts, entry, rid, args, exact: true };
        prop_assert!(read(&body) == Ok(expected));
    }

    #[test]
    fn an_answer_comes_out_as_it_went_in_for_its_request_only(
        ts in any::<u64>(), req in "[A-Z0-9]{0,26}", outcome in any_outcome(), rid in any::<[u8; 16]>(),
    ) {
        let (rid, other) = (Rid::from_bytes(rid), Rid::from_bytes(rid.map(|byte| !byte)));
        let answer = Answer { ts, req, outcome };
        let body = pair().seal_answer(&rid, &answer, &mut OsRng);
        prop_assert!(is_size_class(bytes_in(&body, "value").len() - NONCE_AND_TAG));
        prop_assert_eq!(pair().open_answer(&other, body.as_bytes()), Err(DecodeError::Sealed));
        prop_assert_eq!(pair().open_answer(&rid, body.as_bytes()), Ok(answer));
    }

    #[test]
    fn long_answers_fall_into_size_classes_too(length in 0..300_000usize) {
        let (rid, outcome) = (Rid::from_bytes([0; 16]), Ok("x".repeat(length).into()));
        let body = pair().seal_answer(&rid, &Answer { ts: 1, req: String::new(), outcome }, &mut OsRng);
        prop_assert!(is_size_class(bytes_in(&body, "value").len() - NONCE_AND_TAG));
    }

    #[test]
    fn a_classic_call_comes_out_as_it_went_in(entry in any_name(), ts in 1..u64::MAX, text in ".{0,200}") {
        let key = BoxKey::agree(&client(), server().public());
        let body = classic::Request::build(&key, &secret(), ts, &entry, &mut OsRng);
        let Ok(Body::Classic(request)) = Body::parse(body.as_bytes()) else { panic!("not classic") };
        let opened = request.open(&BoxKey::agree(&server(), client().public())).unwrap();
        prop_assert_eq!((opened.secret, opened.ts, opened.entry), (secret().digest(), ts, entry));
        let tag = ReplyTag::new(&server());
        prop_assert!(!tag.marks_any(&request.nonces()) && !request.holds_a_nonce_twice());
        let reply = classic::seal_reply(&key, &tag, &text, &mut OsRng);
        prop_assert_eq!(classic::open_reply(&key, reply.as_bytes()), Ok(text));
    }

    #[test]
    fn nothing_a_stranger_sends_makes_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400), text in ".{0,200}",
    ) {
        let (url, box_key) = (encode_url(&bytes), BoxKey::agree(&client(), server().public()));
        let bodies = [
            format!(r#"{{"sealed":"{url}"}}"#),
            format!(r#"{{"value":"{url}"}}"#),
            format!(r#"{{"id":"{url}","check":"{url}","ts":"{url}","entry":"{url}"}}"#),
            text.clone(),
        ];
        for body in bodies.iter().map(String::as_bytes).chain([bytes.as_slice()]) {
            if let Ok(Body::Classic(request)) = Body::parse(body) {
                prop_assert!(!request.opens_with(&box_key) && request.open(&box_key).is_err());
            }
            prop_assert!(classic::open_reply(&box_key, body).is_err());
            prop_assert!(pair().open_answer(&Rid::from_bytes([0; 16]), body).is_err());
        }
        prop_assert!(open_seal(&server(), &bytes).is_err() && Outer::open(&server(), &bytes).is_err());
        let line = format!("msp1:{url}");
        prop_assert!(Enrolment::open(&line, &client()).is_err());
        let _any_text = (decode_url(&text), decode_lenient(&text), decode_key(&text), text.parse::<FunctionName>());
    }

    #[test]
    fn nothing_inside_a_good_seal_makes_a_panic(
        inner in prop::collection::vec(any::<u8>(), 0..300), message in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut versioned = inner;
        versioned.insert(0, 1);
        if let Ok(outer) = Outer::open(&server(), &seal(server().public(), &versioned, &mut OsRng)) {
            prop_assert!(outer.message(&pair()).is_err());
        }
        let body = pair().request_from(&message, &client(), [0; 24]);
        prop_assert!(read(&body).is_err());
    }
}

#[test]
fn what_the_server_would_refuse_is_not_sent() {
    let (entry, rid) = ("echo".parse().unwrap(), Rid::from_bytes([0; 16]));
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    assert!(read(&request(&entry, 1, &rid, Some(&nested(31))).unwrap()).is_ok());
    assert_eq!(request(&entry, 1, &rid, Some(&nested(32))), Err(DecodeError::Depth));
    assert_eq!(request(&entry, 1, &rid, Some(&json!("x".repeat(MAX_MESSAGE)))), Err(DecodeError::Size));
}

#[test]
fn an_answer_of_the_deepest_value_is_read() {
    let value = (0..MAX_VALUE_DEPTH).fold(json!(1), |inner, _| json!([inner]));
    let (rid, answer) = (Rid::from_bytes([0; 16]), Answer { ts: 1, req: String::new(), outcome: Ok(value) });
    let body = pair().seal_answer(&rid, &answer, &mut OsRng);
    assert_eq!(pair().open_answer(&rid, body.as_bytes()), Ok(answer));
}

#[test]
fn every_nonce_of_a_reply_bears_the_mark_of_its_server() {
    let (ours, other) = (ReplyTag::new(&server()), ReplyTag::new(&client()));
    for place in 0..4 {
        let mut nonces = [[0; 24], [1; 24], [2; 24], [3; 24]];
        assert!(!ours.marks_any(&nonces));
        nonces[place] = ours.nonce(&mut OsRng);
        assert!(ours.marks_any(&nonces) && !other.marks_any(&nonces));
        nonces[place][20] ^= 1;
        assert!(!ours.marks_any(&nonces));
    }
    let mut rng = crate::scripted::Scripted::new(&["00112233445566778899aabbccddeeff"]);
    // hashlib.blake2b(r, digest_size=32, key=bytes([1] * 32), person=b"msp1 replytag")
    assert_eq!(hex::encode(&ours.nonce(&mut rng)[16..]), "a6818ffab61c79f6");
}

#[test]
fn a_nonce_that_stands_twice_is_seen_wherever_it_stands() {
    let key = BoxKey::agree(&client(), server().public());
    for (a, b) in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)] {
        let mut nonces = [[0; 24], [1; 24], [2; 24], [3; 24]];
        nonces[b] = nonces[a];
        let body = classic::Request::build_from(&key, "id", 1, "echo", nonces);
        let Ok(Body::Classic(request)) = Body::parse(body.as_bytes()) else { panic!("not classic") };
        assert!(request.holds_a_nonce_twice());
    }
}

#[test]
fn an_enrolment_line_with_a_bad_point_is_refused() {
    let content = |server: &str| {
        let secret = secret();
        json!({"url": "http://x", "server": server, "secret": secret.dangerously_as_str()}).to_string()
    };
    let open = |json: &str| {
        let sealed = seal(client().public(), json.as_bytes(), &mut OsRng);
        Enrolment::open(&format!("\tmsp1:{}\r\n", encode_url(&sealed)), &client())
            .map(|enrolment| enrolment.url)
    };
    assert_eq!(open(&content(&server().public().to_string())).as_deref(), Ok("http://x"));
    let zero = msp_protocol::encoding::encode_standard(&[0; 32]);
    assert_eq!(open(&content(&zero)), Err(DecodeError::Point));
    assert_eq!(open(&content("no key")), Err(DecodeError::Point));
    assert_eq!(open(r#"{"url":"http://x"}"#), Err(DecodeError::Json));
    assert_eq!(open(""), Err(DecodeError::Json));
}

#[test]
fn pairs_with_a_point_of_low_order_have_no_keys() {
    let zero = msp_protocol::PublicKey::from_stored([0; 32]);
    assert!(
        PairKeys::of_client(&client(), &zero).is_none() && PairKeys::of_server(&server(), &zero).is_none()
    );
}
