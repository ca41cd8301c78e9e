//! `--check` on real files: what it prints, what it warns of, and how it exits.
//!
//! Invariant: every mistake is in a file or a flag, as a person makes it.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::Result;
use asyncmcp_tests::process::binary;
use tempfile::TempDir;

const KEY: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
const ROUTE: &str = r#"
apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: checked}
spec:
  servers:
  - {name: ex, service: {name: ex, port: 8080}}
  webhookTools: [{name: run}]
  webhook:
    signing: {secretRefs: [{name: signing, key: secret}]}
    receivers: {default: {url: "http://127.0.0.1:9/hook"}}
"#;

/// The programs that check a route, and what comes before their flags.
const CHECKS: [(&str, &[&str]); 2] = [("asyncmcp-dataplane", &["--check"]), ("asyncmcp", &["check"])];

struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn place(route: &str, key: Option<&str>) -> Result<TempDir> {
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("route.yaml"), route)?;
    std::fs::create_dir_all(dir.path().join("refs/secrets/signing"))?;
    if let Some(key) = key {
        std::fs::write(dir.path().join("refs/secrets/signing/secret"), key)?;
    }
    Ok(dir)
}

fn check(dir: &Path, (program, first): (&str, &[&str]), flags: &[&str]) -> Result<Said> {
    let output: Output = Command::new(binary(program)?)
        .args(first)
        .args(["--route", "route.yaml", "--server", "ex=http://127.0.0.1:9/mcp"])
        .args(flags)
        .current_dir(dir)
        .output()?;
    Ok(Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout)?,
        err: String::from_utf8(output.stderr)?,
    })
}

#[test]
fn a_valid_route_is_summed_up_by_both_programs_in_the_same_words() -> Result<()> {
    let dir = place(ROUTE, Some(KEY))?;
    let said = CHECKS.map(|program| check(dir.path(), program, &["--strict"]));
    let [one, other] = said;
    let (one, other) = (one?, other?);
    assert_eq!(
        (one.code, other.code),
        (Some(0), Some(0)),
        "{} {}",
        one.out,
        other.err
    );
    assert_eq!(one.out, other.out);
    for part in [
        "route \"checked\" is valid",
        "ex at http://127.0.0.1:9/mcp",
        "16 retries in 8 h 16 min",
        "secrets/signing/secret: ok",
        "no warnings",
    ] {
        assert!(one.out.contains(part), "{part}: {}", one.out);
    }
    Ok(())
}

#[test]
fn warnings_are_printed_and_fail_a_strict_check_alone() -> Result<()> {
    for program in CHECKS {
        for (key, part) in [
            (None, "secrets/signing/secret: cannot be read"),
            (Some("whsec_c2hvcnQ="), "24 to 64 bytes"),
            (Some(""), "is empty"),
        ] {
            let dir = place(ROUTE, key)?;
            let said = check(dir.path(), program, &[])?;
            assert_eq!(said.code, Some(0), "{}", said.err);
            assert!(
                said.out.contains("warning: ") && said.out.contains(part),
                "{}",
                said.out
            );
            assert_eq!(check(dir.path(), program, &["--strict"])?.code, Some(1));
        }
        let dir = place(ROUTE, Some(KEY))?;
        let said = check(dir.path(), program, &["--refs-dir", "nosuch"])?;
        assert!(
            said.out.contains("--refs-dir nosuch: No such file"),
            "{}",
            said.out
        );
    }
    Ok(())
}

#[test]
fn what_cannot_be_served_is_refused_with_its_cause() -> Result<()> {
    for program in CHECKS {
        let dir = place(ROUTE, Some(KEY))?;
        std::fs::write(dir.path().join("latin1.yaml"), b"# \xe4")?;
        for (flags, part) in [
            (vec!["--receiver", "nonsense"], "--receiver: must start with http"),
            (vec!["--receiver", "ftp://x"], "--receiver: must start with http"),
            (
                vec!["--server", "ex=http://127.0.0.1:8/mcp"],
                "--server ex=... is given twice",
            ),
            (
                vec!["--server", "nosuch=http://127.0.0.1:8/mcp"],
                "its servers are ex",
            ),
        ] {
            let said = check(dir.path(), program, &flags)?;
            assert_eq!(said.code, Some(78), "{flags:?}: {}", said.err);
            assert!(said.err.contains(part), "{flags:?}: {}", said.err);
        }
        let said = check(dir.path(), program, &["--server", "ex=http://u:p@h/mcp"])?;
        assert_eq!(said.code, Some(2), "{}", said.err);
        for (file, part) in [
            ("nosuch.yaml", "No such file"),
            (".", "Is a directory"),
            ("latin1.yaml", "not UTF-8 (at byte 2)"),
        ] {
            let output = Command::new(binary(program.0)?)
                .args(program.1)
                .args(["--route", file])
                .current_dir(dir.path())
                .output()?;
            let err = String::from_utf8(output.stderr)?;
            assert_eq!(output.status.code(), Some(78), "{err}");
            assert!(err.contains(part), "{file}: {err}");
        }
    }
    Ok(())
}
