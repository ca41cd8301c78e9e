//! Which server a tool's name belongs to, as a pure function of the route and of what the
//! servers listed last.
//!
//! [`super::Catalogue`] builds one whenever either changes. Invariant: the order of servers
//! in the route decides nothing; filters bind whatever goes by this index, calls as well as lists.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use asyncmcp_crds::effective::{Route, Server, WebhookTool};
use asyncmcp_protocol::tasks::Support;
use asyncmcp_protocol::tools::{self, is_valid_name};
use sha2::{Digest as _, Sha256};

/// A tool that clients can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// The server it is on.
    pub server: String,
    /// Its name there.
    pub name: String,
    /// Its name as clients see it.
    pub shown_as: String,
    /// Its entry in `webhookTools`, if its result is delivered by webhook.
    pub webhook: Option<WebhookTool>,
    /// Whether the server declares that running it again does no harm (`idempotentHint` or `readOnlyHint`).
    pub repeatable: bool,
    /// Whether the server declares that it may be called as a task (`execution.taskSupport`).
    pub as_task: bool,
    /// Whether the server declares that it cannot be called in another way.
    pub needs_task: bool,
}

/// What matters here of a tool that a server lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) name: String,
    repeatable: bool,
    as_task: bool,
    needs_task: bool,
    /// Tells whether anything of it changed that clients may see.
    fingerprint: [u8; 32],
}

impl Listed {
    pub(super) fn of(tool: &tools::Tool) -> Self {
        let hints = tool.annotations();
        Self {
            name: tool.name().to_owned(),
            repeatable: hints.idempotent || hints.read_only,
            as_task: tool.task_support() != Support::Forbidden,
            needs_task: tool.task_support() == Support::Required,
            fingerprint: Sha256::digest(tool.object().to_bytes()).into(),
        }
    }
}

/// How good a server's claim to a name is: named exactly beats matched by a pattern, then the
/// longer literal beginning of the pattern, then the lexically first server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    exact: bool,
    literal: usize,
    server: Reverse<String>,
}

/// The name under which clients see the tool `name` of `server`, and the claim to it. `None`
/// when the filters leave it out, or no client would accept the name.
pub(super) fn claim(server: &Server, name: &str) -> Option<(String, Claim)> {
    if server.exclude.iter().any(|glob| glob.matches(name)) {
        return None;
    }
    let matching = server.include.iter().filter(|glob| glob.matches(name));
    let best = matching
        .map(|glob| (glob.is_exact(), glob.literal_prefix_len()))
        .max();
    let (exact, literal) = match best {
        None if !server.include.is_empty() => return None,
        best => best.unwrap_or_default(),
    };
    let shown_as = format!("{}{name}", server.tool_prefix);
    let server = Reverse(server.name.clone());
    is_valid_name(&shown_as).then_some((
        shown_as,
        Claim {
            exact,
            literal,
            server,
        },
    ))
}

/// The claim that `server` would have to `shown_as`, if it has such a tool.
pub(super) fn possible_claim(server: &Server, shown_as: &str) -> Option<Claim> {
    let name = shown_as.strip_prefix(server.tool_prefix.as_str())?;
    claim(server, name).map(|(_, claim)| claim)
}

/// The entry of `webhookTools` for a tool: an exact name beats a pattern, then the longer
/// literal beginning, then the lexically first.
pub(crate) fn webhook(route: &Route, shown_as: &str) -> Option<WebhookTool> {
    let matching = route
        .webhook_tools
        .iter()
        .filter(|entry| entry.name.matches(shown_as));
    let best = matching.max_by_key(|entry| {
        let name = &entry.name;
        (
            name.is_exact(),
            name.literal_prefix_len(),
            Reverse(name.as_str().to_owned()),
        )
    });
    best.cloned()
}

/// The servers' tools by the names that clients see.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    tools: HashMap<String, (Tool, Claim, [u8; 32])>,
    /// By the server that lost: the name, and who has it.
    lost: BTreeMap<String, Vec<(String, String)>>,
    unusable: BTreeMap<String, Vec<String>>,
}

impl Index {
    pub(super) fn build(route: &Route, lists: &BTreeMap<String, Vec<Listed>>) -> Self {
        let mut index = Self::default();
        for server in &route.servers {
            for listed in lists.get(&server.name).into_iter().flatten() {
                match claim(server, &listed.name) {
                    Some((shown_as, claim)) => index.add(route, server, listed, shown_as, claim),
                    None => index.leave_out(server, listed),
                }
            }
        }
        index
    }

    fn add(&mut self, route: &Route, server: &Server, listed: &Listed, shown_as: String, claim: Claim) {
        let tool = Tool {
            server: server.name.clone(),
            name: listed.name.clone(),
            webhook: webhook(route, &shown_as),
            shown_as: shown_as.clone(),
            repeatable: listed.repeatable,
            as_task: listed.as_task,
            needs_task: listed.needs_task,
        };
        let rival = self
            .tools
            .get(&shown_as)
            .map(|(tool, claim, _)| (tool.server.clone(), claim.clone()));
        match rival {
            // A server that lists a name twice means the first.
            Some((owner, _)) if owner == server.name => {}
            Some((owner, better)) if better > claim => {
                self.lost
                    .entry(server.name.clone())
                    .or_default()
                    .push((shown_as, owner));
            }
            rival => {
                if let Some((loser, _)) = rival {
                    let lost = (shown_as.clone(), server.name.clone());
                    self.lost.entry(loser).or_default().push(lost);
                }
                self.tools.insert(shown_as, (tool, claim, listed.fingerprint));
            }
        }
    }

    /// What a filter leaves out the author wants left out; what its name excludes they should know of.
    fn leave_out(&mut self, server: &Server, listed: &Listed) {
        if !is_valid_name(&format!("{}{}", server.tool_prefix, listed.name)) {
            let name = listed
                .name
                .chars()
                .filter(|c| !c.is_control())
                .take(tools::MAX_NAME)
                .collect();
            self.unusable.entry(server.name.clone()).or_default().push(name);
        }
    }

    pub(super) fn get(&self, shown_as: &str) -> Option<(&Tool, &Claim)> {
        self.tools.get(shown_as).map(|(tool, claim, _)| (tool, claim))
    }

    /// The tools of `server` that clients can call.
    pub(super) fn of<'a>(&'a self, server: &'a str) -> impl Iterator<Item = &'a Tool> {
        self.tools
            .values()
            .map(|(tool, ..)| tool)
            .filter(move |tool| tool.server == server)
    }

    /// How many tools go by this entry of `webhookTools`.
    pub(super) fn matched(&self, entry: &WebhookTool) -> usize {
        let by = |tool: &Tool| tool.webhook.as_ref().is_some_and(|by| by.name == entry.name);
        self.tools.values().filter(|(tool, ..)| by(tool)).count()
    }

    /// What is wrong with the tools of `server`, in a sentence.
    pub(super) fn complaint(&self, server: &str) -> Option<String> {
        if let Some((name, owner)) = self.lost.get(server).and_then(|lost| lost.iter().min()) {
            let more = more(self.lost[server].len());
            return Some(format!(
                "tool {name}{more} is hidden by server {owner}, which has one of the same name; set toolPrefix"
            ));
        }
        let names = self.unusable.get(server)?;
        let more = more(names.len());
        let name = names.first()?;
        Some(format!(
            "tool {name:?}{more} is left out: a name is 1 to 128 of A-Z a-z 0-9 _ . -"
        ))
    }

    /// Equal for two indexes exactly when clients see the same tools of the servers `seen`.
    pub(super) fn view(&self, seen: impl Fn(&str) -> bool) -> BTreeMap<&str, (&[u8; 32], bool)> {
        let visible = self.tools.values().filter(|(tool, ..)| seen(&tool.server));
        visible
            .map(|(tool, _, fingerprint)| (tool.shown_as.as_str(), (fingerprint, tool.webhook.is_some())))
            .collect()
    }
}

pub(super) fn more(count: usize) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" (and {} more)", count - 1),
    }
}
