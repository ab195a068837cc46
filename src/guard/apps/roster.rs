//! Which applications there are, and which channel is whose. A place has one channel, whatever
//! reloads make of its application: renamed, it goes on; taken out, it is given back first; back
//! before that is done, it goes on again.

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle as Runtime;
use tokio::task::JoinSet;

use crate::config::{AppConfig, GpuSelection};
use crate::device::Identity;
use crate::policy::AppMode;

use super::AppStatus;
use super::channel::{Begin, Forerunner, Handle, Order, channel};
use super::journal::Journal;
use super::means::{Means, Place};
use super::record::Entry;

pub(super) struct Roster {
    apps: Vec<App>,
    /// Of apps that aren't configured any more, until all is given back.
    retired: Vec<Handle>,
    /// What only its name is known of.
    strangers: Vec<Entry>,
    journal: Arc<Journal>,
    observe: bool,
    runtime: Runtime,
    tasks: JoinSet<()>,
}

struct App {
    name: String,
    gpus: GpuSelection,
    wish: Option<AppMode>,
    channels: Vec<Handle>,
    has_health: bool,
}

impl Roster {
    pub(super) fn new(
        config: Vec<AppConfig>,
        state_dir: Option<&Path>,
        observe: bool,
        runtime: &Runtime,
    ) -> Self {
        let all = || {
            let named = |app: &AppConfig| {
                let name = app.name.clone();
                let entry = move |means: Means| Entry::named(&name, &means.place());
                Means::of(app).map(entry).collect::<Vec<_>>()
            };
            config.iter().flat_map(named).collect()
        };
        let (journal, found) = Journal::open(state_dir, all);
        let mut roster = Self {
            apps: Vec::new(),
            retired: Vec::new(),
            strangers: Vec::new(),
            journal: Arc::new(journal),
            observe,
            runtime: runtime.clone(),
            tasks: JoinSet::new(),
        };
        for entry in found {
            match entry.means() {
                Some(means) => {
                    let left = roster.start(entry.app.clone(), means, Some(entry), None);
                    roster.retired.push(left);
                }
                None => roster.strangers.push(entry),
            }
        }
        roster.replace(config);
        for stranger in &roster.strangers {
            let (channel, _) = stranger.key();
            tracing::warn!(
                channel,
                "was left throttled by an older guard, but isn't configured any more: not told normal; configure it again, or set it back by hand and remove apps.json from the state directory"
            );
        }
        roster
    }

    /// Takes over another list.
    pub(super) fn replace(&mut self, config: Vec<AppConfig>) {
        let mut spare = std::mem::take(&mut self.retired);
        spare.retain(|handle| !handle.is_finished());
        let wishes: Vec<_> = self
            .apps
            .iter()
            .map(|app| (app.name.clone(), app.wish))
            .collect();
        spare.extend(self.apps.drain(..).flat_map(|app| app.channels));
        let means: Vec<Vec<Means>> = config.iter().map(|app| Means::of(app).collect()).collect();
        // By name first: two apps may share a place.
        let mut kept: Vec<Vec<Option<Handle>>> = Vec::new();
        for (app, means) in config.iter().zip(&means) {
            let same = |means: &Means| take(&mut spare, Some(&app.name), &means.place());
            kept.push(means.iter().map(same).collect());
        }
        for (means, kept) in means.iter().zip(&mut kept) {
            for (means, kept) in means.iter().zip(kept) {
                if kept.is_none() {
                    *kept = take(&mut spare, None, &means.place());
                }
            }
        }
        for handle in &spare {
            handle.order(|order| order.wish = Some(AppMode::Normal));
        }
        self.retired = spare;
        for ((app, means), kept) in config.into_iter().zip(means).zip(kept) {
            let known = wishes.iter().find(|(name, _)| *name == app.name);
            // A renamed one goes on with what it was told.
            let ordered = kept.iter().flatten().filter_map(Handle::wish).max();
            let wish = known.and_then(|(_, wish)| *wish).or(ordered);
            let has_health = means.iter().any(Means::has_health);
            let both = means.into_iter().zip(kept);
            let channels = both.map(|(means, kept)| match kept {
                Some(handle) => {
                    handle.order(|order| {
                        order.app.clone_from(&app.name);
                        order.means = Arc::new(means);
                    });
                    handle
                }
                None => self.begin(&app.name, means),
            });
            let channels = channels.collect();
            self.apps.push(App {
                channels,
                has_health,
                name: app.name,
                gpus: app.gpus,
                wish,
            });
        }
        self.pass_on();
        while self.tasks.try_join_next().is_some() {}
    }

    /// A place that wasn't told before, by this guard.
    fn begin(&mut self, app: &str, means: Means) -> Handle {
        let place = means.place();
        let named = Entry::named(app, &place).key();
        let at = self.strangers.iter().position(|left| left.key() == named);
        let left = at.map(|at| self.strangers.swap_remove(at));
        let before = self.retired.iter().find(|handle| {
            let order = handle.orders.borrow();
            order.app == app && order.means.name() == means.name()
        });
        let forerunner = before.map(|handle| Forerunner {
            progress: handle.progress.clone(),
            number: handle.orders.borrow().number,
        });
        self.start(app.to_owned(), means, left, forerunner)
    }

    fn start(
        &mut self,
        app: String,
        means: Means,
        left: Option<Entry>,
        forerunner: Option<Forerunner>,
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
            },
            left,
            forerunner,
        });
        self.tasks.spawn_on(task, &self.runtime);
        handle
    }

    /// What is wished of an app by its GPUs; `None`: none of them was heard of.
    pub(super) fn wish(&mut self, most: impl Fn(&GpuSelection) -> Option<AppMode>) {
        for app in &mut self.apps {
            let was_known = app.wish.map(|_| AppMode::Normal);
            app.wish = most(&app.gpus).or(was_known);
        }
        self.pass_on();
    }

    fn pass_on(&self) {
        for app in &self.apps {
            for channel in &app.channels {
                // Taken up again, it may be about to give back what nobody has wished for since.
                channel.order(|order| order.wish = app.wish.or(order.wish));
            }
        }
    }

    pub(super) fn are_well(&self, gpu: &Identity) -> bool {
        let concerned = self.apps.iter().filter(|app| app.gpus.matches(gpu));
        concerned.filter(|app| app.has_health).all(App::is_well)
    }

    /// The configured ones; behind them, what still has to be given back of others.
    pub(super) fn snapshot(&self) -> Vec<AppStatus> {
        let mut all: Vec<_> = self.apps.iter().map(App::status).collect();
        let owed = self.retired.iter().filter(|handle| !handle.is_finished());
        for status in owed.map(alone) {
            if all.iter().all(|known| known.name != status.name) {
                all.push(status);
            }
        }
        all
    }

    pub(super) fn retired(&self) -> Vec<AppStatus> {
        self.retired.iter().map(alone).collect()
    }

    pub(super) fn strangers(&self) -> Vec<String> {
        self.strangers.iter().map(|left| left.key().0).collect()
    }

    /// Resolves when every app knows what is wished now.
    pub(super) fn settled(&self) -> impl Future<Output = ()> + use<> {
        let configured = self.apps.iter().flat_map(|app| &app.channels);
        let all = configured.chain(&self.retired);
        let waits: Vec<_> = all
            .filter(|handle| handle.orders.borrow().wish.is_some())
            .map(|handle| (handle.progress.clone(), handle.orders.borrow().number))
            .collect();
        async move {
            for (mut progress, number) in waits {
                // An error: the task is gone, and there is nothing left to wait for.
                let _ = progress.wait_for(|now| now.heard >= number).await;
            }
        }
    }
}

/// The spare channel of this place, of the app of that name or of any.
fn take(spare: &mut Vec<Handle>, app: Option<&str>, place: &Place) -> Option<Handle> {
    let at = spare.iter().position(|handle| {
        let order = handle.orders.borrow();
        app.is_none_or(|app| order.app == app) && order.means.place() == *place
    });
    at.map(|at| spare.swap_remove(at))
}

impl Handle {
    /// Another order, if that is a change.
    fn order(&self, change: impl FnOnce(&mut Order)) {
        self.orders.send_if_modified(|order| {
            let (app, means, wish) = (order.app.clone(), Arc::clone(&order.means), order.wish);
            change(order);
            let changed =
                order.wish != wish || order.app != app || !Arc::ptr_eq(&order.means, &means);
            order.number += u64::from(changed);
            changed
        });
    }

    /// All that was ordered is done, and on disk.
    fn is_finished(&self) -> bool {
        self.progress.borrow().finished >= self.orders.borrow().number
    }

    fn wish(&self) -> Option<AppMode> {
        self.orders.borrow().wish
    }

    fn follows(&self) -> bool {
        let order = self.orders.borrow();
        order.wish.is_none() || self.progress.borrow().heard >= order.number
    }
}

impl App {
    fn status(&self) -> AppStatus {
        let wanted = self.wish.unwrap_or_default();
        AppStatus {
            well: self.has_health.then(|| self.is_well()),
            ..status(self.name.clone(), wanted, &self.channels)
        }
    }

    fn is_well(&self) -> bool {
        let well = |channel: &Handle| channel.follows() && !channel.progress.borrow().awaits_health;
        self.channels.iter().all(well)
    }
}

fn alone(handle: &Handle) -> AppStatus {
    let name = handle.orders.borrow().app.clone();
    status(name, AppMode::Normal, std::slice::from_ref(handle))
}

fn status(name: String, wanted: AppMode, channels: &[Handle]) -> AppStatus {
    let mut status = AppStatus {
        name,
        wanted,
        told: None,
        last_error: None,
        notifications_ok: 0,
        notifications_failed: 0,
        well: None,
    };
    let progress: Vec<_> = channels
        .iter()
        .map(|channel| channel.progress.borrow().clone())
        .collect();
    if progress.iter().any(|channel| channel.contacted) {
        status.told = progress.iter().filter_map(|channel| channel.heeded).min();
    }
    for channel in progress {
        status.last_error = status.last_error.or(channel.error).or(channel.health_error);
        status.notifications_ok += channel.ok;
        status.notifications_failed += channel.failed;
    }
    status
}
