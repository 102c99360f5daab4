//! Addresses as failures are counted against them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// One IPv4 address, or the /64 of an IPv6 address: what one subscriber gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address; an IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)))
            }
            other => other,
        })
    }

    /// Whether it may stand for many: a proxy, a tunnel, a neighbour. Such an address is never banned.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self.0 {
            // 100.64.0.0/10 (RFC 6598) is where carriers and overlay networks put their own.
            IpAddr::V4(v4) => {
                let shared = v4.octets().first() == Some(&100)
                    && v4.octets().get(1).is_some_and(|second| second & 0xc0 == 0x40);
                v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified() || shared
            }
            IpAddr::V6(v6) => {
                v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local()
            }
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(v6) if !v6.is_loopback() => write!(f, "{v6}/64"),
            other => write!(f, "{other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap())
    }

    #[test]
    fn an_ipv6_address_counts_by_its_64_and_a_mapped_one_as_ipv4() {
        assert_eq!(network("2001:db8:1:2:3::4").to_string(), "2001:db8:1:2::/64");
        assert_eq!(network("2001:db8:1:2::"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_eq!(network("::1").to_string(), "::1");
    }

    #[test]
    fn local_addresses_are_told_from_public_ones() {
        for local in
            ["127.0.0.1", "10.1.2.3", "192.168.0.1", "169.254.1.1", "100.64.0.1", "::1", "fd00::1", "fe80::1"]
        {
            assert!(network(local).is_local(), "{local}");
        }
        for public in ["192.0.2.1", "100.128.0.1", "2001:db8::1", "::ffff:8.8.8.8"] {
            assert!(!network(public).is_local(), "{public}");
        }
    }
}
