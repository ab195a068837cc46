//! The body of a message, in each format.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;
use serde_json::json;

use crate::config::{Mode, NotifyFormat, Weight};

use super::super::event::Event;

/// Slack shows 4,000 characters of a text, and ntfy takes 4,096 bytes.
const MAX_TEXT: usize = 3800;

/// Who tells it.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What this machine is called.
    pub node: String,
    pub mode: Mode,
    pub simulated: bool,
}

impl Origin {
    /// An event says what was decided, and the title whether it was done, and to a real card.
    fn title(&self) -> String {
        let observes = match self.mode {
            Mode::Enforce => "",
            Mode::Observe => ", only observing",
        };
        let simulated = if self.simulated { ", simulated" } else { "" };
        format!("thermal-guard on {}{observes}{simulated}", self.node)
    }
}

/// One message, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// An event as in the log on disk, and what it says to people.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    event: &'a Event,
    severity: &'static str,
    text: String,
}

/// `dropped`: how many events before these weren't told.
pub(super) fn write(
    format: NotifyFormat,
    origin: &Origin,
    events: &[&Event],
    dropped: u64,
) -> Message {
    let gravest = events.iter().map(|event| event.weight());
    let gravest = gravest.max().unwrap_or(Weight::Info);
    match format {
        NotifyFormat::Json => {
            let told = events.iter().map(|event| Told {
                event,
                severity: event.weight().name(),
                text: event.to_string(),
            });
            let body = json!({
                "node": origin.node,
                "mode": origin.mode.name(),
                "simulated": origin.simulated,
                "severity": gravest.name(),
                "text": text(origin, events, dropped),
                "dropped": dropped,
                "events": told.collect::<Vec<_>>(),
            });
            in_json(body.to_string())
        }
        NotifyFormat::Slack => {
            let body = json!({ "text": escaped(&text(origin, events, dropped)) });
            in_json(body.to_string())
        }
        NotifyFormat::Ntfy => Message {
            content_type: "text/plain; charset=utf-8",
            headers: vec![
                ("X-Title", plain(&origin.title())),
                ("X-Priority", priority(gravest).to_owned()),
            ],
            body: lines(events, dropped),
        },
    }
}

fn in_json(body: String) -> Message {
    Message {
        content_type: "application/json",
        headers: Vec::new(),
        body,
    }
}

/// ntfy's: 5 rings through, 4 rings, 3 is as usual.
const fn priority(weight: Weight) -> &'static str {
    match weight {
        Weight::Error => "5",
        Weight::Warn => "4",
        Weight::Info => "3",
    }
}

fn text(origin: &Origin, events: &[&Event], dropped: u64) -> String {
    format!("{}\n{}", origin.title(), lines(events, dropped))
}

/// A line for each event, as far as they fit.
fn lines(events: &[&Event], dropped: u64) -> String {
    let mut lines = String::new();
    if dropped > 0 {
        let _ = writeln!(lines, "{dropped} events before weren't delivered");
    }
    for (told, event) in events.iter().enumerate() {
        let line = format!("{} {event}", clock_time(event.time));
        if lines.len() + line.len() > MAX_TEXT {
            let left = events.len() - told;
            let _ = writeln!(lines, "and {left} more: `thermal-guard report`");
            break;
        }
        let _ = writeln!(lines, "{line}");
    }
    lines.trim_end().to_owned()
}

/// `2026-11-30 10:21:09 UTC`.
fn clock_time(since_epoch: Duration) -> String {
    let whole = Duration::from_secs(since_epoch.as_secs());
    let written = humantime::format_rfc3339_seconds(UNIX_EPOCH + whole).to_string();
    written.replace('T', " ").replace('Z', " UTC")
}

/// The three characters by which Slack recognizes links and names.
fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

/// As a header may have it.
fn plain(title: &str) -> String {
    let fits = |c: &char| c.is_ascii_graphic() || *c == ' ';
    title.chars().filter(fits).take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::event::{GpuName, Text, What};
    use super::super::super::trouble::Trouble;
    use super::*;

    fn on(node: &str) -> Origin {
        Origin {
            node: node.to_owned(),
            mode: Mode::Observe,
            simulated: false,
        }
    }

    fn gone(detail: &str) -> Event {
        Event {
            time: Duration::from_millis(1_700_000_000_123),
            gpu: Some(GpuName {
                gpu: 1,
                uuid: "GPU-1".to_owned(),
            }),
            what: What::TroubleBegan {
                trouble: Trouble::GpuLost.into(),
                detail: Some(Text::Owned(detail.to_owned())),
            },
        }
    }

    #[test]
    fn each_format_says_node_time_gpu_and_event() {
        let event = gone("a < b & c");
        let said = "GPU 1: the GPU doesn't answer (a < b & c)";
        let json = write(NotifyFormat::Json, &on("gpu1"), &[&event], 2);
        let body: serde_json::Value = serde_json::from_str(&json.body).unwrap();
        assert_eq!(json.content_type, "application/json");
        assert_eq!(
            (&body["node"], &body["mode"], &body["severity"]),
            (&json!("gpu1"), &json!("observe"), &json!("error"))
        );
        assert_eq!(body["dropped"], json!(2));
        let first = &body["events"][0];
        assert_eq!(first["event"], json!("trouble_began"));
        assert_eq!(first["time"], json!("2023-11-14T22:13:20.123Z"));
        assert_eq!((&first["gpu"], &first["text"]), (&json!(1), &json!(said)));

        let slack = write(NotifyFormat::Slack, &on("gpu1"), &[&event], 0);
        let body: serde_json::Value = serde_json::from_str(&slack.body).unwrap();
        let text = "thermal-guard on gpu1, only observing\n2023-11-14 22:13:20 UTC GPU 1: the GPU doesn't answer (a &lt; b &amp; c)";
        assert_eq!(body, json!({ "text": text }));

        let ntfy = write(NotifyFormat::Ntfy, &on("gpü1\r\nX: y"), &[&event], 0);
        assert_eq!(ntfy.body, format!("2023-11-14 22:13:20 UTC {said}"));
        let headers = [
            (
                "X-Title",
                "thermal-guard on gp1X: y, only observing".to_owned(),
            ),
            ("X-Priority", "5".to_owned()),
        ];
        assert_eq!(ntfy.headers, headers);
    }

    #[test]
    fn a_long_text_is_cut_at_a_line_and_says_so() {
        let event = gone(&"x".repeat(100));
        let events = vec![&event; 100];
        let ntfy = write(NotifyFormat::Ntfy, &on("n"), &events, 1);
        assert!(ntfy.body.len() <= 4096, "{}", ntfy.body.len());
        assert!(ntfy.body.starts_with("1 events before weren't delivered\n"));
        let told = ntfy
            .body
            .lines()
            .filter(|line| line.contains("GPU 1"))
            .count();
        let end = format!("and {} more: `thermal-guard report`", 100 - told);
        assert!(ntfy.body.ends_with(&end), "{}", ntfy.body);
    }
}
