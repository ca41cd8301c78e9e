//! The address ranges that are not allowed by default, row by row.
//!
//! [`super::Rules`] reads them; a row's name is the `rule` label of
//! `asyncmcp_egress_blocked_total`. Sources: the IANA special-purpose registries
//! (RFC 6890 and its updates) and the metadata services of the large clouds.
//! Invariant: nothing allows [`NEVER`]; only `allowedCidrs` allows [`BLOCKED`] to clients, and the route
//! author's own receiver may be there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// One row: a range and the name of the rule that blocks it.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// The addresses.
    pub net: IpNet,
    /// The rule's name.
    pub rule: &'static str,
}

const fn v4(rule: &'static str, [a, b, c, d]: [u8; 4], length: u8) -> Range {
    let net = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), length));
    Range { net, rule }
}

const fn v6(rule: &'static str, bits: u128, length: u8) -> Range {
    let net = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::from_bits(bits), length));
    Range { net, rule }
}

/// Link-local and metadata addresses. Two of them lie in ranges that a cluster may well
/// open (`fd00::/8`), two look public.
pub const NEVER: &[Range] = &[
    v4("link_local", [169, 254, 0, 0], 16),
    v6("link_local_v6", 0xfe80_0000_0000_0000_0000_0000_0000_0000, 10),
    v4("metadata_alibaba", [100, 100, 100, 200], 32),
    v4("metadata_azure", [168, 63, 129, 16], 32),
    v4("metadata_oracle", [192, 0, 0, 192], 32),
    v6("metadata_aws", 0xfd00_0ec2_0000_0000_0000_0000_0000_0254, 128),
    v6("metadata_google", 0xfd20_00ce_0000_0000_0000_0000_0000_0254, 128),
];

/// Everything else that is not the public internet. A narrower row stands before a wider one.
pub const BLOCKED: &[Range] = &[
    v4("this_network", [0, 0, 0, 0], 8),
    v4("private_10", [10, 0, 0, 0], 8),
    v4("shared", [100, 64, 0, 0], 10),
    v4("loopback", [127, 0, 0, 0], 8),
    v4("private_172", [172, 16, 0, 0], 12),
    v4("ietf_protocol", [192, 0, 0, 0], 24),
    v4("documentation_1", [192, 0, 2, 0], 24),
    v4("as112", [192, 31, 196, 0], 24),
    v4("amt", [192, 52, 193, 0], 24),
    v4("relay_6to4", [192, 88, 99, 0], 24),
    v4("private_192", [192, 168, 0, 0], 16),
    v4("as112_delegation", [192, 175, 48, 0], 24),
    v4("benchmarking", [198, 18, 0, 0], 15),
    v4("documentation_2", [198, 51, 100, 0], 24),
    v4("documentation_3", [203, 0, 113, 0], 24),
    v4("multicast", [224, 0, 0, 0], 4),
    v4("broadcast", [255, 255, 255, 255], 32),
    v4("reserved", [240, 0, 0, 0], 4),
    v6("unspecified_v6", 0, 128),
    v6("loopback_v6", 1, 128),
    v6("ipv4_compatible", 0, 96),
    v6("nat64", 0x0064_ff9b_0000_0000_0000_0000_0000_0000, 96),
    v6("nat64_local", 0x0064_ff9b_0001_0000_0000_0000_0000_0000, 48),
    v6("discard", 0x0100_0000_0000_0000_0000_0000_0000_0000, 64),
    v6("teredo", 0x2001_0000_0000_0000_0000_0000_0000_0000, 32),
    v6("ietf_protocol_v6", 0x2001_0000_0000_0000_0000_0000_0000_0000, 23),
    v6("documentation_v6", 0x2001_0db8_0000_0000_0000_0000_0000_0000, 32),
    v6("tunnel_6to4", 0x2002_0000_0000_0000_0000_0000_0000_0000, 16),
    v6("as112_v6", 0x2620_004f_8000_0000_0000_0000_0000_0000, 48),
    v6(
        "documentation_v6_2",
        0x3fff_0000_0000_0000_0000_0000_0000_0000,
        20,
    ),
    v6("segment_routing", 0x5f00_0000_0000_0000_0000_0000_0000_0000, 16),
    v6("unique_local", 0xfc00_0000_0000_0000_0000_0000_0000_0000, 7),
    v6("site_local", 0xfec0_0000_0000_0000_0000_0000_0000_0000, 10),
    v6("multicast_v6", 0xff00_0000_0000_0000_0000_0000_0000_0000, 8),
];

/// The only IPv6 addresses that are assigned to the public internet (RFC 4291, IANA "IPv6 Global Unicast"): what is
/// neither in here nor in a row above is reserved, and nobody knows what a network does with it.
pub const GLOBAL_V6: Range = v6("not_global_v6", 0x2000_0000_0000_0000_0000_0000_0000_0000, 3);

/// The first rule of `ranges` that matches `address`.
pub fn rule(ranges: &'static [Range], address: IpAddr) -> Option<&'static str> {
    let row = ranges.iter().find(|row| row.net.contains(&address))?;
    Some(row.rule)
}

/// The IPv4 addresses that a packet to `address` may reach: NAT64 (RFC 6052, RFC 8215: both
/// places where a translator may look), 6to4 (RFC 3056), Teredo (RFC 4380: the server, and the
/// client with its bits turned), IPv4-translated (SIIT, RFC 2765) and IPv4-compatible addresses.
pub fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let mut inner = match address.segments() {
        _ if address.is_loopback() => Vec::new(),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0, 0, 0, 0, 0 | 0xffff, 0, high, low]
        | [0x2002, high, low, ..] => {
            vec![joined(high, low)]
        }
        [0x64, 0xff9b, 1, .., high, low] => vec![joined(high, low), rfc6052_48(address)],
        [0x2001, 0, high, low, .., far_high, far_low] => {
            vec![joined(high, low), joined(!far_high, !far_low)]
        }
        _ => Vec::new(),
    };
    inner.retain(|address| !address.is_unspecified()); // the place that is not in use
    inner
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))
}

/// RFC 6052 §2.2: with a 48-bit prefix the address goes around the eighth octet.
fn rfc6052_48(address: Ipv6Addr) -> Ipv4Addr {
    let octets = address.octets();
    Ipv4Addr::new(octets[6], octets[7], octets[9], octets[10])
}

#[cfg(test)]
mod tests;
