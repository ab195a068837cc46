//! `validate`: checks configuration files by themselves. It needs no driver, no guard and no rights beyond
//! reading, so it also runs on another machine, before a file is installed. Exit codes: 0 valid, 78 a
//! mistake, or a file that can't be read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::clock::Clock;
use crate::config::LoadError;
use crate::web::access::live_config::SecurityError;

use super::flags::Flags;
use super::output::{EXIT_CONFIG, in_full, say};
use super::setup;
use super::style::{BAD, GOOD, plain};
use super::width::Width;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Configuration files [default: that of --config.file, or else the service's].
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A mistake: where, what, and what is accepted.
#[derive(Debug, Serialize)]
struct Mistake {
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

#[derive(Serialize)]
struct Record<'a> {
    valid: bool,
    files: &'a [PathBuf],
    mistakes: &'a [Mistake],
}

pub(crate) fn run(flags: &Flags, options: &Options) -> ExitCode {
    let mut files = options.files.clone();
    if files.is_empty() {
        files.extend(flags.config_file.clone());
    }
    let mut mistakes = mistakes_in(flags, &files);
    if let Err(error) = setup::live_web_config(flags, Clock::start(1.0)) {
        let file = flags.web_config_file.clone().unwrap_or_default();
        mistakes.extend(of_web(&file, &error));
    }
    files.extend(flags.web_config_file.clone());
    let text = if options.json {
        let record = Record {
            valid: mistakes.is_empty(),
            files: &files,
            mistakes: &mistakes,
        };
        serde_json::to_string_pretty(&record).unwrap_or_default() + "\n"
    } else {
        page(&files, &mistakes, Width::of_stdout())
    };
    // The exit code says it, too.
    let _ = say(&text);
    if mistakes.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(EXIT_CONFIG)
    }
}

/// Of each file by itself. With none, of the environment's settings.
fn mistakes_in(flags: &Flags, files: &[PathBuf]) -> Vec<Mistake> {
    let each = files.iter().cloned().map(Some);
    let each = each.chain(files.is_empty().then_some(None));
    let loaded = each.map(|config_file| {
        let flags = Flags {
            config_file,
            ..flags.clone()
        };
        setup::configuration(&flags).err()
    });
    loaded.flatten().flat_map(|error| of(&error)).collect()
}

fn of(error: &LoadError) -> Vec<Mistake> {
    match error {
        LoadError::Unreadable { path, source } => vec![Mistake {
            file: path.clone(),
            line: None,
            key: None,
            problem: source.to_string(),
            remedy: setup::remedy(error).map(str::to_owned),
        }],
        LoadError::Invalid { path, errors } => {
            let each = errors.0.iter().map(|error| Mistake {
                file: path.clone(),
                line: error.line,
                key: Some(error.key()).filter(|key| !key.is_empty()),
                problem: error.described(),
                remedy: error.accepted.as_ref().map(|it| format!("accepted: {it}")),
            });
            each.collect()
        }
    }
}

fn of_web(file: &Path, error: &anyhow::Error) -> Vec<Mistake> {
    if let Some(SecurityError::File(error)) = error.downcast_ref::<SecurityError>() {
        return of(error);
    }
    vec![Mistake {
        file: file.to_owned(),
        line: None,
        key: None,
        problem: in_full(error),
        remedy: None,
    }]
}

fn page(files: &[PathBuf], mistakes: &[Mistake], width: Width) -> String {
    if files.is_empty() {
        return format!("{GOOD}valid{GOOD:#}: no file, so all defaults\n");
    }
    let mut text = String::new();
    for mistake in mistakes {
        let place = match mistake.line {
            Some(line) => format!("{}:{line}", mistake.file.display()),
            None => mistake.file.display().to_string(),
        };
        let key = mistake.key.as_ref();
        let key = key.map_or_else(String::new, |key| format!("{key}: "));
        let remedy = mistake.remedy.as_ref();
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        let what = plain(&format!("{key}{}{remedy}", mistake.problem));
        let place = plain(&place);
        let what = width.beside(place.chars().count() + 2, &what);
        // Writing to a String can't fail.
        let _ = writeln!(text, "{BAD}{place}{BAD:#}: {what}");
    }
    for file in files {
        if mistakes.iter().all(|mistake| mistake.file != *file) {
            let _ = writeln!(text, "{GOOD}valid{GOOD:#}: {}", file.display());
        }
    }
    text
}
