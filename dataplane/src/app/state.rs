//! What outlives the process: the store and the keys.
//!
//! Called once by [`super::App::start`]. Invariant: a store that cannot be read is never replaced by a new one.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use asyncmcp_crds::effective;
use asyncmcp_delivery::directory;
use asyncmcp_delivery::key_file::KeyFile;
use asyncmcp_delivery::store::Store;
use asyncmcp_delivery::store::memory::Memory;
use asyncmcp_delivery::store::metrics::Metrics;
use asyncmcp_delivery::store::redb::{Embedded, Options};
use asyncmcp_delivery::store::seal::Sealer;
use prometheus::Registry;
use tokio_util::sync::CancellationToken;

use crate::admin::jobs::token::{self, Token};
use crate::args::Args;
use crate::caller::session::seal::Ring;
use crate::config::{Config, Live};
use crate::failpoint::Failpoint;

/// Space that the store reserves for a full disk.
const BALLAST: u64 = 64 << 20;

/// What was opened.
pub(super) struct State {
    /// Where jobs are.
    pub(super) store: Arc<dyn Store>,
    /// Fires when the store failed for good.
    pub(super) failed: CancellationToken,
    /// What session ids are sealed with.
    pub(super) ring: Arc<Ring>,
}

/// Opens what the route and the command line name.
pub(super) fn open(args: &Args, live: &Live, registry: &Registry) -> Result<State> {
    let config = Arc::clone(&live.borrow());
    let metrics = Metrics::register(registry)?;
    let ring = Arc::new(ring(args, &config.route.store)?);
    let (store, failed): (Arc<dyn Store>, _) = match (&config.route.store, &args.state_dir) {
        (effective::Store::Embedded(given), Some(dir)) => {
            let store = Arc::new(embedded(args, dir, &config, (metrics, given.size.bytes()))?);
            tokio::spawn(follow_size(live.clone(), Arc::clone(&store)));
            let failed = store.fatal();
            (store, failed)
        }
        (effective::Store::Embedded(_), None) => {
            tracing::warn!("no --state-dir: accepted calls are lost when this process ends");
            (Arc::new(Memory::new(metrics)), CancellationToken::new())
        }
        (effective::Store::Memory, _) => (Arc::new(Memory::new(metrics)), CancellationToken::new()),
    };
    Ok(State { store, failed, ring })
}

fn embedded(args: &Args, dir: &Path, config: &Config, (metrics, size): (Metrics, u64)) -> Result<Embedded> {
    directory::make(dir).with_context(|| format!("--state-dir {}", dir.display()))?;
    let mut options = Options {
        metrics,
        sealer: Arc::new(sealer(args, dir)?),
        route: config.identity(),
        size,
        ballast: BALLAST,
        ..Options::default()
    };
    if let Some(failpoint) = &args.failpoint {
        Failpoint::from_str(failpoint)
            .map_err(anyhow::Error::msg)
            .context("--failpoint")?
            .arm(&mut options);
    }
    Embedded::open(dir, options).with_context(|| format!("--state-dir {}", dir.display()))
}

/// A new `store.embedded.size` applies at once.
async fn follow_size(mut live: Live, store: Arc<Embedded>) {
    while live.changed().await.is_ok() {
        if let effective::Store::Embedded(given) = &live.borrow_and_update().route.store {
            store.set_size(given.size.bytes());
        }
    }
}

/// In a pod the operator's keys; on a laptop a file beside the store.
fn sealer(args: &Args, dir: &Path) -> Result<Sealer> {
    let keys = if let Some(mounted) = &args.config_dir {
        KeyFile::load(&mounted.join("keys/store.json"))
    } else {
        refuse_new_keys(dir)?;
        KeyFile::open_or_create(&dir.join("store.json"))
    };
    keys.map(Sealer::of_file).context("the store's keys")
}

/// New keys open nothing of a store that is there already, and old ones that come back open nothing that was accepted
/// meanwhile.
fn refuse_new_keys(dir: &Path) -> Result<()> {
    let (keys, store) = (dir.join("store.json"), dir.join("jobs.redb"));
    anyhow::ensure!(
        keys.exists() || !store.exists(),
        "{} is missing: nothing in {} can be decrypted without it. Copy it from where the store was copied or exported \
         from; to begin with an empty store, name another --state-dir",
        keys.display(),
        store.display()
    );
    Ok(())
}

/// In a pod the operator's keys; on a laptop a file beside the store. With a store in memory they are keys of this process
/// only: that a session was ended would be forgotten with the process, and its id must not be worth anything after that.
fn ring(args: &Args, store: &effective::Store) -> Result<Ring> {
    if matches!(store, effective::Store::Memory) {
        return Ok(Ring::random());
    }
    let keys = match (&args.config_dir, &args.state_dir) {
        (Some(mounted), _) => KeyFile::load(&mounted.join("keys/sessions.json")),
        (None, Some(dir)) => {
            directory::make(dir).with_context(|| format!("--state-dir {}", dir.display()))?;
            KeyFile::open_or_create(&dir.join("sessions.json"))
        }
        (None, None) => return Ok(Ring::random()),
    };
    keys.map(Ring::of_file).context("the session keys")
}

/// What opens the jobs API and the console: the files that are named, in a pod the operator's, on a laptop those in the
/// state directory. Without any of them nobody gets in.
pub(super) fn token(args: &Args) -> Result<Token> {
    let token = match (&args.admin_token_file, &args.config_dir, &args.state_dir) {
        (Some(admin), ..) => Token::Files {
            admin: admin.clone(),
            view: args.view_token_file.clone(),
        },
        (None, Some(mounted), _) => Token::Files {
            admin: mounted.join("keys").join(token::NAME),
            view: Some(mounted.join("keys").join(token::VIEW_NAME)),
        },
        (None, None, Some(dir)) => {
            directory::make(dir).with_context(|| format!("--state-dir {}", dir.display()))?;
            Token::open_or_create(dir).context("the tokens of the jobs API")?
        }
        (None, None, None) => Token::None,
    };
    match &token {
        Token::Files { admin, .. } => {
            tracing::info!(path = %admin.display(), "the jobs API takes the token in this file");
        }
        Token::None => tracing::info!("no --state-dir and no --admin-token-file: the jobs API is closed"),
    }
    Ok(token)
}
