//! Limits the open event streams and shares them fairly between clients: once all permits are taken,
//! the client with the most streams loses its oldest to a newcomer with fewer. So no client can keep
//! the page from the others.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The permits of one service.
pub(crate) struct StreamLimit {
    most: usize,
    streams: Mutex<Streams>,
}

#[derive(Default)]
struct Streams {
    next: u64,
    /// The oldest first.
    open: Vec<Open>,
}

struct Open {
    number: u64,
    client: IpAddr,
    /// Dropped with this entry, which tells the stream to end.
    _revoked: oneshot::Sender<()>,
}

/// Permission for one stream, until it is dropped or revoked.
pub(crate) struct StreamPermit {
    number: u64,
    stream_limit: Arc<StreamLimit>,
    revoked: oneshot::Receiver<()>,
}

impl StreamLimit {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            streams: Mutex::default(),
        })
    }

    /// `None`: all are taken, and no other client has so many more that taking one of them is fair.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Option<StreamPermit> {
        let client = client(address);
        let mut streams = self.streams();
        if streams.open.len() >= self.most {
            streams.make_room_for(client)?;
        }
        let (sender, revoked) = oneshot::channel();
        let number = streams.next;
        streams.next += 1;
        streams.open.push(Open {
            number,
            client,
            _revoked: sender,
        });
        drop(streams);
        Some(StreamPermit {
            number,
            stream_limit: Arc::clone(self),
            revoked,
        })
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Streams {
    /// Revokes the oldest stream of the client with the most, if that client still has as many as
    /// the newcomer afterwards.
    fn make_room_for(&mut self, newcomer: IpAddr) -> Option<()> {
        let clients = self.open.iter().map(|stream| stream.client);
        let most = clients.max_by_key(|client| self.count(*client))?;
        if self.count(most) <= self.count(newcomer) + 1 {
            return None;
        }
        let oldest = self.open.iter().position(|stream| stream.client == most)?;
        self.open.remove(oldest);
        Some(())
    }

    fn count(&self, client: IpAddr) -> usize {
        let open = self.open.iter().filter(|stream| stream.client == client);
        open.count()
    }
}

impl StreamPermit {
    /// Returns once another client has it.
    pub(crate) async fn revoked(&mut self) {
        // Nothing is ever sent: the other half is dropped.
        let _ = (&mut self.revoked).await;
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut streams = self.stream_limit.streams();
        streams.open.retain(|stream| stream.number != self.number);
    }
}

/// A client has a whole /64 of IPv6, and its IPv4 address may come written as IPv6.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    fn is_revoked(permit: &mut StreamPermit) -> bool {
        permit.revoked.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn one_client_may_have_all_streams_and_loses_its_oldest_to_one_with_fewer() {
        let stream_limit = StreamLimit::new(4);
        let (greedy, other, third) = (from("10.0.0.1"), from("10.0.0.2"), from("10.0.0.3"));
        let mut greedy_ones: Vec<_> = (0..4).map(|_| stream_limit.take(greedy).unwrap()).collect();
        assert!(
            stream_limit.take(greedy).is_none(),
            "it takes none from itself"
        );
        let _first = stream_limit.take(other).unwrap();
        assert!(is_revoked(&mut greedy_ones[0]), "the oldest");
        assert!(
            greedy_ones[1..]
                .iter_mut()
                .all(|permit| !is_revoked(permit))
        );
        let _second = stream_limit.take(other).unwrap();
        assert!(
            stream_limit.take(other).is_none(),
            "two of four are its share"
        );
        assert!(stream_limit.take(greedy).is_none());
        let _third = stream_limit.take(third).unwrap();
        drop(greedy_ones);
        assert!(
            stream_limit.take(greedy).is_some(),
            "the streams that it still had are free again"
        );
    }

    #[test]
    fn a_revoked_permit_frees_no_other_when_its_stream_ends() {
        let stream_limit = StreamLimit::new(2);
        let (greedy, other) = (from("10.0.0.1"), from("10.0.0.2"));
        let (first, _second) = (
            stream_limit.take(greedy).unwrap(),
            stream_limit.take(greedy).unwrap(),
        );
        let _others = stream_limit.take(other).unwrap();
        drop(first);
        assert_eq!(stream_limit.streams().open.len(), 2);
        assert!(stream_limit.take(greedy).is_none());
    }

    #[test]
    fn many_addresses_of_one_network_are_one_client() {
        let stream_limit = StreamLimit::new(3);
        let held: Vec<_> = (1..=3)
            .map(|n| stream_limit.take(from(&format!("2001:db8::{n}"))).unwrap())
            .collect();
        assert!(stream_limit.take(from("2001:db8::9")).is_none());
        assert!(stream_limit.take(from("2001:db8:0:1::9")).is_some());
        assert_eq!(client(from("::ffff:10.0.0.1")), from("10.0.0.1"));
        drop(held);
    }
}
