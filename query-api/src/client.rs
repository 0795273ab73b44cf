//! From where a request comes.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;
use store::StoreError;

use crate::context::ApiContext;

/// Header in which proxies name whom they speak for, each adding at the end.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// The proxies in front of the API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Reads addresses and networks.
    ///
    /// # Errors
    /// One is neither.
    pub(crate) fn parse(list: &[String]) -> Result<Self, StoreError> {
        list.iter()
            .map(|text| {
                let text = text.trim();
                text.parse::<IpNet>()
                    .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
                    .map_err(|_| StoreError::Invalid(format!("`http.trusted_proxies`: `{text}` is no address and no network")))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client's address: the peer's, or, if that is one of the proxies, the last one that they name and that is not one of them. What a
    /// client itself wrote into the header stands before, and is not believed.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        if !self.has(client) {
            return client;
        }
        let named: Vec<&str> = headers
            .get_all(FORWARDED_FOR)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or_default().split(','))
            .collect();
        for text in named.into_iter().rev() {
            let Ok(address) = text.trim().parse::<IpAddr>() else { break };
            client = address.to_canonical();
            if !self.has(client) {
                break;
            }
        }
        client
    }
}

/// An address's network, in so far as one client has it: an IPv6 client has 2^64 addresses to choose from.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// From where a request comes. Not to be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Client(pub(crate) IpAddr);

impl FromRequestParts<ApiContext> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, context: &ApiContext) -> Result<Self, Infallible> {
        Ok(Self(client_of(&parts.extensions, &parts.headers, &context.proxies)))
    }
}

/// The client of a request.
pub(crate) fn client_of(extensions: &axum::http::Extensions, headers: &HeaderMap, proxies: &Proxies) -> IpAddr {
    let peer = extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip());
    proxies.client(peer, headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let list: Vec<String> = proxies.iter().map(|text| (*text).to_owned()).collect();
        let proxies = Proxies::parse(&list).expect("a list");
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().expect("a value"));
        }
        proxies.client(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn only_proxies_are_believed_and_only_what_they_added() {
        assert_eq!(client(&[], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        let pretends = ["1.2.3.4, 198.51.100.1, 10.9.9.9"];
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", &pretends), "198.51.100.1");
        assert_eq!(
            client(&["10.0.0.0/8"], "10.1.2.3", &["198.51.100.1", "10.9.9.9"]),
            "198.51.100.1"
        );
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", &["198.51.100.1, nonsense"]), "10.1.2.3");
        assert_eq!(client(&["10.0.0.0/8"], "10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(client(&["127.0.0.1"], "::ffff:127.0.0.1", &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let of = |text: &str| network(text.parse().expect("an address")).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("203.0.113.9"), "203.0.113.9");
    }
}
