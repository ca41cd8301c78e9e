//! `asyncmcp call` and `tools` with credentials of all kinds.
//!
//! Invariant: whatever the command says, and on whatever stream, holds no credentials.

use anyhow::Result;
use asyncmcp_tests::process::binary;
use tokio::process::Command;

use crate::scene::Scene;

const TOKEN: &str = "token-of-a-person";
const AUTH: &str = "  auth: {bearerSecretRefs: [{name: clients, key: one}]}";

/// What a command did with these arguments: its exit code and all it wrote.
async fn ran(scene: &Scene, args: &[&str]) -> Result<(Option<i32>, String)> {
    let output = Command::new(binary("asyncmcp")?)
        .args(args)
        .env("ASYNCMCP_URL", scene.gateway.url())
        .output()
        .await?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!said.contains(TOKEN), "{args:?} shows the token: {said}");
    Ok((output.status.code(), said))
}

#[tokio::test]
async fn a_header_carries_credentials_that_nothing_shows() -> Result<()> {
    let scene = Scene::open(AUTH, &[("one", TOKEN)]).await?;
    let header = format!("Authorization: Bearer {TOKEN}");
    let file = scene.dir.path().join("headers.txt");
    std::fs::write(&file, format!("{header}\n"))?;
    let in_file = format!("@{}", file.display());

    let (code, said) = ran(&scene, &["call", "quick", "-H", &header]).await?;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = ran(&scene, &["tools", "-o", "name", "--header", &in_file]).await?;
    assert_eq!((code, said.as_str()), (Some(0), "quick\nslow\n"));
    let (code, said) = ran(&scene, &["tools", "-o", "yaml", "--header", &in_file]).await?;
    assert!(
        code == Some(0) && said.contains("name: slow") && said.contains("webhook: true"),
        "{said}"
    );

    let wrong = format!("Authorization: Bearer {TOKEN}x");
    for (args, expected) in [
        (vec!["call", "quick"], "missing token"),
        (
            vec!["call", "quick", "-H", &wrong],
            "see --token-file and --header",
        ),
        (vec!["call", "quick", "-H", TOKEN], "expected `Name: value`"),
        (
            vec!["call", "quick", "-H", &header, "--token-file", "refs/none"],
            "--token-file refs/none",
        ),
    ] {
        let (code, said) = ran(&scene, &args).await?;
        assert!(code == Some(1) && said.contains(expected), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "one line: {said}");
    }
    let token = scene.dir.path().join("token");
    std::fs::write(&token, TOKEN)?;
    let (_, said) = ran(
        &scene,
        &["tools", "-H", &header, "--token-file", &token.to_string_lossy()],
    )
    .await?;
    assert!(said.contains("use one of the two"), "{said}");
    Ok(())
}
