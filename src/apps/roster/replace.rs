//! Replaces the list of applications: which apps keep a channel, get a new one, or are retired.

use std::sync::Arc;

use crate::apps::channel::{Begin, Forerunner, Handle, Order, channel};
use crate::apps::means::{Means, Place};
use crate::apps::record::Entry;
use crate::policy::AppMode;

use super::table::{App, Roster, Told, Way};

impl Roster {
    /// Takes over another list.
    pub(crate) fn replace(&mut self, config: Vec<Told>) {
        let mut spare = std::mem::take(&mut self.retired);
        spare.retain(|handle| !handle.is_finished());
        let before: Vec<_> = self
            .apps
            .drain(..)
            .map(|app| (app.name, app.wish))
            .collect();
        spare.append(&mut self.channels);
        // Places that stay come first: a new place waits for retired ones.
        let mut places: Vec<(Place, Option<Handle>)> = Vec::new();
        for means in config.iter().flat_map(|(_, means)| means) {
            let place = means.place();
            if places.iter().all(|(known, _)| *known != place) {
                let kept = take(&mut spare, &place);
                places.push((place, kept));
            }
        }
        if !self.is_unread() {
            for handle in &spare {
                handle.order(|order| order.wish = Some(AppMode::Normal));
            }
        }
        self.retired = spare;
        let configured: Vec<_> = config.iter().map(|(app, _)| app.name.clone()).collect();
        let mut channels: Vec<Option<Handle>> = Vec::new();
        let places: Vec<_> = places
            .into_iter()
            .map(|(place, kept)| {
                channels.push(kept);
                place
            })
            .collect();
        for (app, means) in config {
            let known = before.iter().find(|(name, _)| *name == app.name);
            let mut ordered = None;
            let has_health = means.iter().any(Means::has_health);
            let mut ways = Vec::new();
            for means in means {
                let place = means.place();
                let at = places.iter().position(|known| *known == place);
                let Some(at) = at else { continue };
                let Some(slot) = channels.get_mut(at) else {
                    continue;
                };
                match slot {
                    Some(kept) => ordered = ordered.max(kept.wish()),
                    None => *slot = Some(self.begin(&app.name, &configured, &means)),
                }
                ways.push(Way {
                    means: Arc::new(means),
                    channel: at,
                });
            }
            // A renamed app keeps its mode.
            let wish = known.and_then(|(_, wish)| *wish).or(ordered);
            self.apps.push(App {
                ways,
                has_health,
                name: app.name,
                gpus: app.gpus,
                wish,
            });
        }
        // Each place was filled by the app that named it.
        self.channels = channels.into_iter().flatten().collect();
        self.pass_on();
        while self.tasks.try_join_next().is_some() {}
    }

    /// A place that this guard hasn't told anything yet.
    fn begin(&mut self, app: &str, configured: &[String], means: &Means) -> Handle {
        let named = Entry::named(app, &means.place()).key();
        let at = self.strangers.iter().position(|left| left.key() == named);
        let left = at.map(|at| self.strangers.swap_remove(at));
        // The app's own old place, or a place whose app's name is gone: it may be this app, renamed.
        let before = self.retired.iter().filter(|handle| {
            let order = handle.orders.borrow();
            let is_its = order.app == app || !configured.contains(&order.app);
            is_its && order.means.name() == means.name()
        });
        let forerunners = before.map(|handle| Forerunner {
            progress: handle.progress.clone(),
            number: handle.orders.borrow().number,
        });
        let forerunners = forerunners.collect();
        let handle = self.start(app.to_owned(), means.again(), forerunners);
        if let Some(left) = left {
            handle.leave(left);
        }
        handle
    }

    pub(super) fn start(
        &mut self,
        app: String,
        means: Means,
        forerunners: Vec<Forerunner>,
    ) -> Handle {
        let _runtime = self.runtime.enter();
        let (handle, task) = channel(Begin {
            journal: Arc::clone(&self.journal),
            observe: self.observe,
            order: Order {
                number: 1,
                app,
                means: Arc::new(means),
                wish: None,
                left: Vec::new(),
            },
            forerunners,
        });
        self.tasks.spawn_on(task, &self.runtime);
        handle
    }
}

/// The spare channel of this place.
fn take(spare: &mut Vec<Handle>, place: &Place) -> Option<Handle> {
    let at = spare.iter().position(|handle| handle.place() == *place);
    at.map(|at| spare.swap_remove(at))
}
