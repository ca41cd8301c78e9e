//! Every error, its status and its code, in one table.

mod tasks;

use asyncmcp_delivery::egress::{ClientPolicy, FromClients, NamedBy, Rules};
use asyncmcp_delivery::store;
use asyncmcp_protocol::batch::Body as Parsed;
use asyncmcp_protocol::initialize::InitializeParams;
use asyncmcp_protocol::{Message, RawObject};
use http::header::{ALLOW, CONTENT_TYPE, WWW_AUTHENTICATE};
use http_body_util::BodyExt as _;

use self::tasks::about_tasks;
use super::*;

fn server(failure: Failure) -> Error {
    Error::Server {
        server: "a".into(),
        failure,
        asked: Asked::Tool,
    }
}

fn refusal() -> Refusal {
    let from_clients = FromClients {
        policy: ClientPolicy::Deny,
        hosts: Vec::new(),
        cidrs: Vec::new(),
        schemes: Vec::new(),
    };
    let egress = Rules { from_clients };
    egress
        .check_url(NamedBy::Session, "https://a.example")
        .unwrap_err()
}

fn refused(error: access::Error) -> Error {
    access::Refusal::new(error, Some("https://a.example/.well-known"), &[]).into()
}

fn unreadable(json: &str) -> Error {
    Parsed::parse(json.as_bytes()).unwrap_err().into()
}

fn silent() -> Error {
    Error::Silent {
        server: "a".into(),
        limit: Duration::from_secs(30),
        asked: Asked::Tool,
    }
}

fn down() -> store::Error {
    store::Error::Down("disk full at /secret/path".into())
}

/// One error: its status, its code, and what the message must say.
type Row = (Error, u16, i64, &'static str);

fn table() -> impl Iterator<Item = Row> {
    let rows = [
        before_the_session(),
        behind_the_session(),
        about_content(),
        about_tasks(),
    ];
    rows.into_iter().flatten()
}

fn before_the_session() -> Vec<Row> {
    let initialize = InitializeParams::parse(&RawObject::new()).unwrap_err();
    let expired = access::Error::Token(access::Flaw::Expired);
    vec![
        (door::Error::Path("/mcp".into()).into(), 404, -32600, "/mcp"),
        (
            door::Error::Host("x".into()).into(),
            403,
            -32600,
            "transport.hostnames",
        ),
        (
            door::Error::Origin("x".into()).into(),
            403,
            -32600,
            "transport.allowedOrigins",
        ),
        (refused(access::Error::Missing), 401, -32600, "Authorization"),
        (refused(access::Error::Unknown), 401, -32600, "not valid"),
        (refused(expired), 401, -32600, "has expired"),
        (
            refused(access::Error::Scope(vec!["a".into(), "b".into()])),
            403,
            -32600,
            "needed: a b",
        ),
        (refused(access::Error::NoKeys), 503, -32600, "try again"),
        (door::Error::Method.into(), 405, -32600, "POST"),
        (door::Error::Stateless.into(), 405, -32600, "transport.stateless"),
        (door::Error::Accept("both").into(), 406, -32600, "both"),
        (door::Error::ContentType.into(), 415, -32600, "application/json"),
        (
            door::Error::TooLarge { limit: 9 }.into(),
            413,
            -32600,
            "transport.maxRequestSize",
        ),
        (door::Error::Slow.into(), 408, -32600, "30 s"),
        (door::Error::Broken.into(), 400, -32600, "read"),
        (unreadable("{"), 400, -32700, "JSON"),
        (unreadable("{}"), 400, -32600, "jsonrpc"),
        (Error::Batch, 400, -32600, "2025-03-26"),
        (Error::NoSession, 400, -32600, "initialize"),
        (Error::EventId, 400, -32600, "Last-Event-ID"),
        (session::Error::Unknown.into(), 404, -32600, "initialize again"),
        (session::Error::Expired.into(), 404, -32600, "transport.lifetime"),
        (session::Error::Revoked.into(), 404, -32600, "initialize again"),
        (Error::Version("2026-07-28".into()), 400, -32022, "2025-11-25"),
        (modern::Error::Response.into(), 400, -32600, "responses"),
        (modern::Error::Batch.into(), 400, -32600, "batches"),
        (
            modern::Error::Version("2027-01-01".into()).into(),
            400,
            -32022,
            "2026-07-28",
        ),
        (initialize.into(), 200, -32602, "capabilities"),
    ]
}

fn about_content() -> Vec<Row> {
    vec![
        (
            Error::UnknownPrompt("p".into()),
            200,
            -32602,
            "unknown prompt: \"p\"",
        ),
        (
            Error::UnknownResource("a:b".into()),
            200,
            -32002,
            "not found: \"a:b\"",
        ),
        (
            Error::UnknownTemplate("a:{b}".into()),
            200,
            -32602,
            "params.ref.uri",
        ),
        (Error::Cursor, 200, -32602, "params.cursor"),
    ]
}

fn unanswered() -> Error {
    Error::Unanswered {
        server: "a".into(),
        limit: Duration::from_secs(30),
    }
}

fn cannot_ask() -> Error {
    Error::CannotAsk {
        server: "a".into(),
        needs: &["elicitation", "url"],
    }
}

fn json_only() -> Error {
    Error::JsonOnly {
        server: "a".into(),
        needs: &["roots"],
    }
}

fn behind_the_session() -> Vec<Row> {
    vec![
        (Error::StatelessReceiver, 200, -32602, "transport.stateless"),
        (Error::NotKept, 200, -31003, "may have run"),
        (Error::InitializeInBatch, 200, -32600, "batch"),
        (Error::ListedInBatch, 200, -32600, "one list of each kind"),
        (Error::Method("no/such".into()), 200, -32601, "no/such"),
        (Error::NoMethod("ping".into()), 404, -32601, "2026-07-28"),
        (Error::Params("params.name"), 200, -32602, "params.name"),
        (Error::UnknownTool("t".into()), 200, -32602, "unknown tool: \"t\""),
        (Error::Unavailable("a".into()), 200, -31001, "\"a\""),
        (server(Failure::NotDispatched), 200, -31001, "did not run"),
        (server(Failure::NoCredentials), 200, -31001, "was not called"),
        (server(Failure::Silent), 200, -31002, "in time"),
        (server(Failure::Unknown), 200, -31003, "not known"),
        (server(Failure::TooLarge), 200, -31007, "larger"),
        (silent(), 200, -31002, "transport.timeout"),
        (unanswered(), 200, -31002, "within 30s; raise transport.timeout"),
        (cannot_ask(), 200, -32021, "elicitation.url, which this client"),
        (
            json_only(),
            200,
            -32021,
            "Accept: application/json, text/event-stream",
        ),
        (Error::Rounds("a".into(), 16), 200, -31003, "16 times"),
        (refusal().into(), 200, -31005, "webhook.receivers.fromClients"),
        (Error::Conflict("idempotency key"), 200, -32602, "idempotency key"),
        (Error::Repeated("101".into()), 200, -32602, "id 101"),
        (Error::ClientFull(9), 200, -31004, "webhook.perClient.maxPending"),
        (Error::ClientStoreFull(9 << 20), 200, -31004, "(9 MiB)"),
        (
            Error::ServerFull("a".into(), 9),
            200,
            -31004,
            "servers[].maxQueuedJobs",
        ),
        (Error::StoreFull, 200, -31004, "no space"),
        (Error::Closing, 200, -31004, "no more calls"),
        (Error::Store(down()), 200, -31004, "stored"),
        (Error::Busy, 200, -31004, "calls are in progress"),
        (
            Error::TooOften(Duration::from_millis(250)),
            200,
            -31004,
            "webhook.perClient.requestsPerSecond",
        ),
        (Error::Backlog, 503, -31004, "on their way"),
        (Error::Revocation(down()), 503, -31004, "ended"),
        (Error::Unchecked(down()), 503, -31004, "store is down"),
        (
            Error::Filter(asyncmcp_protocol::subscriptions::Error::NoFilter),
            200,
            -32602,
            "params.notifications",
        ),
        (Error::NoStream, 200, -32602, "text/event-stream"),
        (Error::TooManyStreams, 200, -31004, "close one"),
        (Error::TooManySubscriptions, 200, -31004, "unsubscribe"),
        (Error::Unsaved(down()), 200, -31004, "for the session"),
    ]
}

#[tokio::test]
async fn each_error_has_its_status_its_code_and_its_words() {
    for (error, status, code, words) in table() {
        let response = error.answer(None);
        assert_eq!(response.status().as_u16(), status, "{error:?}");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let Ok(Message::Response(response)) = Message::parse(&body) else {
            panic!("{body:?}")
        };
        let object = response.error_object().unwrap();
        assert_eq!(object.code, code, "{error:?}");
        assert!(
            object.message.contains(words),
            "{:?} lacks {words:?}",
            object.message
        );
    }
}

#[test]
fn what_is_overloaded_says_when_to_come_back() {
    for (error, ..) in table().filter(|row| row.2 == -31004) {
        // Room in the store comes free by deliveries and by age.
        let pause = match error {
            Error::StoreFull | Error::ClientStoreFull(_) => 30_000,
            Error::TooOften(_) => 250,
            _ => 5_000,
        };
        let data = error.object().data.unwrap();
        let expected = format!(r#"{{"reason":"overloaded","retryAfterMs":{pause}}}"#);
        assert_eq!(data.get(), expected, "{error:?}");
    }
}

#[test]
fn a_duration_is_written_as_users_write_it() {
    let error = Error::Silent {
        server: "a".into(),
        limit: Duration::from_millis(5_400_500),
        asked: Asked::Other,
    };
    assert!(error.to_string().contains("silent for 1h30m500ms;"), "{error}");
}

#[test]
fn a_silent_server_names_both_remedies() {
    let message = silent().object().message;
    assert!(
        message.contains("transport.timeout") && message.contains("webhookTools") && message.contains("30s")
    );
}

#[test]
fn what_runs_nothing_is_not_said_to_have_run() {
    let failures = [
        Failure::NotDispatched,
        Failure::NoCredentials,
        Failure::Silent,
        Failure::TooLarge,
        Failure::Unknown,
    ];
    for failure in failures {
        let text = failure.text(Asked::Other);
        assert!(!text.contains("tool"), "{text}");
    }
    assert!(!Asked::Other.remedy().contains("webhookTools"));
}

#[test]
fn nothing_of_the_stores_own_words_gets_out() {
    let text = String::from_utf8(Error::Store(down()).to_response(None).to_vec()).unwrap();
    assert!(!text.contains("/secret"), "{text}");
}

/// Fails to compile when an error is added: give it a row above, then a place here.
#[test]
fn each_error_has_a_row() {
    let place = |error: &Error| match error {
        Error::Guard(_) => 0,
        Error::Message(_) => 1,
        Error::Batch => 2,
        Error::NoSession => 3,
        Error::Session(_) => 4,
        Error::Version(_) => 5,
        Error::Initialize(_) => 6,
        Error::InitializeInBatch => 7,
        Error::Method(_) => 8,
        Error::Params(_) => 9,
        Error::UnknownTool(_) => 10,
        Error::Unavailable(_) => 11,
        Error::Server { .. } => 12,
        Error::Silent { .. } => 13,
        Error::Receiver(_) => 14,
        Error::Conflict(_) => 15,
        Error::ClientFull(_) => 16,
        Error::ServerFull(..) => 17,
        Error::StoreFull => 18,
        Error::Closing => 19,
        Error::Revocation(_) => 20,
        Error::Store(_) => 21,
        Error::Repeated(_) => 22,
        Error::Busy => 23,
        Error::Backlog => 24,
        Error::ClientStoreFull(_) => 25,
        Error::ListedInBatch => 26,
        Error::Unchecked(_) => 27,
        Error::Access(_) => 28,
        Error::Envelope(_) => 29,
        Error::NoMethod(_) => 30,
        Error::TooOften(_) => 31,
        Error::UnknownPrompt(_) => 32,
        Error::UnknownResource(_) => 33,
        Error::UnknownTemplate(_) => 34,
        Error::Cursor => 35,
        Error::Unsaved(_) => 36,
        Error::Filter(_) => 37,
        Error::NoStream => 38,
        Error::TooManyStreams => 39,
        Error::TooManySubscriptions => 40,
        Error::CannotAsk { .. } => 41,
        Error::JsonOnly { .. } => 42,
        Error::Unanswered { .. } => 43,
        Error::Rounds(..) => 44,
        Error::Task(_) => 45,
        Error::EventId => 46,
        Error::NotKept => 47,
        Error::StatelessReceiver => 48,
    };
    let places: std::collections::BTreeSet<u8> = table().map(|(error, ..)| place(&error)).collect();
    assert_eq!(places, (0..=48).collect());
}

#[test]
fn a_request_without_credentials_made_no_error_and_one_with_others_did() {
    let challenge = |error| {
        let response = refused(error).answer(None);
        response.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned()
    };
    let metadata = "Bearer realm=\"mcp\", resource_metadata=\"https://a.example/.well-known\"";
    assert_eq!(challenge(access::Error::Missing), metadata);
    let scope = challenge(access::Error::Scope(vec!["a".into(), "b".into()]));
    assert!(
        scope.contains("scope=\"a b\", error=\"insufficient_scope\""),
        "{scope}"
    );
    assert!(challenge(access::Error::Unknown).contains("error=\"invalid_token\""));
}

#[test]
fn a_refused_method_names_the_others() {
    let response = Error::from(door::Error::Method).answer(None);
    assert_eq!(response.headers()[ALLOW], door::METHODS);
}

#[test]
fn a_long_name_is_cut_between_characters_when_it_is_said_back() {
    let message = Error::UnknownTool("é".repeat(5000)).to_string();
    assert!(message.len() < 200, "{message}");
}
