//! The whole list of what no webhook goes to unasked, a test per row, as a client's receiver meets it.
//!
//! Rows are ranges, single addresses and names. Each range is asked for by its first and last address and one of its known
//! tenants, once as a literal in a URL and once as what a name resolves to. Invariant: nothing here passes because of
//! another row, since each row names its rule.

use super::*;

/// A route whose clients may name any host there is: only the address rules are left.
fn any_host(host: &str) -> Rules {
    https(&["*.example", host])
}

fn url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("https://{address}/"),
        IpAddr::V6(address) => format!("https://[{address}]/"),
    }
}

/// `addresses` are refused to clients by `rule`, as literals and behind names; the route's author may use them unless they
/// are `never` opened, and then nobody may.
fn refused(never: bool, rule_name: &str, addresses: &[&str]) {
    let everything = egress(&[], &["0.0.0.0/0", "::/0"], &[Scheme::Https]);
    for text in addresses {
        let address: IpAddr = text.parse().unwrap();
        let egress = any_host(text);
        assert_eq!(asked(&egress, &url(address)), rule_name, "{text} in a URL");
        let resolved = rule(egress.check_address(NamedBy::Call, address));
        assert_eq!(resolved, rule_name, "{text} behind a name");
        let author = rule(egress.check_address(NamedBy::Default, address));
        let opened = rule(everything.check_address(NamedBy::Session, address));
        let expected = if never { rule_name } else { "allowed" };
        assert_eq!((author, opened), (expected, expected), "{text}, opened");
    }
}

macro_rules! addresses {
    ($($name:ident $never:ident $rule:literal: $($address:literal)+;)*) => {$(
        #[test] fn $name() { refused(addresses!(@ $never), $rule, &[$($address),+]); }
    )*};
    (@ never) => { true };
    (@ blocked) => { false };
}

mod v4 {
    use super::*;

    addresses! {
        this_network blocked "this_network": "0.0.0.0" "0.0.0.1" "0.255.255.255";
        private_10 blocked "private_10": "10.0.0.0" "10.96.0.1" "10.255.255.255";
        carrier_grade_nat blocked "shared": "100.64.0.0" "100.100.100.199" "100.127.255.255";
        alibaba_metadata never "metadata_alibaba": "100.100.100.200";
        loopback blocked "loopback": "127.0.0.0" "127.0.0.1" "127.255.255.255";
        link_local never "link_local": "169.254.0.0" "169.254.255.255";
        cloud_metadata never "link_local": "169.254.169.254";
        ecs_credentials never "link_local": "169.254.170.2";
        eks_pod_identity never "link_local": "169.254.170.23";
        node_local_dns never "link_local": "169.254.20.10";
        private_172 blocked "private_172": "172.16.0.0" "172.17.0.1" "172.31.255.255";
        ietf_protocol blocked "ietf_protocol": "192.0.0.0" "192.0.0.171" "192.0.0.255";
        oracle_metadata never "metadata_oracle": "192.0.0.192";
        documentation_1 blocked "documentation_1": "192.0.2.0" "192.0.2.255";
        as112 blocked "as112": "192.31.196.0" "192.31.196.255";
        amt blocked "amt": "192.52.193.0" "192.52.193.255";
        relay_6to4 blocked "relay_6to4": "192.88.99.0" "192.88.99.255";
        private_192 blocked "private_192": "192.168.0.0" "192.168.1.1" "192.168.255.255";
        as112_delegation blocked "as112_delegation": "192.175.48.0" "192.175.48.255";
        benchmarking blocked "benchmarking": "198.18.0.0" "198.19.255.255";
        documentation_2 blocked "documentation_2": "198.51.100.0" "198.51.100.255";
        documentation_3 blocked "documentation_3": "203.0.113.0" "203.0.113.255";
        multicast blocked "multicast": "224.0.0.0" "224.0.0.251" "239.255.255.255";
        reserved blocked "reserved": "240.0.0.0" "255.255.255.254";
        broadcast blocked "broadcast": "255.255.255.255";
        azure_wire_server never "metadata_azure": "168.63.129.16";
    }
}

mod v6 {
    use super::*;

    addresses! {
        unspecified blocked "unspecified_v6": "::";
        loopback blocked "loopback_v6": "::1";
        v4_compatible blocked "ipv4_compatible": "::2" "::7f00:1" "::ffff:ffff";
        v4_mapped_loopback blocked "loopback": "::ffff:127.0.0.1" "::ffff:7f00:1";
        v4_mapped_private blocked "private_10": "::ffff:10.0.0.1";
        v4_mapped_metadata never "link_local": "::ffff:169.254.169.254" "::ffff:a9fe:a9fe";
        nat64 blocked "nat64": "64:ff9b::" "64:ff9b::7f00:1" "64:ff9b::ffff:ffff";
        nat64_local blocked "nat64_local": "64:ff9b:1::" "64:ff9b:1::7f00:1" "64:ff9b:1:ffff:ffff:ffff:ffff:ffff";
        discard blocked "discard": "100::" "100::ffff:ffff:ffff:ffff";
        ietf_protocol blocked "ietf_protocol_v6": "2001:1::1" "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff";
        teredo blocked "teredo": "2001::" "2001::1" "2001:0:ffff:ffff:ffff:ffff:ffff:ffff";
        benchmarking blocked "ietf_protocol_v6": "2001:2::" "2001:2:0:ffff:ffff:ffff:ffff:ffff";
        orchid blocked "ietf_protocol_v6": "2001:10::" "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff";
        orchid_2 blocked "ietf_protocol_v6": "2001:20::" "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff";
        documentation blocked "documentation_v6": "2001:db8::" "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff";
        tunnel_6to4 blocked "tunnel_6to4": "2002::" "2002:7f00:1::" "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        documentation_2 blocked "documentation_v6_2": "3fff::" "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff";
        segment_routing blocked "segment_routing": "5f00::" "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        as112 blocked "as112_v6": "2620:4f:8000::" "2620:4f:8000::1" "2620:4f:8000:ffff:ffff:ffff:ffff:ffff";
        siit blocked "not_global_v6": "::ffff:0:127.0.0.1" "::ffff:0:8.8.8.8";
        dummy_prefix blocked "not_global_v6": "100:0:0:1::" "100:0:0:1::1";
        unassigned blocked "not_global_v6": "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" "4000::" "4000::1" "e000::1";
        unique_local blocked "unique_local": "fc00::" "fd00::1" "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        aws_metadata never "metadata_aws": "fd00:ec2::254";
        google_metadata never "metadata_google": "fd20:ce::254";
        link_local never "link_local_v6": "fe80::" "fe80::a9fe:a9fe" "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        site_local blocked "site_local": "fec0::" "fec0::1" "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        multicast blocked "multicast_v6": "ff00::" "ff02::1" "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    }

    #[test]
    fn metadata_behind_a_translated_address_is_opened_to_nobody() {
        let everything = egress(&[], &["::/0"], &[Scheme::Https]);
        let address = "::ffff:0:169.254.169.254".parse().unwrap();
        for named_by in [NamedBy::Call, NamedBy::Default] {
            assert_eq!(rule(everything.check_address(named_by, address)), "link_local");
        }
    }

    #[test]
    fn zone_ids_are_no_part_of_a_url() {
        for host in ["[fe80::1%25eth0]", "[fe80::1%eth0]", "[::1%25lo]", "[::1%lo]"] {
            assert_eq!(asked(&https(&[]), &format!("https://{host}/")), "url", "{host}");
            assert_eq!(authored(&format!("https://{host}/")), "url", "{host}");
        }
    }
}

/// Names, on a route whose wildcards cover them all.
mod name {
    use super::*;

    fn refused(rule_name: &str, name: &str) {
        let bare = name.trim_end_matches('.');
        let below = format!("*.{}", bare.rsplit_once('.').map_or(bare, |(_, last)| last));
        assert_eq!(
            asked(&https(&[&below]), &format!("https://{name}/")),
            rule_name,
            "{name}"
        );
    }

    macro_rules! names {
        ($($test:ident $rule:literal: $name:literal;)*) => {$( #[test] fn $test() { refused($rule, $name); } )*};
    }

    names! {
        below_localhost "name_localhost": "x.localhost";
        below_local "name_local": "printer.local";
        below_internal "name_internal": "db.internal";
        below_svc "name_svc": "api.tools.svc";
        below_cluster_local "name_cluster": "api.tools.svc.cluster.local";
        google_metadata "metadata_name": "metadata.google.internal";
        google_metadata_in_capitals "metadata_name": "METADATA.Google.Internal";
        google_metadata_absolute "metadata_name": "metadata.google.internal.";
    }

    #[test]
    fn localhost_and_single_labels_need_an_entry_of_their_own() {
        for name in ["localhost", "receiver"] {
            assert_eq!(
                asked(&https(&["*.example"]), &format!("https://{name}/")),
                "host",
                "{name}"
            );
        }
        let single = check_name(&Host::Domain("receiver".to_owned()));
        assert_eq!(rule(single), "name_single_label");
        let localhost = check_name(&Host::Domain("localhost".to_owned()));
        assert_eq!(rule(localhost), "name_localhost");
    }
}

/// The rules of the policy's tables that a row above names, all of them.
#[test]
fn every_rule_of_the_tables_has_a_row() {
    let rows = include_str!("addresses.rs");
    for row in table::NEVER.iter().chain(table::BLOCKED) {
        let [never, blocked] = ["never", "blocked"].map(|kind| format!(" {kind} \"{}\":", row.rule));
        assert!(rows.contains(&never) || rows.contains(&blocked), "{}", row.rule);
    }
}
