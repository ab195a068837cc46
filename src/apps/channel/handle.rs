//! The owner's side of a channel: it sends orders and sees which were followed.

use std::sync::Arc;

use tokio::sync::watch;

use crate::apps::means::{Means, Place};
use crate::apps::record::Entry;
use crate::policy::AppMode;

use super::progress::Progress;

/// An order for a channel.
#[derive(Clone)]
pub(crate) struct Order {
    /// Grows with every change.
    pub(crate) number: u64,
    pub(crate) app: String,
    pub(crate) means: Arc<Means>,
    /// The wanted mode; `None` until the first.
    pub(crate) wish: Option<AppMode>,
    /// Entries of an earlier guard for this place, as far as they are known.
    pub(crate) left: Vec<Arc<Entry>>,
}

/// An earlier channel of the same app.
pub(crate) struct Forerunner {
    pub(crate) progress: watch::Receiver<Progress>,
    /// The number of the order to give back.
    pub(crate) number: u64,
}

/// The owner's handle. Dropping it ends the task.
pub(crate) struct Handle {
    pub(crate) orders: watch::Sender<Order>,
    pub(crate) progress: watch::Receiver<Progress>,
}

impl Forerunner {
    /// Resolves once everything is given back there.
    pub(crate) async fn done(&mut self) {
        let number = self.number;
        // An error: the task has ended and does nothing more.
        let _ = self.progress.wait_for(|now| now.finished >= number).await;
    }
}

impl Handle {
    /// Sends another order if something changed.
    pub(crate) fn order(&self, change: impl FnOnce(&mut Order)) {
        self.orders.send_if_modified(|order| {
            let (app, means, wish) = (order.app.clone(), Arc::clone(&order.means), order.wish);
            let left = order.left.len();
            change(order);
            let changed = order.wish != wish
                || order.app != app
                || !Arc::ptr_eq(&order.means, &means)
                || order.left.len() != left;
            order.number += u64::from(changed);
            changed
        });
    }

    /// Adds an entry of an earlier guard.
    pub(crate) fn leave(&self, entry: Entry) {
        self.order(|order| order.left.push(Arc::new(entry)));
    }

    /// The strongest mode in which an earlier guard left it, unless it was told something since.
    pub(crate) fn left_in(&self) -> Option<AppMode> {
        if self.progress.borrow().heeded.is_some() {
            return None;
        }
        let order = self.orders.borrow();
        let modes = order.left.iter().map(|left| left.mode(&order.means));
        modes.max()
    }

    /// The app in whose words the last order is.
    pub(crate) fn told(&self) -> String {
        self.orders.borrow().app.clone()
    }

    pub(crate) fn place(&self) -> Place {
        self.orders.borrow().means.place()
    }

    /// Whether every order was followed, and the journal is on disk.
    pub(crate) fn is_finished(&self) -> bool {
        self.progress.borrow().finished >= self.orders.borrow().number
    }

    pub(crate) fn wish(&self) -> Option<AppMode> {
        self.orders.borrow().wish
    }

    pub(crate) fn follows(&self) -> bool {
        let order = self.orders.borrow();
        order.wish.is_none() || self.progress.borrow().heard >= order.number
    }
}
