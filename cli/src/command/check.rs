//! `asyncmcp check`: whether a route can be served, and what to look at before it is.
//!
//! The same rules and the same words as `asyncmcp-dataplane --check`. Invariant: reads files and nothing else; exits with 78
//! if the route is invalid, and with 1 for warnings only where --strict asks for it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use asyncmcp_crds::effective::Route;
use asyncmcp_crds::load::{Loaded, Unknown, load};
use asyncmcp_crds::overrides::name_and_url;
use asyncmcp_crds::summary::{self, KeyState};
use asyncmcp_crds::{ObjectKey, Overrides, advice, effective, referenced_keys, validate};
use asyncmcp_delivery::signature::SigningKey;
use serde_json::json;

use super::output::{self, Output};
use super::print;

/// The route is invalid (`EX_CONFIG` of sysexits.h).
const INVALID: u8 = 78;

/// The arguments of `asyncmcp check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The route, as YAML or JSON.
    #[arg(short = 'f', long, value_name = "FILE", env = "ASYNCMCP_ROUTE")]
    route: PathBuf,
    /// URL to use for a server in place of its Service or url (repeatable).
    #[arg(long = "server", value_name = "NAME=URL", value_parser = name_and_url)]
    servers: Vec<(String, String)>,
    /// URL to use for the default receiver in place of its Service or url.
    #[arg(long, value_name = "URL")]
    receiver: Option<String>,
    /// URL to use for the receiver of events about dead letters in place of its Service or url.
    #[arg(long, value_name = "URL")]
    notify_receiver: Option<String>,
    /// Directory with `secrets/<name>/<key>` and `configmaps/<name>/<key>`.
    #[arg(long, value_name = "DIR", default_value = "refs")]
    refs_dir: PathBuf,
    /// Check for a cluster: Services need no URL, and Secrets are not looked for.
    #[arg(long, conflicts_with_all = ["servers", "receiver", "notify_receiver"])]
    cluster: bool,
    /// Exit with 1 if there is a warning.
    #[arg(long)]
    strict: bool,
    /// Output format.
    #[arg(short, long, default_value = "table", value_parser = output::one_of(&["table", "json", "yaml"]))]
    output: Output,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let (loaded, route) = match read(args) {
        Ok(read) => read,
        Err(error) => {
            invalid(args.output, &error)?;
            return Ok(ExitCode::from(INVALID));
        }
    };
    let keys = if args.cluster {
        Vec::new()
    } else {
        keys(args, &loaded)
    };
    let directory = directory_trouble(&args.refs_dir).filter(|_| !keys.is_empty());
    let warnings = summary::warnings(&advice(&route), &keys);
    let warnings: Vec<String> = directory.into_iter().chain(warnings).collect();
    if args.output.is_for_people() {
        print::line(summary::report(&route, &keys, &warnings))?;
    } else {
        let keys = keys.iter();
        let keys: Vec<_> = keys
            .map(|key| json!({"key": key.key, "problem": key.trouble}))
            .collect();
        let found = json!({"valid": true, "route": route.name, "keys": keys, "warnings": warnings});
        args.output.document(&found)?;
    }
    Ok(if args.strict && !warnings.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn invalid(output: Output, error: &anyhow::Error) -> Result<()> {
    if output.is_for_people() {
        print::note(format!("invalid route: {error:#}"));
        return Ok(());
    }
    output.document(&json!({"valid": false, "error": format!("{error:#}")}))
}

fn read(args: &Args) -> Result<(Loaded, Route)> {
    let file = args.route.display();
    let bytes = std::fs::read(&args.route).with_context(|| format!("failed to read {file}"))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow!("failed to read {file}: it is not UTF-8 (at byte {at})")
    })?;
    let loaded = load(&text, Unknown::Refuse).with_context(|| file.to_string())?;
    validate(&loaded.route).map_err(|problems| anyhow!("{file}: {}", problems.at(&loaded.lines)))?;
    let mut route = effective(&loaded.route);
    if !args.cluster {
        let overrides = Overrides {
            servers: args.servers.clone(),
            receiver: args.receiver.clone(),
            notify_receiver: args.notify_receiver.clone(),
        };
        overrides.apply(&mut route)?;
    }
    Ok((loaded, route))
}

fn directory_trouble(refs: &Path) -> Option<String> {
    let trouble = match std::fs::metadata(refs) {
        Ok(data) if data.is_dir() => return None,
        Ok(_) => "it is not a directory".to_owned(),
        Err(error) => error.to_string(),
    };
    Some(format!("--refs-dir {}: {trouble}", refs.display()))
}

/// The keys that the route references. Signing keys are parsed; of all others it is known whether there is a value.
fn keys(args: &Args, loaded: &Loaded) -> Vec<KeyState> {
    let webhook = loaded.route.spec.webhook.as_ref();
    let signing = webhook.and_then(|webhook| webhook.signing.as_ref());
    let signing = signing
        .map(|signing| signing.secret_refs.clone())
        .unwrap_or_default();
    let signing: Vec<ObjectKey> = signing.into_iter().map(ObjectKey::from).collect();
    let state = |key: ObjectKey| {
        let file = args.refs_dir.join(key.to_string());
        KeyState {
            trouble: trouble(&file, signing.contains(&key)),
            key: key.to_string(),
        }
    };
    referenced_keys(&loaded.route.spec)
        .into_iter()
        .map(state)
        .collect()
}

fn trouble(file: &Path, signs: bool) -> Option<String> {
    let Ok(value) = std::fs::read(file) else {
        return Some("cannot be read".to_owned());
    };
    let text = String::from_utf8_lossy(&value);
    if text.trim().is_empty() {
        return Some("is empty".to_owned());
    }
    let parsed = signs.then(|| text.trim().parse::<SigningKey>());
    Some(format!("is not usable: {}", parsed?.err()?))
}
