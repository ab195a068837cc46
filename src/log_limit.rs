//! Limits log lines about events that others can cause a thousand times a second: a few in a period,
//! and the next one tells how many were suppressed. Metrics count every event.

use std::time::Duration;

use parking_lot::Mutex;

use crate::units::Moment;

/// The limit for one kind of line.
#[derive(Debug)]
pub(super) struct LogLimit {
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
    /// How many lines were suppressed since the last one.
    pub(super) unsaid: Option<u64>,
}

impl LogLimit {
    pub(super) fn new(most: u32, every: Duration) -> Self {
        Self {
            most,
            every,
            window: Mutex::default(),
        }
    }

    /// `None`: suppress this line.
    pub(super) fn line(&self, now: Moment) -> Option<Line> {
        let mut window = self.window.lock();
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
        let lines = LogLimit::new(2, Duration::from_secs(10));
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
