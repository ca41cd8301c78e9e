//! A legacy client's session: sealed into its id, stored nowhere.
//!
//! `initialize` makes one, every later request carries it (`Mcp-Session-Id`). What may
//! change during a session is one row in the store, which [`crate::servers::lines`] owns.
//! Invariant: nothing about servers is in an id, so no server's restart costs a session.

pub mod seal;

use std::time::Duration;

use asyncmcp_delivery::clock::Millis;
use asyncmcp_protocol::initialize::{ClientCapabilities, Implementation, InitializeParams};
use asyncmcp_protocol::version::Version;

use self::seal::{NONCE_LEN, Ring};
use super::principal::Principal;

/// What every id begins with.
const PREFIX: &str = "v1.";
/// What the ids are sealed for, so that no other sealed text passes for one.
const PURPOSE: &str = "session";
/// The first byte of the sealed form below.
const FORM: u8 = 3;
/// No id is longer: proxies begin to cut headers at 4 KiB.
pub const MAX_ID_CHARS: usize = 2048;

/// Why an id is not one of a session. A client gets 404 for each and opens a new session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not sealed by this route.
    #[error("no such session; initialize again")]
    Unknown,
    /// Older than `transport.lifetime`.
    #[error("the session is older than transport.lifetime; initialize again")]
    Expired,
    /// Ended by its client.
    #[error("the session was ended; initialize again")]
    Revoked,
}

/// One client's session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegacySession {
    /// Its name in the store and in deduplication; random, and known to nobody outside.
    pub sid: [u8; 16],
    /// Who opened it. Nobody else may use it; `None` on a route without `auth`.
    pub principal: Option<Principal>,
    /// When it was opened: a shorter `transport.lifetime` holds for it, too.
    pub opened: Millis,
    /// When it expires at the latest, and what is stored of it with it.
    pub expires: Millis,
    /// The version agreed on.
    pub version: Version,
    /// What the client can do.
    pub capabilities: ClientCapabilities,
    /// The client's name and version, as it gives them.
    pub client_info: Implementation,
    /// The receiver of the results of webhook tools, if the client named one.
    pub receiver: Option<String>,
}

impl LegacySession {
    /// The session that an `initialize` with these parameters opens for `principal`.
    pub fn of(
        params: InitializeParams,
        principal: Option<Principal>,
        sid: [u8; 16],
        (opened, lifetime): (Millis, Duration),
    ) -> Self {
        Self {
            sid,
            principal,
            opened,
            expires: opened.plus(lifetime),
            version: Version::negotiate(&params.protocol_version),
            capabilities: params.capabilities,
            client_info: params.client_info,
            receiver: params.webhook_url,
        }
    }

    /// The id that a client of `route` gets.
    pub fn seal(&self, ring: &Ring, route: &str, nonce: [u8; NONCE_LEN]) -> String {
        let sealed = ring.seal(PURPOSE, route, &self.encode(), nonce);
        format!("{PREFIX}{sealed}")
    }

    /// The session that `id` names on `route`, where sessions may be as old as `lifetime` now.
    pub fn open(
        ring: &Ring,
        route: &str,
        id: &str,
        (now, lifetime): (Millis, Duration),
    ) -> Result<Self, Error> {
        let sealed = id.strip_prefix(PREFIX).filter(|_| id.len() <= MAX_ID_CHARS);
        let plain = sealed.and_then(|sealed| ring.open(PURPOSE, route, sealed));
        let session = plain
            .and_then(|plain| Self::decode(&plain))
            .ok_or(Error::Unknown)?;
        if session.expires.min(session.opened.plus(lifetime)) <= now {
            return Err(Error::Expired);
        }
        Ok(session)
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORM];
        out.extend(self.sid);
        out.push(u8::from(self.principal.is_some()));
        out.extend(self.principal.unwrap_or(Principal([0; 16])).0);
        out.extend(self.opened.0.to_be_bytes());
        out.extend(self.expires.0.to_be_bytes());
        out.extend(self.capabilities.bits().to_be_bytes());
        let Implementation { name, version } = &self.client_info;
        for text in [self.version.as_str(), name, version] {
            put(&mut out, text);
        }
        if let Some(receiver) = &self.receiver {
            put(&mut out, receiver);
        }
        out
    }

    fn decode(plain: &[u8]) -> Option<Self> {
        let (&FORM, rest) = plain.split_first()? else {
            return None;
        };
        let (sid, rest) = rest.split_first_chunk()?;
        let (&known, rest) = rest.split_first()?;
        let (principal, rest) = rest.split_first_chunk()?;
        let (opened, rest) = rest.split_first_chunk()?;
        let (expires, rest) = rest.split_first_chunk()?;
        let (capabilities, mut rest) = rest.split_first_chunk()?;
        let session = Self {
            sid: *sid,
            principal: (known != 0).then_some(Principal(*principal)),
            opened: Millis(u64::from_be_bytes(*opened)),
            expires: Millis(u64::from_be_bytes(*expires)),
            capabilities: ClientCapabilities::from_bits(u16::from_be_bytes(*capabilities)),
            version: Version::parse(&take(&mut rest)?)?,
            client_info: Implementation {
                name: take(&mut rest)?,
                version: take(&mut rest)?,
            },
            receiver: if rest.is_empty() {
                None
            } else {
                Some(take(&mut rest)?)
            },
        };
        rest.is_empty().then_some(session)
    }
}

/// Text behind its length in two bytes.
fn put(out: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("InitializeParams::parse bounds every text");
    out.extend(length.to_be_bytes());
    out.extend(text.as_bytes());
}

fn take(rest: &mut &[u8]) -> Option<String> {
    let (length, after) = rest.split_first_chunk()?;
    let (text, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use asyncmcp_protocol::initialize::{MAX_CLIENT_INFO, MAX_WEBHOOK_URL};

    use super::*;

    const ROUTE: &str = "default/analytics";
    const NONCE: [u8; NONCE_LEN] = [9; NONCE_LEN];
    const LIFETIME: Duration = Duration::from_millis(900);

    fn session(client: &str, receiver: Option<&str>) -> LegacySession {
        let params = InitializeParams {
            protocol_version: "2025-06-18".to_owned(),
            capabilities: ClientCapabilities::from_bits(u16::MAX),
            client_info: Implementation::new(client, client),
            webhook_url: receiver.map(str::to_owned),
        };
        let principal = receiver.map(|receiver| Principal::of("token", &[receiver]));
        LegacySession::of(params, principal, [5; 16], (Millis(100), LIFETIME))
    }

    #[test]
    fn an_id_holds_the_whole_session() {
        let ring = Ring::random();
        for receiver in [None, Some("http://127.0.0.1:8101/webhook")] {
            let session = session("asyncmcp", receiver);
            let id = session.seal(&ring, ROUTE, NONCE);
            assert!(id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{id}");
            assert_eq!(
                LegacySession::open(&ring, ROUTE, &id, (Millis(999), LIFETIME)),
                Ok(session)
            );
        }
    }

    #[test]
    fn the_longest_session_fits() {
        let full = session(&"x".repeat(MAX_CLIENT_INFO), Some(&"u".repeat(MAX_WEBHOOK_URL)));
        let ring = Ring::random();
        let id = full.seal(&ring, ROUTE, NONCE);
        assert!(id.len() <= MAX_ID_CHARS, "{}", id.len());
        assert_eq!(
            LegacySession::open(&ring, ROUTE, &id, (Millis(0), LIFETIME)),
            Ok(full)
        );
    }

    #[test]
    fn an_id_of_another_route_or_ring_or_time_is_none() {
        let ring = Ring::random();
        let id = session("c", None).seal(&ring, ROUTE, NONCE);
        let open =
            |ring: &Ring, route, id: &str, now| LegacySession::open(ring, route, id, (Millis(now), LIFETIME));
        assert_eq!(open(&ring, ROUTE, &id, 1_000), Err(Error::Expired));
        assert_eq!(open(&ring, "default/other", &id, 0), Err(Error::Unknown));
        assert_eq!(open(&Ring::random(), ROUTE, &id, 0), Err(Error::Unknown));
        for broken in [
            "",
            "v1.",
            "abc",
            &id[3..],
            &format!("{id}A"),
            &"v1.A".repeat(1000),
        ] {
            assert_eq!(open(&ring, ROUTE, broken, 0), Err(Error::Unknown), "{broken}");
        }
    }

    #[test]
    fn an_id_in_which_one_bit_is_changed_is_none() {
        let ring = Ring::random();
        let id = session("c", Some("http://r")).seal(&ring, ROUTE, NONCE);
        for bit in 0..8 * id.len() {
            let mut changed = id.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = String::from_utf8(changed) else {
                continue; // no header's text
            };
            let opened = LegacySession::open(&ring, ROUTE, &changed, (Millis(0), LIFETIME));
            assert_eq!(opened, Err(Error::Unknown), "bit {bit}");
        }
    }

    #[test]
    fn a_shorter_lifetime_holds_for_sessions_that_were_opened_before_and_a_longer_one_does_not() {
        let ring = Ring::random();
        let id = session("c", None).seal(&ring, ROUTE, NONCE);
        let open = |now, lifetime| {
            let lifetime = Duration::from_millis(lifetime);
            LegacySession::open(&ring, ROUTE, &id, (Millis(now), lifetime)).map(drop)
        };
        assert_eq!((open(149, 50), open(150, 50)), (Ok(()), Err(Error::Expired)));
        assert_eq!((open(999, 5000), open(1000, 5000)), (Ok(()), Err(Error::Expired)));
    }

    #[test]
    fn a_sealed_form_of_another_version_or_length_is_none() {
        let ring = Ring::random();
        let plain = session("c", Some("http://r")).encode();
        let open = |plain: &[u8]| {
            let id = format!("{PREFIX}{}", ring.seal(PURPOSE, ROUTE, plain, NONCE));
            LegacySession::open(&ring, ROUTE, &id, (Millis(0), LIFETIME))
        };
        assert!(open(&plain).is_ok());
        assert_eq!(open(&[&[FORM + 1], &plain[1..]].concat()), Err(Error::Unknown));
        assert_eq!(open(&[&plain[..], &[0]].concat()), Err(Error::Unknown));
        // Cut after the client's version it is a session that names no receiver; nowhere else.
        let whole = (0..plain.len())
            .filter(|&end| open(&plain[..end]).is_ok())
            .count();
        assert_eq!(whole, 1);
    }
}
