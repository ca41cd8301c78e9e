//! The policy over URLs and addresses, as a route would configure it.

mod addresses;

use super::*;

fn egress(hosts: &[&str], cidrs: &[&str], schemes: &[Scheme]) -> Rules {
    Rules {
        from_clients: FromClients {
            policy: ClientPolicy::Allowlist,
            hosts: hosts.iter().map(|host| host.parse().unwrap()).collect(),
            cidrs: cidrs.iter().map(|cidr| cidr.parse().unwrap()).collect(),
            schemes: schemes.to_vec(),
        },
    }
}

fn https(hosts: &[&str]) -> Rules {
    egress(hosts, &[], &[Scheme::Https])
}

/// The rule that refuses `url` to a client, or "allowed".
fn asked(egress: &Rules, url: &str) -> &'static str {
    rule(egress.check_url(NamedBy::Session, url))
}

/// The rule that refuses `url` to the route's author, or "allowed".
fn authored(url: &str) -> &'static str {
    rule(https(&[]).check_url(NamedBy::Default, url))
}

fn rule<T>(checked: Result<T, Refusal>) -> &'static str {
    checked.map_or_else(Refusal::rule, |_| "allowed")
}

#[test]
fn a_host_is_allowed_exactly_or_below_a_wildcard_at_any_depth() {
    let egress = https(&["hooks.example.com", "*.example.org"]);
    for (url, expected) in [
        ("https://hooks.example.com/x", "allowed"),
        ("https://a.example.org/", "allowed"),
        ("https://a.b.c.example.org:8443/", "allowed"),
        ("https://example.org/", "host"),
        ("https://notexample.org/", "host"),
        ("https://x.hooks.example.com/", "host"),
        ("https://example.org.evil.net/", "host"),
    ] {
        assert_eq!(asked(&egress, url), expected, "{url}");
    }
}

#[test]
fn spelling_makes_no_difference() {
    let egress = https(&["Hooks.EXAMPLE.com.", "bücher.example"]);
    for url in [
        "https://hooks.example.com./",
        "HTTPS://HOOKS.EXAMPLE.COM/",
        "https://hooks.example%2Ecom/",
        "https://xn--bcher-kva.example/",
        "https://BÜCHER.example/",
    ] {
        assert_eq!(asked(&egress, url), "allowed", "{url}");
    }
}

#[test]
fn only_listed_schemes_pass_and_never_another_than_http() {
    let both = egress(&["a.example"], &[], &[Scheme::Http, Scheme::Https]);
    assert_eq!(asked(&https(&["a.example"]), "http://a.example/"), "scheme");
    assert_eq!(asked(&both, "http://a.example/"), "allowed");
    for url in [
        "ftp://a.example/",
        "file:///etc/passwd",
        "gopher://a.example/",
        "data:,x",
    ] {
        assert_eq!(asked(&both, url), "scheme", "{url}");
        assert_eq!(authored(url), "scheme", "{url}");
    }
}

#[test]
fn what_is_no_url_or_carries_credentials_is_refused() {
    let egress = https(&["a.example"]);
    for url in [
        "",
        "a.example",
        "/hook",
        "https://",
        "https:///x",
        "https://[::1",
        "https://a b/",
    ] {
        assert!(
            matches!(asked(&egress, url), "url" | "host"),
            "{url}: {}",
            asked(&egress, url)
        );
    }
    for url in [
        "https://u@a.example/",
        "https://u:p@a.example/",
        "https://:p@a.example/",
    ] {
        assert_eq!(asked(&egress, url), "userinfo", "{url}");
        assert_eq!(authored(url), "userinfo", "{url}");
    }
}

#[test]
fn deny_refuses_every_receiver_that_a_client_names() {
    let mut egress = https(&["a.example"]);
    egress.from_clients.policy = ClientPolicy::Deny;
    assert_eq!(asked(&egress, "https://a.example/"), "policy");
    assert_eq!(
        rule(egress.check_url(NamedBy::Default, "https://a.example/")),
        "allowed"
    );
}

#[test]
fn any_allows_every_public_receiver_and_nothing_else() {
    let mut egress = egress(&["localhost"], &["10.0.0.0/8"], &[Scheme::Https]);
    egress.from_clients.policy = ClientPolicy::Any;
    for (url, expected) in [
        ("https://hooks.example.com/", "allowed"),
        ("https://93.184.215.14/", "allowed"),
        ("https://10.1.2.3/", "allowed"),
        ("https://localhost/", "allowed"),
        ("http://hooks.example.com/", "scheme"),
        ("https://printer.local/", "name_local"),
        ("https://tools.default.svc/", "name_svc"),
        ("https://intranet/", "name_single_label"),
    ] {
        assert_eq!(asked(&egress, url), expected, "{url}");
    }
    for url in [
        "https://192.168.0.1/",
        "https://127.0.0.1/",
        "https://169.254.169.254/",
        "https://[::1]/",
    ] {
        assert_ne!(asked(&egress, url), "allowed", "{url}");
    }
    let private = egress.check_address(NamedBy::Session, "192.168.0.1".parse().unwrap());
    assert!(private.is_err(), "a public name that leads to a private address");
}

#[test]
fn local_names_need_an_entry_of_their_own() {
    let wide = https(&["*.local", "*.internal", "*.svc", "*.cluster.local", "*.localhost"]);
    for (url, expected) in [
        ("https://printer.local/", "name_local"),
        ("https://db.internal/", "name_internal"),
        ("https://api.prod.svc/", "name_svc"),
        ("https://api.prod.svc.cluster.local/", "name_cluster"),
        ("https://x.localhost/", "name_localhost"),
    ] {
        assert_eq!(asked(&wide, url), expected, "{url}");
    }
    for host in [
        "localhost",
        "api.prod.svc",
        "api.prod.svc.cluster.local",
        "receiver",
    ] {
        let url = format!("https://{host}/");
        assert_eq!(asked(&https(&["a.example"]), &url), "host", "{url}");
        assert_eq!(asked(&https(&[host]), &url), "allowed", "{url}");
        assert_eq!(authored(&url), "allowed", "{url}");
    }
}

#[test]
fn the_metadata_name_is_opened_by_nothing() {
    let egress = https(&["metadata.google.internal"]);
    for url in [
        "https://metadata.google.internal/",
        "https://METADATA.google.internal./x",
    ] {
        assert_eq!(asked(&egress, url), "metadata_name", "{url}");
        assert_eq!(authored(url), "metadata_name", "{url}");
    }
}

#[test]
fn an_address_may_lie_in_allowed_cidrs_instead_of_hosts() {
    let egress = egress(
        &[],
        &["10.1.0.0/16", "fd00:1::/32", "1.1.1.0/24"],
        &[Scheme::Https],
    );
    for (url, expected) in [
        ("https://10.1.2.3/", "allowed"),
        ("https://[fd00:1::5]/", "allowed"),
        ("https://[::ffff:10.1.2.3]/", "allowed"),
        ("https://1.1.1.1/", "allowed"),
        ("https://10.2.0.1/", "host"),
        ("https://8.8.8.8/", "host"),
    ] {
        assert_eq!(asked(&egress, url), expected, "{url}");
    }
}

#[test]
fn an_exact_host_entry_opens_no_private_address() {
    assert_eq!(asked(&https(&["8.8.8.8"]), "https://8.8.8.8/"), "allowed");
    let egress = https(&["127.0.0.1", "::1", "10.0.0.1"]);
    for (url, expected) in [
        ("https://127.0.0.1/", "loopback"),
        ("https://[::1]/", "loopback_v6"),
        ("https://10.0.0.1/", "private_10"),
    ] {
        assert_eq!(asked(&egress, url), expected, "{url}");
    }
}

#[test]
fn other_spellings_of_an_address_are_that_address() {
    let egress = https(&["127.0.0.1"]);
    for url in [
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://①②⑦.0.0.1/",
    ] {
        assert_eq!(asked(&egress, url), "loopback", "{url}");
    }
}

#[test]
fn a_laptop_opens_loopback_by_name_and_range() {
    let hosts = ["localhost", "127.0.0.1"];
    let egress = egress(&hosts, &["127.0.0.0/8", "::1/128"], &[Scheme::Http]);
    for url in [
        "http://localhost:8001/webhook",
        "http://127.0.0.1:8001/",
        "http://[::1]:1/",
    ] {
        assert_eq!(asked(&egress, url), "allowed", "{url}");
    }
}

#[test]
fn no_policy_opens_metadata_addresses() {
    let open = egress(
        &["*.example"],
        &["0.0.0.0/0", "::/0"],
        &[Scheme::Https, Scheme::Http],
    );
    for (host, expected) in [
        ("169.254.169.254", "link_local"),
        ("169.254.170.2", "link_local"),
        ("[fe80::1]", "link_local_v6"),
        ("100.100.100.200", "metadata_alibaba"),
        ("168.63.129.16", "metadata_azure"),
        ("192.0.0.192", "metadata_oracle"),
        ("[fd00:ec2::254]", "metadata_aws"),
        ("[fd20:ce::254]", "metadata_google"),
        ("[::ffff:169.254.169.254]", "link_local"),
        ("[64:ff9b::a9fe:a9fe]", "link_local"),
        ("[2002:a9fe:a9fe::]", "link_local"),
    ] {
        let url = format!("http://{host}/latest/meta-data");
        assert_eq!(asked(&open, &url), expected, "{url}");
        assert_eq!(authored(&url), expected, "{url}");
    }
}

#[test]
fn the_authors_receiver_may_be_private() {
    for url in [
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "https://10.0.0.1/",
        "http://[fd00::1]/",
    ] {
        assert_eq!(authored(url), "allowed", "{url}");
    }
}

#[test]
fn an_opened_tunnel_leads_only_where_its_end_may_be_dialled() {
    let egress = egress(&[], &["64:ff9b::/96"], &[Scheme::Https]);
    assert_eq!(asked(&egress, "https://[64:ff9b::808:808]/"), "allowed");
    assert_eq!(asked(&egress, "https://[64:ff9b::a00:1]/"), "private_10");
    assert_eq!(asked(&egress, "https://[2002:808:808::]/"), "host");
    let address = "2002:808:808::".parse().unwrap();
    assert_eq!(
        rule(egress.check_address(NamedBy::Session, address)),
        "tunnel_6to4"
    );
}

#[test]
fn a_refusal_says_what_to_change() {
    let refusal = https(&[])
        .check_url(NamedBy::Session, "https://a.example/")
        .unwrap_err();
    assert!(
        refusal
            .to_string()
            .contains("webhook.receivers.fromClients.allowedHosts")
    );
    let refusal = https(&["10.0.0.1"])
        .check_url(NamedBy::Session, "https://10.0.0.1/")
        .unwrap_err();
    assert!(refusal.to_string().contains("private_10"));
}

#[test]
fn every_rule_has_one_name() {
    let rules: Vec<_> = Rules::names().collect();
    let distinct: std::collections::BTreeSet<_> = rules.iter().collect();
    assert_eq!(rules.len(), distinct.len());
    assert!(rules.contains(&"link_local") && rules.contains(&"loopback") && rules.contains(&"scheme"));
}

#[test]
fn refuses_patterns_that_are_no_hosts() {
    for pattern in [
        "",
        "*",
        "*.",
        "*.10.0.0.1",
        "a b",
        "https://a.example",
        "a.example/x",
        "x.*.example",
    ] {
        let parsed = pattern.parse::<HostPattern>();
        assert!(parsed.is_err(), "{pattern}: {parsed:?}");
    }
}
