//! The applications with their wanted modes, and the channel of each place.

use std::sync::Arc;

use tokio::runtime::Handle as Runtime;
use tokio::task::JoinSet;

use crate::config::{AppConfig, GpuSelection};
use crate::device::Identity;
use crate::policy::AppMode;

use crate::apps::channel::Handle;
use crate::apps::journal::Journal;
use crate::apps::means::Means;
use crate::apps::record::Entry;
use crate::apps::status::{AppStatus, alone, status};

pub(crate) struct Roster {
    pub(super) apps: Vec<App>,
    /// One per place, even if several apps share it.
    pub(super) channels: Vec<Handle>,
    /// Channels of apps that are no longer configured, until everything is given back.
    pub(super) retired: Vec<Handle>,
    /// Entries of which only the name is known.
    pub(super) strangers: Vec<Entry>,
    pub(super) journal: Arc<Journal>,
    pub(super) observe: bool,
    pub(super) runtime: Runtime,
    pub(super) tasks: JoinSet<()>,
}

pub(super) struct App {
    pub(super) name: String,
    pub(super) gpus: GpuSelection,
    pub(super) wish: Option<AppMode>,
    pub(super) ways: Vec<Way>,
    pub(super) has_health: bool,
}

/// One way to tell an app, with its channel.
pub(super) struct Way {
    pub(super) means: Arc<Means>,
    pub(super) channel: usize,
}

/// What an app's GPUs want together.
pub(crate) enum Wanted {
    Mode(AppMode),
    /// One of them hasn't spoken yet: the wanted mode stays.
    Open,
    /// None of them has spoken.
    Nothing,
    /// None of them exists.
    Gone,
}

/// A configured application with its means, after asking its file's disk.
pub(crate) type Told = (AppConfig, Vec<Means>);

pub(crate) fn told(config: Vec<AppConfig>) -> Vec<Told> {
    let with_means = |app: AppConfig| {
        let means = Means::of(&app).collect();
        (app, means)
    };
    config.into_iter().map(with_means).collect()
}

impl Roster {
    /// Entries of an earlier guard come through [`Self::take_up`].
    pub(crate) fn new(
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

    pub(crate) fn is_unread(&self) -> bool {
        self.journal.is_unread()
    }

    /// Updates the mode that each app's GPUs want.
    pub(crate) fn wish(&mut self, wanted: impl Fn(&GpuSelection) -> Wanted) {
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
                    "an earlier guard left it throttled, and none of its GPUs is there: told normal; see nvidia-smi -L, or correct `gpus` of its entry under `apps`"
                );
            }
        }
        self.pass_on();
    }

    fn channels_of<'a>(&'a self, app: &'a App) -> impl Iterator<Item = &'a Handle> {
        let of = |way: &Way| self.channels.get(way.channel);
        app.ways.iter().filter_map(of)
    }

    /// Each place follows the app that wants the most throttling, in that app's words.
    pub(super) fn pass_on(&self) {
        let is_unread = self.is_unread();
        for (at, channel) in self.channels.iter().enumerate() {
            let mut most: Option<(&App, &Way)> = None;
            let mut may_ease = !is_unread;
            // Among equals, whoever was told goes on: what its words took, its words give back.
            let told = channel.told();
            let rank = |app: &App| (app.wish, app.name == told);
            for app in &self.apps {
                for way in app.ways.iter().filter(|way| way.channel == at) {
                    // Its GPUs haven't spoken: they may still want it slow.
                    may_ease &= app.wish.is_some();
                    if most.is_none_or(|(most, _)| rank(app) > rank(most)) {
                        most = Some((app, way));
                    }
                }
            }
            let Some((app, way)) = most else { continue };
            let wish = app.wish.filter(|wish| may_ease || *wish > AppMode::Normal);
            channel.order(|order| {
                order.app.clone_from(&app.name);
                order.means = Arc::clone(&way.means);
                // An app that was added again may be about to give back its last mode.
                order.wish = wish.or(order.wish);
            });
        }
    }

    pub(crate) fn are_well(&self, gpu: &Identity) -> bool {
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
            gpus: app.gpus.clone(),
            well: app.has_health.then(|| self.is_well(app)),
            ..status(app.name.clone(), app.wish.unwrap_or_default(), &channels)
        }
    }

    /// The configured apps, followed by others that must still be given back.
    pub(crate) fn snapshot(&self) -> Vec<AppStatus> {
        let mut all: Vec<_> = self.apps.iter().map(|app| self.status(app)).collect();
        let owed = self.retired.iter().filter(|handle| !handle.is_finished());
        for status in owed.map(alone) {
            if all.iter().all(|known| known.name != status.name) {
                all.push(status);
            }
        }
        all
    }

    pub(crate) fn retired(&self) -> Vec<AppStatus> {
        self.retired.iter().map(alone).collect()
    }

    pub(crate) fn strangers(&self) -> Vec<String> {
        self.strangers.iter().map(|left| left.key().0).collect()
    }

    /// Resolves when every app follows its present order.
    pub(crate) fn settled(&self) -> impl Future<Output = ()> + use<> {
        let all = self.channels.iter().chain(&self.retired);
        let waits: Vec<_> = all
            .filter(|handle| handle.orders.borrow().wish.is_some())
            .map(|handle| (handle.progress.clone(), handle.orders.borrow().number))
            .collect();
        async move {
            for (mut progress, number) in waits {
                // An error: the task has ended, so there is nothing to wait for.
                let _ = progress.wait_for(|now| now.heard >= number).await;
            }
        }
    }
}
