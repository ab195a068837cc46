//! Durations on the command line. Every error says what is accepted.

use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A lease or a pause lasts at most a day; anything longer belongs into the configuration.
pub(crate) fn of_a_day(text: &str) -> Result<Duration, String> {
    over_zero(text, DAY, "a duration over 0 and up to 24h, such as 10m")
}

/// At most ten years: no log is older, and a mistyped unit would ask for more.
pub(crate) fn of_years(text: &str) -> Result<Duration, String> {
    let accepted = "a duration over 0 and up to ten years, such as 24h or 7d";
    over_zero(text, 3660 * DAY, accepted)
}

/// How long to wait; 0 means not at all.
pub(crate) fn to_wait(text: &str) -> Result<Duration, String> {
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
        // What the reader stumbled over says less than what is wanted.
        _ => Err(format!("wanted: {accepted}")),
    }
}
