//! Converts the current leases, pauses and heartbeat to a record, and back.

use std::path::Path;
use std::time::Duration;

use crate::policy::ask::lease::{Holder, Lease};

use super::{Kept, Record, Writer, path, since_boot};
use crate::clock::Clock;
use crate::guard::state::Shared;

/// How long a stop waits for the disk.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

impl Shared {
    /// From here on, what operators say outlives this process. False: another guard uses the
    /// directory, and the file there is its own.
    pub fn remember_in(&self, state_dir: &Path) -> bool {
        match Writer::start(path(state_dir)) {
            Ok(Some(writer)) => {
                let _ = self.memory.set(writer);
            }
            Ok(None) => {
                tracing::warn!(state_dir = %state_dir.display(), "another guard uses this state directory: operators' leases and pauses on this guard end with it; give each guard its own --state.dir");
                return false;
            }
            Err(error) => {
                tracing::warn!(%error, "operators' leases and pauses aren't remembered over a restart; see that --state.dir can be written to");
            }
        }
        true
    }

    /// Saves the current leases, pauses and heartbeat.
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
        let record = record.cooled(&self.coolings());
        writer.write(record.saved_at(since_boot()));
    }

    /// Takes up the leases and pauses of the guard before, for the time they have left.
    pub fn recall(&self, record: &Record) {
        let (wall, unix) = (
            self.clock.wall(),
            record.present(Clock::unix(), &since_boot()),
        );
        let ended = record.ended(unix);
        if ended > 0 {
            tracing::info!(
                ended,
                "operators' leases and pauses ended while no guard ran"
            );
        }
        for Kept { uuid, what, left } in record.leases(unix) {
            let lease = Lease {
                level: what,
                since: wall,
                expires: wall + left,
                starts_at: Duration::ZERO,
            };
            self.grant(wall, &uuid, Holder::Manual, lease);
            tracing::info!(%uuid, throttle = what.name(), left = ?whole(left), "an operator's lease from before the restart goes on");
        }
        for Kept { uuid, left, .. } in record.pauses(unix) {
            self.pause(&uuid, wall + left);
            tracing::warn!(%uuid, left = ?whole(left), "an operator's pause from before the restart goes on: only critical acts");
        }
        self.set_coolings(record.coolings());
        if record.detached {
            tracing::warn!(
                "the guard was detached when it ended, and a detach ends with the process: taking the GPUs again; run `thermal-guard detach` to let go of them"
            );
            // Said once: the next start isn't about this detach any more.
            self.remember();
        }
    }

    /// At the end: waits until everything is on disk, if the disk answers.
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
