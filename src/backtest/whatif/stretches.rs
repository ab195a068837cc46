//! The hot stretches of a history. Elsewhere a guard does nothing, so nothing is played.

use std::ops::Range;

use crate::backtest::card::Card;
use crate::backtest::history::{History, Row};

/// Nearer than this to alert is hot: the guard foresees heat, and readings between scrapes are higher.
const NEAR_CELSIUS: f64 = 5.0;
/// It watches the card for this long before, and until the card has been cool for this long.
const BEFORE_SECONDS: f64 = 900.0;
const AFTER_SECONDS: f64 = 900.0;
/// Longer stretches are cut, so that some can stand for all.
const LONGEST_SECONDS: f64 = 6.0 * 3600.0;
/// Of one GPU, this much is played: two days of heat, which take half a second. Of more, some stretches
/// stand for all.
const MOST_SECONDS: f64 = 2.0 * 86_400.0;

/// What is played, and how much of all it is.
#[derive(Debug, PartialEq)]
pub(super) struct Stretches {
    /// Ranges of rows.
    pub(super) played: Vec<Range<usize>>,
    pub(super) hot_seconds: f64,
    pub(super) played_seconds: f64,
}

pub(super) fn stretches(history: &History, card: &Card) -> Stretches {
    let rows = &history.rows;
    let hot = |row: &Row| {
        let over =
            |value: Option<f64>, alert: f64| value.is_some_and(|it| it >= alert - NEAR_CELSIUS);
        over(row.core_celsius(), card.alert_celsius)
            || card
                .memory_alert_celsius
                .is_some_and(|alert| over(row.memory_celsius(), alert))
    };
    let mut found: Vec<Range<usize>> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        if !hot(row) {
            continue;
        }
        match found.last_mut() {
            Some(last)
                if row.seconds() - rows[last.end - 1].seconds()
                    <= AFTER_SECONDS + BEFORE_SECONDS =>
            {
                last.end = index + 1;
            }
            _ => found.push(index..index + 1),
        }
    }
    let found = found
        .into_iter()
        .flat_map(|it| cut(rows, widened(rows, it)));
    sample(rows, found.collect())
}

fn widened(rows: &[Row], hot: Range<usize>) -> Range<usize> {
    let (first, last) = (rows[hot.start].seconds(), rows[hot.end - 1].seconds());
    let before = rows[..hot.start].partition_point(|row| row.seconds() < first - BEFORE_SECONDS);
    let after = rows[hot.end..].partition_point(|row| row.seconds() <= last + AFTER_SECONDS);
    before..hot.end + after
}

fn cut(rows: &[Row], whole: Range<usize>) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = whole.start;
    while start < whole.end {
        let limit = rows[start].seconds() + LONGEST_SECONDS;
        let length = rows[start..whole.end].partition_point(|row| row.seconds() < limit);
        let end = start + length.max(1);
        // A short rest isn't worth a piece of its own.
        let rest = rows[whole.end - 1].seconds() - rows[end - 1].seconds();
        let end = if rest < LONGEST_SECONDS / 4.0 {
            whole.end
        } else {
            end
        };
        pieces.push(start..end);
        start = end;
    }
    pieces
}

fn seconds(rows: &[Row], range: &Range<usize>) -> f64 {
    rows[range.end - 1].seconds() - rows[range.start].seconds()
}

/// Every second one, every third one … if all are too many.
fn sample(rows: &[Row], all: Vec<Range<usize>>) -> Stretches {
    let hot_seconds: f64 = all.iter().map(|it| seconds(rows, it)).sum();
    let mut every = 1;
    while hot_seconds / every as f64 > MOST_SECONDS {
        every += 1;
    }
    let played: Vec<Range<usize>> = all.into_iter().step_by(every).collect();
    let played_seconds = played.iter().map(|it| seconds(rows, it)).sum();
    Stretches {
        played,
        hot_seconds,
        played_seconds,
    }
}
