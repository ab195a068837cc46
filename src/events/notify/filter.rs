//! Which events are told: those that matter enough, and the end of each that was told.

use std::collections::BTreeSet;

use crate::config::Weight;
use crate::policy::ChainState;

use super::super::event::{Event, Text, What};
use super::super::trouble::Trouble;
use super::super::word::Word;

/// Something that begins with one event and ends with another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Episode {
    Throttle,
    Slowdown,
    Chain,
    Pause,
    Detach,
    /// With what it is about: two fans, sensors or writes can be in trouble at a time.
    Trouble(Trouble, Option<Text>),
}

enum Turn {
    Begins(Episode),
    Ends(Episode),
    Neither,
}

/// The least weight, and what was told to have begun, by the GPU's UUID: its index may change.
#[derive(Debug)]
pub(super) struct Filter {
    min: Weight,
    open: BTreeSet<(Option<String>, Episode)>,
}

impl Filter {
    pub(super) const fn new(min: Weight) -> Self {
        Self {
            min,
            open: BTreeSet::new(),
        }
    }

    /// What another has told is told to its end.
    pub(super) fn go_on_from(&mut self, before: Self) {
        self.open = before.open;
    }

    pub(super) fn is_told(&mut self, event: &Event) -> bool {
        let matters = event.weight() >= self.min;
        let gpu = event.gpu.as_ref().map(|name| name.uuid.clone());
        match turn(&event.what) {
            Turn::Begins(episode) => {
                if matters {
                    self.open.insert((gpu, episode));
                }
                matters
            }
            Turn::Ends(episode) => self.open.remove(&(gpu, episode)) || matters,
            Turn::Neither => matters,
        }
    }
}

fn turn(what: &What) -> Turn {
    match what {
        What::Throttled(_) | What::Escalated(_) | What::Blinded(_) => {
            Turn::Begins(Episode::Throttle)
        }
        What::Recovered(_) | What::Left { capped: false } => Turn::Ends(Episode::Throttle),
        What::SlowedItself(_) => Turn::Begins(Episode::Slowdown),
        What::SlowedItselfEnded(_) => Turn::Ends(Episode::Slowdown),
        What::Chain {
            to: Word::Known(ChainState::Stale | ChainState::Down),
            ..
        } => Turn::Begins(Episode::Chain),
        What::Chain { .. } => Turn::Ends(Episode::Chain),
        What::Paused { .. } => Turn::Begins(Episode::Pause),
        What::Resumed => Turn::Ends(Episode::Pause),
        What::Detached => Turn::Begins(Episode::Detach),
        What::Attached => Turn::Ends(Episode::Detach),
        What::TroubleBegan {
            trouble: Word::Known(trouble),
            detail,
        } => Turn::Begins(Episode::Trouble(*trouble, detail.clone())),
        What::TroubleEnded {
            trouble: Word::Known(trouble),
            detail,
            ..
        } => Turn::Ends(Episode::Trouble(*trouble, detail.clone())),
        _ => Turn::Neither,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::event::{GpuName, Outcome, Seen, Throttle};
    use super::*;
    use crate::policy::Level;

    fn event(gpu: u32, what: What) -> Event {
        let uuid = format!("GPU-{gpu}");
        Event {
            time: Duration::ZERO,
            gpu: Some(GpuName { gpu, uuid }),
            what,
        }
    }

    fn throttled(level: Level) -> What {
        What::Throttled(Throttle {
            level: level.into(),
            ..Throttle::default()
        })
    }

    const RECOVERED: fn() -> What = || What::Recovered(Outcome::default());

    #[test]
    fn the_end_is_told_of_what_was_told_and_of_nothing_else() {
        let mut filter = Filter::new(Weight::Error);
        let told: Vec<_> = [
            (0, throttled(Level::Gradual), false),
            (0, RECOVERED(), false),
            (0, throttled(Level::Emergency), true),
            (1, RECOVERED(), false),
            (0, RECOVERED(), true),
            (0, RECOVERED(), false),
        ]
        .into_iter()
        .map(|(gpu, what, told)| (filter.is_told(&event(gpu, what)), told))
        .collect();
        assert!(told.iter().all(|(is, should)| is == should), "{told:?}");
    }

    fn fan(number: u8, ends: bool) -> What {
        let trouble = Trouble::FanSuspect.into();
        let detail = Some(format!("fan {number}: stuck").into());
        if ends {
            let seconds = 60.0;
            What::TroubleEnded {
                trouble,
                detail,
                seconds,
            }
        } else {
            What::TroubleBegan { trouble, detail }
        }
    }

    #[test]
    fn of_two_troubles_of_a_kind_each_end_is_told_whatever_index_the_card_has_then() {
        let mut filter = Filter::new(Weight::Warn);
        for (number, ends) in [(0, false), (1, false), (0, true)] {
            assert!(filter.is_told(&event(0, fan(number, ends))));
        }
        let mut moved = event(0, fan(1, true));
        if let Some(gpu) = &mut moved.gpu {
            gpu.gpu = 5;
        }
        assert!(filter.is_told(&moved));
        assert!(!filter.is_told(&moved), "once");
    }

    #[test]
    fn a_new_webhook_tells_the_end_of_what_another_has_told() {
        let mut before = Filter::new(Weight::Warn);
        assert!(before.is_told(&event(0, throttled(Level::Emergency))));
        let mut filter = Filter::new(Weight::Error);
        filter.go_on_from(before);
        assert!(filter.is_told(&event(0, RECOVERED())));
    }

    #[test]
    fn an_easing_is_no_end_and_info_is_everything() {
        let mut filter = Filter::new(Weight::Warn);
        assert!(filter.is_told(&event(0, throttled(Level::Emergency))));
        assert!(!filter.is_told(&event(0, What::Eased(Seen::default()))));
        assert!(filter.is_told(&event(0, RECOVERED())));
        let mut filter = Filter::new(Weight::Info);
        assert!(filter.is_told(&event(0, What::Eased(Seen::default()))));
        assert!(filter.is_told(&event(0, RECOVERED())));
    }
}
