//! Durations on the command line: what is accepted is said with every mistake.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// As long as a lease or a pause may be: longer than that is a configuration.
pub(super) fn of_a_day(text: &str) -> Result<Duration, String> {
    over_zero(text, DAY, "a duration over 0 and up to 24h, such as 10m")
}

/// A log doesn't last longer than ten years, and a mistyped unit would ask for more.
pub(super) fn of_years(text: &str) -> Result<Duration, String> {
    let accepted = "a duration over 0 and up to ten years, such as 24h or 7d";
    over_zero(text, 3660 * DAY, accepted)
}

/// How long to wait for something, or not at all.
pub(super) fn to_wait(text: &str) -> Result<Duration, String> {
    parse(text, DAY, "a duration up to 24h, such as 20s, or 0s")
}

fn over_zero(text: &str, longest: Duration, accepted: &str) -> Result<Duration, String> {
    let period = parse(text, longest, accepted)?;
    if period.is_zero() {
        return Err(format!("wanted: {accepted}"));
    }
    Ok(period)
}

fn parse(text: &str, longest: Duration, accepted: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(period) if period <= longest => Ok(period),
        Ok(_) => Err(format!("wanted: {accepted}")),
        Err(error) => Err(format!("{error}; wanted: {accepted}")),
    }
}
