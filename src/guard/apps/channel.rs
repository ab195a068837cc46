//! One place where one application is told: a task that makes the app know the latest order, however
//! long that takes, and that sees to it that the app goes on knowing it. There is one for each place,
//! across reloads: an order may change the app's name, its words and its token, never the place.

mod attempt;
mod health;
mod known;
mod progress;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};

use crate::policy::AppMode;

use super::journal::Journal;
use super::means::Means;
use super::record::Entry;

pub(super) use progress::Progress;

use known::Known;

/// Between attempts: short enough for an app that just restarts, then doubled up to where an app
/// that is away for the night costs nothing.
const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// A throttled app is told again so often, because one that was started anew has forgotten: two
/// requests a minute cost nobody anything.
const AGAIN_EVERY: Duration = Duration::from_secs(30);

/// A throttled app's health URL is asked so often whether it was started anew.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The place that an app had before gets so long to hear that it is over, before the new one hears
/// that it isn't: longer than one attempt. An app that is no longer there must not delay a throttle.
const FORERUNNER_PATIENCE: Duration = Duration::from_secs(3);

/// What a channel is to do.
#[derive(Clone)]
pub(super) struct Order {
    /// One more with every change.
    pub(super) number: u64,
    pub(super) app: String,
    pub(super) means: Arc<Means>,
    /// `None` until the first wish.
    pub(super) wish: Option<AppMode>,
    /// What a former guard left there, as far as that is known by now.
    pub(super) left: Vec<Arc<Entry>>,
}

/// What a channel begins with.
pub(super) struct Begin {
    pub(super) journal: Arc<Journal>,
    /// Only pretend.
    pub(super) observe: bool,
    pub(super) order: Order,
    /// Places that the app may have had before, until all is given back there.
    pub(super) forerunners: Vec<Forerunner>,
}

/// Another channel of the same app.
pub(super) struct Forerunner {
    pub(super) progress: watch::Receiver<Progress>,
    /// Of the order that tells it to give back.
    pub(super) number: u64,
}

/// The owner's hold on a channel. Dropping it ends the task.
pub(super) struct Handle {
    pub(super) orders: watch::Sender<Order>,
    pub(super) progress: watch::Receiver<Progress>,
}

/// The task's own.
struct Channel {
    journal: Arc<Journal>,
    observe: bool,
    orders: watch::Receiver<Order>,
    progress: watch::Sender<Progress>,
    known: Known,
    /// How much of what was left it has taken up.
    joined: usize,
    /// Beats from when the app was last told.
    again: Interval,
    look: Interval,
}

/// The task, and its owner's hold on it. To be called inside a runtime.
pub(super) fn channel(begin: Begin) -> (Handle, impl Future<Output = ()> + Send + use<>) {
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

impl Forerunner {
    /// Resolves once all is given back there.
    async fn done(&mut self) {
        let number = self.number;
        // An error: the task is gone, and nothing more comes of it.
        let _ = self.progress.wait_for(|now| now.finished >= number).await;
    }
}

impl Channel {
    /// Runs until nobody can give orders any more.
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
            // Whatever its health URL says: one that is away may be one that starts anew.
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
                // What was said there late may have been heard here.
                () = all_done(&mut forerunners), if !forerunners.is_empty() => {
                    forerunners.clear();
                    self.known.again = self.known.is_throttled();
                }
            }
        }
    }

    /// One attempt to do what is ordered. Whether nothing is left to do.
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
