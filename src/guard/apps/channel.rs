//! One place where one application is told: a task that makes the app know the latest order, however
//! long that takes, and that sees to it that the app goes on knowing it. There is one for each place,
//! across reloads: an order may change the app's name, its words and its token, never the place.

mod known;
mod progress;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
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
}

/// What a channel begins with.
pub(super) struct Begin {
    pub(super) journal: Arc<Journal>,
    /// Only pretend.
    pub(super) observe: bool,
    pub(super) order: Order,
    /// What a former guard left there.
    pub(super) left: Option<Entry>,
    /// The place that the app had before, until all is given back there.
    pub(super) forerunner: Option<Forerunner>,
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
    /// Beats from when the app was last told.
    again: Interval,
    look: Interval,
}

/// The task, and its owner's hold on it. To be called inside a runtime.
pub(super) fn channel(begin: Begin) -> (Handle, impl Future<Output = ()> + Send + use<>) {
    let order = begin.order;
    let known = Known::new(&order.means, begin.left);
    let orders = watch::Sender::new(order);
    let (progress, watched) = watch::channel(Progress::default());
    let channel = Channel {
        journal: begin.journal,
        observe: begin.observe,
        orders: orders.subscribe(),
        progress,
        known,
        again: every(AGAIN_EVERY),
        look: every(LOOK_EVERY),
    };
    let handle = Handle {
        orders,
        progress: watched,
    };
    (handle, channel.run(begin.forerunner))
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
    async fn run(mut self, mut forerunner: Option<Forerunner>) {
        if let Some(before) = &mut forerunner
            && timeout(FORERUNNER_PATIENCE, before.done()).await.is_ok()
        {
            forerunner = None;
        }
        let mut retry = RETRY_FIRST;
        loop {
            let order = self.orders.borrow_and_update().clone();
            let settled = self.follow(&order).await;
            if settled {
                retry = RETRY_FIRST;
            } else if self.known.again {
                continue;
            }
            let repeats = settled && self.known.is_repeated();
            let looks = repeats && order.means.has_health() && self.known.is_throttled();
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
                () = done(&mut forerunner), if forerunner.is_some() => {
                    forerunner = None;
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
        self.progress
            .send_modify(|now| now.heed(order.number, mode));
        let well = self.is_well(order).await;
        if self.known.is_journaled {
            self.progress.send_modify(|now| now.finished = order.number);
        }
        well && self.known.is_journaled
    }

    fn awaits(&self, order: &Order) -> bool {
        order.means.has_health() && !self.observe
    }

    /// Told to slow down, with what it takes to undo that on disk first.
    async fn slow_down(&mut self, order: &Order, mode: AppMode) -> bool {
        let word = order.means.word(mode);
        let prepared = self
            .known
            .prepare(&order.means, Some(word), self.observe)
            .await;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return self.failed(order, error),
        };
        let entry = Entry::new(&order.app, &order.means, prepared.taken.as_ref());
        self.known.taken.clone_from(&prepared.taken);
        self.record(order, Some(entry)).await;
        match prepared.carry_out().await {
            Err(error) => self.failed(order, error),
            Ok(said) => {
                self.succeeded(order, &said);
                self.known.told(word, true);
                self.again.reset();
                true
            }
        }
    }

    /// Told to go on as before; only then the journal forgets.
    async fn let_go(&mut self, order: &Order) -> bool {
        let word = order.means.word(AppMode::Normal);
        let prepared = self.known.prepare(&order.means, None, self.observe).await;
        let said = match prepared {
            Ok(prepared) => prepared.carry_out().await,
            Err(error) => Err(error),
        };
        match said {
            // A repetition, to be sure: not more than that.
            Err(_) if self.known.was_told_normal() => {
                self.known.told(word, false);
                true
            }
            Err(error) => self.failed(order, error),
            Ok(said) => {
                self.record(order, None).await;
                self.succeeded(order, &said);
                self.known.told(word, false);
                self.again.reset();
                true
            }
        }
    }

    /// The app knows; the journal may not yet, or by another name.
    async fn keep_journal(&mut self, order: &Order, throttles: bool) {
        let taken = self.known.taken.as_ref();
        let entry = throttles.then(|| Entry::new(&order.app, &order.means, taken));
        if entry != self.known.entry || !self.known.is_journaled {
            self.record(order, entry).await;
        }
    }

    /// Asks its health URL, if it was told something since that last answered.
    async fn is_well(&mut self, order: &Order) -> bool {
        if !self.progress.borrow().awaits_health {
            return true;
        }
        let error = self.ask(order).await.err();
        let was_ill = self.progress.borrow().health_error.is_some();
        let well = error.is_none();
        self.log_health(order, error.as_deref(), was_ill);
        // One that comes back may have been started anew, with everything forgotten.
        let anew = well && was_ill && self.known.is_throttled();
        self.known.again |= anew;
        self.progress.send_modify(|now| {
            now.awaits_health = !well || anew;
            now.health_error = error;
        });
        well && !anew
    }

    /// A throttled app, between two times it is told.
    async fn look_after(&mut self, order: &Order) {
        let app = order.app.as_str();
        match self.ask(order).await {
            Err(error) => {
                self.log_health(order, Some(&error), false);
                self.progress.send_modify(|now| {
                    now.awaits_health = true;
                    now.health_error = Some(error);
                });
            }
            Ok(Some(word)) if order.means.knows(&word) && self.known.needs(&word) => {
                // Once: one that goes on saying so means something else by it.
                if !std::mem::replace(&mut self.known.contradicted, true) {
                    tracing::warn!(
                        app,
                        "application says that it is in another mode than it was told: told again"
                    );
                    self.known.again = true;
                }
            }
            Ok(_) => self.known.contradicted = false,
        }
    }

    async fn ask(&self, order: &Order) -> Result<Option<String>, String> {
        if self.observe {
            return Ok(None);
        }
        let means = Arc::clone(&order.means);
        let asked = spawn_blocking(move || means.ask_health()).await;
        asked.unwrap_or_else(|panic| Err(panic.to_string()))
    }

    #[expect(clippy::unused_self, reason = "reads as what the channel does")]
    fn log_health(&self, order: &Order, error: Option<&str>, was_ill: bool) {
        let app = order.app.as_str();
        match (error, was_ill) {
            (Some(error), false) => {
                tracing::warn!(
                    app,
                    error,
                    "application isn't well since it was told its mode: look at it, or correct health_url"
                );
            }
            (None, true) => tracing::info!(app, "application is well again"),
            _ => {}
        }
    }

    /// A journal that fails is no reason to leave an app at full speed, but one to say so, and to
    /// try again: a guard that dies meanwhile leaves what nobody knows of.
    async fn record(&mut self, order: &Order, entry: Option<Entry>) {
        if self.observe {
            return;
        }
        let (app, throttled) = (order.app.as_str(), entry.is_some());
        let old = self.known.entry.as_ref();
        let result = self.journal.record(old, entry.as_ref()).await;
        self.known.entry = entry;
        let before = std::mem::replace(&mut self.known.is_journaled, result.is_ok());
        match result {
            Err(error) if before => {
                tracing::error!(app, throttled, %error, "app journal not written: it is told nevertheless; look at the disk of the state directory");
            }
            Ok(()) if !before => tracing::info!(app, "app journal written again"),
            _ => {}
        }
    }

    /// Logged when the trouble begins, not every time.
    fn failed(&mut self, order: &Order, error: String) -> bool {
        let (app, channel) = (order.app.as_str(), order.means.name());
        if self.progress.borrow().error.is_none() {
            tracing::warn!(app, channel, error, "application can't be told its mode");
        }
        self.known.failed();
        self.progress.send_modify(|now| {
            now.contacted = true;
            now.failed += 1;
            now.error = Some(error);
        });
        false
    }

    fn succeeded(&self, order: &Order, said: &known::Said) {
        let (app, channel) = (order.app.as_str(), order.means.name());
        if self.progress.borrow().error.is_some() {
            tracing::info!(app, channel, "application can be told its mode again");
        }
        if let Some(remark) = &said.remark {
            tracing::warn!(
                app,
                channel,
                remark,
                "application may not see what it is told"
            );
        }
        // A repetition with nothing to do is no notification.
        let counts = said.done || !self.known.again;
        self.progress.send_modify(|now| {
            now.contacted = true;
            now.ok += u64::from(counts && !said.unseen);
            now.failed += u64::from(counts && said.unseen);
            now.error = None;
        });
    }
}

/// Of none, never.
async fn done(forerunner: &mut Option<Forerunner>) {
    match forerunner {
        Some(before) => before.done().await,
        None => std::future::pending().await,
    }
}
