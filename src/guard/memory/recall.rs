//! From what the guard has now to what it remembers, and back.

use std::path::Path;
use std::time::Duration;

use crate::policy::lease::{Holder, Lease};

use super::super::clock::Clock;
use super::super::shared::Shared;
use super::{Kept, Record, Writer, path};

/// A stop waits so long for the disk.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

impl Shared {
    /// From here on, what operators say outlives this process.
    pub fn remember_in(&self, state_dir: &Path) {
        match Writer::start(path(state_dir)) {
            Ok(writer) => {
                let _ = self.memory.set(writer);
            }
            Err(error) => {
                tracing::warn!(%error, "operators' leases and pauses aren't remembered over a restart: no thread for it");
            }
        }
    }

    /// What there is to remember has changed.
    pub fn remember(&self) {
        let Some(writer) = self.memory.get() else {
            return;
        };
        let wall = self.clock.wall();
        let leases = self.leases().manual();
        let leases: Vec<_> = leases
            .into_iter()
            .map(|(uuid, lease)| Kept {
                uuid,
                what: lease.level,
                left: lease.expires.since(wall),
            })
            .collect();
        let pauses: Vec<_> = self
            .pauses()
            .into_iter()
            .map(|(uuid, until)| Kept {
                uuid,
                what: (),
                left: until.since(wall),
            })
            .collect();
        let now = Clock::unix();
        let age = self.chain().silence(wall);
        let heartbeat = age.map(|age| now.saturating_sub(age));
        let record = Record::new(now, &leases, &pauses, heartbeat, self.is_detached());
        writer.write(record);
    }

    /// What the guard before was told goes on, for as long as it has left.
    pub fn recall(&self, record: &Record) {
        let (wall, unix) = (self.clock.wall(), Clock::unix());
        for Kept { uuid, what, left } in record.leases(unix) {
            let lease = Lease {
                level: what,
                since: wall,
                expires: wall + left,
                starts_at: Duration::ZERO,
            };
            self.leases().grant(wall, &uuid, Holder::Manual, lease);
            tracing::info!(%uuid, throttle = what.name(), left = ?whole(left), "an operator's lease from before the restart goes on");
        }
        for Kept { uuid, left, .. } in record.pauses(unix) {
            self.pause(&uuid, wall + left);
            tracing::warn!(%uuid, left = ?whole(left), "an operator's pause from before the restart goes on: only critical acts");
        }
        if record.detached {
            tracing::warn!(
                "the guard was detached when it ended, and a detach ends with it: taking the GPUs again; `thermal-guard detach` lets go of them"
            );
        }
    }

    /// At the end: what was given to the disk is on it, if that answers.
    pub fn close(&self) {
        self.remember();
        if let Some(writer) = self.memory.get() {
            writer.settle(CLOSE_PATIENCE);
        }
        self.events.close();
    }
}

const fn whole(left: Duration) -> Duration {
    Duration::from_secs(left.as_secs())
}
