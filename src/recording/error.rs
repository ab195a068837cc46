//! Why a file is no recording.

use std::io;

use super::types::MOST_SAMPLES;

/// The line of the file, from 1 on, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct RecordingError {
    pub line: usize,
    pub wrong: Wrong,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    #[error("can't be read: {0}")]
    Io(#[from] io::Error),
    #[error("the file is empty; wanted: a line with the names of the columns, then the values")]
    Empty,
    #[error(
        "no column with a temperature or a draw; wanted: a header such as core_c and power_w, or that of nvidia-smi without noheader, with temperature.gpu and power.draw"
    )]
    NoHeader,
    #[error(
        "no column with the time; wanted: s, in seconds, or nvidia-smi's timestamp (add it to --query-gpu)"
    )]
    NoTime,
    #[error("{cells} values under {columns} columns")]
    Cells { cells: usize, columns: usize },
    #[error(
        "{value:?} in column {column:?} is neither a number nor one of nvidia-smi's words for none"
    )]
    NotANumber { column: String, value: String },
    #[error(
        "{0:?} is no time; wanted: seconds, or 2026/11/29 10:00:00.000 as nvidia-smi writes it"
    )]
    NotATime(String),
    #[error(
        "the time goes back by more than a second; wanted: one recording, in the order of time"
    )]
    Backwards,
    #[error("more than {MOST_SAMPLES} samples; split the file")]
    TooLong,
    #[error("longer than {0} characters, which no recording's line is")]
    LongLine(usize),
}

impl RecordingError {
    pub(super) const fn at(line: usize, wrong: Wrong) -> Self {
        Self { line, wrong }
    }
}
