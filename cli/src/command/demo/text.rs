//! The texts before and after the demonstration.
//!
//! Printed by `demo`.
//!
//! Invariant: every command can be pasted into a shell unchanged.

use super::Args;

/// The addresses of all parts.
pub(super) fn head(args: &Args, receiver: &str) -> String {
    let route = args
        .route
        .as_ref()
        .map(|route| format!("  (route {})", route.display()));
    format!(
        "\nasyncmcp quick start\n\n   endpoint  {}{}\n   receiver  {receiver}  (this process; it verifies signatures)\n",
        args.url,
        route.unwrap_or_default(),
    )
}

/// Where to find metrics, status and log, and commands to try.
pub(super) fn whats_next(args: &Args) -> anyhow::Result<String> {
    let mut lines = vec![
        "While it runs, see".to_owned(),
        format!("   metrics   {}/metrics", args.admin_url),
        format!("   status    {}/status", args.admin_url),
    ];
    if args.once {
        return Ok(lines.join("\n"));
    }
    if let Some(log) = &args.log {
        lines.push(format!("   log       {}", log.display()));
    }
    lines.extend([String::new(), "Try in another terminal".to_owned()]);
    lines.extend(commands(args)?);
    if let Some(route) = &args.route {
        lines.extend(edit(&route.display().to_string()));
    }
    lines.extend([
        String::new(),
        "Receiving until Ctrl-C; the first attempt of every delivery fails on purpose.".to_owned(),
    ]);
    Ok(lines.join("\n"))
}

fn commands(args: &Args) -> anyhow::Result<Vec<String>> {
    let program = std::env::current_exe()?;
    let (url, program) = (&args.url, program.display());
    let headers = "-H 'content-type: application/json' -H 'accept: application/json, text/event-stream'";
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}"#;
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"process_batch","arguments":{"seconds":5}}}"#;
    Ok(vec![
        format!("   {program} call echo --url {url} --arg text=hello"),
        format!("   {program} call process_batch --url {url} --arg seconds=5"),
        format!("   curl -s {}/metrics | grep asyncmcp_delivery", args.admin_url),
        String::new(),
        "   The same with curl:".to_owned(),
        format!(
            "   session=$(curl -s -D - -o /dev/null {headers} {url} -d '{initialize}' | tr -d '\\r' | sed -n 's/^mcp-session-id: //p')"
        ),
        format!("   curl -s {headers} -H \"mcp-session-id: $session\" {url} -d '{call}'"),
    ])
}

fn edit(route: &str) -> [String; 3] {
    [
        String::new(),
        format!("   Edit {route}: add `- {{name: echo}}` under webhookTools and save."),
        "   The change takes effect without a restart; the result of the next echo is delivered by webhook."
            .to_owned(),
    ]
}
