//! Who gets in: the holder of the token to the jobs, everybody to what names no job.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::Result;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

use crate::scene::Scene;

const GUARDED: [(&str, &str); 12] = [
    ("GET", "/jobs"),
    ("GET", "/jobs/0000000000000000000000000a"),
    ("GET", "/jobs/0000000000000000000000000a/request"),
    ("GET", "/jobs/0000000000000000000000000a/result"),
    ("GET", "/receivers"),
    ("GET", "/why?job=0000000000000000000000000a"),
    ("GET", "/history"),
    ("POST", "/try"),
    ("POST", "/jobs/replay"),
    ("POST", "/jobs/0000000000000000000000000a/replay"),
    ("POST", "/jobs/0000000000000000000000000a/stop"),
    ("POST", "/jobs/0000000000000000000000000a/cancel"),
];

async fn send(scene: &Scene, (method, path): (&str, &str), token: Option<&str>) -> Result<Response> {
    let request = Client::new().request(method.parse()?, scene.gateway.admin(path));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    Ok(request.send().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_tokens_holder_sees_jobs() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let token = scene.token()?;
    let file = std::fs::metadata(scene.dir.path().join("state/adminToken"))?;
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let log = scene.gateway.process.output();
    assert!(
        log.contains("state/adminToken") && !log.contains(&token),
        "the path, not the token"
    );
    for door in GUARDED {
        for wrong in [None, Some("wrong")] {
            let answer = send(&scene, door, wrong).await?;
            assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{door:?}");
            let challenge = answer.headers()["www-authenticate"].to_str()?;
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            assert_eq!(answer.headers()["content-type"], "application/problem+json");
        }
        let let_in = send(&scene, door, Some(&token)).await?;
        assert_ne!(let_in.status(), StatusCode::UNAUTHORIZED, "{door:?}");
    }
    for open in ["/livez", "/readyz", "/metrics", "/status", "/openapi.json"] {
        let answer = send(&scene, ("GET", open), None).await?;
        assert_eq!(answer.status(), StatusCode::OK, "{open}");
    }
    let index = send(&scene, ("GET", "/"), None).await?.text().await?;
    assert!(index.contains("/status") && index.contains("/jobs"), "{index}");
    for unknown in ["/healthz", "/status/", "/job"] {
        let answer = send(&scene, ("GET", unknown), None).await?;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unknown}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_view_token_reads_jobs_and_nothing_else() -> Result<()> {
    let scene = Scene::open(400, "{max: 1}").await?;
    let id = scene.call(&scene.session().await?, 1, 0.0).await?;
    let dead = scene.once(&id, "dead").await;
    let view = std::fs::read_to_string(scene.dir.path().join("state/viewToken"))?;
    let job = format!("/jobs/{id}");
    for path in ["/jobs", &job, "/receivers", "/why", "/history"] {
        let answer = send(&scene, ("GET", path), Some(&view)).await?;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
    }
    let changes = ["replay", "stop", "cancel"].map(|verb| ("POST", format!("{job}/{verb}")));
    let others = [
        ("GET", format!("{job}/result")),
        ("GET", format!("{job}/request")),
        ("POST", "/try".to_owned()),
        ("DELETE", job.clone()),
        ("POST", "/jobs/replay".to_owned()),
        ("POST", "/jobs/delete".to_owned()),
    ];
    for (method, path) in changes.into_iter().chain(others) {
        let answer = send(&scene, (method, &path), Some(&view)).await?;
        let challenge = answer.headers()["www-authenticate"].to_str()?.to_owned();
        assert!(challenge.contains("insufficient_scope"), "{challenge}");
        let problem = problem(answer, 403).await?;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            detail.contains("use the admin token"),
            "{method} {path}: {detail}"
        );
    }
    assert_eq!(scene.once(&id, "dead").await, dead, "nothing changed");
    let admin = send(&scene, ("POST", &format!("{job}/replay")), Some(&scene.token()?)).await?;
    assert_eq!(admin.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input_is_answered_with_the_field_and_the_fix() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let token = scene.token()?;
    let long = format!("/jobs?tool={}", "x".repeat(5000));
    for (path, field, fix) in [
        ("/jobs?state=dying", "state", "queued, running"),
        ("/jobs?deadReason=oops", "deadReason", "http_4xx"),
        ("/jobs?limit=501", "limit", "1 to 500"),
        ("/jobs?limit=0", "limit", "1 to 500"),
        ("/jobs?order=up", "order", "newest or oldest"),
        ("/jobs?since=yesterday", "since", "RFC 3339"),
        ("/jobs?client=XYZ", "client", "16 hexadecimal digits"),
        ("/jobs?tool=", "tool", "1 to 128"),
        ("/jobs?cursor=x", "cursor", "an earlier response"),
        ("/jobs?colour=red", "colour", "is not a parameter"),
        ("/jobs?state=dead&state=due", "state", "once"),
        ("/jobs/nonsense", "id", "26 lower-case letters and digits"),
        (&long, "query", "4096"),
    ] {
        let problem = problem(send(&scene, ("GET", path), Some(&token)).await?, 400).await?;
        assert_eq!(problem["field"], json!(field), "{path}: {problem}");
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(fix), "{path}: {detail}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_body_of_a_bulk_replay_moves_nothing() -> Result<()> {
    let scene = Scene::open(200, "{max: 1}").await?;
    let token = scene.token()?;
    let large = format!(r#"{{"cursor":"{}"}}"#, "x".repeat(20_000));
    for (body, status, field) in [
        ("", 400, json!(".")),
        ("[]", 400, json!(".")),
        (r#"{"limit":501}"#, 400, json!("limit")),
        (
            r#"{"filter":{"state":"dead","color":1}}"#,
            400,
            json!("filter.color"),
        ),
        (r#"{"filter":{"state":"running"}}"#, 409, Value::Null),
        (r#"{"filter":{"tool":7}}"#, 400, json!("filter.tool")),
        (r#"{"cursor":"x"}"#, 400, json!("cursor")),
        ("{} {}", 400, json!("body")),
        (&large, 413, Value::Null),
    ] {
        let request = Client::new()
            .post(scene.gateway.admin("/jobs/replay"))
            .bearer_auth(&token)
            .header("content-type", "application/json");
        let problem = problem(request.body(body.to_owned()).send().await?, status).await?;
        assert_eq!(problem["field"], field, "{body:.40}: {problem}");
    }
    let request = Client::new()
        .post(scene.gateway.admin("/jobs/replay"))
        .bearer_auth(&token);
    problem(request.body("{}").send().await?, 415).await?;
    Ok(())
}

async fn problem(answer: Response, status: u16) -> Result<Value> {
    assert_eq!(answer.status().as_u16(), status);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_str(&answer.text().await?)?;
    assert_eq!(
        (&problem["type"], &problem["status"]),
        (&json!("about:blank"), &json!(status))
    );
    Ok(problem)
}
