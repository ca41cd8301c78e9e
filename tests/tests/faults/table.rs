//! The table of receiver faults: what the receiver does, what becomes of the delivery, what the client is told.
//!
//! One test per row. A route here makes three attempts and honours `Retry-After` up to [`RETRY_AFTER_MAX`]. Invariant:
//! a row states every attempt, as outcome, status and category of the log's lines; what no row says does not happen.

use std::time::Duration;

use anyhow::Result;
use asyncmcp_tests::receiver::Answer;

use crate::case::{
    Certificate, Given, Told, answers, answers_with, blocked, busy, dead, does, given_up, hold, nothing,
    once, repeated, stalls, taken,
};
use crate::ending::RETRY_AFTER_MAX;

/// What no receiver should answer with.
const LARGE: usize = 100 << 20;
const AT_ONCE: Duration = Duration::ZERO;
const A_SECOND: Duration = Duration::from_secs(1);
/// A date has no fractions of a second, so that it may come up to one early.
const NEARLY_MAX: Duration = Duration::from_millis(500);

macro_rules! table {
    ($($name:ident: $given:expr => $story:expr, $told:expr;)*) => {$(
        #[tokio::test]
        async fn $name() -> Result<()> {
            #[allow(unused_imports, reason = "most rows use one of the two")]
            use Told::{Accepted, Refused};
            hold($given, $story, $told).await
        }
    )*};
}

/// The connection fails; or it brings an answer whose body is not whole, which counts by its head.
mod connection {
    use super::*;

    table! {
        nobody_listens:            Given::Nobody                     => given_up("connection_refused"),    Accepted;
        hangs_before_headers:      stalls(Answer::Silence)           => given_up("timeout"),               Accepted;
        hangs_after_headers:       does([Answer::NoBody])            => taken(200),                        Accepted;
        sends_one_byte_a_second:   does([Answer::Drip])              => taken(200),                        Accepted;
        closes_without_an_answer:  once(Answer::HangUp, AT_ONCE)     => repeated("connection_reset"),      Accepted;
        resets_within_its_body:    does([Answer::Reset])             => taken(200),                        Accepted;
        closes_within_its_body:    does([Answer::Short])             => taken(200),                        Accepted;
        answers_100_megabytes:     does([Answer::Flood(LARGE)])      => taken(200),                        Accepted;
        answers_a_gzip_bomb:       does([Answer::Bomb(LARGE)])       => taken(200),                        Accepted;
    }
}

/// The answer's status.
mod status {
    use super::*;

    table! {
        status_101:                answers_with(101, "connection: upgrade\r\nupgrade: x")
                                                                     => given_up("101 http_1xx"),          Accepted;
        status_503_to_abort:       answers_with(503, "webhook-delivery: abort-message")
                                                                     => dead("503 receiver_aborted"),      Accepted;
        status_200_to_abort:       answers_with(200, "webhook-delivery: abort-message")
                                                                     => taken(200),                        Accepted;
        status_200:                answers(200)                      => taken(200),                        Accepted;
        status_204:                answers(204)                      => taken(204),                        Accepted;
        status_400:                answers(400)                      => dead("400 http_4xx"),              Accepted;
        status_401:                answers(401)                      => given_up("401 http_4xx"),          Accepted;
        status_403:                answers(403)                      => given_up("403 http_4xx"),          Accepted;
        status_404:                answers(404)                      => given_up("404 http_4xx"),          Accepted;
        status_408:                answers(408)                      => given_up("408 http_4xx"),          Accepted;
        status_410:                answers(410)                      => dead("410 http_4xx"),              Accepted;
        status_413:                answers(413)                      => dead("413 http_4xx"),              Accepted;
        status_415:                answers(415)                      => dead("415 http_4xx"),              Accepted;
        status_422:                answers(422)                      => dead("422 http_4xx"),              Accepted;
        status_425:                answers(425)                      => given_up("425 http_4xx"),          Accepted;
        status_429:                answers(429)                      => given_up("429 http_4xx"),          Accepted;
        status_500_once:           once(Answer::status(500), AT_ONCE)=> repeated("500 http_5xx"),          Accepted;
        status_503:                answers(503)                      => given_up("503 http_5xx"),          Accepted;
        status_302_to_metadata:    answers_with(302, "location: http://169.254.169.254/latest/meta-data")
                                                                     => given_up("302 http_3xx"),          Accepted;
        status_302_to_private:     answers_with(302, "location: http://10.0.0.1/hook")
                                                                     => given_up("302 http_3xx"),          Accepted;
        status_308_to_loopback:    answers_with(308, "location: http://[::1]/hook")
                                                                     => given_up("308 http_3xx"),          Accepted;
    }
}

/// `Retry-After`, of the two statuses on which it is honoured.
mod retry_after {
    use super::*;

    table! {
        seconds_with_429:          busy(429, "1", A_SECOND)          => repeated("429 http_4xx"),          Accepted;
        seconds_with_503:          busy(503, "1", A_SECOND)          => repeated("503 http_5xx"),          Accepted;
        date_with_429:             once(Answer::BusyFor(429, RETRY_AFTER_MAX), NEARLY_MAX)
                                                                     => repeated("429 http_4xx"),          Accepted;
        date_with_503:             once(Answer::BusyFor(503, RETRY_AFTER_MAX), NEARLY_MAX)
                                                                     => repeated("503 http_5xx"),          Accepted;
        a_past_date:               busy(429, "Wed, 21 Oct 2015 07:28:00 GMT", AT_ONCE)
                                                                     => repeated("429 http_4xx"),          Accepted;
        more_seconds_than_a_number_holds: busy(503, "99999999999999999999", RETRY_AFTER_MAX)
                                                                     => repeated("503 http_5xx"),          Accepted;
        a_day_is_capped:           busy(429, "86400", RETRY_AFTER_MAX)
                                                                     => repeated("429 http_4xx"),          Accepted;
        less_than_nothing:         busy(503, "-1", AT_ONCE)          => repeated("503 http_5xx"),          Accepted;
        words:                     busy(429, "soon", AT_ONCE)        => repeated("429 http_4xx"),          Accepted;
    }
}

/// The receiver's certificate.
mod certificate {
    use super::*;

    table! {
        valid:                     Given::Tls(Certificate::Valid)                => taken(200),            Accepted;
        expired:                   Given::Tls(Certificate::Expired)              => given_up("tls_error"), Accepted;
        of_another_host:           Given::Tls(Certificate::OfAnotherHost)        => given_up("tls_error"), Accepted;
        none_at_all:               Given::NoTls                                  => given_up("tls_error"), Accepted;
        of_an_unknown_authority:   Given::Tls(Certificate::OfAnUnknownAuthority) => given_up("tls_error"), Accepted;
    }
}

/// Hosts in the URL that a client names: refused before anything is accepted.
mod host {
    use super::*;

    table! {
        loopback_v4:               Given::Named("127.0.0.1")         => nothing(),                 Refused("loopback");
        loopback_in_decimal:       Given::Named("2130706433")        => nothing(),                 Refused("loopback");
        loopback_in_hexadecimal:   Given::Named("0x7f.1")            => nothing(),                 Refused("loopback");
        loopback_in_octal:         Given::Named("0177.0.0.1")        => nothing(),                 Refused("loopback");
        loopback_v6:               Given::Named("[::1]")             => nothing(),                 Refused("host");
        loopback_v4_mapped:        Given::Named("[::ffff:127.0.0.1]") => nothing(),                Refused("host");
        loopback_v4_compatible:    Given::Named("[::127.0.0.1]")     => nothing(),                 Refused("host");
        loopback_by_nat64:         Given::Named("[64:ff9b::7f00:1]") => nothing(),                 Refused("loopback");
        loopback_by_6to4:          Given::Named("[2002:7f00:1::]")   => nothing(),                 Refused("loopback");
        loopback_with_a_zone:      Given::Named("[::1%25lo]")        => nothing(),                 Refused("url");
        link_local_with_a_zone:    Given::Named("[fe80::1%25eth0]")  => nothing(),                 Refused("url");
        unspecified_v4:            Given::Named("0.0.0.0")           => nothing(),                 Refused("host");
        unspecified_v6:            Given::Named("[::]")              => nothing(),                 Refused("host");
        metadata_v4:               Given::Named("169.254.169.254")   => nothing(),                 Refused("host");
        metadata_name:             Given::Named("metadata.google.internal")
                                                                     => nothing(),                 Refused("metadata_name");
    }
}

/// Names that the policy allows, and the addresses behind them: see [`crate::names`].
mod name {
    use super::*;

    table! {
        of_a_private_address:      Given::Named("private.example.com")    => blocked("private_10"),     Accepted;
        of_loopback:               Given::Named("here.example.com")       => blocked("loopback"),       Accepted;
        of_public_and_private:     Given::Named("both.example.com")       => blocked("private_192"),    Accepted;
        of_loopback_v6:            Given::Named("here6.example.com")      => blocked("loopback_v6"),    Accepted;
        of_loopback_v4_mapped:     Given::Named("mapped.example.com")     => blocked("loopback"),       Accepted;
        of_loopback_v4_compatible: Given::Named("compatible.example.com") => blocked("ipv4_compatible"),Accepted;
        of_loopback_by_nat64:      Given::Named("nat64.example.com")      => blocked("loopback"),       Accepted;
        of_loopback_by_6to4:       Given::Named("6to4.example.com")       => blocked("loopback"),       Accepted;
        of_link_local_v6:          Given::Named("link.example.com")       => blocked("link_local_v6"),  Accepted;
        of_metadata:               Given::Named("metadata.example.com")   => blocked("link_local"),     Accepted;
        of_metadata_in_the_route:  Given::Route("metadata.example.com")   => blocked("link_local"),     Accepted;
        of_loopback_in_the_route:  Given::Route("here.example.com")       => taken(200),                   Accepted;
    }
}
