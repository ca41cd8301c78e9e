//! What tools, results and links say stays text.

use anyhow::Result;

use crate::scene::Scene;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_text_whatever_it_says() -> Result<()> {
    let scene = Scene::open(400).await?;
    let id = scene.job("dead").await?;
    let browser = scene.browser("adminToken").await?;
    let page = browser.page(&format!("/console/jobs/{id}/result")).await?;
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"), "{page}");
    assert!(!page.contains("<img"), "{page}");
    assert!(
        page.contains("⟨U+202E⟩reversed") && !page.contains('\u{202e}'),
        "{page}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_is_text_whatever_it_says() -> Result<()> {
    let scene = Scene::open(200).await?;
    let browser = scene.browser("adminToken").await?;
    let hostile = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE";
    for path in [
        format!("/console/jobs?tool={hostile}"),
        format!("/console/jobs?{hostile}=1"),
        format!("/console/jobs?id={hostile}"),
        format!("/console/jobs?state={hostile}"),
        format!("/console/jobs?done={hostile}"),
        format!("/console/jobs?state=dead&cursor={hostile}"),
        format!("/console/bulk/replay?state=dead&tool={hostile}"),
        format!("/console/bulk/replay?state={hostile}"),
        format!("/console/bulk/{hostile}"),
        format!("/console/jobs/{hostile}"),
        format!("/console/jobs/0000000000000000000000000a/act/{hostile}"),
        format!("/console/sign-in?to={hostile}&over={hostile}"),
    ] {
        let mut answer = browser.get(&path).await?;
        if let Some(to) = answer.headers().get("location") {
            answer = browser.get(to.to_str()?).await?;
        }
        let page = answer.text().await?;
        assert!(!page.contains("<script>alert"), "{path}: {page}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_of_a_server_is_text_of_bounded_length() -> Result<()> {
    let scene = Scene::open(400).await?;
    scene.server.on(
        crate::scene::TOOL,
        [asyncmcp_tests::mcp::Reaction::Big {
            bytes: 1 << 20,
            stream: false,
        }],
    );
    let id = scene.job("dead").await?;
    let browser = scene.browser("adminToken").await?;
    let page = browser.page(&format!("/console/jobs/{id}/result")).await?;
    assert!(page.contains("cut here; it has"), "it says that it is cut");
    assert!(page.len() < 500_000, "{} bytes", page.len());
    Ok(())
}
