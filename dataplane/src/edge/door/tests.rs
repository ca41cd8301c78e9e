//! One table per rule of the door.

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (
            http::HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )
    };
    pairs.iter().map(pair).collect()
}

/// Asks a door with these hostnames and origins about a Host and perhaps an Origin.
fn admits(door: (&[&str], &[&str], bool), host: &str, origin: Option<&str>) -> Result<(), Error> {
    let hostnames: Vec<_> = door.0.iter().copied().map(HostPattern::new).collect();
    let origins: Vec<_> = door.1.iter().copied().map(str::to_owned).collect();
    let mut map = headers(&[("host", host)]);
    if let Some(origin) = origin {
        map.insert(ORIGIN, HeaderValue::from_str(origin).unwrap());
    }
    let door = Door {
        path: "/mcp",
        hostnames: &hostnames,
        origins: &origins,
        loopback: door.2,
    };
    door.admit(&Uri::from_static("/mcp"), &map)
}

#[test]
fn host_is_loopback_on_a_loopback_listener_unless_names_are_listed() {
    let wild = (&["*.a.example"][..], &[][..], true);
    let (local, open, listed) = (
        (&[][..], &[][..], true),
        (&[][..], &[][..], false),
        (&["a.example", "::1"][..], &[][..], true),
    );
    for (door, host, fine) in [
        (local, "localhost:8080", true),
        (local, "LocalHost", true),
        (local, "127.0.0.1:1", true),
        (local, "127.9.9.9", true),
        (local, "[::1]:8080", true),
        (local, "evil.example", false),
        (local, "127.0.0.1.evil.example:80", false),
        (local, "", false),
        (local, "localhost:80@evil.example", false),
        (open, "anything.example", true),
        (listed, "A.example:8443", true),
        (listed, "[::1]:80", true),
        (listed, "localhost", false),
        (listed, "b.a.example", false),
        (wild, "b.a.example:443", true),
        (wild, "a.example", false),
    ] {
        let want = if fine {
            Ok(())
        } else {
            Err(Error::Host(host.into()))
        };
        assert_eq!(admits(door, host, None), want, "{host}");
    }
}

#[test]
fn origin_is_listed_or_the_hosts_own() {
    let (plain, listed) = (
        (&[][..], &[][..], false),
        (&["a.example"][..], &["https://app.example"][..], false),
    );
    for (door, host, origin, fine) in [
        (plain, "localhost:8080", "http://localhost:8080", true),
        (plain, "localhost:8080", "https://localhost:8080", true),
        (plain, "localhost:8080", "http://localhost:9999", false),
        (plain, "localhost:8080", "http://evil.example", false),
        (plain, "rebound.example", "http://rebound.example", false),
        (plain, "localhost:8080", "null", false),
        (listed, "a.example", "https://a.example", true),
        (listed, "a.example", "https://APP.example", true),
        (listed, "a.example", "https://app.example.evil.example", false),
        (listed, "a.example", "http://app.example", false),
    ] {
        let want = if fine {
            Ok(())
        } else {
            Err(Error::Origin(origin.into()))
        };
        assert_eq!(admits(door, host, Some(origin)), want, "{host} {origin}");
    }
}

#[test]
fn only_the_routes_own_path_is_served() {
    let door = Door {
        path: "/tools",
        hostnames: &[],
        origins: &[],
        loopback: false,
    };
    for own in ["/tools", "/tools/", "/tools?x=1"] {
        assert_eq!(door.admit(&Uri::from_static(own), &headers(&[])), Ok(()), "{own}");
    }
    for other in ["/", "/mcp", "/tools//", "//tools", "/tools/x", "/TOOLS"] {
        let refused = door.admit(&other.parse().unwrap(), &headers(&[]));
        assert_eq!(refused, Err(Error::Path("/tools".into())), "{other}");
    }
}

#[test]
fn a_post_takes_json_and_gives_what_the_client_accepts() {
    let both = "application/json, text/event-stream";
    let accept = Err(Error::Accept("application/json, text/event-stream or both"));
    let kinds = |json, stream| Ok(Kinds { json, stream });
    for (accepts, content, want) in [
        (both, "application/json", kinds(true, true)),
        (both, "Application/JSON; charset=utf-8", kinds(true, true)),
        ("application/json", "application/json", kinds(true, false)),
        ("text/event-stream", "application/json", kinds(false, true)),
        ("text/html", "application/json", accept),
        (both, "text/plain", Err(Error::ContentType)),
        (both, "application/json-seq", Err(Error::ContentType)),
    ] {
        let asked = headers(&[("accept", accepts), ("content-type", content)]);
        assert_eq!(post(&asked), want, "{accepts} {content}");
    }
    assert_eq!(
        post(&headers(&[("content-type", "application/json")])),
        kinds(true, true)
    );
    assert_eq!(post(&headers(&[("accept", both)])), Err(Error::ContentType));
    assert_eq!(
        get(&headers(&[("accept", "application/json")])),
        Err(Error::Accept("text/event-stream"))
    );
    for accepts in ["text/event-stream", "*/*", ""] {
        assert_eq!(get(&headers(&[("accept", accepts)])), Ok(()), "{accepts}");
    }
}

/// A body without an announced length, in pieces of one byte.
fn pieces(count: usize) -> Body {
    Body::from_stream(futures::stream::iter(
        (0..count).map(|_| Ok::<_, std::io::Error>(&b"x"[..])),
    ))
}

#[tokio::test]
async fn a_body_is_cut_at_its_limit_while_it_is_read() {
    let none = HeaderMap::new();
    assert_eq!(read(&none, pieces(10), 10).await.unwrap().len(), 10);
    assert_eq!(
        read(&none, pieces(11), 10).await,
        Err(Error::TooLarge { limit: 10 })
    );
    let endless = Body::from_stream(futures::stream::repeat_with(|| {
        Ok::<_, std::io::Error>(&b"xxxx"[..])
    }));
    assert_eq!(read(&none, endless, 10).await, Err(Error::TooLarge { limit: 10 }));
    let announced = headers(&[("content-length", "11")]);
    assert_eq!(
        read(&announced, Body::empty(), 10).await,
        Err(Error::TooLarge { limit: 10 })
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let stuck = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(read(&HeaderMap::new(), stuck, 10).await, Err(Error::Slow));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_body() {
    let broken = Body::from_stream(futures::stream::iter([Err::<Bytes, _>(std::io::Error::other(
        "reset",
    ))]));
    assert_eq!(read(&HeaderMap::new(), broken, 10).await, Err(Error::Broken));
}
