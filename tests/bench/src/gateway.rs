//! `--gateway`: what an ordinary call costs: (a) to a server that does nothing, (b) to it through nginx, (c) to it through
//! the gateway, (d) to asyncmcp with the same tool in its process. JSON and event streams, both eras of the protocol.
//!
//! Called by `main`. Invariant: all sides get the same requests from the same client, one side after the other.

mod form;
mod load;
mod memory;
mod null;
mod report;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;

use self::form::Form;
use self::load::{Figures, Load};
use crate::say;
use crate::subject::Subject;

/// How many connections make calls at the same time.
const CONNECTIONS: [usize; 4] = [1, 8, 32, 256];
/// The number of connections at which calls are paced.
const PACED: usize = 32;

/// Clients of one address are one account, and the bench's are many: they count as if nobody were limited.
const ROUTE: &str = r#"apiVersion: asyncmcp.dev/v1alpha1
kind: McpWebhookRoute
metadata: {name: bench}
spec:
  servers: [{name: bench, url: "http://127.0.0.1:SERVER/mcp"}]
  webhook:
    receivers:
      fromClients: {policy: Allowlist, allowedHosts: ["127.0.0.1"], allowedCidrs: [127.0.0.0/8], schemes: [http]}
  store: {memory: {}}
"#;

/// One side of one form.
pub(super) struct Row {
    form: Form,
    side: &'static str,
    connections: usize,
    figures: Figures,
}

/// Measures everything; the text to print.
pub(crate) async fn measure(
    binary: &Path,
    python: Option<&Path>,
    (time, sessions): (Duration, usize),
) -> Result<String> {
    let mut rows = Vec::new();
    let mut paced = Vec::new();
    for form in Form::ALL {
        say(&format!("{form}"));
        let server = null::start(form).await?;
        let dir = tempfile::tempdir()?;
        let nginx = Subject::nginx(dir.path(), server).await?;
        let place = tempfile::tempdir()?;
        let route = ROUTE.replace("SERVER", &server.to_string());
        let gateway = Subject::with_route(binary, place.path(), &route).await?;
        let here = std::process::id();
        let mut sides = vec![
            ("server", server, here),
            ("nginx", nginx.port, nginx.pid()),
            ("gateway", gateway.port, gateway.pid()),
        ];
        let other = tempfile::tempdir()?;
        let asyncmcp = asyncmcp(python, other.path(), form).await?;
        sides.extend(asyncmcp.iter().map(|other| ("asyncmcp", other.port, other.pid())));
        for connections in CONNECTIONS {
            for (side, port, pid) in &sides {
                let figures = Load::open(form, *port, connections)
                    .await?
                    .full(*pid, time)
                    .await?;
                rows.push(Row {
                    form,
                    side,
                    connections,
                    figures,
                });
            }
        }
        paced.push((
            form,
            at_half_load(form, &rows, (server, gateway.port), time).await?,
        ));
    }
    let memory = memory::measure(binary, sessions).await?;
    Ok(report::text(&rows, &paced, &memory))
}

/// asyncmcp speaks the older versions only.
async fn asyncmcp(python: Option<&Path>, dir: &Path, form: Form) -> Result<Option<Subject>> {
    match (python, form.is_modern) {
        (Some(python), false) => {
            let kind = if form.streams { "sse" } else { "json" };
            Ok(Some(Subject::asyncmcp_answering(python, dir, kind).await?))
        }
        _ => Ok(None),
    }
}

/// How long calls take to the server and through the gateway, at half of what the gateway does at most.
async fn at_half_load(
    form: Form,
    rows: &[Row],
    (server, gateway): (u16, u16),
    time: Duration,
) -> Result<[Figures; 2]> {
    let most = rows
        .iter()
        .find(|row| row.form == form && row.side == "gateway" && row.connections == PACED);
    let rate = most.map_or(1.0, |row| row.figures.per_second / 2.0);
    let mut both = Vec::new();
    for port in [server, gateway] {
        both.push(Load::open(form, port, PACED).await?.paced(rate, time).await?);
    }
    Ok([both[0].clone(), both[1].clone()])
}
