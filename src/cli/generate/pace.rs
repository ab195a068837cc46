//! How often things are done, and the guard settings that follow from it.
//!
//! One node can have everything at once: heat is in the hook within 2 s. For hundreds of nodes that
//! would be a scrape of each and a pass over each heartbeat every second. The guard's own loop acts
//! in either case; alerts only come earlier or later.

use clap::ValueEnum;

/// From here on a second is too often: 50 nodes with 8 GPUs are 50 000 samples for each scrape, and
/// ten heartbeats a second.
pub(crate) const GENTLE_FROM: usize = 50;

/// The guard's own least heartbeat time-out.
const SHORTEST_TIMEOUT: u32 = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PaceName {
    Tuned,
    Gentle,
}

impl PaceName {
    pub(crate) const fn pace(self) -> Pace {
        match self {
            Self::Tuned => TUNED,
            Self::Gentle => GENTLE,
        }
    }
}

/// Intervals, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) scrape: u32,
    /// Of the rules that drive guards.
    pub(crate) evaluation: u32,
    /// Prometheus's flag: how soon an alert that Alertmanager didn't take is sent again.
    pub(crate) resend: u32,
    pub(crate) group_interval: u32,
    pub(crate) heartbeat_repeat: u32,
    pub(crate) action_repeat: u32,
}

pub(crate) const TUNED: Pace = Pace {
    scrape: 1,
    evaluation: 1,
    resend: 1,
    group_interval: 1,
    heartbeat_repeat: 5,
    action_repeat: 10,
};

pub(crate) const GENTLE: Pace = Pace {
    scrape: 5,
    evaluation: 5,
    resend: 5,
    group_interval: 5,
    heartbeat_repeat: 15,
    action_repeat: 15,
};

impl Pace {
    pub(crate) fn of(nodes: usize) -> Self {
        if nodes < GENTLE_FROM { TUNED } else { GENTLE }
    }

    /// Alertmanager looks at a group once per group interval, so a repetition may come one interval
    /// later than asked for.
    pub(crate) fn longest_gap(&self, repeat: u32) -> u32 {
        repeat + self.group_interval
    }

    /// One heartbeat may get lost.
    pub(crate) fn heartbeat_timeout(&self) -> u32 {
        (2 * self.longest_gap(self.heartbeat_repeat) + 1).max(SHORTEST_TIMEOUT)
    }

    /// One repetition may get lost, and the next one may be late; in whole 5 s.
    pub(crate) fn lease(&self) -> u32 {
        (2 * self.longest_gap(self.action_repeat) + 5).next_multiple_of(5)
    }

    /// From heat to Alertmanager, at worst.
    pub(crate) fn latency(&self) -> u32 {
        self.scrape + self.evaluation
    }

    /// Which of the two it is, for who prints the files one by one: together they need the same.
    fn named(&self) -> String {
        let few = GENTLE_FROM - 1;
        if *self == TUNED {
            format!(
                "\
# Pace: tuned, for up to {few} nodes. From {GENTLE_FROM} on it is gentle, unless --pace says
# another; the scrape job, the rules and the routes need the same.
"
            )
        } else {
            format!(
                "\
# Pace: gentle, for {GENTLE_FROM} nodes and more. Up to {few} it is tuned, unless --pace says
# another; the scrape job, the rules and the routes need the same.
"
            )
        }
    }

    /// The guard's part, as a comment: without its `# ` it is YAML. The files in `alerts/` are for one
    /// node, at the pace that goes without saying.
    pub(crate) fn guard_settings(&self) -> String {
        let named = if *self == TUNED {
            String::new()
        } else {
            self.named()
        };
        format!(
            "{named}# The settings of each guard that go with these intervals (thermal-guard.yml):
{keys}#   heartbeat_timeout: {timeout}s    # outlives one lost heartbeat
",
            keys = self.keys(),
            timeout = self.heartbeat_timeout(),
        )
    }

    /// The same beside servers whose pace isn't known: the guard learns its time-out from heartbeats.
    /// Guards that pull have all theirs in one block, with the routes: two blocks name a section twice.
    pub(crate) fn learning_settings(&self) -> String {
        format!(
            "\
{named}# The settings of each guard that go with these intervals; those of guards that
# pull are with the routes of `generate alertmanager --pull` instead
# (thermal-guard.yml):
{keys}",
            named = self.named(),
            keys = self.keys(),
        )
    }

    fn keys(&self) -> String {
        format!(
            "\
# hook:
#   lease: {lease}s                # outlives one lost repetition of an alert
# alertmanager:
#   expected: true            # a chain that never comes up is reported, too
",
            lease = self.lease(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_and_a_heartbeat_outlive_one_lost_repetition_at_every_pace() {
        for pace in [TUNED, GENTLE] {
            let gap = pace.longest_gap(pace.heartbeat_repeat);
            assert!(pace.heartbeat_timeout() > 2 * gap, "{pace:?}");
            assert!(
                pace.lease() > 2 * pace.longest_gap(pace.action_repeat),
                "{pace:?}"
            );
            // Prometheus forgets an alert after four of these.
            assert!(4 * pace.resend.max(pace.evaluation) < pace.heartbeat_timeout());
            // Each notified heartbeat must come from a new evaluation.
            assert!(pace.evaluation.max(pace.resend) <= pace.heartbeat_repeat);
        }
        assert_eq!(GENTLE.heartbeat_timeout(), 41);
        assert_eq!(TUNED.heartbeat_timeout(), 15);
        assert_eq!((TUNED.lease(), GENTLE.lease()), (30, 45));
    }

    #[test]
    fn hundreds_are_treated_gently_and_one_is_not() {
        assert_eq!(Pace::of(1), TUNED);
        assert_eq!(Pace::of(49), TUNED);
        assert_eq!(Pace::of(50), GENTLE);
    }
}
