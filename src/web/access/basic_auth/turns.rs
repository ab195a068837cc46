//! Orders password comparisons. bcrypt is slow by design, and one comparison runs at a time, so that
//! guessing can't take the node's cores. Then clients that guess must not keep out clients that know
//! the password.
//!
//! The guard can't tell a right password from a wrong one before the comparison, but it remembers who
//! sent a wrong one. All others go first; among equals the newest goes first. Clients that guess as
//! fast as they are answered are all waiting already when another client comes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Peers remembered for a wrong password. As many as one listener has connections.
const REMEMBERED: usize = 1024;

/// From this many waiting requests on, those without a client are removed. There are hardly more
/// connections.
const CROWD: usize = 2048;

/// The smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// A client at this address was wrong, and none was right since.
    address_was_wrong: bool,
    connection_was_wrong: bool,
    /// Counts down. The rank doesn't depend on whether the user is known: the wait would reveal that.
    age: u64,
}

/// The comparison under way, and the requests that wait.
#[derive(Default)]
pub(crate) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    is_taken: bool,
    waiting: BTreeMap<Rank, oneshot::Sender<Turn>>,
    came: u64,
    wrong: Wrong,
}

/// The right to compare. There is one at a time, passed on by its drop.
pub(crate) struct Turn(Option<Arc<Turns>>);

impl Turns {
    /// `None`: the turns are gone, and no request waits.
    pub(crate) async fn take(self: &Arc<Self>, who: Option<SocketAddr>) -> Option<Turn> {
        let turn = {
            let mut state = self.0.lock();
            if !std::mem::replace(&mut state.is_taken, true) {
                return Some(Turn(Some(self.clone())));
            }
            state.came += 1;
            let rank = state.rank(who);
            let (give, turn) = oneshot::channel();
            if state.waiting.len() >= CROWD {
                state.waiting.retain(|_, give| !give.is_closed());
            }
            state.waiting.insert(rank, give);
            turn
        };
        turn.await.ok()
    }

    /// Notes the result of a comparison.
    pub(crate) fn note(&self, who: Option<SocketAddr>, right: bool) {
        if let Some(who) = who {
            self.0.lock().wrong.note(who, right);
        }
    }
}

impl State {
    fn rank(&self, who: Option<SocketAddr>) -> Rank {
        Rank {
            address_was_wrong: who.is_some_and(|who| self.wrong.addresses.has(&who.ip())),
            connection_was_wrong: who.is_some_and(|who| self.wrong.connections.has(&who)),
            age: u64::MAX - self.came,
        }
    }
}

/// Passes the turn on. A client that is gone hands its own back, so this doesn't happen under the lock.
impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = turns.0.lock();
                let next = state.waiting.pop_first();
                state.is_taken = next.is_some();
                next
            };
            let Some((_, give)) = next else { return };
            match give.send(Turn(Some(turns.clone()))) {
                Ok(()) => return,
                // Defuse its drop, which would come here again for each client that is gone.
                Err(mut unwanted) => unwanted.0 = None,
            }
        }
    }
}

/// Addresses with a recent wrong password, and connections (address and port).
#[derive(Default)]
struct Wrong {
    addresses: Few<IpAddr>,
    connections: Few<SocketAddr>,
}

impl Wrong {
    fn note(&mut self, who: SocketAddr, right: bool) {
        if right {
            self.addresses.forget(&who.ip());
            self.connections.forget(&who);
        } else {
            self.addresses.remember(who.ip());
            self.connections.remember(who);
        }
    }
}

/// A bounded set: it forgets the oldest entry to make room.
struct Few<K> {
    since: BTreeMap<K, u64>,
    count: u64,
}

impl<K> Default for Few<K> {
    fn default() -> Self {
        Self {
            since: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<K: Ord + Copy> Few<K> {
    fn has(&self, key: &K) -> bool {
        self.since.contains_key(key)
    }

    fn forget(&mut self, key: &K) {
        self.since.remove(key);
    }

    fn remember(&mut self, key: K) {
        self.count += 1;
        self.since.insert(key, self.count);
        if self.since.len() > REMEMBERED {
            let oldest = self.since.iter().min_by_key(|(_, since)| **since);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.since.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], port))
    }

    /// The order of turns of requests that came in this order while the turn was taken.
    async fn served(turns: &Arc<Turns>, came: &[Option<SocketAddr>]) -> Vec<usize> {
        let first = turns.take(None).await.expect("free");
        let (told, mut order) = tokio::sync::mpsc::unbounded_channel();
        for (n, who) in came.iter().copied().enumerate() {
            let (turns, told) = (turns.clone(), told.clone());
            tokio::spawn(async move {
                let turn = turns.take(who).await;
                let _ = told.send(n);
                drop(turn);
            });
            tokio::task::yield_now().await;
        }
        drop((first, told));
        let mut all = Vec::new();
        while let Some(n) = order.recv().await {
            all.push(n);
        }
        all
    }

    #[tokio::test]
    async fn clients_that_were_wrong_wait_for_the_others() {
        let turns = Arc::<Turns>::default();
        turns.note(Some(from(1, 1)), false);
        turns.note(Some(from(1, 2)), false);
        // Two that were wrong, one at the same address, and one that is new.
        let came = [
            Some(from(1, 1)),
            Some(from(1, 3)),
            Some(from(2, 1)),
            Some(from(1, 2)),
        ];
        assert_eq!(served(&turns, &came).await, [2, 1, 3, 0]);
        turns.note(Some(from(1, 3)), true);
        let order = served(&turns, &[Some(from(1, 1)), Some(from(1, 4))]).await;
        assert_eq!(order, [1, 0], "the address is good again");
    }

    #[tokio::test]
    async fn among_equals_the_newest_goes_first() {
        let turns = Arc::<Turns>::default();
        let order = served(&turns, &[Some(from(1, 1)), Some(from(2, 1)), None]).await;
        assert_eq!(order, [2, 1, 0]);
    }

    #[tokio::test]
    async fn a_client_that_is_gone_delays_no_other() {
        let turns = Arc::<Turns>::default();
        let first = turns.take(None).await;
        for n in 0..2000 {
            let waits = turns.take(Some(from(1, n)));
            let gone = tokio::time::timeout(std::time::Duration::ZERO, waits).await;
            assert!(gone.is_err());
        }
        drop(first);
        let free = turns.take(Some(from(1, 1))).await;
        assert!(free.is_some());
        drop(free);
        assert!(turns.0.lock().waiting.is_empty());
        assert!(!turns.0.lock().is_taken);
    }

    #[tokio::test]
    async fn the_memory_is_bounded() {
        let turns = Turns::default();
        for n in 0..=u16::try_from(REMEMBERED).expect("few") {
            turns.note(Some(from(1, n)), false);
        }
        let state = turns.0.lock();
        assert_eq!(state.wrong.connections.since.len(), REMEMBERED);
        let has = |n| state.wrong.connections.has(&from(1, n));
        assert!(!has(0) && has(1), "the oldest went");
    }
}
