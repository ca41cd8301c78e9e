//! Who is signed in, for how long, and as whom.

use anyhow::Result;
use asyncmcp_tests::dataplane::DataPlane;
use reqwest::{Client, StatusCode};
use serde_json::Value;

use crate::browser::Browser;
use crate::scene::Scene;

const PAGES: [&str; 6] = [
    "/console",
    "/console/jobs",
    "/console/jobs/0000000000000000000000000a",
    "/console/jobs/0000000000000000000000000a/result",
    "/console/jobs/0000000000000000000000000a/act/replay",
    "/console/bulk/delete?state=dead",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_sees_a_page_without_a_session() -> Result<()> {
    let scene = Scene::open(200).await?;
    let browser = Browser::new(&scene.gateway.admin(""));
    for path in PAGES {
        let answer = browser.get(path).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{path}");
        let to = answer.headers()["location"].to_str()?;
        assert!(to.starts_with("/console/sign-in?to=%2Fconsole"), "{path}: {to}");
    }
    let wrong = browser.post("/console/sign-in", &[("token", "wrong")]).await?;
    assert_eq!(wrong.status(), StatusCode::UNAUTHORIZED);
    assert!(wrong.headers().get("set-cookie").is_none());
    let page = wrong.text().await?;
    assert!(
        page.contains("neither the admin token nor the view token"),
        "{page}"
    );
    // A made-up cookie is no session.
    let port = scene
        .gateway
        .admin("")
        .rsplit(':')
        .next()
        .unwrap_or_default()
        .to_owned();
    let made_up = browser.client.get(scene.gateway.admin("/console"));
    let cookie = format!("asyncmcp-console-{port}={}", "A".repeat(43));
    let answer = made_up.header("cookie", cookie).send().await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookie_is_for_no_script_and_no_other_site_and_leads_back() -> Result<()> {
    let scene = Scene::open(200).await?;
    let browser = Browser::new(&scene.gateway.admin(""));
    let token = scene.token("adminToken")?;
    let asked = "/console/jobs?state=dead";
    let answer = browser
        .post("/console/sign-in", &[("token", &token), ("to", asked)])
        .await?;
    assert_eq!(answer.headers()["location"], asked);
    let cookie = answer.headers()["set-cookie"].to_str()?.to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/console", "Max-Age=28800"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(&token));
    let page = browser.page("/console").await?;
    let id = cookie.split(['=', ';']).nth(1).unwrap_or_default();
    assert!(
        !page.contains(&token) && !page.contains(id),
        "no secret is in a page"
    );
    let fields = [("token", token.as_str()), ("to", "//evil.example")];
    let away = browser.post("/console/sign-in", &fields).await?;
    assert_eq!(away.headers()["location"], "/console");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_by_sign_out_by_a_new_token_and_with_the_process() -> Result<()> {
    let mut scene = Scene::open(200).await?;
    let browser = scene.browser("adminToken").await?;
    let out = browser.submit("/console", "/console/sign-out").await?;
    assert_eq!(out.status(), StatusCode::SEE_OTHER);
    assert_eq!(browser.get("/console").await?.status(), StatusCode::SEE_OTHER);

    let (admin, viewer) = (
        scene.browser("adminToken").await?,
        scene.browser("viewToken").await?,
    );
    std::fs::write(scene.dir.path().join("state/adminToken"), "another")?;
    assert_eq!(admin.get("/console").await?.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        viewer.get("/console").await?.status(),
        StatusCode::OK,
        "its token is the same"
    );

    scene.gateway.restart(&[]).await?;
    assert_eq!(viewer.get("/console").await?.status(), StatusCode::SEE_OTHER);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_for_who_has_a_token_and_signs_in_once() -> Result<()> {
    let scene = Scene::open(200).await?;
    let browser = Browser::new(&scene.gateway.admin(""));
    let ask = |token: Option<String>| {
        let request = Client::new().post(scene.gateway.admin("/console/codes"));
        token.map_or(request.try_clone(), |token| Some(request.bearer_auth(token)))
    };
    for wrong in [None, Some("wrong".to_owned())] {
        let request = ask(wrong).expect("a request without a body");
        assert_eq!(request.send().await?.status(), StatusCode::UNAUTHORIZED);
    }
    let signed_in = scene.browser("adminToken").await?;
    let by_cookie = signed_in.post("/console/codes", &[]).await?;
    assert_eq!(
        by_cookie.status(),
        StatusCode::UNAUTHORIZED,
        "a cookie is no token"
    );
    let request = ask(Some(scene.token("viewToken")?)).expect("a request without a body");
    let answer = request.send().await?.error_for_status()?.text().await?;
    let code = serde_json::from_str::<Value>(&answer)?["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert_eq!(code.len(), 43, "32 bytes in base64url");
    let first = browser.post("/console/sign-in", &[("code", &code)]).await?;
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    assert!(browser.page("/console").await?.contains("view only"));
    let second = Browser::new(&scene.gateway.admin(""));
    let again = second.post("/console/sign-in", &[("code", &code)]).await?;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(again.text().await?.contains("was used before"));
    let log = scene.gateway.process.output();
    assert!(!log.contains(&code) && !log.contains(&scene.token("viewToken")?));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_consoles_of_one_host_do_not_sign_each_other_out() -> Result<()> {
    let (one, two) = (Scene::open(200).await?, Scene::open(200).await?);
    let browser = one.browser("adminToken").await?.at(&two.gateway.admin(""));
    assert_eq!(
        browser.get("/console").await?.status(),
        StatusCode::SEE_OTHER,
        "not its session"
    );
    let token = two.token("adminToken")?;
    browser.post("/console/sign-in", &[("token", &token)]).await?;
    assert_eq!(browser.get("/console").await?.status(), StatusCode::OK);
    let browser = browser.at(&one.gateway.admin(""));
    assert_eq!(
        browser.get("/console").await?.status(),
        StatusCode::OK,
        "still signed in"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_the_page_says_how_to_get_one() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let empty = dir.path().join("empty");
    std::fs::write(&empty, "")?;
    let flags = ["--admin-token-file".to_owned(), empty.display().to_string()];
    let flags = flags.each_ref().map(String::as_str);
    let scene = Scene::open_with(200, &[crate::scene::TOOL], &flags).await?;
    let browser = Browser::new(&scene.gateway.admin(""));
    let answer = browser.post("/console/sign-in", &[("token", "x")]).await?;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let page = answer.text().await?;
    assert!(page.contains("is empty"), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flag_turns_it_off() -> Result<()> {
    let scene = Scene::open_with(200, &[crate::scene::TOOL], &["--console", "off"]).await?;
    let browser = Browser::new(&scene.gateway.admin(""));
    for path in [
        "/console",
        "/console/sign-in",
        "/console/script.js",
        "/console/jobs",
    ] {
        assert_eq!(browser.get(path).await?.status(), StatusCode::NOT_FOUND, "{path}");
    }
    let jobs = DataPlane::admin(&scene.gateway, "/jobs");
    let answer = Client::new()
        .get(jobs)
        .bearer_auth(scene.token("adminToken")?)
        .send()
        .await?;
    assert_eq!(answer.status(), StatusCode::OK, "the API is still there");
    Ok(())
}
