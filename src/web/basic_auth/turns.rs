//! Whose password is compared next. bcrypt is slow by design and one comparison runs at a time, so
//! that guessing can't take the node's cores; so whoever guesses must not keep out who knows.
//!
//! Nobody can tell a right password from a wrong one beforehand, but who has been wrong can be
//! remembered. Who hasn't goes first, and among equals who came last: those that guess as fast as
//! they are answered are all waiting already when somebody else comes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Peers that were wrong and are remembered. As many connections as one listener takes.
const REMEMBERED: usize = 1024;

/// Those whose client has gone are looked for from here on: more connections there are hardly.
const CROWD: usize = 2048;

/// The smallest goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Somebody at this address was wrong, and nobody right since.
    address_was_wrong: bool,
    connection_was_wrong: bool,
    /// Counts down. Whether the user is known isn't in here: it would show in who waits.
    age: u64,
}

/// The comparing and the waiting.
#[derive(Default)]
pub(super) struct Turns(Mutex<State>);

#[derive(Default)]
struct State {
    is_taken: bool,
    waiting: BTreeMap<Rank, oneshot::Sender<Turn>>,
    came: u64,
    wrong: Wrong,
}

/// Until it is dropped nobody else has one.
pub(super) struct Turn(Option<Arc<Turns>>);

impl Turns {
    /// `None`: the turns are gone, and nobody waits.
    pub(super) async fn take(self: &Arc<Self>, who: Option<SocketAddr>) -> Option<Turn> {
        let turn = {
            let mut state = self.state();
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

    /// What came of a comparison.
    pub(super) fn note(&self, who: Option<SocketAddr>, right: bool) {
        if let Some(who) = who {
            self.state().wrong.note(who, right);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Hands it on. A client that has gone meanwhile hands its own back, so this isn't done under the
/// lock.
impl Drop for Turn {
    fn drop(&mut self) {
        let Some(turns) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = turns.state();
                let next = state.waiting.pop_first();
                state.is_taken = next.is_some();
                next
            };
            let Some((_, give)) = next else { return };
            match give.send(Turn(Some(turns.clone()))) {
                Ok(()) => return,
                // Not by its own drop, which would come here again for each that has gone.
                Err(mut unwanted) => unwanted.0 = None,
            }
        }
    }
}

/// Who was wrong lately: addresses, and connections by their address and port.
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

/// A set that makes room by forgetting who has been in it for longest.
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

    /// Who gets the turn, of those that came in this order while it was taken.
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
    async fn who_was_wrong_waits_for_who_was_not() {
        let turns = Arc::<Turns>::default();
        turns.note(Some(from(1, 1)), false);
        turns.note(Some(from(1, 2)), false);
        // Two that were wrong themselves, one at their address, and one that is new.
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
    async fn who_came_last_goes_first_among_equals() {
        let turns = Arc::<Turns>::default();
        let order = served(&turns, &[Some(from(1, 1)), Some(from(2, 1)), None]).await;
        assert_eq!(order, [2, 1, 0]);
    }

    #[tokio::test]
    async fn a_client_that_has_gone_holds_nobody_up() {
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
        assert!(turns.state().waiting.is_empty());
        assert!(!turns.state().is_taken);
    }

    #[tokio::test]
    async fn the_memory_is_bounded() {
        let turns = Turns::default();
        for n in 0..=u16::try_from(REMEMBERED).expect("few") {
            turns.note(Some(from(1, n)), false);
        }
        let state = turns.state();
        assert_eq!(state.wrong.connections.since.len(), REMEMBERED);
        let has = |n| state.wrong.connections.has(&from(1, n));
        assert!(!has(0) && has(1), "the oldest went");
    }
}
