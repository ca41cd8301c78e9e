//! What is valid as W3C Trace Context and as W3C Baggage.
//!
//! [`super::checked`] and the edge ask. A client may write anything into these fields, and what is accepted goes to
//! servers and receivers of others: one that refuses long or malformed headers would fail calls and deliveries that
//! it should not. Invariant: whatever passes has a bounded length and no character that a header must not have.

/// The length of a `traceparent` of version 00: `00-<32>-<16>-<2>`.
const PARENT: usize = 55;
/// The longest `tracestate`: what the standard wants everybody to pass on.
const STATE: usize = 512;
/// The most members of a `tracestate`.
const MEMBERS: usize = 32;
/// The longest `baggage`: what the standard wants everybody to pass on.
const BAGGAGE: usize = 8192;

/// The `traceparent` to pass on, always of version 00; `None` unless `text` names a span. Of a version that is newer
/// than the standard we know, only the part that we know is read, as the standard says; the rest has no bound.
pub(super) fn parent(text: &str) -> Option<String> {
    let (known, rest) = text.split_at_checked(PARENT)?;
    let mut fields = known.split('-');
    let (version, id, span, flags) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let shape = [(version, 2), (id, 32), (span, 16), (flags, 2)];
    let has_shape = shape.iter().all(|(field, length)| is_hex(field, *length));
    let names_a_span = [id, span].iter().all(|id| id.bytes().any(|digit| digit != b'0'));
    let may_end_so = match version {
        "00" => rest.is_empty(),
        "ff" => false,
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    (has_shape && names_a_span && may_end_so && fields.next().is_none())
        .then(|| format!("00-{id}-{span}-{flags}"))
}

/// Whether `text` is a `tracestate`. An empty one is none.
pub(super) fn is_state(text: &str) -> bool {
    let members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
    let members: Vec<_> = members.filter(|member| !member.is_empty()).collect();
    let pairs: Option<Vec<_>> = members.iter().map(|member| member.split_once('=')).collect();
    let Some(pairs) = pairs.filter(|pairs| (1..=MEMBERS).contains(&pairs.len())) else {
        return false;
    };
    let valid = pairs.iter().all(|(key, value)| is_key(key) && is_value(value));
    let mut keys: Vec<_> = pairs.iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys.dedup();
    text.len() <= STATE && valid && keys.len() == pairs.len()
}

/// Whether `text` can be passed on as `baggage`. What it means is not ours to judge.
pub(super) fn is_baggage(text: &str) -> bool {
    let printable = |byte: u8| byte == b'\t' || (b' '..=b'~').contains(&byte);
    (1..=BAGGAGE).contains(&text.len()) && text.bytes().all(printable)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_key(key: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let other = |byte: u8| first(byte) || b"_-*/@".contains(&byte);
    key.len() <= 256 && key.bytes().next().is_some_and(first) && key.bytes().all(other)
}

fn is_value(value: &str) -> bool {
    let allowed = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b'=';
    (1..=256).contains(&value.len()) && value.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

    #[test]
    fn a_parent_names_a_span_in_55_characters() {
        let version_00 = format!("00-{SPAN}-01");
        assert_eq!(parent(&version_00), Some(version_00.clone()));
        for newer in [
            format!("01-{SPAN}-01"),
            format!("cc-{SPAN}-01-{}", "x".repeat(70_000)),
        ] {
            assert_eq!(
                parent(&newer),
                Some(version_00.clone()),
                "only what is known of it"
            );
        }
    }

    #[test]
    fn a_parent_that_names_no_span_is_none() {
        for text in [
            String::new(),
            "evil value; not a traceparent".to_owned(),
            format!("00-{SPAN}-01-"),
            format!("00-{SPAN}-01-extra"),
            format!("00-{SPAN}-0"),
            format!("01-{SPAN}-01x"),
            format!("ff-{SPAN}-01"),
            format!("0x-{SPAN}-01"),
            format!("00-{}-01", SPAN.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16)),
            format!("00-{SPAN}-0ä"),
            "x".repeat(70_000),
        ] {
            assert_eq!(parent(&text), None, "{text:.80}");
        }
    }

    #[test]
    fn a_state_is_a_list_of_members() {
        let most: Vec<_> = (0..MEMBERS).map(|n| format!("k{n}=v")).collect();
        for text in [
            "a=1",
            "a=1, b=2\t,c=x y",
            "1t@vendor/x=ok",
            "a=1,,b=2",
            &most.join(","),
        ] {
            assert!(is_state(text), "{text}");
        }
        let (many, long) = (
            format!("{},z=1", most.join(",")),
            format!("a={}", "x".repeat(511)),
        );
        for text in [
            "", ",", "a", "=1", "a=", "A=1", "a=1=2", "a=1,a=2", "a=\u{7f}", "a=ä", "a b=1", &many, &long,
        ] {
            assert!(!is_state(text), "{text}");
        }
    }

    #[test]
    fn baggage_is_printable_and_not_too_long() {
        assert!(is_baggage("user=ann;ttl=1, plan = pro") && is_baggage(&"x".repeat(BAGGAGE)));
        for text in ["", "a=\n", "a=\u{7f}", "a=ä", &"x".repeat(BAGGAGE + 1)] {
            assert!(!is_baggage(text), "{text:.80}");
        }
    }
}
