//! Which applications there are, and which channel is whose. A place has one channel, whatever
//! reloads make of its applications: renamed, it goes on; taken out, it is given back first; back
//! before that is done, it goes on again.

use std::sync::Arc;

use tokio::runtime::Handle as Runtime;
use tokio::task::JoinSet;

use crate::config::{AppConfig, GpuSelection};
use crate::device::Identity;
use crate::policy::AppMode;

use super::AppStatus;
use super::channel::{Begin, Forerunner, Handle, Order, channel};
use super::journal::{ASIDE, Journal};
use super::means::{Means, Place};
use super::record::Entry;

pub(super) struct Roster {
    apps: Vec<App>,
    /// One for each place, whichever apps share it.
    channels: Vec<Handle>,
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
    ways: Vec<Way>,
    has_health: bool,
}

/// How an app is told, and by which of the channels.
struct Way {
    means: Arc<Means>,
    channel: usize,
}

/// What an app's GPUs come to.
pub(super) enum Wanted {
    Mode(AppMode),
    /// One of them hasn't said yet: what was wished stays.
    Open,
    /// None of them is heard of.
    Nothing,
    /// None of them is there.
    Gone,
}

/// A configured application with its means, for which its disk was asked already.
pub(super) type Told = (AppConfig, Vec<Means>);

pub(super) fn told(config: Vec<AppConfig>) -> Vec<Told> {
    let with_means = |app: AppConfig| {
        let means = Means::of(&app).collect();
        (app, means)
    };
    config.into_iter().map(with_means).collect()
}

impl Roster {
    /// What a guard before this one left comes by [`Self::take_up`].
    pub(super) fn new(
        config: Vec<Told>,
        journal: Journal,
        observe: bool,
        runtime: &Runtime,
    ) -> Self {
        let mut roster = Self {
            apps: Vec::new(),
            channels: Vec::new(),
            retired: Vec::new(),
            strangers: Vec::new(),
            journal: Arc::new(journal),
            observe,
            runtime: runtime.clone(),
            tasks: JoinSet::new(),
        };
        roster.replace(config);
        roster
    }

    pub(super) fn is_unread(&self) -> bool {
        self.journal.is_unread()
    }

    /// What the journal says. From here on it is written.
    pub(super) fn take_up(&mut self, found: Vec<(Entry, Option<Means>)>) {
        let entries: Vec<_> = found.iter().map(|(entry, _)| entry.clone()).collect();
        self.journal.take_up(&entries, true);
        for (entry, means) in found {
            self.leave_to_its_owner(entry, means);
        }
        self.begin_to_ease();
        for stranger in &self.strangers {
            let (channel, _) = stranger.key();
            tracing::warn!(
                channel,
                "was left throttled by an older guard, but isn't configured any more: not told normal; configure it again, or set it back by hand and remove apps.json from the state directory"
            );
        }
    }

    /// The journal is none: any app may have been left throttled.
    pub(super) fn suspect_all(&mut self) {
        let mut suspects = Vec::new();
        for app in &self.apps {
            for way in &app.ways {
                let entry = Entry::named(&app.name, &way.means.place());
                if let Some(handle) = self.channels.get(way.channel) {
                    handle.leave(entry.clone());
                }
                suspects.push(entry);
            }
        }
        self.journal.take_up(&suspects, false);
        self.begin_to_ease();
        let file = self.journal.file().map(|file| file.with_file_name(ASIDE));
        let kept = file.as_deref().map(std::path::Path::display);
        let kept = kept.map(tracing::field::display);
        tracing::error!(
            kept,
            "all configured apps are told normal as soon as their GPUs are; one that isn't configured any more must be set back by hand. The file itself is kept under another name once there is a new one"
        );
    }

    /// Nobody is told normal before that is read.
    fn begin_to_ease(&mut self) {
        for handle in &self.retired {
            handle.order(|order| order.wish = Some(AppMode::Normal));
        }
        self.pass_on();
    }

    fn leave_to_its_owner(&mut self, entry: Entry, means: Option<Means>) {
        let Some(means) = means else {
            return self.leave_to_its_name(entry);
        };
        let place = means.place();
        let mut owners = self.channels.iter().chain(&self.retired);
        if let Some(owner) = owners.find(|handle| handle.place() == place) {
            return owner.leave(entry);
        }
        let left = self.start(entry.app.clone(), means, Vec::new());
        left.leave(entry);
        self.retired.push(left);
    }

    fn leave_to_its_name(&mut self, entry: Entry) {
        for app in &self.apps {
            for way in &app.ways {
                let named = Entry::named(&app.name, &way.means.place());
                if named.key() == entry.key()
                    && let Some(handle) = self.channels.get(way.channel)
                {
                    return handle.leave(entry);
                }
            }
        }
        self.strangers.push(entry);
    }

    /// Takes over another list.
    pub(super) fn replace(&mut self, config: Vec<Told>) {
        let mut spare = std::mem::take(&mut self.retired);
        spare.retain(|handle| !handle.is_finished());
        let before: Vec<_> = self
            .apps
            .drain(..)
            .map(|app| (app.name, app.wish))
            .collect();
        spare.append(&mut self.channels);
        // What stays first: what is new waits for what is retired.
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
            // A renamed one goes on with what it was told.
            let wish = known.and_then(|(_, wish)| *wish).or(ordered);
            self.apps.push(App {
                ways,
                has_health,
                name: app.name,
                gpus: app.gpus,
                wish,
            });
        }
        // Each was filled by the app that brought its place.
        self.channels = channels.into_iter().flatten().collect();
        self.pass_on();
        while self.tasks.try_join_next().is_some() {}
    }

    /// A place that wasn't told before, by this guard.
    fn begin(&mut self, app: &str, configured: &[String], means: &Means) -> Handle {
        let named = Entry::named(app, &means.place()).key();
        let at = self.strangers.iter().position(|left| left.key() == named);
        let left = at.map(|at| self.strangers.swap_remove(at));
        // Its own old place; or one whose app has no successor by its name: it may be this one, by
        // another name.
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

    fn start(&mut self, app: String, means: Means, forerunners: Vec<Forerunner>) -> Handle {
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

    /// What is wished of each app by its GPUs.
    pub(super) fn wish(&mut self, wanted: impl Fn(&GpuSelection) -> Wanted) {
        let mut freed = Vec::new();
        for app in &mut self.apps {
            match wanted(&app.gpus) {
                Wanted::Mode(mode) => app.wish = Some(mode),
                Wanted::Open => {}
                Wanted::Nothing => app.wish = app.wish.map(|_| AppMode::Normal),
                Wanted::Gone => {
                    if app.wish.replace(AppMode::Normal) != Some(AppMode::Normal) {
                        freed.push(app.name.clone());
                    }
                }
            }
        }
        for app in self.apps.iter().filter(|app| freed.contains(&app.name)) {
            if self
                .channels_of(app)
                .any(|channel| channel.left_in().is_some())
            {
                tracing::warn!(
                    app = app.name,
                    "was left throttled by a guard before this one, and none of its GPUs is there: told normal; see nvidia-smi -L, or correct `gpus` of its entry under `apps`"
                );
            }
        }
        self.pass_on();
    }

    fn channels_of<'a>(&'a self, app: &'a App) -> impl Iterator<Item = &'a Handle> {
        let of = |way: &Way| self.channels.get(way.channel);
        app.ways.iter().filter_map(of)
    }

    /// Each place follows the one of its apps that wishes most, in that one's words.
    fn pass_on(&self) {
        let is_unread = self.is_unread();
        for (at, channel) in self.channels.iter().enumerate() {
            let mut most: Option<(&App, &Way)> = None;
            let mut may_ease = !is_unread;
            for app in &self.apps {
                for way in app.ways.iter().filter(|way| way.channel == at) {
                    // Nobody has heard of its GPUs: they may still want it slow.
                    may_ease &= app.wish.is_some();
                    if most.is_none_or(|(most, _)| app.wish > most.wish) {
                        most = Some((app, way));
                    }
                }
            }
            let Some((app, way)) = most else { continue };
            let wish = app.wish.filter(|wish| may_ease || *wish > AppMode::Normal);
            channel.order(|order| {
                order.app.clone_from(&app.name);
                order.means = Arc::clone(&way.means);
                // Taken up again, it may be about to give back what nobody has wished for since.
                order.wish = wish.or(order.wish);
            });
        }
    }

    pub(super) fn are_well(&self, gpu: &Identity) -> bool {
        let concerned = self.apps.iter().filter(|app| app.gpus.matches(gpu));
        concerned
            .filter(|app| app.has_health)
            .all(|app| self.is_well(app))
    }

    fn is_well(&self, app: &App) -> bool {
        let well = |channel: &Handle| channel.follows() && !channel.progress.borrow().awaits_health;
        self.channels_of(app).all(well)
    }

    fn status(&self, app: &App) -> AppStatus {
        let channels: Vec<_> = self.channels_of(app).collect();
        AppStatus {
            well: app.has_health.then(|| self.is_well(app)),
            ..status(app.name.clone(), app.wish.unwrap_or_default(), &channels)
        }
    }

    /// The configured ones; behind them, what still has to be given back of others.
    pub(super) fn snapshot(&self) -> Vec<AppStatus> {
        let mut all: Vec<_> = self.apps.iter().map(|app| self.status(app)).collect();
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
        let all = self.channels.iter().chain(&self.retired);
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

/// The spare channel of this place.
fn take(spare: &mut Vec<Handle>, place: &Place) -> Option<Handle> {
    let at = spare.iter().position(|handle| handle.place() == *place);
    at.map(|at| spare.swap_remove(at))
}

impl Handle {
    /// Another order, if that is a change.
    fn order(&self, change: impl FnOnce(&mut Order)) {
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

    /// A guard before this one left it like this.
    fn leave(&self, entry: Entry) {
        self.order(|order| order.left.push(Arc::new(entry)));
    }

    /// As far as it was left throttled and hasn't been told anything since: how, at the most.
    fn left_in(&self) -> Option<AppMode> {
        if self.progress.borrow().heeded.is_some() {
            return None;
        }
        let order = self.orders.borrow();
        let modes = order.left.iter().map(|left| left.mode(&order.means));
        modes.max()
    }

    fn place(&self) -> Place {
        self.orders.borrow().means.place()
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

fn alone(handle: &Handle) -> AppStatus {
    let name = handle.orders.borrow().app.clone();
    status(name, AppMode::Normal, &[handle])
}

fn status(name: String, wanted: AppMode, channels: &[&Handle]) -> AppStatus {
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
    // Whatever isn't known of it, it isn't normal.
    let left = channels.iter().filter_map(|channel| channel.left_in());
    status.told = left.max().or(status.told);
    for channel in progress {
        status.last_error = status.last_error.or(channel.error).or(channel.health_error);
        status.notifications_ok += channel.ok;
        status.notifications_failed += channel.failed;
    }
    status
}
