//! Whose a prompt, a URI and a template is, over servers that list them, leave and come back.

use asyncmcp_protocol::RawValue;
use asyncmcp_protocol::listing::Page;
use asyncmcp_protocol::raw::raw;
use serde_json::json;

use super::*;
use crate::servers::Error;
use crate::servers::catalogue::defects::Defects;
use crate::servers::catalogue::fetch::List;
use crate::tests::route::config;

const ALL: Offers = Offers {
    prompts: true,
    resources: true,
    completions: true,
};

fn list(kind: Kind, result: &RawValue) -> Fetched {
    let mut page = Page::parse(kind, result).unwrap();
    let mut defects = Defects::of(kind);
    defects.add(&page);
    let list = List {
        entries: std::mem::take(&mut page.entries),
        ttl: None,
        is_private: false,
        defects,
    };
    (kind, Ok(list))
}

fn prompts(names: &[&str]) -> Fetched {
    let prompts: Vec<_> = names.iter().map(|name| json!({"name": name})).collect();
    list(Kind::Prompts, &raw(&json!({"prompts": prompts})))
}

fn resources(uris: &[&str]) -> Fetched {
    let resources: Vec<_> = uris.iter().map(|uri| json!({"uri": uri, "name": "n"})).collect();
    list(Kind::Resources, &raw(&json!({"resources": resources})))
}

fn templates(uris: &[&str]) -> Fetched {
    let templates: Vec<_> = uris
        .iter()
        .map(|uri| json!({"uriTemplate": uri, "name": "n"}))
        .collect();
    list(Kind::Templates, &raw(&json!({"resourceTemplates": templates})))
}

/// Servers `c`, `b` and `a`, of which `b` has a prefix.
fn route() -> Route {
    let servers = "servers:\n- {name: c, url: \"http://c\"}\n- {name: b, url: \"http://b\", toolPrefix: b_}\n- {name: a, \
                   url: \"http://a\"}";
    config(servers).route.clone()
}

fn owner(directory: &Directory, name: &str) -> Owner<(String, String)> {
    match directory.prompt(&sorted(&route()), name) {
        Owner::Known(prompt) => Owner::Known((prompt.server, prompt.name)),
        Owner::Nobody => Owner::Nobody,
        Owner::Unavailable(server) => Owner::Unavailable(server),
    }
}

#[test]
fn a_prompt_belongs_to_the_first_server_that_lists_it_and_stays_there() {
    let directory = Directory::default();
    assert_eq!(owner(&directory, "x"), Owner::Unavailable("a".into()));
    assert_eq!(directory.rivals(&sorted(&route()), "x"), ["a", "c"]);
    directory.listed("c", ALL, vec![prompts(&["x", "b_x"])]);
    assert_eq!(owner(&directory, "x"), Owner::Known(("c".into(), "x".into())));
    assert_eq!(
        directory.rivals(&sorted(&route()), "x"),
        ["a"],
        "it would have a better claim"
    );
    directory.listed("b", ALL, vec![prompts(&["x"])]);
    assert_eq!(owner(&directory, "b_x"), Owner::Known(("b".into(), "x".into())));
    directory.listed("a", ALL, vec![prompts(&["x"])]);
    assert_eq!(owner(&directory, "x"), Owner::Known(("a".into(), "x".into())));
    // A list that cannot be fetched stays; one that was fetched without the name does not.
    directory.listed("a", ALL, vec![(Kind::Prompts, Err(Error::Interrupted))]);
    assert_eq!(owner(&directory, "x"), Owner::Known(("a".into(), "x".into())));
    let complaint = directory.complaint(&route(), "a").unwrap();
    assert!(complaint.contains("prompts/list failed"), "{complaint}");
    directory.listed("a", ALL, vec![prompts(&[])]);
    assert_eq!(owner(&directory, "x"), Owner::Known(("c".into(), "x".into())));
    directory.listed("c", Offers::default(), vec![]);
    assert_eq!(owner(&directory, "x"), Owner::Nobody, "it offers none any more");
    assert_eq!(owner(&directory, "\u{7}"), Owner::Nobody);
}

#[test]
fn a_uri_is_read_by_who_lists_it_then_by_the_closest_template_then_by_the_others() {
    let directory = Directory::default();
    directory.listed(
        "a",
        ALL,
        vec![resources(&["x://1"]), templates(&["x://{+any}", "y://{id}"])],
    );
    directory.listed("b", ALL, vec![resources(&[]), templates(&["x://files/{id}"])]);
    let readers = |uri| {
        let readers = directory.readers(&route(), uri);
        (readers.named, readers.others, readers.unknown)
    };
    let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(readers("x://1"), (text(&["a"]), text(&["b"]), text(&["c"])));
    assert_eq!(
        readers("x://files/1"),
        (text(&["b", "a"]), text(&[]), text(&["c"]))
    );
    assert_eq!(readers("z://"), (text(&[]), text(&["a", "b"]), text(&["c"])));
    directory.listed("c", Offers::default(), vec![]);
    assert_eq!(readers("z://"), (text(&[]), text(&["a", "b"]), text(&[])));
    let owner = |kind, key| directory.owner(&sorted(&route()), kind, key);
    assert_eq!(owner(Kind::Templates, "x://files/{id}").as_deref(), Some("b"));
    assert_eq!(owner(Kind::Resources, "x://files/{id}"), None);
}

#[test]
fn what_is_kept_of_a_server_is_bounded() {
    let directory = Directory::default();
    let long: Vec<_> = (0..1000)
        .map(|n| format!("x://{n:04}/{}", "y".repeat(2000)))
        .collect();
    let long: Vec<_> = long.iter().map(String::as_str).collect();
    directory.listed("a", ALL, vec![resources(&long), templates(&long)]);
    let kept = |kind| {
        let has = |uri: &&&str| directory.owner(&sorted(&route()), kind, uri).is_some();
        long.iter().filter(has).count()
    };
    assert_eq!(kept(Kind::Resources), (1 << 20) / long[0].len());
    assert_eq!(kept(Kind::Templates), 256);
}

#[test]
fn a_server_that_left_the_route_is_forgotten() {
    let directory = Directory::default();
    directory.listed("a", ALL, vec![prompts(&["x"])]);
    directory.visited("b");
    assert!(directory.was_tried("a") && directory.was_tried("b"));
    directory.follow(&config("servers:\n- {name: b, url: \"http://b\"}").route);
    assert_eq!(directory.offers("a"), None);
    assert!(!directory.was_tried("a") && directory.was_tried("b"));
}
