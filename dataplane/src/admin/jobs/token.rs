//! The token of the jobs API, and who has it.
//!
//! In a cluster it is key `adminToken` of the operator's `<route>-keys` Secret; on a laptop a file in the state
//! directory, which is made where it is not there. The file is read at every request, so that a new token is
//! live. Invariant: a comparison takes as long for a wrong token as for the right one, and no error, log line or
//! answer holds either.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::ports::bearer;

/// Its name in the state directory and in the Secret.
pub const NAME: &str = "adminToken";

/// Where the token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// In this file.
    File(PathBuf),
    /// There is none: every request is refused.
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

impl Token {
    /// The token in `dir`, made of 32 random bytes where there is none.
    pub fn open_or_create(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        let mut options = std::fs::OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                let token = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
                file.write_all(token.as_bytes())?;
                file.sync_all()?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(Self::File(path))
    }

    /// Whether a request with this `Authorization` may come in.
    pub async fn check(&self, given: Option<&HeaderValue>) -> Result<(), Error> {
        let Self::File(path) = self else {
            return Err(Error::Closed);
        };
        let given = given.and_then(bearer::token).ok_or(Error::Missing)?;
        let read = tokio::fs::read(path).await;
        let known = Zeroizing::new(read.map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?);
        match known.trim_ascii() {
            [] => Err(Error::Empty(path.clone())),
            known if bearer::are_equal(known, given) => Ok(()),
            _ => Err(Error::Wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    async fn check(token: &Token, header: &str) -> Result<(), Error> {
        let header = HeaderValue::from_str(header).unwrap();
        token.check(Some(&header)).await
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
        assert!(matches!(token.check(None).await, Err(Error::Missing)));
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
}
