//! `replay`: recordings of real cards through plausibility, observer and decision, in virtual time.
//! Nothing is written to any GPU. Exit codes: 0, 1 if a healthy card would have been doubted or a held
//! reading was believed for too long, 2 if a file can't be used.

mod facts;
mod forecast;
mod held;
mod row;
mod run;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use crate::recording;
use crate::units::Watts;

use super::log;
use super::output::{in_full, say};
use super::progress;
use row::Row;

/// Bad usage, as clap's.
const EXIT_USAGE: u8 = 2;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Recordings: CSV as `nvidia-smi --query-gpu=timestamp,index,temperature.gpu,power.draw,power.limit,fan.speed --format=csv -l 1` writes it, or a plain table with the columns `s`, `core_c`, `power_w`.
    /// Of a directory, all its .csv files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The cards' default power limit, if the recording doesn't have it [default: the highest recorded draw].
    #[arg(long, value_name = "WATTS", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    default_limit: Option<u32>,
    /// Also hold each reading still when the draw makes a lasting move, and tell when the guard caps.
    #[arg(long)]
    hold: bool,
    /// The record, for programs.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Record<'a> {
    cards: &'a [Row],
    wrong: bool,
}

pub(super) fn run(options: &Options) -> ExitCode {
    match tell(options) {
        Ok(false) => ExitCode::SUCCESS,
        Ok(true) => ExitCode::FAILURE,
        Err(error) => {
            log::complain(&format!("thermal-guard: {}", in_full(&error)));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

/// True: something is wrong.
fn tell(options: &Options) -> anyhow::Result<bool> {
    let mut rows = Vec::new();
    let files = files(&options.files)?;
    for (done, file) in files.iter().enumerate() {
        progress::count(done, files.len(), "recordings");
        let replayed = replay(file, options);
        progress::clear();
        rows.extend(replayed?);
    }
    let wrong = rows.iter().any(Row::is_wrong);
    if options.json {
        let record = Record {
            cards: &rows,
            wrong,
        };
        say(&(serde_json::to_string_pretty(&record)? + "\n"))?;
    } else {
        say(&table::page(&rows, options.hold))?;
    }
    Ok(wrong)
}

/// The files, and those of the directories among them.
fn files(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in given {
        let shown = path.display();
        let meta = fs::metadata(path).with_context(|| {
            format!("{shown} can't be read; wanted: a CSV file, or a directory with such files")
        })?;
        if !meta.is_dir() {
            if !meta.is_file() {
                bail!("{shown} is no file; wanted: a CSV file, or a directory with such files");
            }
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(path).with_context(|| format!("{shown} can't be listed"))? {
            let file = entry?.path();
            if file.extension().is_some_and(|it| it == "csv") {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            bail!("no .csv file in {shown}; wanted: a directory with recordings");
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn replay(file: &Path, options: &Options) -> anyhow::Result<Vec<Row>> {
    let shown = file.display();
    let recording = recording::read(file).with_context(|| format!("{shown} is no recording"))?;
    let name = file.file_name().unwrap_or(file.as_os_str());
    let limit = options.default_limit.map(Watts::from_watts);
    let rows = recording.cards.iter().map(|card| {
        let facts = facts::of(card, limit);
        let held = if options.hold && card.has_core_and_draw() {
            held::all(card, &facts)
        } else {
            Vec::new()
        };
        Row {
            file: name.to_string_lossy().into_owned(),
            card: card.name.clone(),
            replayed: run::run(card, &facts),
            held,
        }
    });
    Ok(rows.collect())
}
