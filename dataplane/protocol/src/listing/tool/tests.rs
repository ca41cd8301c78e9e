//! One row per malformation that was seen in the wild; stock clients refuse the list for each of them but the first ones.

use super::*;

/// What becomes of a tool with these members beside its name.
fn corrected(members: &str) -> Result<(String, Option<Flaw>), Flaw> {
    let mut tool = RawObject::parse(format!(r#"{{"name":"t",{members}}}"#).as_bytes()).unwrap();
    let flaw = correct(&mut tool)?;
    let text = String::from_utf8(tool.to_bytes()).unwrap();
    Ok((text.replacen(r#"{"name":"t","#, "{", 1), flaw))
}

#[test]
fn a_valid_tool_keeps_its_bytes() {
    for valid in [
        r#""inputSchema":{ "type":"object" }"#,
        r#""inputSchema":{"type":"object","properties":{ "a":{ "type":"string"}},"required":["a"],"oneOf":[ ]}"#,
        r#""title":"T","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{}},"x":null"#,
        r#""inputSchema":{"type":"object"},"annotations":{"readOnlyHint":true,"vendor":null},"_meta":{"a":[ null ]}"#,
        r#""inputSchema":{"type":"object"},"execution":{"taskSupport":"optional"},"icons":[{"src":"data:x","sizes":["any"],"theme":"dark"}]"#,
    ] {
        assert_eq!(corrected(valid), Ok((format!("{{{valid}}}"), None)));
    }
}

#[test]
fn null_for_what_is_absent_goes_and_is_no_flaw() {
    let nulls = r#""title":null,"inputSchema":{"type":"object"},"outputSchema":null,"description":null,"annotations":null,"icons":null,"execution":null,"_meta":null"#;
    assert_eq!(
        corrected(nulls),
        Ok((r#"{"inputSchema":{"type":"object"}}"#.to_owned(), None))
    );
    let hints = r#""inputSchema":{"type":"object"},"annotations":{"title":null,"readOnlyHint":true}"#;
    let without = hints.replace("\"title\":null,", "");
    assert_eq!(corrected(hints), Ok((format!("{{{without}}}"), None)));
}

#[test]
fn what_can_be_completed_is_completed() {
    let object = r#"{"type":"object"}"#;
    for (schema, completed) in [
        ("null", object),
        ("true", object),
        ("{}", object),
        (r#"{"type":null}"#, object),
        (r#"{"type":["object","null"]}"#, object),
        (r#"{"$schema":"x"}"#, r#"{"$schema":"x","type":"object"}"#),
        (r#"{"oneOf":[ 1 ]}"#, r#"{"oneOf":[ 1 ],"type":"object"}"#),
        (r#"{"type":"object","properties":null}"#, object),
        (r#"{"type":"object","properties":[]}"#, object),
        (r#"{"type":"object","required":true}"#, object),
        (
            r#"{"type":"object","properties":{"a":true,"b":false,"c":{ }}}"#,
            r#"{"type":"object","properties":{"a":{},"b":{"not":{}},"c":{ }}}"#,
        ),
    ] {
        let (tool, flaw) = corrected(&format!(r#""inputSchema":{schema}"#)).unwrap();
        assert_eq!(tool, format!(r#"{{"inputSchema":{completed}}}"#), "{schema}");
        assert!(flaw.is_some(), "{schema}");
    }
    let (tool, flaw) = corrected(r#""title":"T""#).unwrap();
    assert_eq!(tool, format!(r#"{{"title":"T","inputSchema":{object}}}"#));
    assert_eq!(flaw, Some(Flaw::InputType));
}

#[test]
fn a_tool_that_takes_no_object_is_left_out() {
    for (schema, flaw) in [
        (r#"{"type":"string"}"#, Flaw::Input),
        (r#"{"type":["string","null"]}"#, Flaw::Input),
        (r#""string""#, Flaw::Input),
        ("[]", Flaw::Input),
        ("false", Flaw::Input),
        ("7", Flaw::Input),
        (r#"{"type":"object","type":"string"}"#, Flaw::Input),
        (r#"{"type":"object","properties":["a"]}"#, Flaw::InputProperty),
        (
            r#"{"type":"object","properties":{"a":"string"}}"#,
            Flaw::InputProperty,
        ),
    ] {
        assert_eq!(
            corrected(&format!(r#""inputSchema":{schema}"#)),
            Err(flaw),
            "{schema}"
        );
    }
}

#[test]
fn what_only_describes_a_tool_goes_when_it_cannot_be_read() {
    for (member, flaw) in [
        (r#""outputSchema":{"description":"x"}"#, Flaw::Output),
        (r#""outputSchema":true"#, Flaw::Output),
        (r#""outputSchema":{"type":"array"}"#, Flaw::Output),
        (
            r#""outputSchema":{"type":"object","properties":{"a":true}}"#,
            Flaw::Output,
        ),
        (r#""title":7"#, Flaw::Member("title")),
        (r#""description":["a"]"#, Flaw::Member("description")),
        (r#""icons":{}"#, Flaw::Member("icons")),
        (r#""icons":[{"mimeType":"image/png"}]"#, Flaw::Member("icons")),
        (
            r#""annotations":{"readOnlyHint":"yes"}"#,
            Flaw::Member("annotations"),
        ),
        (
            r#""execution":{"taskSupport":"maybe"}"#,
            Flaw::Member("execution"),
        ),
        (r#""_meta":[]"#, Flaw::Member("_meta")),
    ] {
        let (tool, found) = corrected(&format!(r#""inputSchema":{{"type":"object"}},{member}"#)).unwrap();
        assert_eq!(tool, r#"{"inputSchema":{"type":"object"}}"#, "{member}");
        assert_eq!(found, Some(flaw), "{member}");
    }
}
