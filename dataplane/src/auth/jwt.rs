//! Access tokens of authorization servers (JWT, RFC 9068): whether one is what it says, and for here.
//!
//! [`super::Auth`] asks for each token that is none of the route's own. Invariant: nothing that a token says is used before
//! its signature was verified, but its issuer, its key id and its algorithm, which must be ones that are accepted anyway;
//! the time is an argument.

use std::collections::BTreeSet;
use std::time::Duration;

use asyncmcp_crds::effective::Jwt;
use asyncmcp_delivery::clock::Millis;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Header, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::time::Instant;

use super::crypto::ALGORITHMS;
use super::issuers::Issuers;
use crate::caller::access::Access;
use crate::caller::grants::Grants;
use crate::caller::principal::Principal;
use crate::caller::respond::access::{Error, Flaw};

/// How far the clocks of issuers may be from ours.
const SKEW: Duration = Duration::from_mins(1);
/// Longer ones are not looked at.
const MAX_TOKEN: usize = 16 << 10;
/// `typ` of an access token; other kinds of JWT are none.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/at+jwt"];

/// What is read before the signature.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
}

#[derive(Debug, Deserialize)]
struct Claims {
    exp: f64,
    nbf: Option<f64>,
    sub: Option<String>,
    client_id: Option<String>,
    azp: Option<String>,
    scope: Option<Scopes>,
    scp: Option<Scopes>,
}

/// One text with spaces (RFC 8693, section 4.2), or a list, as some issuers have it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scopes {
    Text(String),
    List(Vec<String>),
}

/// What the token lets its bearer do, by what `accepted` says of its issuer.
pub(super) async fn verify(
    token: &[u8],
    (accepted, issuers): (&[Jwt], &Issuers),
    now: Millis,
) -> Result<Access, Error> {
    let (header, jwt) = whose(token, accepted)?;
    let keys = issuers.of(jwt).keys(header.kid.as_deref(), header.alg).await?;
    let claims = signed(token, &header, jwt, &keys)?;
    claims.check_times(now)?;
    let scopes = claims.scopes();
    if !jwt.scopes.iter().all(|scope| scopes.contains(scope)) {
        return Err(Error::Scope(jwt.scopes.clone()));
    }
    let access = claims.access(&jwt.issuer, scopes);
    Ok(Access {
        // What is further away than time can be counted never comes.
        expires: Instant::now().checked_add(claims.left(now)),
        ..access.ok_or(Error::Token(Flaw::Claims))?
    })
}

/// The header, and the issuer that it may be of.
fn whose<'a>(token: &[u8], accepted: &'a [Jwt]) -> Result<(Header, &'a Jwt), Error> {
    if token.len() > MAX_TOKEN {
        return Err(Error::Token(Flaw::Malformed));
    }
    let header = decode_header(token).map_err(|_| Error::Token(Flaw::Malformed))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(Error::Token(Flaw::Algorithm));
    }
    let is_access_token = |typ: &String| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ));
    if !header.typ.as_ref().is_none_or(is_access_token) {
        return Err(Error::Token(Flaw::Type));
    }
    let claims: Unverified = insecure_decode_claims(token).map_err(|_| Error::Token(Flaw::Malformed))?;
    let jwt = accepted.iter().find(|jwt| jwt.issuer == claims.iss);
    Ok((header, jwt.ok_or(Error::Token(Flaw::Issuer))?))
}

/// The claims, once one of the keys verified them.
fn signed(token: &[u8], header: &Header, jwt: &Jwt, keys: &[DecodingKey]) -> Result<Claims, Error> {
    let mut rules = Validation::new(header.alg);
    rules.validate_exp = false; // its clock is the system's; see `check_times`
    rules.set_required_spec_claims(&["exp", "iss", "aud"]);
    rules.set_issuer(&[&jwt.issuer]);
    rules.set_audience(&jwt.audiences);
    let mut flaw = Flaw::Key;
    for key in keys {
        match decode::<Claims>(token, key, &rules) {
            Ok(token) => return Ok(token.claims),
            Err(error) => flaw = why(error.kind()),
        }
        if flaw != Flaw::Signature {
            break;
        }
    }
    Err(Error::Token(flaw))
}

fn why(error: &ErrorKind) -> Flaw {
    match error {
        ErrorKind::InvalidSignature => Flaw::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => Flaw::Algorithm,
        ErrorKind::InvalidAudience => Flaw::Audience,
        ErrorKind::InvalidIssuer => Flaw::Issuer,
        ErrorKind::InvalidToken => Flaw::Malformed,
        _ => Flaw::Claims,
    }
}

impl Claims {
    fn check_times(&self, now: Millis) -> Result<(), Error> {
        if at(self.exp).plus(SKEW) <= now {
            return Err(Error::Token(Flaw::Expired));
        }
        match self.nbf.map(at) {
            Some(begin) if begin > now.plus(SKEW) => Err(Error::Token(Flaw::NotYet)),
            _ => Ok(()),
        }
    }

    /// For how long requests with the token are admitted from `now` on.
    fn left(&self, now: Millis) -> Duration {
        Duration::from_millis(at(self.exp).plus(SKEW).0.saturating_sub(now.0))
    }

    fn scopes(&self) -> BTreeSet<String> {
        let words = |scopes: &Scopes| -> Vec<String> {
            match scopes {
                Scopes::Text(text) => text.split_ascii_whitespace().map(str::to_owned).collect(),
                Scopes::List(list) => list.clone(),
            }
        };
        let given = self.scope.iter().chain(&self.scp);
        given.flat_map(words).collect()
    }

    /// Whom it names. A client that acts for itself may have no subject (RFC 9068, section 2.2: then it is the client).
    fn access(&self, issuer: &str, scopes: BTreeSet<String>) -> Option<Access> {
        let client = self.client_id.as_deref().or(self.azp.as_deref());
        let subject = self.sub.as_deref().or(client)?;
        let principal = Principal::of("jwt", &[issuer, subject, client.unwrap_or_default()]);
        Some(Access {
            principal: Some(principal),
            account: Some(Principal::of("account", &[issuer, subject]).to_string()),
            grants: Grants::of(scopes),
            expires: None,
        })
    }
}

/// A `NumericDate` (RFC 7519, section 2): seconds, perhaps with a fraction.
fn at(seconds: f64) -> Millis {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, as it should"
    )]
    let millis = (seconds * 1000.0) as u64;
    Millis(millis)
}
