//! Opens listening sockets, and raises the limit on open files for their connections.

use std::io;
use std::net::SocketAddr;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, lookup_host};

/// Connections of one listener at a time, where as many files may be open; more wait to be accepted.
/// A node has a scraper, an Alertmanager and some browsers.
const MAX_CONNECTIONS: usize = 1024;

/// Connections that wait to be accepted. A client that finds the queue full tries again after a second,
/// which is too late for a scrape in a burst of others. The 128 of std and mio fill up as soon as the
/// machine is busy for a moment.
const QUEUE: u32 = 1024;

/// Descriptors for other uses than connections: the journal (without it no limit may be raised), locks,
/// the event log, the driver's devices, applications.
const OWN_DESCRIPTORS: usize = 256;

/// `:10835` is every interface, IPv6 and IPv4, as in the Prometheus family.
pub async fn bind(address: &str) -> io::Result<TcpListener> {
    let Some(port) = address.strip_prefix(':') else {
        return bind_first(address).await;
    };
    match bind_first(&format!("[::]:{port}")).await {
        Ok(listener) => Ok(listener),
        // Another program has it; IPv4 alone would not do.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // No IPv6 on this machine.
        Err(_) => bind_first(&format!("0.0.0.0:{port}")).await,
    }
}

/// Binds the first of a name's addresses that is free.
async fn bind_first(address: &str) -> io::Result<TcpListener> {
    let mut failed = None;
    for address in lookup_host(address).await? {
        match listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| io::Error::other("the name has no address")))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv6() {
        TcpSocket::new_v6()
    } else {
        TcpSocket::new_v4()
    }?;
    // A restart doesn't wait for the last connections of the previous guard.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// How many connections each listener may have. First raises the limit on open files as far as needed
/// and as the service's hard limit allows. systemd sets 1024 at first; programs in Go, such as other
/// exporters, raise it at their start too.
pub fn connections_each(listeners: usize) -> usize {
    let wanted = MAX_CONNECTIONS * listeners + OWN_DESCRIPTORS;
    let allowed = raise(wanted);
    if allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            "few files may be open: fewer connections are taken (LimitNOFILE= of the service, ulimit -n)"
        );
    }
    share(allowed, listeners)
}

fn share(allowed: usize, listeners: usize) -> usize {
    // If very few files may be open, connections get only a quarter of them.
    let for_connections = allowed.saturating_sub(OWN_DESCRIPTORS).max(allowed / 4);
    (for_connections / listeners.max(1)).clamp(1, MAX_CONNECTIONS)
}

/// The soft limit, or `wanted` if that is less.
fn raise(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let number =
        |limit: Option<u64>| limit.map_or(wanted, |n| usize::try_from(n).unwrap_or(wanted));
    let (soft, hard) = (number(limit.current), number(limit.maximum));
    let raised = wanted.min(hard).max(soft);
    let asked = Rlimit {
        current: u64::try_from(raised).ok(),
        ..limit
    };
    let granted = raised <= soft || setrlimit(Resource::Nofile, asked).is_ok();
    if granted { raised } else { soft }.min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_journal() {
        assert_eq!(share(MAX_CONNECTIONS + OWN_DESCRIPTORS, 1), MAX_CONNECTIONS);
        assert_eq!(share(100_000, 2), MAX_CONNECTIONS);
        assert_eq!(share(1024, 1), 768);
        assert_eq!(share(1024, 2), 384);
        assert_eq!(share(64, 1), 16);
        assert_eq!(share(0, 1), 1);
    }

    #[tokio::test]
    async fn a_burst_longer_than_the_usual_queue_waits_to_be_accepted() {
        let listener = bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let second = std::time::Duration::from_secs(1);
        // Nothing accepts here. A connection that isn't queued is tried again only after a second.
        let burst = (0..600).map(|_| std::net::TcpStream::connect_timeout(&address, second));
        let burst: Result<Vec<_>, _> = burst.collect();
        assert_eq!(burst.map(|queued| queued.len()).ok(), Some(600));
    }
}
