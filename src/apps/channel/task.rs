//! The task of a channel.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use crate::policy::AppMode;

use crate::apps::journal::Journal;

use super::handle::{Forerunner, Handle, Order};
use super::known::Known;
use super::progress::Progress;

/// Interval between attempts: short enough for an app that restarts, then doubled up to one that costs
/// nothing for an app that is away all night.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Interval at which a throttled app is told again, because it may have restarted and forgotten: two
/// requests a minute are cheap.
const AGAIN_EVERY: Duration = Duration::from_secs(30);

/// Interval at which a throttled app's health URL is asked, to notice a restart.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long an app's new place waits until its old place is given back: longer than one attempt. An app
/// that is gone must not delay a throttle.
const FORERUNNER_PATIENCE: Duration = Duration::from_secs(3);

/// The start of a channel.
pub(crate) struct Begin {
    pub(crate) journal: Arc<Journal>,
    /// Only pretend.
    pub(crate) observe: bool,
    pub(crate) order: Order,
    /// Earlier places of the app that must be given back first.
    pub(crate) forerunners: Vec<Forerunner>,
}

/// The task's state.
pub(super) struct Channel {
    pub(super) journal: Arc<Journal>,
    pub(super) observe: bool,
    pub(super) orders: watch::Receiver<Order>,
    pub(super) progress: watch::Sender<Progress>,
    pub(super) known: Known,
    /// Number of entries of an earlier guard that it has taken up.
    pub(super) joined: usize,
    /// Ticks from the time when the app was last told.
    pub(super) again: Interval,
    pub(super) look: Interval,
}

/// The task and its owner's handle. Must be called inside a runtime.
pub(crate) fn channel(begin: Begin) -> (Handle, impl Future<Output = ()> + Send + use<>) {
    let order = begin.order;
    let known = Known::new(&order.means);
    let orders = watch::Sender::new(order);
    let (progress, watched) = watch::channel(Progress::default());
    let channel = Channel {
        journal: begin.journal,
        observe: begin.observe,
        orders: orders.subscribe(),
        progress,
        known,
        joined: 0,
        again: every(AGAIN_EVERY),
        look: every(LOOK_EVERY),
    };
    let handle = Handle {
        orders,
        progress: watched,
    };
    (handle, channel.run(begin.forerunners))
}

fn every(period: Duration) -> Interval {
    let mut beats = interval(period);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats.reset();
    beats
}

impl Channel {
    /// Runs until its handle is dropped.
    async fn run(mut self, mut forerunners: Vec<Forerunner>) {
        let before = all_done(&mut forerunners);
        if timeout(FORERUNNER_PATIENCE, before).await.is_ok() {
            forerunners.clear();
        }
        let mut retry = RETRY_FIRST;
        loop {
            let order = self.orders.borrow_and_update().clone();
            for left in order.left.get(self.joined..).unwrap_or_default() {
                self.known.join(&order.means, left);
                self.joined += 1;
            }
            let settled = self.follow(&order).await;
            if settled {
                retry = RETRY_FIRST;
            } else if self.known.again {
                continue;
            }
            // Whatever its health URL says: an app that doesn't answer may be restarting.
            let repeats = self.known.is_told() && self.known.is_repeated();
            let looks = settled && repeats && order.means.has_health() && self.known.is_throttled();
            tokio::select! {
                changed = self.orders.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    retry = RETRY_FIRST;
                }
                () = sleep(retry), if !settled => retry = (retry * 2).min(RETRY_MAX),
                _ = self.again.tick(), if repeats => self.known.again = true,
                _ = self.look.tick(), if looks => self.look_after(&order).await,
                // A late message to the old place may have reached the app here.
                () = all_done(&mut forerunners), if !forerunners.is_empty() => {
                    forerunners.clear();
                    self.known.again = self.known.is_throttled();
                }
            }
        }
    }

    /// One attempt to follow the order. Returns whether nothing is left to do.
    async fn follow(&mut self, order: &Order) -> bool {
        let Some(mode) = order.wish else {
            return true;
        };
        let throttles = order.means.throttles(mode);
        self.known.call_normal(order.means.word(AppMode::Normal));
        let told = if self.known.needs(order.means.word(mode)) {
            self.known.begin(throttles);
            self.progress
                .send_modify(|now| now.awaits_health = self.awaits(order));
            if throttles {
                self.slow_down(order, mode).await
            } else {
                self.let_go(order).await
            }
        } else {
            self.keep_journal(order, throttles).await;
            true
        };
        if !told {
            return false;
        }
        let journaled = self.known.is_journaled;
        self.progress
            .send_modify(|now| now.heed(order.number, mode, journaled));
        self.is_well(order).await && journaled
    }

    fn awaits(&self, order: &Order) -> bool {
        order.means.has_health() && !self.observe
    }
}

async fn all_done(forerunners: &mut [Forerunner]) {
    for before in forerunners {
        before.done().await;
    }
}
