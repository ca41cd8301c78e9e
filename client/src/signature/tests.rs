//! Our verification against a signer that nobody here wrote.

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
fn what_the_standard_library_signs_holds() {
    let verified = check(&signed_by(&secret(1), NOW, BODY), NOW, BODY).unwrap();
    assert_eq!((verified.id.as_str(), verified.timestamp), (ID, NOW));
}

#[test]
fn any_key_and_any_signature_of_a_rotation_will_do() {
    let second = signed_by(&secret(2), NOW, BODY);
    assert!(check(&second, NOW, BODY).is_ok());
    let stranger = signed_by(&secret(9), NOW, BODY);
    assert!(check(&format!("v1a,AAAA {stranger} {second}"), NOW, BODY).is_ok());
    assert_eq!(check(&stranger, NOW, BODY), Err(Error::Mismatch));
}

#[test]
fn a_changed_body_id_or_time_does_not_hold() {
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
fn signatures_that_are_none_are_refused() {
    for signature in ["v1,", "v1", "AAAA", "v2,AAAA", "v1,????", &"v1,AAAA ".repeat(100)] {
        assert_eq!(check(signature, NOW, BODY), Err(Error::Mismatch), "{signature}");
    }
}

#[test]
fn keys_are_read_as_the_standard_writes_them() {
    assert!(Key::parse(&format!("{}\n", secret(1))).is_ok());
    for bad in [
        "",
        "whsec_",
        "whsec_AAAA",
        "AAAA",
        &secret(1)[PREFIX.len()..],
        "whsec_!!!!",
    ] {
        assert_eq!(Key::parse(bad).unwrap_err(), KeyError, "{bad}");
    }
    assert_eq!(format!("{:?}", Key::parse(&secret(1)).unwrap()), "Key(..)");
}
