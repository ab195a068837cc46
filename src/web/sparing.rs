//! Log lines about what others can make happen a thousand times a second: so many in a while, the
//! rest counted and said with the next one. Metrics count them all.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::units::Moment;

/// A bound for one kind of line.
#[derive(Debug)]
pub(super) struct Sparing {
    most: u32,
    every: Duration,
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    began: Option<Moment>,
    said: u32,
    unsaid: u64,
}

/// A line may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// How many weren't since the one before.
    pub(super) unsaid: Option<u64>,
}

impl Sparing {
    pub(super) fn new(most: u32, every: Duration) -> Self {
        Self {
            most,
            every,
            window: Mutex::default(),
        }
    }

    /// `None`: not this one.
    pub(super) fn line(&self, now: Moment) -> Option<Line> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.began.is_none_or(|at| now.since(at) >= self.every) {
            window.began = Some(now);
            window.said = 0;
        }
        if window.said >= self.most {
            window.unsaid += 1;
            return None;
        }
        window.said += 1;
        let unsaid = std::mem::take(&mut window.unsaid);
        Some(Line {
            unsaid: (unsaid > 0).then_some(unsaid),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_is_a_few_lines_and_a_count() {
        let lines = Sparing::new(2, Duration::from_secs(10));
        let at = Moment::from_secs_f64;
        let plain = Some(Line { unsaid: None });
        assert_eq!([lines.line(at(0.0)), lines.line(at(1.0))], [plain, plain]);
        let storm = (0..1000).filter_map(|_| lines.line(at(9.9)));
        assert_eq!(storm.count(), 0);
        let next = lines.line(at(10.0)).unwrap();
        assert_eq!(next.unsaid, Some(1000));
        assert_eq!(lines.line(at(10.1)), plain);
    }
}
