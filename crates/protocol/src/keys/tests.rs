use crypto_box::aead::OsRng;

use super::*;

/// Every encoding of the points of order 1, 2, 4 and 8, on the curve and its twist, below and above the prime, without
/// the top bit (RFC 7748 section 6.1).
const LOW_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

fn bytes(hex: &str) -> [u8; 32] {
    hex::decode(hex).unwrap().try_into().unwrap()
}

#[test]
fn every_encoding_of_a_point_of_low_order_is_refused() {
    for hex in LOW_ORDER {
        let mut point = bytes(hex);
        assert!(PublicKey::from_bytes(point).is_err(), "{hex}");
        point[31] |= 0x80;
        assert_eq!(PublicKey::from_bytes(point), Err(KeyError::NotCanonical), "{hex} with the top bit");
    }
}

#[test]
fn the_canonical_ones_among_them_are_refused_for_their_order() {
    for hex in &LOW_ORDER[..5] {
        assert_eq!(PublicKey::from_bytes(bytes(hex)), Err(KeyError::LowOrder), "{hex}");
    }
}

#[test]
fn a_coordinate_at_or_above_the_prime_is_not_canonical() {
    for first in 0xed..=0xff {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (first, 0x7f);
        assert_eq!(PublicKey::from_bytes(point), Err(KeyError::NotCanonical), "{first:#x}");
    }
    let good = PrivateKey::generate(&mut OsRng);
    let mut point = *good.public().as_bytes();
    point[31] |= 0x80;
    assert_eq!(PublicKey::from_bytes(point), Err(KeyError::NotCanonical));
}

#[test]
fn a_coordinate_just_below_the_prime_is_canonical() {
    let mut point = [0xff; 32];
    (point[0], point[31]) = (0xeb, 0x7f);
    assert!(PublicKey::is_canonical(&point));
    (point[0], point[15]) = (0xff, 0xfe);
    assert!(PublicKey::is_canonical(&point));
}

#[test]
fn text_forms_come_back_as_the_same_key() {
    let private = PrivateKey::generate(&mut OsRng);
    let text = private.public().to_string();
    assert_eq!(text.len(), 44);
    assert_eq!(text.parse(), Ok(*private.public()));
    let again = PrivateKey::from_base64(&private.dangerously_to_base64()).unwrap();
    assert_eq!(again.public(), private.public());
}

#[test]
fn only_strict_base64_of_32_bytes_is_a_key() {
    let text = encoding::encode_standard(&[0xfb; 32]);
    let bad = [
        text.replace('+', "-"),
        text.trim_end_matches('=').to_owned(),
        format!("{text}="),
        format!("{text}\n"),
        format!(" {text}"),
        text.replacen('+', "\n", 1),
        // The bits after the last byte must be zero, so that one key has one text.
        text.replace("s=", "t="),
    ];
    for text in bad {
        assert_eq!(text.parse::<PublicKey>(), Err(KeyError::Encoding), "{text:?}");
        assert_eq!(PrivateKey::from_base64(&text).unwrap_err(), KeyError::Encoding, "{text:?}");
    }
    for length in [0, 31, 33] {
        let text = encoding::encode_standard(&vec![9; length]);
        assert_eq!(text.parse::<PublicKey>(), Err(KeyError::Length(length)));
    }
}

#[test]
fn no_debug_form_tells_a_secret() {
    let (private, secret) = (PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng));
    let api_key = ApiKey::generate(&mut OsRng);
    let shown = format!("{private:?} {secret:?} {api_key:?}");
    assert!(!shown.contains(api_key.dangerously_as_str()));
    assert!(!shown.contains(private.dangerously_to_base64().as_str()));
    assert!(!shown.contains(secret.dangerously_as_str()));
}

#[test]
fn a_secret_is_128_lower_case_hex_digits() {
    let secret = Secret::generate(&mut OsRng);
    let text = secret.dangerously_as_str();
    assert_eq!(Secret::parse(text).unwrap().digest(), secret.digest());
    assert_eq!(secret.digest(), Digest::of(text.as_bytes()));
    for bad in [text.to_uppercase(), text[1..].to_owned(), format!("{text}0"), format!("{text}\n")] {
        assert!(Secret::parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn an_api_key_is_its_prefix_and_43_characters_that_a_url_and_a_header_can_hold() {
    let (key, other) = (ApiKey::generate(&mut OsRng), ApiKey::generate(&mut OsRng));
    let text = key.dangerously_as_str();
    let drawn = text.strip_prefix("msp_").unwrap();
    assert_eq!(drawn.len(), 43);
    assert!(drawn.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')), "{text}");
    assert_eq!(encoding::decode_url(&format!("{drawn}=")).unwrap().len(), 32);
    assert_eq!(key.digest(), Digest::of(text.as_bytes()));
    assert_ne!(key.digest(), other.digest());
}

#[test]
fn a_fingerprint_is_the_start_of_the_digest_in_groups_of_four() {
    let key = *PrivateKey::from_bytes(&[7; 32]).public();
    let hex = key.digest().to_string();
    assert_eq!(key.fingerprint(), format!("{}-{}-{}-{}", &hex[..4], &hex[4..8], &hex[8..12], &hex[12..16]));
}
