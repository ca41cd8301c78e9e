//! Which MCP endpoint a command calls, and with what credentials.
//!
//! Used by `call` and `tools`. Invariant: neither a token nor a header is in an error.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use asyncmcp_client::{BearerToken, Config, Header};

use super::{http_url, span};

/// The flags.
#[derive(clap::Args)]
pub(crate) struct Endpoint {
    /// URL of the MCP endpoint.
    #[arg(
        long,
        env = "ASYNCMCP_URL",
        default_value = "http://127.0.0.1:8080/mcp",
        value_name = "URL",
        value_parser = http_url,
        help_heading = "Connection"
    )]
    pub(crate) url: String,
    /// File with the bearer token, for a route with `auth`.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    token_file: Option<PathBuf>,
    /// Header of every request, such as `X-Team: search` (repeatable). With @FILE, each line of the file is one: prefer it for
    /// credentials, because other users of the machine can see arguments.
    #[arg(
        short = 'H',
        long = "header",
        value_name = "NAME: VALUE|@FILE",
        help_heading = "Connection"
    )]
    headers: Vec<String>,
    /// How long the server may be silent before the command fails.
    #[arg(long, value_name = "SPAN", default_value = "1m", value_parser = span, help_heading = "Connection")]
    timeout: Duration,
}

impl Endpoint {
    /// The settings of a client of this endpoint.
    pub(crate) fn config(&self) -> Result<Config> {
        Ok(Config {
            server_url: self.url.clone(),
            timeout_seconds: self.timeout.as_secs_f64(),
            bearer_token: bearer_token(self.token_file.as_deref())?,
            headers: headers(&self.headers)?,
            ..Config::default()
        })
    }
}

/// The bearer token in a file.
fn bearer_token(file: Option<&Path>) -> Result<Option<BearerToken>> {
    let Some(file) = file else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(file).with_context(|| format!("--token-file {}", file.display()))?;
    Ok(Some(BearerToken::new(&text)))
}

fn headers(given: &[String]) -> Result<Vec<Header>> {
    let mut headers = Vec::new();
    for argument in given {
        let Some(file) = argument.strip_prefix('@') else {
            headers.push(Header::parse(argument).map_err(|why| anyhow!("--header: {why}"))?);
            continue;
        };
        let text = std::fs::read_to_string(file).with_context(|| format!("--header @{file}"))?;
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let header = Header::parse(line);
            headers.push(header.map_err(|why| anyhow!("--header @{file}, line {}: {why}", number + 1))?);
        }
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_from_arguments_and_files_and_errors_hide_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("headers");
        std::fs::write(&file, "X-A: 1\n\nX-B: 2\n").unwrap();
        let from_file = format!("@{}", file.display());
        let read = headers(&["X-C: 3".to_owned(), from_file.clone()]).unwrap();
        let expected = ["X-C: 3", "X-A: 1", "X-B: 2"].map(|line| Header::parse(line).unwrap());
        assert_eq!(read, expected);

        std::fs::write(&file, "X-A: 1\nhunter2\n").unwrap();
        let said = headers(&[from_file]).unwrap_err().to_string();
        assert!(said.contains("line 2") && !said.contains("hunter2"), "{said}");
        let said = headers(&["hunter2".to_owned()]).unwrap_err().to_string();
        assert!(
            said.starts_with("--header") && !said.contains("hunter2"),
            "{said}"
        );
        assert!(
            headers(&["@/nonexistent".to_owned()])
                .unwrap_err()
                .to_string()
                .contains("/nonexistent")
        );
    }
}
