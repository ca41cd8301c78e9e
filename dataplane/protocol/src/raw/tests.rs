//! What `RawObject` preserves, and what it refuses.

use proptest::prelude::*;

use super::*;

fn object(json: &str) -> RawObject {
    RawObject::parse(json.as_bytes()).unwrap()
}

fn written(object: &RawObject) -> String {
    String::from_utf8(object.to_bytes()).unwrap()
}

#[test]
fn keeps_order_big_numbers_and_inner_white_space() {
    let json = r#"{"z":12345678901234567890123,"a":{ "k" : [1.0, 1e400] },"m":"\u00e9\/"}"#;
    assert_eq!(written(&object(json)), json);
}

#[test]
fn a_changed_value_stays_in_place_and_a_new_one_is_appended() {
    let mut edited = object(r#"{"name":"a","arguments":{ "x":1 }}"#);
    edited.set_value("name", "b");
    edited.set_value("extra", &5);
    assert_eq!(
        written(&edited),
        r#"{"name":"b","arguments":{ "x":1 },"extra":5}"#
    );
    assert!(edited.remove("name").is_some() && edited.remove("name").is_none());
    assert_eq!(written(&edited), r#"{"arguments":{ "x":1 },"extra":5}"#);
}

#[test]
fn compares_keys_after_their_escapes_are_resolved() {
    let error = RawObject::parse(br#"{"name":"ok","na\u006de":"excluded"}"#).unwrap_err();
    assert!(matches!(error, Error::DuplicateKey(name) if name == "name"));
    assert_eq!(object(r#"{"na\u006de":"x"}"#).text("name").unwrap(), "x");
}

#[test]
fn distinguishes_invalid_json_from_json_that_is_not_an_object() {
    for broken in [&b"{"[..], b"", b"{} {}", b"{\"a\":\"\xff\"}", b"{\"a\":01}"] {
        assert!(
            matches!(RawObject::parse(broken), Err(Error::Json(_))),
            "{broken:?}"
        );
    }
    for other in ["[]", "5", "null", "\"{}\""] {
        assert!(
            matches!(RawObject::parse(other.as_bytes()), Err(Error::NotAnObject)),
            "{other}"
        );
    }
}

#[test]
fn bounds_the_number_of_members() {
    let json = |count: usize| {
        let members: Vec<_> = (0..count).map(|n| format!("\"{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    assert!(RawObject::parse(json(MAX_MEMBERS).as_bytes()).is_ok());
    let error = RawObject::parse(json(MAX_MEMBERS + 1).as_bytes()).unwrap_err();
    assert!(matches!(error, Error::TooManyMembers));
}

proptest! {
    #[test]
    fn every_value_keeps_its_bytes(
        members in proptest::collection::btree_map(".*", value(), 0..8)
    ) {
        let inside: Vec<_> = members
            .iter()
            .map(|(key, value)| format!("{}:{value}", serde_json::to_string(key).unwrap()))
            .collect();
        let json = format!("{{{}}}", inside.join(","));
        prop_assert_eq!(written(&object(&json)), json);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = RawObject::parse(&bytes);
    }
}

/// JSON values with everything that typed parsing would change.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?[1-9][0-9]{0,40}(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        Just(r#""\u0041\/\ud83d\ude00""#.to_owned()),
        Just(r#""\ud800 a lone surrogate""#.to_owned()),
        ".*".prop_map(|text| serde_json::to_string(&text).unwrap()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| format!("[ {} ]", items.join(" ,\n"))),
            proptest::collection::vec(inner, 1..4).prop_map(|items| {
                // A duplicate key on purpose: keys below the first level are not checked.
                let members: Vec<_> = items.iter().map(|item| format!("\"k\" : {item}")).collect();
                format!("{{\t{}}}", members.join(","))
            }),
        ]
    })
}
