//! Portals elsewhere, as commands reach them.

use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use url::Url;

use crate::failure::Failure;

/// A client for an address. Nothing it asks for takes longer than `time`.
pub(crate) fn client(base: &Url, time: Duration) -> Result<Client, Failure> {
    let client = Client::builder();
    // No proxy leads to this machine.
    let client = if is_local(base) { client.no_proxy() } else { client };
    client
        .user_agent(concat!("shapan/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::limited(3))
        .connect_timeout(time)
        .timeout(time)
        .build()
        .map_err(Failure::cannot("set up HTTP"))
}

/// Whether an address is this machine's own.
pub(crate) fn is_local(base: &Url) -> bool {
    match base.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => true,
    }
}
