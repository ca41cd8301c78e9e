//! Verification against an independent signer.

use super::*;

const NOW: i64 = 1_795_000_000;
const ID: &str = "msg_0123";
const BODY: &[u8] = br#"{"jsonrpc":"2.0","id":1,"result":{}}"#;

fn secret(byte: u8) -> String {
    format!("{PREFIX}{}", STANDARD.encode([byte; 32]))
}

fn signed_by(secret: &str, at: i64, body: &[u8]) -> String {
    standardwebhooks::Webhook::new(secret)
        .unwrap()
        .sign(ID, at, body)
        .unwrap()
}

fn headers(at: i64, signature: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(WEBHOOK_ID, ID.parse().unwrap());
    headers.insert(WEBHOOK_TIMESTAMP, at.to_string().parse().unwrap());
    headers.insert(WEBHOOK_SIGNATURE, signature.parse().unwrap());
    headers
}

fn check(signature: &str, at: i64, body: &[u8]) -> Result<Verified, Error> {
    let keys = [Key::parse(&secret(1)).unwrap(), Key::parse(&secret(2)).unwrap()];
    verify(&keys, &headers(at, signature), body, NOW)
}

#[test]
fn a_signature_of_the_reference_implementation_is_valid() {
    let verified = check(&signed_by(&secret(1), NOW, BODY), NOW, BODY).unwrap();
    assert_eq!((verified.id.as_str(), verified.timestamp), (ID, NOW));
}

#[test]
fn any_key_and_any_signature_of_a_rotation_may_match() {
    let second = signed_by(&secret(2), NOW, BODY);
    assert!(check(&second, NOW, BODY).is_ok());
    let stranger = signed_by(&secret(9), NOW, BODY);
    assert!(check(&format!("v1a,AAAA {stranger} {second}"), NOW, BODY).is_ok());
    assert_eq!(check(&stranger, NOW, BODY), Err(Error::Mismatch));
}

#[test]
fn a_changed_body_id_or_time_does_not_match() {
    let signature = signed_by(&secret(1), NOW, BODY);
    assert_eq!(check(&signature, NOW, b"{}"), Err(Error::Mismatch));
    assert_eq!(check(&signature, NOW + 1, BODY), Err(Error::Mismatch));
    let mut moved = headers(NOW, &signature);
    moved.insert(WEBHOOK_ID, "msg_other".parse().unwrap());
    let keys = [Key::parse(&secret(1)).unwrap()];
    assert_eq!(verify(&keys, &moved, BODY, NOW), Err(Error::Mismatch));
}

#[test]
fn five_minutes_either_way_is_the_limit() {
    for (at, expected) in [
        (NOW - TOLERANCE_SECONDS, Ok(())),
        (NOW + TOLERANCE_SECONDS, Ok(())),
        (NOW - TOLERANCE_SECONDS - 1, Err(Error::TooOld)),
        (NOW + TOLERANCE_SECONDS + 1, Err(Error::TooNew)),
        (i64::MIN, Err(Error::TooOld)),
    ] {
        let signature = signed_by(&secret(1), at, BODY);
        assert_eq!(check(&signature, at, BODY).map(drop), expected, "{at}");
    }
}

#[test]
fn each_missing_header_is_named() {
    let keys = [Key::parse(&secret(1)).unwrap()];
    for name in [WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE] {
        let mut headers = headers(NOW, &signed_by(&secret(1), NOW, BODY));
        headers.remove(name);
        assert_eq!(verify(&keys, &headers, BODY, NOW), Err(Error::Header(name)));
    }
}

#[test]
fn malformed_signatures_are_refused() {
    for signature in ["v1,", "v1", "AAAA", "v2,AAAA", "v1,????", &"v1,AAAA ".repeat(100)] {
        assert_eq!(check(signature, NOW, BODY), Err(Error::Mismatch), "{signature}");
    }
}

/// The gateway's parser has the same test, so that a Secret works on both sides or on neither.
#[test]
fn the_keys_of_the_shared_fixture_are_accepted_or_refused_as_it_says() {
    let fixture = include_str!("../../../tests/fixtures/signing-keys.json");
    let cases: Vec<(String, Option<usize>)> = serde_json::from_str(fixture).unwrap();
    for (text, bytes) in cases {
        let parsed = Key::parse(&text).ok();
        assert_eq!(parsed.map(|key| key.0.len()), bytes, "{text:?}");
    }
}

#[test]
fn a_key_is_hidden_from_debug_output_and_an_error_says_what_is_wrong() {
    assert_eq!(format!("{:?}", Key::parse(&secret(1)).unwrap()), "Key(..)");
    assert_eq!(Key::parse("AAAA").unwrap_err(), KeyError::Prefix);
    assert_eq!(Key::parse("whsec_!!!!").unwrap_err(), KeyError::Base64);
    assert_eq!(Key::parse("whsec_AAAA").unwrap_err(), KeyError::Length(3));
}

/// The data plane derives the same keys: its tests read the same fixture.
#[test]
fn a_key_for_a_receiver_is_what_the_shared_fixture_says() {
    let fixture = include_str!("../../../tests/fixtures/derived-keys.json");
    let cases: Vec<[String; 3]> = serde_json::from_str(fixture).unwrap();
    for [key, url, derived] in cases {
        let found = Key::parse(&key).unwrap().for_receiver(&Url::parse(&url).unwrap());
        assert_eq!(found.whsec(), derived, "{url}");
    }
}
