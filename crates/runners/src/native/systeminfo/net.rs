//! The addresses of the network interfaces, and how much they carry.

use std::collections::HashMap;
use std::time::Duration;

use msp_core::RunError;
use serde_json::{Value, json};
use sysinfo::{IpNetwork, Networks};

/// The bytes that each interface had sent and received.
pub(super) type Counters = HashMap<String, Traffic>;

/// Bytes of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Traffic {
    sent: u64,
    received: u64,
}

/// One object for each IPv4 address. `base` keeps the counters for the next call, and gives those to measure
/// the speeds from, with the time since.
pub(super) fn part(base: impl FnOnce(&Counters) -> Option<(Duration, Counters)>) -> Result<Value, RunError> {
    let networks = Networks::new_with_refreshed_list()
        .map_err(|error| RunError::Failed(format!("network interfaces: {error}")))?;
    let mut interfaces: Vec<_> = networks
        .iter()
        .map(|(name, data)| Interface {
            name: name.to_string_lossy().into_owned(),
            traffic: Traffic { sent: data.total_transmitted(), received: data.total_received() },
            addresses: data.ip_networks().to_vec(),
        })
        .collect();
    interfaces.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    let counters = interfaces.iter().map(|interface| (interface.name.clone(), interface.traffic)).collect();
    let base = base(&counters);
    Ok(interfaces.iter().flat_map(|interface| interface.describe(base.as_ref())).collect())
}

#[derive(Debug)]
struct Interface {
    name: String,
    traffic: Traffic,
    addresses: Vec<IpNetwork>,
}

impl Interface {
    fn describe(&self, base: Option<&(Duration, Counters)>) -> Vec<Value> {
        let before = base.and_then(|(elapsed, counters)| Some((*elapsed, counters.get(&self.name)?)));
        let speed = |of: fn(&Traffic) -> u64| match before {
            Some((elapsed, before)) => speed(of(&self.traffic).saturating_sub(of(before)), elapsed),
            None => "N/A".to_owned(),
        };
        let (tx, rx) = (speed(|traffic| traffic.sent), speed(|traffic| traffic.received));
        let mut addresses = self.addresses.clone();
        addresses.sort_unstable_by_key(|address| (address.addr, address.prefix));
        let (v4, v6): (Vec<IpNetwork>, Vec<IpNetwork>) =
            addresses.into_iter().partition(|address| address.addr.is_ipv4());
        let addresses6: Vec<_> = v6.iter().map(ToString::to_string).collect();
        v4.iter()
            .map(|address| {
                json!({
                    "iface": self.name,
                    "address": address.to_string(),
                    "addresses6": addresses6,
                    "tx": tx,
                    "rx": rx,
                })
            })
            .collect()
    }
}

/// Bytes a second, in the units of the original, which are steps of 1024.
fn speed(bytes: u64, elapsed: Duration) -> String {
    let speed = u128::from(bytes) * 1_000_000_000 / elapsed.as_nanos().max(1);
    let units = [(1 << 30, "gbps"), (1 << 20, "mbps"), (1 << 10, "kbps")];
    let (factor, unit) = units.into_iter().find(|(factor, _)| speed > *factor).unwrap_or((1, "bps"));
    let number = format!("{:.2}", speed as f64 / factor as f64);
    // One decimal is left at least, as Python prints a rounded float.
    let number = number.strip_suffix('0').unwrap_or(&number);
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_written_as_python_rounds_them() {
        let a_second = |bytes| speed(bytes, Duration::from_secs(1));
        for (bytes, text) in [
            (0, "0.0bps"),
            (12, "12.0bps"),
            (1024, "1024.0bps"),
            (1025, "1.0kbps"),
            (1152, "1.12kbps"),
            (3942, "3.85kbps"),
            (2048, "2.0kbps"),
            (1 << 20, "1024.0kbps"),
            (5 << 19, "2.5mbps"),
            (3 << 30, "3.0gbps"),
            (u64::MAX, "17179869184.0gbps"),
        ] {
            assert_eq!(a_second(bytes), text, "{bytes}");
        }
        assert_eq!(speed(100, Duration::from_millis(3200)), "31.0bps");
        assert_eq!(speed(u64::MAX, Duration::ZERO), speed(u64::MAX, Duration::from_nanos(1)));
    }

    fn interface(addresses: &[(&str, u8)]) -> Interface {
        let network = |&(addr, prefix): &(&str, u8)| IpNetwork { addr: addr.parse().unwrap(), prefix };
        Interface {
            name: "eth0".to_owned(),
            traffic: Traffic { sent: 5000, received: 300 },
            addresses: addresses.iter().map(network).collect(),
        }
    }

    #[test]
    fn each_ipv4_address_is_listed_with_the_ipv6_ones_of_its_interface() {
        let eth0 = interface(&[("fe80::1", 64), ("10.0.0.2", 24), ("fd00::2", 8), ("10.0.0.1", 16)]);
        let entry = |address: &str| {
            json!({
                "iface": "eth0", "address": address, "addresses6": ["fd00::2/8", "fe80::1/64"],
                "tx": "N/A", "rx": "N/A",
            })
        };
        assert_eq!(eth0.describe(None), [entry("10.0.0.1/16"), entry("10.0.0.2/24")]);
        assert!(interface(&[("fe80::1", 64)]).describe(None).is_empty());
    }

    #[test]
    fn speeds_are_measured_from_the_earlier_counters_of_the_same_interface() {
        let eth0 = interface(&[("10.0.0.1", 16)]);
        let since = |name: &str, sent, received| {
            let counters = Counters::from([(name.to_owned(), Traffic { sent, received })]);
            let told = eth0.describe(Some(&(Duration::from_secs(2), counters)));
            (told[0]["tx"].clone(), told[0]["rx"].clone())
        };
        assert_eq!(since("eth0", 904, 100), (json!("2.0kbps"), json!("100.0bps")));
        assert_eq!(since("eth0", 9000, 9000), (json!("0.0bps"), json!("0.0bps")), "made anew meanwhile");
        assert_eq!(since("eth1", 0, 0), (json!("N/A"), json!("N/A")));
    }
}
