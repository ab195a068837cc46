//! Tables for people. At a terminal that is too narrow, the least telling columns are left out.

use std::fmt::Write as _;

use super::width::Width;

/// Between two columns.
const GAP: usize = 2;

/// One column of a table that may lose some.
pub(super) struct Column {
    pub(super) head: &'static str,
    /// Columns with higher ranks leave first; those with 0 stay.
    pub(super) rank: u8,
}

impl Column {
    pub(super) const fn new(head: &'static str, rank: u8) -> Self {
        Self { head, rank }
    }
}

/// The heads, as cells.
pub(super) fn heads(columns: &[Column]) -> Vec<String> {
    let heads = columns.iter().map(|column| column.head.to_owned());
    heads.collect()
}

/// The places of the columns that fit, in order.
pub(super) fn fitting(
    columns: &[Column],
    cells: &[Vec<String>],
    indent: usize,
    width: Width,
) -> Vec<usize> {
    let widths = widths(cells);
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    loop {
        let used: usize = kept.iter().map(|place| widths[*place] + GAP).sum();
        let last = kept
            .iter()
            .filter(|place| columns[**place].rank > 0)
            .max_by_key(|place| columns[**place].rank);
        match last.copied() {
            Some(last) if !width.has_room_for(indent + used.saturating_sub(GAP)) => {
                kept.retain(|place| *place != last);
            }
            _ => return kept,
        }
    }
}

/// Only these columns.
pub(super) fn only(kept: &[usize], cells: &[Vec<String>]) -> Vec<Vec<String>> {
    let row = |row: &Vec<String>| kept.iter().map(|place| row[*place].clone()).collect();
    cells.iter().map(row).collect()
}

/// Of each column.
pub(super) fn widths(cells: &[Vec<String>]) -> Vec<usize> {
    let columns = cells.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let widths = cells.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    (0..columns).map(width).collect()
}

/// The first column to the left, the others to the right.
pub(super) fn aligned(indent: &str, cells: &[Vec<String>]) -> String {
    let widths = widths(cells);
    let mut text = String::new();
    for row in cells {
        let mut line = format!("{indent}{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let _ = write!(line, "{:GAP$}{cell:>width$}", "");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_telling_columns_leave_first_and_some_never() {
        let columns = [
            Column::new("POLICY", 0),
            Column::new("MEAN", 2),
            Column::new("WORK", 1),
        ];
        let row = ["governor", "77.5", "89.1"].map(str::to_owned).to_vec();
        let cells = [heads(&columns), row];
        let kept = |width| fitting(&columns, &cells, 0, width);
        assert_eq!(kept(Width::ANY), [0, 1, 2]);
        assert_eq!(kept(Width::of(80)), [0, 1, 2]);
        let wide = vec![
            ["governor", &"x".repeat(40), "89.1"]
                .map(str::to_owned)
                .to_vec(),
        ];
        assert_eq!(fitting(&columns, &wide, 4, Width::of(40)), [0, 2]);
        let all = vec![vec!["x".repeat(40); 3]];
        assert_eq!(fitting(&columns, &all, 4, Width::of(40)), [0]);
        assert_eq!(
            aligned("", &only(&[0, 2], &cells)),
            "POLICY    WORK\ngovernor  89.1\n"
        );
    }
}
