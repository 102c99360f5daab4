//! The headers of proxies: what counts is the N-th value from the right, whatever stands left of it.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use msp_http::Peer;
use msp_settings::ProxySettings;

use crate::bounded;
use crate::input::Input;

const NAMES: [&str; 5] = ["for", "proto", "host", "prefix", "port"];
const SOCKET: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));
type Headers<'a> = Vec<(&'a str, &'a [u8])>;

/// Five bytes of hops, what a stranger forges, then a header a line: `for: 10.0.0.1, 10.0.0.2`.
pub(crate) fn check(data: &[u8]) {
    let mut input = Input(data);
    let hops = input.array::<5>().map(|byte| byte % 17);
    let forged = input.part();
    let forged = if HeaderValue::from_bytes(forged).is_ok() { forged } else { b"10.6.6.6, \xff" };
    let lines = input.0.split(|byte| *byte == b'\n').filter_map(|line| {
        let name = NAMES.into_iter().find(|name| line.strip_prefix(name.as_bytes()).is_some())?;
        let value = line.strip_prefix(name.as_bytes())?.strip_prefix(b":")?;
        HeaderValue::from_bytes(value).ok().map(|_| (name, value))
    });
    let headers: Headers<'_> = lines.collect();
    let read = bounded(data, || read(&headers, hops));
    let [address, scheme, host, prefix, port] = std::array::from_fn(|place| trusted(&headers, hops, place));
    assert_eq!([&read.scheme, &read.host, &read.prefix], [&scheme, &host, &prefix]);
    assert_eq!(read.port, port.and_then(|text| text.parse().ok()));
    let address = address.and_then(|text| parse_address(&text));
    assert_eq!(read.address, address.unwrap_or(SOCKET).to_canonical());
    assert_eq!(read.is_hop, hops.first().is_some_and(|hops| *hops > 0) && address.is_none());
    check_untrusted(&headers, hops, forged, &read);
}

fn read(headers: &Headers<'_>, hops: [u8; 5]) -> Peer {
    let [forward_for, forward_proto, forward_host, forward_prefix, forward_port] = hops;
    let hops = ProxySettings { forward_for, forward_proto, forward_host, forward_prefix, forward_port };
    let mut request = TestRequest::default().peer_addr(SocketAddr::new(SOCKET, 4711));
    for (name, value) in headers {
        let name = HeaderName::try_from(format!("x-forwarded-{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
            request = request.append_header((name, value));
        }
    }
    Peer::of(&request.to_http_request(), &hops)
}

/// All values of a header, the one nearest to us last.
fn values<'a>(headers: &Headers<'a>, place: usize) -> Vec<&'a [u8]> {
    let name = NAMES.get(place).copied().unwrap_or_default();
    let lines = headers.iter().filter(|(known, _)| *known == name);
    lines.flat_map(|(_, value)| value.split(|byte| *byte == b',')).collect()
}

fn trusted(headers: &Headers<'_>, hops: [u8; 5], place: usize) -> Option<String> {
    let hops = hops.get(place).copied().filter(|hops| *hops > 0)?;
    let value = values(headers, place).into_iter().rev().nth(usize::from(hops) - 1)?;
    let text = std::str::from_utf8(value.trim_ascii()).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// Bare, with a port, or in brackets with or without one.
fn parse_address(text: &str) -> Option<IpAddr> {
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().filter(IpAddr::is_ipv6);
    text.parse().ok().or_else(socket).or_else(bracketed)
}

/// What anybody may write, left of what the trusted proxies wrote, changes nothing.
fn check_untrusted(headers: &Headers<'_>, hops: [u8; 5], forged: &[u8], before: &Peer) {
    let full = |name: &&str| {
        let place = NAMES.iter().position(|known| known == name).unwrap_or_default();
        values(headers, place).len() >= usize::from(hops.get(place).copied().unwrap_or_default())
    };
    let full: Vec<&str> = NAMES.into_iter().filter(full).collect();
    let lines = full.iter().map(|name| (*name, forged));
    let in_front: Headers<'_> = lines.chain(headers.iter().copied()).collect();
    assert_eq!(&read(&in_front, hops), before, "{forged:?} in a line in front");
    let mut joined: Vec<(&str, Vec<u8>)> =
        headers.iter().map(|(name, value)| (*name, value.to_vec())).collect();
    for name in full {
        if let Some((_, first)) = joined.iter_mut().find(|(known, _)| *known == name) {
            *first = [forged, b",", first].concat();
        }
    }
    let joined: Headers<'_> = joined.iter().map(|(name, value)| (*name, value.as_slice())).collect();
    assert_eq!(&read(&joined, hops), before, "{forged:?} in the first line");
}
