//! `asyncmcp console`: signs a browser in without giving it the token, on a laptop and through kubectl.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use anyhow::{Context as _, Result};
use asyncmcp_tests::process::binary;
use reqwest::StatusCode;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::browser::Browser;
use crate::scene::Scene;

/// A kubectl that knows one route, whose data plane is on this machine.
const KUBECTL: &str = r#"#!/bin/sh
case "$*" in
  "-n tools get secret analytics-keys "*) base64 <"$DIR/state/adminToken" | tr -d '\n' ;;
  "-n tools get pods "*) echo pod/analytics-0 ;;
  "-n tools port-forward pod/analytics-0 :9464") echo "Forwarding from 127.0.0.1:$PORT -> 9464"; exec sleep 600 ;;
esac
"#;

/// Signs in as the script does with the code in the fragment.
async fn follow(url: &str) -> Result<Browser> {
    let (page, code) = url
        .split_once("/console/sign-in#code=")
        .context("a URL with a code")?;
    let browser = Browser::new(page);
    let answer = browser.post("/console/sign-in", &[("code", code.trim())]).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    Ok(browser)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_prints_a_url_that_signs_in_with_the_role_of_the_token() -> Result<()> {
    let scene = Scene::open(200).await?;
    for (token, role) in [("adminToken", "admin"), ("viewToken", "view only")] {
        let output = Command::new(binary("asyncmcp")?)
            .args(["console", "--no-open", "--admin", &scene.gateway.admin("")])
            .arg("--token-file")
            .arg(scene.dir.path().join("state").join(token))
            .output()
            .await?;
        let (out, err) = (
            String::from_utf8(output.stdout)?,
            String::from_utf8(output.stderr)?,
        );
        assert!(output.status.success(), "{err}");
        assert!(!out.contains(&scene.token(token)?) && !err.contains(&scene.token(token)?));
        let page = follow(&out).await?.page("/console").await?;
        assert!(
            page.contains(&format!(r#"<span class="role">{role}</span>"#)),
            "{page}"
        );
    }
    let off = Scene::open_with(200, &[crate::scene::TOOL], &["--console", "off"]).await?;
    let output = Command::new(binary("asyncmcp")?)
        .args(["console", "--no-open", "--admin", &off.gateway.admin("")])
        .arg("--token-file")
        .arg(off.dir.path().join("state/adminToken"))
        .output()
        .await?;
    let said = String::from_utf8(output.stderr)?;
    assert!(
        !output.status.success() && said.contains("has no console"),
        "{said}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_routes_port_stays_forwarded_until_kubectl_ends() -> Result<()> {
    let scene = Scene::open(200).await?;
    let bin = tempfile::tempdir()?;
    let kubectl = bin.path().join("kubectl");
    let pid = bin.path().join("pid");
    std::fs::write(
        &kubectl,
        KUBECTL.replace("exec sleep", "echo $$ >\"$BIN/pid\"; exec sleep"),
    )?;
    std::fs::set_permissions(&kubectl, std::fs::Permissions::from_mode(0o755))?;
    let admin = scene.gateway.admin("");
    let port = admin.rsplit(':').next().unwrap_or_default();
    let mut command = Command::new(binary("asyncmcp")?)
        .args(["console", "--no-open", "-n", "tools", "--route", "analytics"])
        .env(
            "PATH",
            format!("{}:{}", bin.path().display(), std::env::var("PATH")?),
        )
        .env("DIR", scene.dir.path())
        .env("BIN", bin.path())
        .env("PORT", port)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let out = command.stdout.take().context("it has an output")?;
    let url = BufReader::new(out)
        .lines()
        .next_line()
        .await?
        .context("it prints a URL")?;
    assert_eq!(
        follow(&url).await?.get("/console").await?.status(),
        StatusCode::OK
    );
    assert!(command.try_wait()?.is_none(), "it keeps the port open");
    let pid = std::fs::read_to_string(pid)?;
    let killed = Command::new("kill").arg(pid.trim()).status().await?;
    assert!(killed.success());
    let output = command.wait_with_output().await?;
    let said = String::from_utf8(output.stderr)?;
    assert!(
        !output.status.success() && said.contains("port-forward ended"),
        "{said}"
    );
    Ok(())
}
