//! What a page of another origin cannot do, though the browser sends the cookie: another port of this host is the same site.

use anyhow::Result;
use http::header::ORIGIN;
use reqwest::StatusCode;

use crate::browser::{Browser, hidden};
use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_form_of_this_origin_and_session_changes_anything() -> Result<()> {
    let scene = Scene::open(400).await?;
    let id = scene.job("dead").await?;
    let browser = scene.browser("adminToken").await?;
    let act = format!("/console/jobs/{id}/act/delete");
    let token = hidden(&browser.page(&act).await?)?;
    let other = hidden(&scene.browser("adminToken").await?.page(&act).await?)?;
    let right = [("form", token.as_str())];
    let own = scene.gateway.admin("");
    for (origin, site, fields) in [
        (None, None, &right[..]),
        (Some("http://127.0.0.1:1"), None, &right[..]),
        (Some("http://localhost:9464"), None, &right[..]),
        (Some("null"), None, &right[..]),
        (Some(own.as_str()), Some("same-site"), &right[..]),
        (Some(own.as_str()), Some("cross-site"), &right[..]),
        (Some(own.as_str()), None, &[][..]),
        (Some(own.as_str()), None, &[("form", "")][..]),
        (Some(own.as_str()), None, &[("form", other.as_str())][..]),
    ] {
        let mut request = browser.form(&act, fields);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin.trim_end_matches('/'));
        }
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let answer = browser.send(request).await?;
        assert_eq!(
            answer.status(),
            StatusCode::FORBIDDEN,
            "{origin:?} {site:?} {fields:?}"
        );
    }
    assert_eq!(scene.shown(&id).await?["state"], "dead", "nothing changed");
    for (method, path) in [("GET", &act), ("HEAD", &act)] {
        let request = browser
            .client
            .request(method.parse()?, format!("{}{path}", browser.base));
        assert_eq!(browser.send(request).await?.status(), StatusCode::OK);
    }
    assert_eq!(scene.shown(&id).await?["state"], "dead", "a link changes nothing");
    let answer = browser.post(&act, &right).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(scene.shown(&id).await?.is_null());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_other_page_signs_in_or_out() -> Result<()> {
    let scene = Scene::open(200).await?;
    let token = scene.token("adminToken")?;
    let nobody = Browser::new(&scene.gateway.admin(""));
    let request = nobody.form("/console/sign-in", &[("token", &token)]);
    let answer = nobody.send(request.header(ORIGIN, "http://evil.example")).await?;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.headers().get("set-cookie").is_none());
    let browser = scene.browser("adminToken").await?;
    let request = browser.form("/console/sign-out", &[]);
    let answer = browser.send(request.header(ORIGIN, "http://127.0.0.1:1")).await?;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(browser.get("/console").await?.status(), StatusCode::OK);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_is_not_ours_gets_no_page() -> Result<()> {
    let scene = Scene::open(200).await?;
    let browser = scene.browser("adminToken").await?;
    for path in ["/console", "/console/sign-in", "/console/script.js"] {
        let request = browser.client.get(format!("{}{path}", browser.base));
        let answer = browser.send(request.header("host", "rebound.example")).await?;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_for_this_origin_only() -> Result<()> {
    let scene = Scene::open(200).await?;
    let browser = scene.browser("adminToken").await?;
    for path in [
        "/console",
        "/console/jobs?state=nonsense",
        "/console/jobs/nonsense",
        "/console/sign-in",
        "/console/style.css",
        "/console/script.js",
        "/console/icon.svg",
    ] {
        let answer = browser.get(path).await?;
        let headers = answer.headers().clone();
        let policy = headers["content-security-policy"].to_str()?;
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        let is_asset = path.contains('.');
        assert_eq!(
            headers["cache-control"],
            if is_asset { "no-cache" } else { "no-store" },
            "{path}"
        );
        if !is_asset {
            let page = answer.text().await?;
            assert!(
                !page.contains("<style") && !page.contains(" style="),
                "{path}: no inline style"
            );
            assert!(
                !page.contains("onclick") && page.matches("<script").count() == 1,
                "{path}: no inline script"
            );
            assert!(
                !page.contains("http://") && !page.contains("https://"),
                "{path}: nothing from elsewhere"
            );
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unchanged_asset_is_not_sent_again() -> Result<()> {
    let scene = Scene::open(200).await?;
    let browser = Browser::new(&scene.gateway.admin(""));
    for path in ["/console/style.css", "/console/script.js", "/console/icon.svg"] {
        let tag = browser.get(path).await?.headers()["etag"].clone();
        let request = browser.client.get(format!("{}{path}", browser.base));
        let answer = browser.send(request.header("if-none-match", tag)).await?;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
    Ok(())
}
