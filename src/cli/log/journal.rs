//! systemd's journal takes what a service writes for lines of priority 6, unless they say another.

use std::env;
use std::fmt;
use std::io;

use rustix::fs::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Device and inode of the stream that the journal reads, as `systemd.exec(5)` documents.
const STREAM: &str = "JOURNAL_STREAM";

/// Whether standard error is that stream. It may have been led elsewhere since.
pub(crate) fn is_stderr() -> bool {
    let Ok(stream) = env::var(STREAM) else {
        return false;
    };
    fstat(io::stderr()).is_ok_and(|file| stream == format!("{}:{}", file.st_dev, file.st_ino))
}

/// As in syslog(3).
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// A format with the priority before it, which the journal takes away again.
pub(crate) struct Prefixed<F> {
    pub(crate) format: F,
    pub(crate) in_journal: bool,
}

impl<F, S, N> FormatEvent<S, N> for Prefixed<F>
where
    F: FormatEvent<S, N>,
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.in_journal {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        self.format.format_event(context, writer, event)
    }
}
