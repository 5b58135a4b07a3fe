//! Where somebody came from: recorded with what he did, and nothing is decided by it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use ipnet::IpNet;

const FORWARDED: &str = "x-forwarded-for";

/// The address at the other end of the connection; behind trusted proxies the one that the first of them saw.
pub(super) fn of(parts: &Parts, trusted: &[IpNet]) -> String {
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|peer| peer.0.ip());
    let Some(peer) = peer else {
        return "unknown".to_owned();
    };
    let forwarded = parts.headers.get_all(FORWARDED).iter();
    let told: Vec<&str> = forwarded
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    origin(peer, &told, trusted).to_string()
}

/// From the service outwards: as long as who speaks is trusted, what he says of the one before him is believed.
fn origin(peer: IpAddr, told: &[&str], trusted: &[IpNet]) -> IpAddr {
    let mut at = peer.to_canonical();
    for earlier in told.iter().rev() {
        if !trusted.iter().any(|network| network.contains(&at)) {
            break;
        }
        match earlier.parse::<IpAddr>() {
            Ok(earlier) => at = earlier.to_canonical(),
            // Some proxies write the port too.
            Err(_) => match earlier.parse::<SocketAddr>() {
                Ok(earlier) => at = earlier.ip().to_canonical(),
                Err(_) => break,
            },
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = vec![
            "10.0.0.0/8".parse().expect("a network"),
            "fd00::/8".parse().expect("a network"),
        ];
        for (peer, told, wanted) in [
            ("192.0.2.9", vec!["198.51.100.1"], "192.0.2.9"),
            ("10.1.1.1", vec!["198.51.100.1"], "198.51.100.1"),
            ("::ffff:10.1.1.1", vec!["198.51.100.1:4711"], "198.51.100.1"),
            (
                "10.1.1.1",
                vec!["203.0.113.7", "198.51.100.1", "10.2.2.2"],
                "198.51.100.1",
            ),
            ("fd00::1", vec!["2001:db8::5"], "2001:db8::5"),
            ("10.1.1.1", vec!["nonsense"], "10.1.1.1"),
            ("10.1.1.1", vec![], "10.1.1.1"),
        ] {
            let found = origin(peer.parse().expect("an address"), &told, &trusted);
            assert_eq!(found.to_string(), wanted, "{peer} {told:?}");
        }
    }
}
