//! `initialize` as real clients send it, and invalid forms.

use proptest::prelude::*;

use super::*;

fn parse(json: &str) -> Result<InitializeParams, Error> {
    InitializeParams::parse(&RawObject::parse(json.as_bytes()).unwrap())
}

/// The request of the stock asyncmcp 0.2.1 client.
const ASYNCMCP: &str = concat!(
    r#"{"protocolVersion":"2025-03-26","capabilities":{"roots":{"listChanged":true}},"#,
    r#""clientInfo":{"name":"mcp-client","version":"1.0.0"},"#,
    r#""_meta":{"webhookUrl":"http://127.0.0.1:8101/webhook"}}"#
);

#[test]
fn reads_and_writes_what_asyncmcp_sends() {
    let params = parse(ASYNCMCP).unwrap();
    assert_eq!(
        params.webhook_url.as_deref(),
        Some("http://127.0.0.1:8101/webhook")
    );
    assert_eq!(params.client_info, Implementation::new("mcp-client", "1.0.0"));
    assert!(params.capabilities.has(&["roots", "listChanged"]));
    assert!(!params.capabilities.has(&["sampling"]));
    assert_eq!(
        String::from_utf8(params.to_params().to_bytes()).unwrap(),
        ASYNCMCP
    );
}

#[test]
fn an_error_names_the_field() {
    for (json, field) in [
        ("{}", "`capabilities`"),
        (r#"{"capabilities":{}}"#, "`protocolVersion`"),
        (r#"{"capabilities":7,"protocolVersion":"x"}"#, "`capabilities`"),
        (r#"{"capabilities":{},"protocolVersion":"x"}"#, "`clientInfo`"),
        (
            r#"{"capabilities":{},"protocolVersion":"x","clientInfo":{"name":"n"}}"#,
            "`clientInfo.version`",
        ),
    ] {
        assert!(parse(json).unwrap_err().to_string().starts_with(field), "{json}");
    }
}

#[test]
fn a_receiver_is_a_string_of_bounded_length() {
    let with = |url: &str| parse(&ASYNCMCP.replace(r#""http://127.0.0.1:8101/webhook""#, url));
    assert!(
        with("12345")
            .unwrap_err()
            .to_string()
            .contains("_meta.webhookUrl")
    );
    assert!(with("null").is_err());
    let long = format!("\"{}\"", "u".repeat(MAX_WEBHOOK_URL + 1));
    assert!(with(&long).unwrap_err().to_string().contains("1024"));
    let longest = format!("\"{}\"", "u".repeat(MAX_WEBHOOK_URL));
    assert!(with(&longest).is_ok());
}

#[test]
fn a_long_name_is_truncated_between_characters() {
    let params = parse(&ASYNCMCP.replace("mcp-client", &"é€".repeat(100))).unwrap();
    assert_eq!(params.client_info.name.len(), 127);
}

#[test]
fn the_gateway_declares_what_it_offers_and_nothing_else() {
    let result = InitializeResult::of_gateway(Version::V2025_06_18, "1.2.3", None).to_raw();
    assert_eq!(
        result.get(),
        concat!(
            r#"{"protocolVersion":"2025-06-18","capabilities":{"tools":{"listChanged":true},"prompts":{"listChanged":true},"resources":{"subscribe":true,"listChanged":true},"completions":{},"logging":{}},"#,
            r#""serverInfo":{"name":"asyncmcp","version":"1.2.3"}}"#
        )
    );
}

#[test]
fn a_servers_result_may_omit_optional_fields() {
    let sparse = serde_json::from_str(r#"{"protocolVersion":"2025-11-25"}"#).unwrap();
    let result = InitializeResult::parse(sparse).unwrap();
    assert!(!result.has_tools() && result.instructions.is_none());
    let full = serde_json::from_str(
        r#"{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"},"instructions":"use it"}"#,
    )
    .unwrap();
    let result = InitializeResult::parse(full).unwrap();
    assert!(result.has_tools());
    assert_eq!(result.server_info.name, "s");
    assert!(InitializeResult::parse(serde_json::from_str("{}").unwrap()).is_err());
}

proptest! {
    #[test]
    fn capabilities_read_back_from_what_they_write(bits in any::<u16>()) {
        let set = ClientCapabilities::from_bits(bits);
        let written = RawObject::parse(set.to_raw().get().as_bytes()).unwrap();
        let read = ClientCapabilities::parse(&written);
        // A member within another declares both.
        prop_assert_eq!(read.bits() & set.bits(), set.bits());
        prop_assert_eq!(ClientCapabilities::from_bits(read.bits()), read);
        let again = RawObject::parse(read.to_raw().get().as_bytes()).unwrap();
        prop_assert_eq!(ClientCapabilities::parse(&again), read);
    }
}

#[test]
fn an_empty_elicitation_stays_empty() {
    let declared = RawObject::parse(br#"{"elicitation":{},"roots":{"listChanged":false}}"#).unwrap();
    let set = ClientCapabilities::parse(&declared);
    assert_eq!(set.to_raw().get(), r#"{"elicitation":{},"roots":{}}"#);
}

#[test]
fn tasks_are_offered_as_each_version_knows_them() {
    let offers = |version, lists| {
        let result = InitializeResult::of_gateway(version, "1", None);
        let mut capabilities = result.offering_tasks(lists).capabilities;
        capabilities.retain(|key| matches!(key, "tasks" | "extensions"));
        capabilities.to_raw().get().to_owned()
    };
    let old = Version::V2025_11_25;
    assert_eq!(
        offers(old, false),
        r#"{"tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}}"#
    );
    assert_eq!(
        offers(old, true),
        r#"{"tasks":{"cancel":{},"list":{},"requests":{"tools":{"call":{}}}}}"#
    );
    assert_eq!(
        offers(Version::V2026_07_28, true),
        r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#
    );
    for version in [Version::V2025_06_18, Version::V2025_03_26] {
        assert_eq!(offers(version, true), "{}");
    }
}

#[test]
fn the_tasks_extension_is_a_capability_like_any_other() {
    let declared = |json: &str| {
        let capabilities = ClientCapabilities::parse(&RawObject::parse(json.as_bytes()).unwrap());
        capabilities.has(TASKS_EXTENSION)
    };
    let json = r#"{"extensions":{"io.modelcontextprotocol/tasks":{}}}"#;
    assert!(declared(json));
    for other in [
        "{}",
        r#"{"extensions":{}}"#,
        r#"{"extensions":{"io.modelcontextprotocol/tasks":null}}"#,
        r#"{"tasks":{}}"#,
    ] {
        assert!(!declared(other), "{other}");
    }
    let parsed = ClientCapabilities::parse(&RawObject::parse(json.as_bytes()).unwrap());
    assert_eq!(parsed.to_raw().get(), json);
}
