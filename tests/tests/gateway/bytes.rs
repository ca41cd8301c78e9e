//! Arguments and results keep their bytes on the way through the gateway, whatever the eras of its two sides.
//!
//! Invariant: the texts are generated, with what parsing and writing again would change: numbers of any size, escapes,
//! white space, names in any order.

use anyhow::Result;
use asyncmcp_tests::mcp::{McpServer, Reaction, Speaks};
use asyncmcp_tests::modern::{Modern, VERSION};
use asyncmcp_tests::session::{Reply, Session, answer};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::scene::Scene;

/// Texts for each pairing and form of answer.
const CASES: usize = 24;

#[tokio::test]
async fn arguments_and_results_keep_their_bytes() -> Result<()> {
    let mut runner = TestRunner::default();
    for speaks in [Speaks::Legacy, Speaks::Modern] {
        for stream in [false, true] {
            let server = McpServer::start(&["quick", "slow"]).await;
            server.nature().speaks = speaks;
            server.on("quick", [Reaction::Echo { stream }]);
            let scene = Scene::before(server, "").await?;
            let legacy = Session::open(&scene.gateway.url(), None).await?;
            let modern = scene.client()?;
            for _ in 0..CASES {
                let text = object()
                    .new_tree(&mut runner)
                    .map_err(anyhow::Error::msg)?
                    .current();
                check(&scene, &text, &legacy.post(call(&text, "")).await?);
                check(&scene, &text, &modern_call(&modern, &call(&text, META)).await?);
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_name_that_stands_twice_reaches_no_server() -> Result<()> {
    let scene = Scene::open("").await?;
    let legacy = Session::open(&scene.gateway.url(), None).await?;
    let modern = scene.client()?;
    let twice = [
        r#""name":"quick","name":"slow","arguments":{}"#,
        r#""name":"quick","n\u0061me":"slow","arguments":{}"#,
        r#""name":"quick","arguments":{},"arguments":{"a":1}"#,
    ];
    for params in twice {
        let body =
            |meta| format!(r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{{params}{meta}}}}}"#);
        let replies = [
            legacy.post(body("")).await?,
            modern_call(&modern, &body(META)).await?,
        ];
        for reply in replies {
            assert_eq!(
                reply.json()["error"]["code"],
                -32600,
                "{params}: {:?}",
                reply.body
            );
        }
    }
    assert!(scene.calls().is_empty());
    Ok(())
}

/// The server saw the text, and so does the client in the result.
fn check(scene: &Scene, text: &str, reply: &Reply) {
    let calls = scene.calls();
    let seen = calls.last().map(|seen| seen.raw.as_str()).unwrap_or_default();
    assert!(seen.contains(&format!(r#""arguments":{text}"#)), "{text}\n{seen}");
    let body = String::from_utf8_lossy(&reply.body);
    assert!(body.contains(&format!(r#""echo":{text}"#)), "{text}\n{body}");
}

const META: &str = r#","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

fn call(arguments: &str, meta: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"quick","arguments":{arguments}{meta}}}}}"#
    )
}

async fn modern_call(client: &Modern, body: &str) -> Result<Reply> {
    let headers = [
        ("mcp-protocol-version", VERSION),
        ("mcp-method", "tools/call"),
        ("mcp-name", "quick"),
    ];
    Ok(answer(client.bare(&headers, body)).await?)
}

/// The text of an object whose names differ.
fn object() -> impl Strategy<Value = String> {
    prop::collection::vec((space(), value()), 0..6).prop_map(|members| {
        let members = members.iter().enumerate();
        let members =
            members.map(|(number, (space, value))| format!("{space}\"\\u006b{number}\"{space}:{value}"));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    })
}

fn value() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?",
        Just("-0".to_owned()),
        Just("1E400".to_owned()),
    ];
    let text = r#""([ !#-\[\]-~é☃𝄞]|\\["\\/bfnrt]|\\u(00[0-9a-fA-F]{2}|2603|fffe)|\\ud834\\udd1e){0,12}""#;
    let leaf = prop_oneof![number, text, Just("null".to_owned()), Just("true".to_owned())];
    leaf.prop_recursive(4, 16, 4, |inner| {
        let members = prop::collection::vec((space(), inner), 0..4);
        members.prop_map(|members| {
            let members = members
                .iter()
                .map(|(space, value)| format!("{space}{value}{space}"));
            format!("[{}]", members.collect::<Vec<_>>().join(","))
        })
    })
}

/// White space without line ends, which an event stream cannot keep within one line.
fn space() -> impl Strategy<Value = String> {
    "[ \t]{0,2}"
}
