//! One line of CSV, and the values in it: numbers with nvidia-smi's units, its words for no value, and
//! points in time.

/// The cells of one line. Recordings have no quoted commas; quotes around a cell are dropped.
pub(super) fn split(line: &str) -> Vec<&str> {
    line.split(',').map(trimmed).collect()
}

fn trimmed(cell: &str) -> &str {
    cell.trim().trim_matches('"').trim()
}

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Cell {
    Number(f64),
    /// The card or the file has no value there.
    Nothing,
    Other,
}

/// Units that may follow a number.
const UNITS: [&str; 6] = ["W", "MHz", "%", "MiB", "C", "mJ"];

/// `45`, `250.00 W`, `30 %`, `[N/A]`, `[Unknown Error]` or nothing.
pub(super) fn number(cell: &str) -> Cell {
    let bracketed = cell.starts_with('[') && cell.ends_with(']');
    let none = ["", "-", "n/a", "nan", "none", "null", "not supported"];
    if bracketed || none.iter().any(|it| cell.eq_ignore_ascii_case(it)) {
        return Cell::Nothing;
    }
    let bare = UNITS.iter().find_map(|unit| cell.strip_suffix(unit));
    match bare.unwrap_or(cell).trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Cell::Number(number),
        _ => Cell::Other,
    }
}

/// Seconds since any fixed day: a number, or nvidia-smi's `2026/11/29 10:00:00.000`, or the same with
/// dashes and a `T`.
pub(super) fn seconds(cell: &str) -> Option<f64> {
    if let Cell::Number(seconds) = number(cell) {
        return Some(seconds);
    }
    let (date, time) = cell.split_once([' ', 'T'])?;
    let mut parts = date.split(['/', '-']).map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let valid =
        (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    let time = time.trim_end_matches('Z');
    let mut parts = time.split(':').map(|part| part.parse::<f64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let in_day = 3600.0 * hour + 60.0 * minute + second;
    let real = parts.next().is_none() && (0.0..=86_401.0).contains(&in_day);
    (valid && real).then(|| days(year, month, day) as f64 * 86_400.0 + in_day)
}

/// Days since 1970-01-01 in the Gregorian calendar, by Howard Hinnant's `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_with_units_and_none_in_many_words() {
        for (cell, wanted) in [
            ("45", Cell::Number(45.0)),
            ("250.01 W", Cell::Number(250.01)),
            ("30 %", Cell::Number(30.0)),
            ("1410 MHz", Cell::Number(1410.0)),
            ("[N/A]", Cell::Nothing),
            ("[Unknown Error]", Cell::Nothing),
            ("N/A", Cell::Nothing),
            ("", Cell::Nothing),
            ("warm", Cell::Other),
            ("inf", Cell::Other),
        ] {
            assert_eq!(number(cell), wanted, "{cell}");
        }
    }

    #[test]
    fn times_are_seconds_or_as_nvidia_smi_writes_them() {
        assert_eq!(seconds("12.5"), Some(12.5));
        let (new_year, before) = ("2027/01/01 00:00:00.500", "2026/12/31 23:59:59.000");
        let step = seconds(new_year).unwrap() - seconds(before).unwrap();
        assert!((step - 1.5).abs() < 1e-6, "{step}");
        assert_eq!(seconds("2000-03-01T00:00:00Z"), Some(951_868_800.0));
        for none in [
            "",
            "noon",
            "2026/13/01 00:00:00",
            "2026/11/29",
            "2026/11/29 10:00",
        ] {
            assert_eq!(seconds(none), None, "{none}");
        }
    }
}
