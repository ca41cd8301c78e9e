//! The tokens of the admin port, and what their holders may do.
//!
//! In a cluster they are keys `adminToken` and `viewToken` of the operator's `<route>-keys` Secret; on a laptop files in the
//! state directory, made where they are missing. The jobs API and the console ask. The files are read at every request, so
//! that a new token is live. Invariant: a comparison takes as long for a wrong token as for the right one, and no error, log
//! line or answer holds either.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ports::bearer;

/// Its name in the state directory and in the Secret.
pub const NAME: &str = "adminToken";
/// The same of the token that only reads.
pub const VIEW_NAME: &str = "viewToken";

/// What the holder of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Sees everything but payloads, and changes nothing.
    View,
    /// Sees and changes everything.
    Admin,
}

/// A role, and the digest of the token that gives it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// What its holder may do.
    pub role: Role,
    digest: [u8; 32],
}

/// Where the tokens are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// In these files.
    Files {
        /// The token of an administrator.
        admin: PathBuf,
        /// The token of those who only read, if there is to be one; there is none while the file is missing or empty.
        view: Option<PathBuf>,
    },
    /// There are none: every request is refused.
    None,
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No bearer token.
    #[error("missing bearer token: send `Authorization: Bearer TOKEN`")]
    Missing,
    /// Another token.
    #[error("wrong bearer token")]
    Wrong,
    /// The token of those who only read, for more than that.
    #[error("this token only views: use the admin token to see payloads or to change anything")]
    ViewOnly,
    /// There is none to compare with.
    #[error("this process has no admin token; start it with --state-dir or --admin-token-file")]
    Closed,
    /// The file cannot be read.
    #[error("the admin token cannot be read from {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file holds nothing.
    #[error("the admin token in {} is empty", .0.display())]
    Empty(PathBuf),
}

impl Error {
    /// Its label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "missing_token",
            Self::Wrong => "wrong_token",
            Self::ViewOnly => "view_only",
            Self::Closed => "no_token",
            Self::Read { .. } => "unreadable_token",
            Self::Empty(_) => "empty_token",
        }
    }
}

impl Token {
    /// The tokens in `dir`, each made of 32 random bytes where there is none.
    pub fn open_or_create(dir: &Path) -> io::Result<Self> {
        let (admin, view) = (dir.join(NAME), dir.join(VIEW_NAME));
        create_if_missing(&admin)?;
        create_if_missing(&view)?;
        Ok(Self::Files {
            admin,
            view: Some(view),
        })
    }

    /// Whether a request with this `Authorization` may do what needs `role`.
    pub async fn check(&self, given: Option<&HeaderValue>, role: Role) -> Result<Grant, Error> {
        if *self == Self::None {
            return Err(Error::Closed);
        }
        let given = given.and_then(bearer::token).ok_or(Error::Missing)?;
        let grant = self.grant(given).await?;
        if grant.role < role {
            return Err(Error::ViewOnly);
        }
        Ok(grant)
    }

    /// What the holder of this token may do.
    pub async fn grant(&self, given: &[u8]) -> Result<Grant, Error> {
        let [admin, view] = self.grants().await?;
        let digest: [u8; 32] = Sha256::digest(given.trim_ascii()).into();
        let found = [admin, view].into_iter().flatten();
        let mut found = found.filter(|grant| bearer::are_equal(&grant.digest, &digest));
        found.next().ok_or(Error::Wrong)
    }

    /// Whether the token that gave it is still one.
    pub async fn is_live(&self, grant: &Grant) -> bool {
        let grants = self.grants().await;
        grants.is_ok_and(|grants| grants.contains(&Some(*grant)))
    }

    async fn grants(&self) -> Result<[Option<Grant>; 2], Error> {
        let Self::Files { admin, view } = self else {
            return Err(Error::Closed);
        };
        let admin_digest = digest(admin).await?;
        // It may be missing: Secrets of routes older than this token lack it.
        let view_digest = match view {
            Some(view) => digest(view).await.ok(),
            None => None,
        };
        let grant = |role| move |digest| Grant { role, digest };
        Ok([
            Some(grant(Role::Admin)(admin_digest)),
            view_digest.map(grant(Role::View)),
        ])
    }
}

/// The digest of the token in a file.
async fn digest(path: &Path) -> Result<[u8; 32], Error> {
    let read = tokio::fs::read(path).await;
    let known = Zeroizing::new(read.map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })?);
    match known.trim_ascii() {
        [] => Err(Error::Empty(path.to_owned())),
        known => Ok(Sha256::digest(known).into()),
    }
}

fn create_if_missing(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    match options.write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let token = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
            file.write_all(token.as_bytes())?;
            file.sync_all()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn check(token: &Token, header: &str) -> Result<(), Error> {
        let header = HeaderValue::from_str(header).unwrap();
        token.check(Some(&header), Role::Admin).await.map(drop)
    }

    #[tokio::test]
    async fn lets_in_who_has_the_token_and_nobody_else() {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::open_or_create(dir.path()).unwrap();
        let path = dir.path().join(NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.len(), 43, "32 bytes in base64url");
        assert!(check(&token, &format!("Bearer {text}")).await.is_ok());
        assert!(check(&token, &format!("bearer  {text}")).await.is_ok());
        for wrong in [format!("Bearer {text}x"), format!("Bearer {}", &text[1..])] {
            assert!(
                matches!(check(&token, &wrong).await, Err(Error::Wrong)),
                "{wrong}"
            );
        }
        for none in ["", "Bearer", "Bearer ", "Basic dXNlcjp4", &text] {
            assert!(matches!(check(&token, none).await, Err(Error::Missing)), "{none}");
        }
        assert!(matches!(token.check(None, Role::View).await, Err(Error::Missing)));
    }

    #[tokio::test]
    async fn a_token_is_made_once_for_its_owner_alone_and_a_new_one_is_live() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(NAME);
        let token = Token::open_or_create(dir.path()).unwrap();
        let first = std::fs::read(&path).unwrap();
        assert_eq!(Token::open_or_create(dir.path()).unwrap(), token);
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        std::fs::write(&path, "another\n").unwrap();
        assert!(check(&token, "Bearer another").await.is_ok());
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(check(&token, "Bearer x").await, Err(Error::Empty(_))));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(check(&token, "Bearer x").await, Err(Error::Read { .. })));
        assert!(matches!(
            check(&Token::None, "Bearer x").await,
            Err(Error::Closed)
        ));
    }

    #[tokio::test]
    async fn the_view_token_only_views_and_may_be_missing() {
        let dir = tempfile::tempdir().unwrap();
        let token = Token::open_or_create(dir.path()).unwrap();
        let path = dir.path().join(VIEW_NAME);
        let text = std::fs::read_to_string(&path).unwrap();
        let header = HeaderValue::from_str(&format!("Bearer {text}")).unwrap();
        let grant = token.check(Some(&header), Role::View).await.unwrap();
        assert_eq!(grant.role, Role::View);
        let refused = token.check(Some(&header), Role::Admin).await;
        assert!(matches!(refused, Err(Error::ViewOnly)));
        assert!(token.is_live(&grant).await);
        std::fs::write(&path, "another").unwrap();
        assert!(
            !token.is_live(&grant).await,
            "a new token ends what the old one gave"
        );
        for empty in ["", " \n"] {
            std::fs::write(&path, empty).unwrap();
            assert!(matches!(token.grant(b"").await, Err(Error::Wrong)), "{empty:?}");
        }
        std::fs::remove_file(&path).unwrap();
        let admin = std::fs::read(dir.path().join(NAME)).unwrap();
        assert_eq!(token.grant(&admin).await.unwrap().role, Role::Admin);
        std::fs::write(&path, &admin).unwrap();
        let same = token.grant(&admin).await.unwrap();
        assert_eq!(same.role, Role::Admin, "one token for both is the admin's");
    }
}
