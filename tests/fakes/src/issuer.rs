//! An authorization server on loopback that serves its keys and signs whatever a test wants signed, forgeries included.
//!
//! It has no code of the product's: ring signs, and the compact form is put together here. A real authorization server is
//! in `tests/peers/`. Invariant: what it serves and what it signs with is what the test said last.

mod key;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub use self::key::{Key, compact};
use crate::lock;

/// What it is like now.
struct Nature {
    key: Arc<Key>,
    is_away: bool,
    /// The paths that were asked for.
    asked: Vec<String>,
    /// What metadata says of the issuer, where it is not the truth.
    claims_to_be: Option<String>,
}

/// The server. It serves until the runtime ends.
#[derive(Clone)]
pub struct Issuer {
    url: String,
    nature: Arc<Mutex<Nature>>,
}

impl Issuer {
    /// With one key, on a free port.
    pub async fn start() -> Self {
        Self::at(0).await
    }

    /// On a port where nobody listens yet.
    ///
    /// # Panics
    /// When somebody does.
    pub async fn at(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await;
        let listener = listener.expect("nobody listens there");
        let address = listener.local_addr().expect("it is bound");
        let nature = Nature {
            key: Arc::new(Key::es256("first")),
            is_away: false,
            asked: Vec::new(),
            claims_to_be: None,
        };
        let issuer = Self {
            url: format!("http://{address}/tenant"),
            nature: Arc::new(Mutex::new(nature)),
        };
        let router = Router::new().fallback(answer).with_state(issuer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        issuer
    }

    /// The claim `iss` of its tokens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its keys are.
    pub fn jwks_uri(&self) -> String {
        format!("{}/keys", self.url)
    }

    /// Claims of a token for `audience` that is valid for five minutes.
    pub fn claims(&self, subject: &str, audience: &str) -> Value {
        let exp = now() + 300;
        json!({"iss": self.url, "sub": subject, "client_id": "agent", "aud": audience, "iat": now(), "exp": exp})
    }

    /// A token with these claims, signed with its key.
    pub fn sign(&self, claims: &Value) -> String {
        self.key().sign(claims)
    }

    /// The key that it signs with.
    pub fn key(&self) -> Arc<Key> {
        Arc::clone(&self.nature().key)
    }

    /// From now on this is its only key.
    pub fn rotate(&self, key: Key) {
        self.nature().key = Arc::new(key);
    }

    /// Answers nothing but 503, or serves again.
    pub fn go_away(&self, is_away: bool) {
        self.nature().is_away = is_away;
    }

    /// Its metadata says that it is this issuer.
    pub fn pretend(&self, issuer: &str) {
        self.nature().claims_to_be = Some(issuer.to_owned());
    }

    /// How often its keys were asked for.
    pub fn reads(&self) -> usize {
        let nature = self.nature();
        nature.asked.iter().filter(|path| path.ends_with("/keys")).count()
    }

    fn nature(&self) -> MutexGuard<'_, Nature> {
        lock(&self.nature)
    }
}

/// Seconds since 1970.
///
/// # Panics
/// Before 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is later than 1970").as_secs()
}

async fn answer(State(issuer): State<Issuer>, uri: Uri) -> Response {
    let path = uri.path().to_owned();
    let mut nature = issuer.nature();
    nature.asked.push(path.clone());
    if nature.is_away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    match path.as_str() {
        "/tenant/keys" => axum::Json(json!({"keys": [nature.key.public()]})).into_response(),
        "/tenant/.well-known/openid-configuration" => {
            let named = nature.claims_to_be.as_deref().unwrap_or(&issuer.url);
            axum::Json(json!({"issuer": named, "jwks_uri": issuer.jwks_uri()})).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
