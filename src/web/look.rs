//! Looking at files for a request: on a thread of its own, one look at a time, waited for a moment.
//! A disk that hangs costs that one thread and delays one answer, once; what was read before stays
//! in force.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A small file is read in microseconds, a certificate in milliseconds. Chosen: ten times less
/// than a scrape's patience.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whose turn it is.
pub(super) struct Look(Arc<Semaphore>);

impl Default for Look {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Look {
    /// Somebody else's look that is under way is as good as an own one, and isn't waited for.
    pub(super) async fn take(&self, look: impl FnOnce() + Send + 'static) {
        let Ok(turn) = Arc::clone(&self.0).try_acquire_owned() else {
            return;
        };
        let looked = spawn_blocking(move || {
            // Held until the look ends, also when nobody waits for it any more.
            let _turn = turn;
            look();
        });
        // A panic is in the log already.
        let _ = timeout(PATIENCE, looked).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_look_that_hangs_delays_one_answer_once() {
        let (look, looks) = (Look::default(), Arc::new(AtomicU32::new(0)));
        let counted = |looks: &Arc<AtomicU32>| {
            let looks = Arc::clone(looks);
            move || {
                looks.fetch_add(1, Ordering::SeqCst);
            }
        };
        look.take(counted(&looks)).await;
        let (end, ended) = mpsc::channel::<()>();
        look.take(move || {
            let _ = ended.recv();
        })
        .await;
        for _ in 0..1000 {
            look.take(counted(&looks)).await;
        }
        assert_eq!(looks.load(Ordering::SeqCst), 1, "none beside the hung one");
        drop(end);
        while looks.load(Ordering::SeqCst) == 1 {
            look.take(counted(&looks)).await;
            tokio::task::yield_now().await;
        }
    }
}
