//! The sockets that `serve` listens on.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::cli::flags::Flags;
use crate::web::http::socket;

/// Requests that change something are answered only on these addresses.
const ACTUATE: &str = "--web.actuate.listen-address";

/// The listeners. They are bound before anything else, so that a port that is taken changes nothing on
/// a GPU.
pub(crate) struct Listeners {
    pub(crate) everything: Vec<TcpListener>,
    pub(crate) actuating: Vec<TcpListener>,
}

impl Listeners {
    pub(crate) async fn open(flags: &Flags) -> anyhow::Result<Self> {
        Ok(Self {
            everything: bind_all("--web.listen-address", &flags.listen_address).await?,
            actuating: bind_all(ACTUATE, &flags.actuate_listen_address).await?,
        })
    }

    /// Where people find the page, in the log. Told once it is known whether it is https.
    pub(crate) fn tell_page(&self, has_tls: bool) {
        let address = self.everything.first().map(TcpListener::local_addr);
        if let Some(Ok(address)) = address {
            let scheme = if has_tls { "https" } else { "http" };
            let page = page(scheme, address);
            tracing::info!(page, "the status page");
        }
    }

    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let all = self.everything.iter().chain(&self.actuating);
        all.filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

/// As a browser on this machine takes it.
fn page(scheme: &str, address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        return format!("{scheme}://localhost:{}/", address.port());
    }
    format!("{scheme}://{address}/")
}

async fn bind_all(flag: &str, addresses: &[String]) -> anyhow::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in addresses {
        let listener = socket::bind(address).await;
        let listener = listener.map_err(|error| {
            let remedy = remedy(&error);
            anyhow::anyhow!("{flag}={address}: can't listen there: {error}; {remedy}")
        })?;
        tracing::info!(address = %listener.local_addr()?, "listening");
        listeners.push(listener);
    }
    Ok(listeners)
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => {
            "another program does, perhaps another guard: stop it, or choose another port"
        }
        ErrorKind::PermissionDenied => "ports under 1024 are root's: choose another",
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address: choose one that it has, or `:PORT` for all"
        }
        _ => "wanted: HOST:PORT, or `:PORT` for all addresses",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_told_as_a_browser_takes_it() {
        for (address, told) in [
            ("[::]:10835", "http://localhost:10835/"),
            ("0.0.0.0:80", "http://localhost:80/"),
            ("127.0.0.1:10835", "http://localhost:10835/"),
            ("192.0.2.7:10835", "http://192.0.2.7:10835/"),
            ("[2001:db8::7]:10835", "http://[2001:db8::7]:10835/"),
        ] {
            let address = address.parse().unwrap_or_else(|_| panic!("{address}"));
            assert_eq!(page("http", address), told);
        }
    }
}
