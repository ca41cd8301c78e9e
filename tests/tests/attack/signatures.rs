//! A client has a result of its choice signed for its own receiver, and sends it on to somebody else's.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use asyncmcp_tests::example::Example;
use asyncmcp_tests::key;
use asyncmcp_tests::receiver::{Post, Receiver};
use asyncmcp_tests::session::Session;
use http::StatusCode;
use serde_json::json;
use standardwebhooks::Webhook;

const ROUTES: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const SOON: Duration = Duration::from_secs(20);

fn verifies(key: &str, post: &Post) -> bool {
    let verifier = Webhook::new(key).expect("a key");
    verifier.verify(&post.body, &post.headers).is_ok()
}

/// A receiver that believes what the stock library verifies with the route's key.
async fn default_receiver() -> Result<Receiver> {
    Ok(Receiver::start(|post| async move {
        if verifies(ROUTES, &post) {
            StatusCode::OK
        } else {
            StatusCode::UNAUTHORIZED
        }
    })
    .await?)
}

fn route(server: &str, receiver: &str) -> String {
    format!(
        r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {{name: attacked}}
spec:
  servers:
  - {{name: example, url: "{server}"}}
  webhookTools:
  - {{name: echo}}
  webhook:
    signing: {{secretRefs: [{{name: signing, key: secret}}]}}
    receivers:
      fromClients: {{policy: Allowlist, allowedHosts: [localhost, "127.0.0.1"], allowedCidrs: [127.0.0.0/8, "::1/128"], schemes: [http]}}
      default: {{url: "{receiver}"}}
  store: {{memory: {{}}}}
"#
    )
}

async fn replay(post: &Post, to: &str) -> Result<StatusCode> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut request = client.post(to).body(post.body.clone());
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        request = request.header(name, post.header(name));
    }
    Ok(request.send().await?.status())
}

#[tokio::test]
async fn what_was_signed_for_one_receiver_is_refused_by_every_other() -> Result<()> {
    let dir = tempfile::tempdir()?;
    DataPlane::write_secret(dir.path(), "signing", "secret", ROUTES)?;
    let example = Example::start(dir.path()).await?;
    let (believer, own) = (default_receiver().await?, Receiver::willing().await?);
    let route = route(&example.url, &believer.url("/hook"));
    let gateway = DataPlane::start(dir.path(), &route, &[]).await?;

    let attacker = Session::open(&gateway.url(), Some(&own.url("/mine"))).await?;
    attacker.call(1, "echo", &json!({"text": "forged"})).await?;
    let post = own.answered(1, SOON).await.remove(0);
    assert_eq!(
        replay(&post, &believer.url("/hook")).await?,
        StatusCode::UNAUTHORIZED
    );
    // Its receiver can verify, with the key that the route's author gave it, and that key is of no use elsewhere.
    assert!(verifies(&key::derived(ROUTES, &own.url(""))?, &post));
    assert!(!verifies(&key::derived(ROUTES, &believer.url(""))?, &post));

    // The same where the receiver is named with a call, under another name of the same machine.
    let name = own.url_as("localhost");
    let named = json!({"dev.asyncmcp/webhook": {"url": name}});
    let params = json!({"name": "echo", "arguments": {"text": "forged"}, "_meta": named});
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params});
    let other = Session::open(&gateway.url(), None).await?;
    other.post(call.to_string()).await?;
    let post = own.answered(2, SOON).await.remove(1);
    assert_eq!(
        replay(&post, &believer.url("/hook")).await?,
        StatusCode::UNAUTHORIZED
    );
    assert!(verifies(&key::derived(ROUTES, &name)?, &post));

    // The route's own receiver believes what the route sends it.
    let before = believer.count();
    other.call(3, "echo", &json!({"text": "real"})).await?;
    let posts = believer.answered(before + 1, SOON).await;
    assert!(verifies(ROUTES, &posts[before]));
    Ok(())
}
