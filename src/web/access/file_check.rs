//! Reads changed files before a request is answered: on a blocking thread, one check at a time, with a
//! short wait. A disk that hangs blocks that one thread and delays one answer, once; the earlier
//! contents stay in force.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// A small file is read in microseconds, a certificate in milliseconds. Chosen: ten times less
/// than a scrape's patience.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lets one check run at a time.
pub(crate) struct FileCheck(Arc<Semaphore>);

impl Default for FileCheck {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl FileCheck {
    /// Runs `check`, unless another one is under way: that serves as well, and isn't waited for.
    pub(crate) async fn run(&self, check: impl FnOnce() + Send + 'static) {
        let Ok(turn) = Arc::clone(&self.0).try_acquire_owned() else {
            return;
        };
        let checked = spawn_blocking(move || {
            // Held until the check ends, even after the wait for it is over.
            let _turn = turn;
            check();
        });
        // A panic is in the log already.
        let _ = timeout(PATIENCE, checked).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_check_that_hangs_delays_one_answer_once() {
        let (check, runs) = (FileCheck::default(), Arc::new(AtomicU32::new(0)));
        let counted = |runs: &Arc<AtomicU32>| {
            let runs = Arc::clone(runs);
            move || {
                runs.fetch_add(1, Ordering::SeqCst);
            }
        };
        check.run(counted(&runs)).await;
        let (end, ended) = mpsc::channel::<()>();
        check
            .run(move || {
                let _ = ended.recv();
            })
            .await;
        for _ in 0..1000 {
            check.run(counted(&runs)).await;
        }
        assert_eq!(runs.load(Ordering::SeqCst), 1, "none beside the hung one");
        drop(end);
        while runs.load(Ordering::SeqCst) == 1 {
            check.run(counted(&runs)).await;
            tokio::task::yield_now().await;
        }
    }
}
