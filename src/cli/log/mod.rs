//! The log, on standard error: logfmt as the Prometheus family writes it, or JSON. Where that leads
//! into systemd's journal, each line says its priority, as sd-daemon(3) has it.

mod journal;
mod logfmt;

use std::io;

use anstream::{AutoStream, ColorChoice};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::flags::{LogFormat, LogLevel};

use journal::Prefixed;
use logfmt::{Logfmt, Nothing};

/// Starts logging. A second start in one process keeps the first.
pub(crate) fn start(level: LogLevel, format: LogFormat) {
    let filter = match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let in_journal = journal::is_stderr();
    let _ = match format {
        LogFormat::Logfmt => {
            // The journal has a time of its own.
            let logfmt = Logfmt {
                timestamp: !in_journal,
                coloured: AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            };
            let lines = layer().fmt_fields(Nothing).with_writer(io::stderr);
            let lines = lines.event_format(Prefixed {
                format: logfmt,
                in_journal,
            });
            registry.with(lines).try_init()
        }
        LogFormat::Json => {
            let json = layer().json().flatten_event(true).with_target(false);
            let json = json.with_writer(io::stderr);
            let json = json.map_event_format(|format| Prefixed { format, in_journal });
            registry.with(json).try_init()
        }
    };
}

/// Prints a remark to standard error, beside the command's answer.
pub(crate) fn remark(text: &str) {
    let prefix = if journal::is_stderr() { "<6>" } else { "" };
    eprintln!("{prefix}{text}");
}

/// Prints the reason why a command fails to standard error; in the journal, as an error.
pub(crate) fn complain(text: &str) {
    let prefix = if journal::is_stderr() { "<3>" } else { "" };
    for line in text.lines() {
        eprintln!("{prefix}{line}");
    }
}
