//! Reads a recording, line by line: a file may be larger than the memory, its samples may not.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::units::{Celsius, Megahertz, Moment, Ratio, Watts};

use super::cells::{Cell, number, seconds, split};
use super::column::{Column, Value};
use super::error::{RecordingError, Wrong};
use super::types::{Card, MOST_SAMPLES, Recording, Sample};

/// A line of eight cards has some hundred characters.
const LONGEST_LINE: usize = 16_384;

/// A clock that was set back by less has lost no order.
const MAY_GO_BACK: f64 = 1.0;

/// Of a recording: a century. What is longer is no time.
const LONGEST_SECONDS: f64 = 100.0 * 366.0 * 86_400.0;

/// Reads the recording in a file.
pub fn read(path: &Path) -> Result<Recording, RecordingError> {
    let file = File::open(path).map_err(|error| RecordingError::at(0, error.into()))?;
    parse(BufReader::new(file))
}

/// Reads a recording.
pub fn parse(mut from: impl BufRead) -> Result<Recording, RecordingError> {
    let mut lines = Lines {
        from: &mut from,
        number: 0,
    };
    let Some(header) = lines.next()? else {
        return Err(RecordingError::at(lines.number, Wrong::Empty));
    };
    let mut table =
        Table::under(&header).map_err(|wrong| RecordingError::at(lines.number, wrong))?;
    while let Some(line) = lines.next()? {
        table
            .take(&line)
            .map_err(|wrong| RecordingError::at(lines.number, wrong))?;
    }
    Ok(table.recording)
}

struct Lines<'a, R> {
    from: &'a mut R,
    number: usize,
}

impl<R: BufRead> Lines<'_, R> {
    /// The next line that isn't blank.
    fn next(&mut self) -> Result<Option<String>, RecordingError> {
        loop {
            self.number += 1;
            let mut line = Vec::new();
            let most = LONGEST_LINE as u64 + 1;
            let length = self
                .from
                .by_ref()
                .take(most)
                .read_until(b'\n', &mut line)
                .map_err(|error| RecordingError::at(self.number, error.into()))?;
            if length == 0 {
                return Ok(None);
            }
            if line.len() > LONGEST_LINE {
                let wrong = Wrong::LongLine(LONGEST_LINE);
                return Err(RecordingError::at(self.number, wrong));
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_start_matches('\u{feff}').trim();
            if !line.is_empty() {
                return Ok(Some(line.to_owned()));
            }
        }
    }
}

/// The columns, and the samples so far.
struct Table {
    header: String,
    names: Vec<String>,
    columns: Vec<Column>,
    time: usize,
    /// The column that tells which card a line is about.
    card: Option<usize>,
    recording: Recording,
    samples: usize,
    start: Option<f64>,
    latest: f64,
}

impl Table {
    fn under(header: &str) -> Result<Self, Wrong> {
        let names: Vec<String> = split(header).into_iter().map(str::to_owned).collect();
        let columns: Vec<Column> = names.iter().map(|name| Column::named(name)).collect();
        let wanted = [Value::Core, Value::Memory, Value::Margin, Value::Draw];
        let tells = |it: &Column| matches!(it, Column::Of(value, _) if wanted.contains(value));
        if !columns.iter().any(tells) {
            return Err(Wrong::NoHeader);
        }
        let time = columns.iter().position(|it| *it == Column::Time);
        let ranks = columns.iter().enumerate().filter_map(|(at, it)| match it {
            Column::Card(rank) => Some((*rank, at)),
            _ => None,
        });
        Ok(Self {
            header: header.to_owned(),
            time: time.ok_or(Wrong::NoTime)?,
            card: ranks.min().map(|(_, at)| at),
            names,
            columns,
            recording: Recording::default(),
            samples: 0,
            start: None,
            latest: f64::NEG_INFINITY,
        })
    }

    fn take(&mut self, line: &str) -> Result<(), Wrong> {
        // A file that was added to begins again with its header.
        if line == self.header {
            return Ok(());
        }
        let cells = split(line);
        if cells.len() != self.columns.len() {
            let (cells, columns) = (cells.len(), self.columns.len());
            return Err(Wrong::Cells { cells, columns });
        }
        let at = self.moment(cells[self.time])?;
        let of_line = self.card.map(|it| cells[it].to_owned());
        for (index, cell) in cells.iter().enumerate() {
            let Column::Of(value, card) = self.columns[index].clone() else {
                continue;
            };
            let number = match number(cell) {
                Cell::Number(number) => number,
                Cell::Nothing => continue,
                Cell::Other => {
                    let (column, value) = (self.names[index].clone(), (*cell).to_owned());
                    return Err(Wrong::NotANumber { column, value });
                }
            };
            let name = card.or_else(|| of_line.clone()).unwrap_or_default();
            self.put(at, &name, value, number)?;
        }
        Ok(())
    }

    fn moment(&mut self, cell: &str) -> Result<Moment, Wrong> {
        let seconds = seconds(cell).ok_or_else(|| Wrong::NotATime(cell.to_owned()))?;
        if seconds < self.latest - MAY_GO_BACK {
            return Err(Wrong::Backwards);
        }
        let start = *self.start.get_or_insert(seconds);
        let after = self.latest.max(seconds) - start;
        if after > LONGEST_SECONDS {
            return Err(Wrong::NotATime(cell.to_owned()));
        }
        self.latest = self.latest.max(seconds);
        Ok(Moment::from_secs_f64(after.max(0.0)))
    }

    fn put(&mut self, at: Moment, name: &str, value: Value, number: f64) -> Result<(), Wrong> {
        let cards = &mut self.recording.cards;
        let known = cards.iter().position(|card| card.name == name);
        let index = known.unwrap_or(cards.len());
        if known.is_none() {
            cards.push(Card {
                name: name.to_owned(),
                ..Card::default()
            });
        }
        let card = &mut cards[index];
        if card.samples.last().is_none_or(|it| it.at != at) {
            if self.samples == MOST_SAMPLES {
                return Err(Wrong::TooLong);
            }
            self.samples += 1;
            card.samples.push(Sample {
                at,
                ..Sample::default()
            });
        }
        let watts = Some(Watts::from_f64(number));
        match value {
            Value::DefaultLimit => card.default_limit = watts,
            Value::MinLimit => card.min_limit = watts,
            Value::MaxLimit => card.max_limit = watts,
            _ => {
                if let Some(sample) = card.samples.last_mut() {
                    sample.set(value, number);
                }
            }
        }
        Ok(())
    }
}

impl Sample {
    /// Of two columns with the same value, the first one counts.
    fn set(&mut self, value: Value, number: f64) {
        let celsius = Celsius::new(number);
        let watts = Watts::from_f64(number);
        let share = Ratio::new(number / 100.0);
        match value {
            Value::Core => _ = self.core.get_or_insert(celsius),
            Value::Memory => _ = self.memory.get_or_insert(celsius),
            Value::Margin => _ = self.margin.get_or_insert(celsius),
            Value::Draw => _ = self.draw.get_or_insert(watts),
            Value::Limit => _ = self.limit.get_or_insert(watts),
            Value::Clock => _ = self.clock.get_or_insert(megahertz(number)),
            Value::Fan => _ = self.fan.get_or_insert(share),
            Value::Utilization => _ = self.utilization.get_or_insert(share),
            Value::DefaultLimit | Value::MinLimit | Value::MaxLimit => {}
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates, and what can't be is refused later"
)]
fn megahertz(number: f64) -> Megahertz {
    Megahertz::new(number.round() as u32)
}

#[cfg(test)]
mod tests;
