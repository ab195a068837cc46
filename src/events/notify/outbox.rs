//! When to send, and what to drop: pure, over the time that it is told.

use std::sync::Arc;
use std::time::Duration;

use crate::units::Moment;

use super::super::event::Event;

/// What happens together is told together.
const GATHERS: Duration = Duration::from_secs(1);

/// The least time between two messages.
const APART: Duration = Duration::from_secs(10);

/// After a failure it waits so long, then twice as long each time, up to the most.
const RETRY: Duration = Duration::from_secs(10);
const RETRY_MOST: Duration = Duration::from_secs(300);

/// News of an older event misleads: by then it says what was, not what is.
const KEPT_FOR: Duration = Duration::from_secs(3600);

/// The events of one message, and those that wait for the webhook to answer. Later ones are dropped.
pub(super) const MOST: usize = 100;

/// Events to be told.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: Vec<(Moment, Arc<Event>)>,
    /// How many were dropped since the last message.
    dropped: u64,
    /// Nothing is sent before.
    not_before: Moment,
    failures: u32,
}

impl Outbox {
    /// `false`: it was dropped.
    pub(super) fn take(&mut self, now: Moment, event: Arc<Event>) -> bool {
        if self.waiting.len() >= MOST {
            self.dropped += 1;
            return false;
        }
        if self.waiting.is_empty() {
            self.not_before = self.not_before.max(now + GATHERS);
        }
        self.waiting.push((now, event));
        true
    }

    /// When the next message is to be sent, if there is anything to tell.
    pub(super) fn due(&self) -> Option<Moment> {
        (!self.waiting.is_empty()).then_some(self.not_before)
    }

    /// What the next message says, and how many events before it were dropped.
    pub(super) fn message(&self) -> (Vec<&Event>, u64) {
        let events = self.waiting.iter().map(|(_, event)| event.as_ref());
        (events.collect(), self.dropped)
    }

    /// The message was accepted: how many events it told.
    pub(super) fn delivered(&mut self, now: Moment) -> u64 {
        let told = self.waiting.len() as u64;
        (self.dropped, self.failures) = (0, 0);
        self.waiting.clear();
        self.not_before = now + APART;
        told
    }

    /// How long until the next try.
    pub(super) fn waits(&self, now: Moment) -> Duration {
        self.not_before.since(now)
    }

    /// The message never will be accepted: how many events are lost.
    pub(super) fn refused(&mut self, now: Moment) -> u64 {
        let lost = self.waiting.len() as u64;
        self.waiting.clear();
        self.dropped += lost;
        self.not_before = now + APART;
        lost
    }

    /// The message may be accepted later: how many events are too old by now.
    pub(super) fn failed(&mut self, now: Moment) -> u64 {
        let wait = RETRY * 2_u32.saturating_pow(self.failures.min(8));
        self.failures += 1;
        self.not_before = now + wait.min(RETRY_MOST);
        let before = self.waiting.len();
        self.waiting.retain(|(at, _)| now.since(*at) < KEPT_FOR);
        let lost = (before - self.waiting.len()) as u64;
        self.dropped += lost;
        lost
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::event::What;
    use super::*;

    fn event(count: u64) -> Arc<Event> {
        Arc::new(Event {
            time: Duration::ZERO,
            gpu: None,
            what: What::Unrecorded { count },
        })
    }

    fn at(seconds: f64) -> Moment {
        Moment::from_secs_f64(seconds)
    }

    #[test]
    fn what_happens_together_is_one_message_and_messages_lie_apart() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.due(), None);
        assert!(outbox.take(at(100.0), event(1)) && outbox.take(at(100.4), event(2)));
        assert_eq!(outbox.due(), Some(at(101.0)));
        assert_eq!(outbox.message().0.len(), 2);
        assert_eq!(outbox.delivered(at(101.2)), 2);
        outbox.take(at(102.0), event(3));
        assert_eq!(outbox.due(), Some(at(111.2)));
        outbox.delivered(at(111.2));
        outbox.take(at(500.0), event(4));
        assert_eq!(outbox.due(), Some(at(501.0)));
    }

    #[test]
    fn a_webhook_that_is_away_is_asked_again_ever_more_seldom_and_old_news_is_dropped() {
        let mut outbox = Outbox::default();
        outbox.take(at(0.0), event(1));
        let (mut now, mut waits) = (at(1.0), Vec::new());
        while outbox.due().is_some() {
            outbox.failed(now);
            let next = outbox.due().unwrap_or(now);
            waits.push(next.since(now).as_secs());
            now = next;
        }
        assert_eq!(&waits[..6], [10, 20, 40, 80, 160, 300]);
        assert!((3600..=3900).contains(&now.since_start().as_secs()));
        outbox.take(now, event(2));
        assert_eq!(
            outbox.message().1,
            1,
            "the next message says what is missing"
        );
    }

    proptest! {
        /// Each event is told once, dropped and counted, or still waiting.
        #[test]
        fn no_event_is_lost_without_being_counted(steps in prop::collection::vec((0..4_u8, 0.0..400.0_f64), 1..200)) {
            let mut outbox = Outbox::default();
            let (mut now, mut offered, mut told, mut dropped) = (0.0, 0, 0, 0);
            for (step, passed) in steps {
                now += passed;
                match step {
                    0 => for _ in 0..30 {
                        offered += 1;
                        dropped += u64::from(!outbox.take(at(now), event(offered)));
                    },
                    1 => told += outbox.delivered(at(now)),
                    2 => dropped += outbox.refused(at(now)),
                    _ => dropped += outbox.failed(at(now)),
                }
                let waiting = outbox.message().0.len();
                prop_assert!(waiting <= MOST);
                prop_assert_eq!(offered, told + dropped + waiting as u64);
            }
        }
    }
}
