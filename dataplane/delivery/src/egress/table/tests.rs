//! Each row by its first and last address and its neighbours, written out here once more.

use std::net::{IpAddr, Ipv4Addr};

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// This row blocks `first` to `last` under `name`, and not the addresses before and after.
fn row(ranges: &'static [Range], name: &str, first: &str, last: &str) {
    let row = ranges.iter().find(|row| row.rule == name).expect(name);
    assert_eq!(row.net.network(), address(first), "{name}");
    assert_eq!(last_of(&row.net), address(last), "{name}");
    assert!(rule(ranges, address(first)).is_some() && rule(ranges, address(last)).is_some());
    for outside in [step(address(first), false), step(address(last), true)]
        .into_iter()
        .flatten()
    {
        assert!(!row.net.contains(&outside), "{name} holds {outside}");
    }
}

/// An IPv6 range "ends" at its broadcast address too.
fn last_of(net: &IpNet) -> IpAddr {
    net.broadcast()
}

fn step(address: IpAddr, up: bool) -> Option<IpAddr> {
    fn by<T>(up: bool, plus: Option<T>, minus: Option<T>) -> Option<T> {
        if up { plus } else { minus }
    }
    match address {
        IpAddr::V4(v4) => by(up, v4.to_bits().checked_add(1), v4.to_bits().checked_sub(1))
            .map(|bits| Ipv4Addr::from_bits(bits).into()),
        IpAddr::V6(v6) => by(up, v6.to_bits().checked_add(1), v6.to_bits().checked_sub(1))
            .map(|bits| Ipv6Addr::from_bits(bits).into()),
    }
}

/// One test per row, and a list of the rows that were tested.
macro_rules! rows {
    ($ranges:ident, $tested:ident: $($name:ident $first:literal $last:literal)*) => {
        $(#[test] fn $name() { row($ranges, stringify!($name), $first, $last); })*
        const $tested: &[&str] = &[$(stringify!($name)),*];
    };
}

mod never {
    use super::*;

    rows! { NEVER, TESTED:
        link_local "169.254.0.0" "169.254.255.255"
        link_local_v6 "fe80::" "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        metadata_alibaba "100.100.100.200" "100.100.100.200"
        metadata_azure "168.63.129.16" "168.63.129.16"
        metadata_oracle "192.0.0.192" "192.0.0.192"
        metadata_aws "fd00:ec2::254" "fd00:ec2::254"
        metadata_google "fd20:ce::254" "fd20:ce::254"
    }

    #[test]
    fn every_row_is_tested() {
        assert_eq!(TESTED, NEVER.iter().map(|row| row.rule).collect::<Vec<_>>());
    }
}

mod blocked {
    use super::*;

    rows! { BLOCKED, TESTED:
        this_network "0.0.0.0" "0.255.255.255"
        private_10 "10.0.0.0" "10.255.255.255"
        shared "100.64.0.0" "100.127.255.255"
        loopback "127.0.0.0" "127.255.255.255"
        private_172 "172.16.0.0" "172.31.255.255"
        ietf_protocol "192.0.0.0" "192.0.0.255"
        documentation_1 "192.0.2.0" "192.0.2.255"
        as112 "192.31.196.0" "192.31.196.255"
        amt "192.52.193.0" "192.52.193.255"
        relay_6to4 "192.88.99.0" "192.88.99.255"
        private_192 "192.168.0.0" "192.168.255.255"
        as112_delegation "192.175.48.0" "192.175.48.255"
        benchmarking "198.18.0.0" "198.19.255.255"
        documentation_2 "198.51.100.0" "198.51.100.255"
        documentation_3 "203.0.113.0" "203.0.113.255"
        multicast "224.0.0.0" "239.255.255.255"
        broadcast "255.255.255.255" "255.255.255.255"
        reserved "240.0.0.0" "255.255.255.255"
        unspecified_v6 "::" "::"
        loopback_v6 "::1" "::1"
        ipv4_compatible "::" "::ffff:ffff"
        nat64 "64:ff9b::" "64:ff9b::ffff:ffff"
        nat64_local "64:ff9b:1::" "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"
        discard "100::" "100::ffff:ffff:ffff:ffff"
        teredo "2001::" "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"
        ietf_protocol_v6 "2001::" "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"
        documentation_v6 "2001:db8::" "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"
        tunnel_6to4 "2002::" "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        as112_v6 "2620:4f:8000::" "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"
        documentation_v6_2 "3fff::" "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"
        segment_routing "5f00::" "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        unique_local "fc00::" "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        site_local "fec0::" "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
        multicast_v6 "ff00::" "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    }

    #[test]
    fn every_row_is_tested() {
        assert_eq!(TESTED, BLOCKED.iter().map(|row| row.rule).collect::<Vec<_>>());
    }
}

#[test]
fn a_narrower_row_names_its_rule() {
    assert_eq!(rule(BLOCKED, address("255.255.255.255")), Some("broadcast"));
    assert_eq!(rule(BLOCKED, address("::1")), Some("loopback_v6"));
    assert_eq!(rule(BLOCKED, address("2001::1")), Some("teredo"));
    assert_eq!(rule(BLOCKED, address("2001:2::1")), Some("ietf_protocol_v6"));
}

#[test]
fn public_addresses_are_in_no_row() {
    for public in [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "2606:4700::1111",
        "2a00:1450::5",
    ] {
        assert_eq!(rule(NEVER, address(public)), None, "{public}");
        assert_eq!(rule(BLOCKED, address(public)), None, "{public}");
    }
}

#[test]
fn finds_the_address_behind_every_kind_of_tunnel() {
    let metadata = Ipv4Addr::new(169, 254, 169, 254);
    for tunnel in [
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1:a9fe:a9:fe00::",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "2001:0:101:101::5601:5601",
        "::a9fe:a9fe",
        "::ffff:0:a9fe:a9fe",
    ] {
        let inner = embedded(tunnel.parse().unwrap());
        assert!(inner.contains(&metadata), "{tunnel}: {inner:?}");
    }
    for plain in ["::", "::1", "2606:4700::1111", "fd00::1"] {
        assert_eq!(
            embedded(plain.parse().unwrap()),
            Vec::<Ipv4Addr>::new(),
            "{plain}"
        );
    }
}
