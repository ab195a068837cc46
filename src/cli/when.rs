//! Points in time for people: to the second, in the time zone of the reader (`TZ`, or the machine's), or
//! in UTC. JSON and the log have UTC always.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The zone that times are told in.
#[derive(Clone, Debug)]
pub(super) struct Zone(TimeZone);

impl Zone {
    pub(super) const UTC: Self = Self(TimeZone::UTC);

    /// UTC where the machine doesn't say.
    pub(super) fn local() -> Self {
        Self(TimeZone::system())
    }

    /// `2026-11-20 08:12:31`, of a time since the Unix epoch.
    pub(super) fn date(&self, at: Duration) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }

    /// `08:12:31`.
    pub(super) fn time_of_day(&self, at: Duration) -> String {
        self.format(at, "%H:%M:%S")
    }

    /// `UTC`, or the offset at that time: `UTC+08:00`.
    pub(super) fn name(&self, at: Duration) -> String {
        let offset = self.format(at, "%:z");
        let is_utc = matches!(offset.as_str(), "+00:00" | "-00:00");
        format!("UTC{}", if is_utc { "" } else { &offset })
    }

    fn format(&self, at: Duration, pattern: &str) -> String {
        let seconds = i64::try_from(at.as_secs()).unwrap_or(i64::MAX);
        let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
        at.to_zoned(self.0.clone()).strftime(pattern).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_zone_and_names_it() {
        let at = Duration::from_secs(1_763_622_751);
        assert_eq!(Zone::UTC.date(at), "2025-11-20 07:12:31");
        assert_eq!(Zone::UTC.name(at), "UTC");
        let east = Zone(TimeZone::fixed(jiff::tz::offset(8)));
        assert_eq!(east.date(at), "2025-11-20 15:12:31");
        assert_eq!(east.time_of_day(at), "15:12:31");
        assert_eq!(east.name(at), "UTC+08:00");
        // A torn clock is no panic.
        assert!(Zone::UTC.date(Duration::MAX).starts_with("9999"));
    }
}
