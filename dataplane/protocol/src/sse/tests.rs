//! The codec in the corner cases of the standard, and with every way to split a stream.

use proptest::prelude::*;

use super::*;

fn decode_in_chunks(chunks: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<Event> {
    let mut decoder = Decoder::new(1 << 20);
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.push(chunk.as_ref()).unwrap();
        events.extend(std::iter::from_fn(|| decoder.next_event()));
    }
    events
}

fn decode(stream: &[u8]) -> Vec<Event> {
    decode_in_chunks([stream])
}

fn data(text: &str) -> Event {
    Event {
        data: Some(Bytes::copy_from_slice(text.as_bytes())),
        ..Event::default()
    }
}

#[test]
fn all_three_line_ends_are_line_ends() {
    for stream in [
        "data: a\n\ndata: b\n\n",
        "data: a\r\n\r\ndata: b\r\n\r\n",
        "data: a\r\rdata: b\r\r",
    ] {
        assert_eq!(decode(stream.as_bytes()), [data("a"), data("b")], "{stream:?}");
    }
}

#[test]
fn one_space_after_the_colon_goes_and_data_lines_are_joined() {
    assert_eq!(decode(b"data:a\ndata:  b\ndata\n\n"), [data("a\n b\n")]);
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_only() {
    assert_eq!(decode(b"\xef\xbb\xbfdata: a\n\n"), [data("a")]);
    assert_eq!(decode(b"data: a\n\n\xef\xbb\xbfdata: b\n\n"), [data("a")]);
}

#[test]
fn comments_and_unknown_fields_are_ignored() {
    assert_eq!(decode(b": ping\n\nwhat: ever\n\n:\n\ndata: a\n\n"), [data("a")]);
}

#[test]
fn the_event_that_lacks_its_empty_line_is_there_for_who_asks() {
    for stream in ["data: a\n\nid: 7\ndata: b", "data: a\r\n\r\nid: 7\r\ndata: b\r\n"] {
        let mut decoder = Decoder::new(1 << 20);
        decoder.push(stream.as_bytes()).unwrap();
        assert_eq!(decoder.next_event(), Some(data("a")), "{stream:?}");
        assert_eq!(decoder.next_event(), None, "{stream:?}");
        let last = decoder.finish().unwrap();
        assert_eq!(
            (last.id.as_deref(), last.data.as_deref()),
            (Some("7"), Some(&b"b"[..]))
        );
        assert_eq!(decoder.finish(), None, "{stream:?}");
    }
    let mut too_large = Decoder::new(8);
    assert!(too_large.push(b"data: 123456789").is_err());
    assert_eq!(too_large.finish(), None);
}

#[test]
fn a_priming_event_has_an_id_and_a_wait_but_no_message() {
    let events = decode(b"id: 7\nretry: 3000\ndata:\n\n");
    assert_eq!(
        events,
        [Event {
            id: Some("7".into()),
            retry: Some(3000),
            ..data("")
        }]
    );
    assert_eq!(events[0].message(), None);
}

#[test]
fn only_messages_are_messages() {
    let events = decode(b"event: message\ndata: {}\n\ndata: {}\n\nevent: endpoint\ndata: /x\n\n");
    let is_message: Vec<_> = events.iter().map(|event| event.message().is_some()).collect();
    assert_eq!(is_message, [true, true, false]);
}

#[test]
fn an_id_with_a_null_and_a_retry_that_is_not_a_number_are_ignored() {
    assert_eq!(decode(b"id: a\0b\nretry: 3s\nretry:\ndata: x\n\n"), [data("x")]);
}

#[test]
fn an_incomplete_event_at_the_end_is_dropped() {
    assert_eq!(decode(b"data: a\n\ndata: b\n"), [data("a")]);
}

#[test]
fn an_event_over_the_limit_is_an_error_but_earlier_events_are_kept() {
    let mut decoder = Decoder::new(16);
    let error = decoder.push(b"data: ok\n\ndata: 0123456\ndata: 0123456\n\n");
    assert_eq!(error, Err(Error::TooLarge { limit: 16 }));
    assert_eq!(decoder.next_event(), Some(data("ok")));
    assert_eq!(decoder.push(b"\n\n"), Err(Error::TooLarge { limit: 16 }));
    assert_eq!(decoder.next_event(), None);
}

#[test]
fn a_line_without_an_end_is_bounded() {
    let mut decoder = Decoder::new(100);
    let pushed = (0..1000).take_while(|_| decoder.push(b"x").is_ok()).count();
    assert_eq!(pushed, 100);
}

#[test]
fn a_message_with_line_ends_becomes_several_data_lines() {
    assert_eq!(
        message(b"{\r\n\"a\":\r1\n}"),
        "event: message\ndata: {\ndata: \"a\":\ndata: 1\ndata: }\n\n"
    );
}

#[test]
fn a_comment_cannot_smuggle_a_field() {
    assert_eq!(decode(&comment("ping\ndata: forged\n\ndata: x")), []);
}

#[test]
fn an_id_with_a_line_end_is_omitted() {
    let event = Event {
        id: Some("1\ndata: forged".into()),
        ..data("x")
    };
    assert_eq!(decode(&encode(&event)), [data("x")]);
}

proptest! {
    #[test]
    fn splitting_never_changes_the_events(
        stream in proptest::collection::vec(piece(), 0..40),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream: Vec<u8> = stream.concat();
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        at.extend([0, stream.len()]);
        at.sort_unstable();
        let chunks = at.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        prop_assert_eq!(decode_in_chunks(chunks), decode(&stream));
        prop_assert_eq!(decode_in_chunks(stream.chunks(1)), decode(&stream));
    }

    #[test]
    fn what_is_encoded_is_decoded(
        id in proptest::option::of("[^\r\n\0]*"),
        event in proptest::option::of("[^\r\n]*"),
        retry in proptest::option::of(any::<u64>()),
        text in "[^\r]*",
    ) {
        let event = event.filter(|event| !event.contains('\0'));
        let event = Event { event, id, retry, ..data(&text) };
        prop_assert_eq!(decode(&encode(&event)), vec![event]);
    }

    #[test]
    fn json_is_encoded_and_decoded_unchanged(text in "[^\r]*") {
        let decoded = decode(&message(text.as_bytes()));
        prop_assert_eq!(decoded[0].data.as_deref(), Some(text.as_bytes()));
    }
}

/// Fragments that are split in awkward places.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::sample::select(vec![
            "data:",
            "data: ",
            "id: 1",
            "event: message",
            "retry: 5",
            ":",
            " ",
            "\r",
            "\n",
            "\r\n",
            "\n\n",
            "\u{feff}",
            "é",
            "😀",
            "{\"a\":1}",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ]
}
