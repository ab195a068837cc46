//! One attempt to tell an app its mode, with the journal, the counters and the log lines.

use crate::policy::AppMode;

use super::handle::Order;
use super::known::Said;
use super::task::Channel;
use crate::apps::record::Entry;

impl Channel {
    /// Tells the app to slow down. The journal entry that undoes this is on disk first.
    pub(crate) async fn slow_down(&mut self, order: &Order, mode: AppMode) -> bool {
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

    /// Tells the app to go back to normal; only then its journal entry goes.
    pub(crate) async fn let_go(&mut self, order: &Order) -> bool {
        let word = order.means.word(AppMode::Normal);
        let prepared = self.known.prepare(&order.means, None, self.observe).await;
        let said = match prepared {
            Ok(prepared) => prepared.carry_out().await,
            Err(error) => Err(error),
        };
        match said {
            // A mere repetition: no more than one attempt.
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

    /// The app follows already; its journal entry may be missing, or have another name.
    pub(crate) async fn keep_journal(&mut self, order: &Order, throttles: bool) {
        let taken = self.known.taken.as_ref();
        let entry = throttles.then(|| Entry::new(&order.app, &order.means, taken));
        if entry != self.known.entry || !self.known.is_journaled {
            self.record(order, entry).await;
        }
    }

    /// A failing journal is no reason to leave an app at full speed. But it is logged and retried: if
    /// the guard dies meanwhile, no record of the app is left.
    async fn record(&mut self, order: &Order, entry: Option<Entry>) {
        if self.observe {
            return;
        }
        let (app, throttled) = (order.app.as_str(), entry.is_some());
        let old = self.known.entry.as_ref();
        let mut result = self.journal.record(old, entry.as_ref()).await;
        while result.is_ok()
            && let Some(other) = self.known.superseded.pop()
            && entry.as_ref().is_none_or(|new| new.key() != other.key())
        {
            result = self.journal.record(Some(&other), None).await;
        }
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

    /// Logs only the first failure.
    fn failed(&mut self, order: &Order, error: String) -> bool {
        let (app, channel) = (order.app.as_str(), order.means.name());
        if self.progress.borrow().error.is_none() {
            let place = order.means.shown();
            tracing::warn!(
                app,
                channel,
                place,
                error,
                "application can't be told its mode: tried again and again; look at it, or correct its entry under `apps`"
            );
        }
        self.known.failed();
        self.progress.send_modify(|now| {
            now.contacted = true;
            now.failed += 1;
            now.error = Some(error);
        });
        false
    }

    fn succeeded(&self, order: &Order, said: &Said) {
        let (app, channel) = (order.app.as_str(), order.means.name());
        if self.progress.borrow().error.is_some() {
            tracing::info!(app, channel, "application can be told its mode again");
        }
        if let Some(remark) = &said.remark {
            let place = order.means.shown();
            tracing::warn!(
                app,
                channel,
                place,
                remark,
                "application may not see what it is told"
            );
        }
        // A repetition with nothing to do doesn't count as a notification.
        let counts = said.done || !self.known.again;
        self.progress.send_modify(|now| {
            now.contacted = true;
            now.ok += u64::from(counts && !said.unseen);
            now.failed += u64::from(counts && said.unseen);
            now.error = None;
        });
    }
}
