//! Who watches: so many seats, shared fairly between addresses. Whoever takes more than the others
//! gives one up when somebody comes who has fewer, so that no one client keeps a page from the rest.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// All seats of one service.
pub(super) struct Seats {
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    /// In the order they came.
    sitting: Vec<Sitting>,
}

struct Sitting {
    number: u64,
    whose: IpAddr,
    /// Dropped with this entry, which tells the stream to end.
    _stays: oneshot::Sender<()>,
}

/// A seat of one's own, until it is dropped or somebody else's.
pub(super) struct Seat {
    number: u64,
    seats: Arc<Seats>,
    given_up: oneshot::Receiver<()>,
}

impl Seats {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            taken: Mutex::default(),
        })
    }

    /// `None`: all are taken, and nobody has so many more that one would be fair to ask for.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let whose = subscriber(address);
        let mut taken = self.taken();
        if taken.sitting.len() >= self.most {
            taken.make_room_for(whose)?;
        }
        let (stays, given_up) = oneshot::channel();
        let number = taken.next;
        taken.next += 1;
        taken.sitting.push(Sitting {
            number,
            whose,
            _stays: stays,
        });
        drop(taken);
        Some(Seat {
            number,
            seats: Arc::clone(self),
            given_up,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// The oldest seat of who has most; only if he then still has as many as the newcomer.
    fn make_room_for(&mut self, newcomer: IpAddr) -> Option<()> {
        let most = self.sitting.iter().map(|it| it.whose);
        let most = most.max_by_key(|whose| self.count(*whose))?;
        if self.count(most) <= self.count(newcomer) + 1 {
            return None;
        }
        let oldest = self.sitting.iter().position(|it| it.whose == most)?;
        self.sitting.remove(oldest);
        Some(())
    }

    fn count(&self, whose: IpAddr) -> usize {
        let his = self.sitting.iter().filter(|it| it.whose == whose);
        his.count()
    }
}

impl Seat {
    /// Returns once somebody else has it.
    pub(super) async fn given_up(&mut self) {
        // Nothing is ever sent: the other half is dropped.
        let _ = (&mut self.given_up).await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.sitting.retain(|it| it.number != self.number);
    }
}

/// One subscriber has a whole /64 of IPv6, and IPv4 may come written as IPv6.
fn subscriber(address: IpAddr) -> IpAddr {
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

    fn is_given_up(seat: &mut Seat) -> bool {
        seat.given_up.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn one_address_may_have_all_and_gives_the_oldest_to_who_has_fewer() {
        let seats = Seats::new(4);
        let (greedy, other, third) = (from("10.0.0.1"), from("10.0.0.2"), from("10.0.0.3"));
        let mut his: Vec<_> = (0..4).map(|_| seats.take(greedy).unwrap()).collect();
        assert!(seats.take(greedy).is_none(), "not by pushing himself out");
        let _first = seats.take(other).unwrap();
        assert!(is_given_up(&mut his[0]), "the oldest");
        assert!(his[1..].iter_mut().all(|seat| !is_given_up(seat)));
        let _second = seats.take(other).unwrap();
        assert!(seats.take(other).is_none(), "two of four are his share");
        assert!(seats.take(greedy).is_none());
        let _third = seats.take(third).unwrap();
        drop(his);
        assert!(seats.take(greedy).is_some(), "what was left is free again");
    }

    #[test]
    fn a_seat_that_was_given_up_frees_no_other_when_its_stream_ends() {
        let seats = Seats::new(2);
        let (greedy, other) = (from("10.0.0.1"), from("10.0.0.2"));
        let (first, _second) = (seats.take(greedy).unwrap(), seats.take(greedy).unwrap());
        let _others = seats.take(other).unwrap();
        drop(first);
        assert_eq!(seats.taken().sitting.len(), 2);
        assert!(seats.take(greedy).is_none());
    }

    #[test]
    fn many_addresses_of_one_network_are_one_subscriber() {
        let seats = Seats::new(3);
        let held: Vec<_> = (1..=3)
            .map(|n| seats.take(from(&format!("2001:db8::{n}"))).unwrap())
            .collect();
        assert!(seats.take(from("2001:db8::9")).is_none());
        assert!(seats.take(from("2001:db8:0:1::9")).is_some());
        assert_eq!(subscriber(from("::ffff:10.0.0.1")), from("10.0.0.1"));
        drop(held);
    }
}
