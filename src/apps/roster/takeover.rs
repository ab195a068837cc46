//! Takes over the entries of an earlier guard's journal.

use crate::apps::journal::ASIDE;
use crate::apps::means::Means;
use crate::apps::record::Entry;
use crate::policy::AppMode;

use super::table::Roster;

impl Roster {
    /// Takes over the journal's entries. From here on, the journal is written.
    pub(crate) fn take_up(&mut self, found: Vec<(Entry, Option<Means>)>) {
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

    /// The file isn't a journal: any app may have been left throttled.
    pub(crate) fn suspect_all(&mut self) {
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

    /// No app is told normal before the journal has been read.
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
}
