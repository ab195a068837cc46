//! The page's markup, with a first board in it. `live.js` writes the next boards into the same places:
//! an element with `data-text` has the text of that name, of the part around it; an element with
//! `data-list` has a child for each part of that list, made from the template of the same name.

use std::fmt::{self, Display, Write as _};

use super::part::Part;

/// The markup of one part of a list.
type Item = fn(&Part) -> String;

/// Without a script the browser loads the page again.
const REFRESH_SECONDS: u32 = 5;

/// The whole page.
pub(crate) fn page(board: &Part, telemetry_path: &str) -> String {
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="assets/status.css">
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="{REFRESH_SECONDS}"></noscript>
<script type="module" src="assets/live.js"></script>
</head>
<body data-part>
<a class="skip" href="#gpus">To the GPUs</a>
<header>
<h1>{node} <span>thermal-guard</span></h1>
{summary}
<dl class="lights" data-list="lights">{lights}</dl>
<p id="link" role="alert"></p>
<p id="announcement" role="status" class="unseen"></p>
</header>
<main>
<section aria-labelledby="notices">
<h2 id="notices" class="unseen">Notices</h2>
<ul class="notices" data-list="notices">{notices}</ul>
</section>
<section aria-labelledby="gpus">
<h2 id="gpus" class="unseen" tabindex="-1">GPUs</h2>
<ul class="gpus" data-list="gpus">{gpus}</ul>
</section>
<section class="log" aria-labelledby="events">
<h2 id="events">Last events</h2>
<ol class="events" data-list="events">{events}</ol>
<p class="none">None since the guard started.</p>
</section>
<section aria-labelledby="apps">
<h2 id="apps">Applications</h2>
<ul class="apps" data-list="apps">{apps}</ul>
</section>
</main>
<footer>
<nav aria-label="Data"><a href="{metrics}">Metrics</a> <a href="api/v1/status">Status, JSON</a> <a href="api/v1/history">Last hour, JSON</a></nav>
<p>version {version}</p>
</footer>
{templates}</body>
</html>
"##,
        title = Text(board.text_of("title")),
        node = place("span", "node", board),
        summary = place("p", "summary", board),
        lights = items(board, "lights", light),
        notices = items(board, "notices", notice),
        gpus = items(board, "gpus", gpu),
        events = items(board, "events", event),
        apps = items(board, "apps", app),
        metrics = Text(telemetry_path.trim_start_matches('/')),
        version = place("span", "version", board),
        templates = templates(),
    )
}

/// One item of each list, with empty texts.
fn templates() -> String {
    let lists: [(&str, Item); 6] = [
        ("lights", light),
        ("notices", notice),
        ("gpus", gpu),
        ("leases", lease),
        ("events", event),
        ("apps", app),
    ];
    let templates = lists.map(|(list, item)| {
        let item = item(&Part::default());
        format!("<template data-of=\"{list}\">{item}</template>\n")
    });
    templates.concat()
}

fn light(part: &Part) -> String {
    let (label, value) = (place("dt", "label", part), place("dd", "value", part));
    item("div", part, &format!("{label}{value}"))
}

fn notice(part: &Part) -> String {
    item("li", part, &place("span", "value", part))
}

fn app(part: &Part) -> String {
    let (name, value) = (place("b", "name", part), place("span", "value", part));
    item("li", part, &format!("{name} {value}"))
}

fn event(part: &Part) -> String {
    let (time, what) = (place("time", "time", part), place("span", "what", part));
    item("li", part, &format!("{time} {what}"))
}

fn lease(part: &Part) -> String {
    let [level, source, left] = ["level", "source", "left"].map(|word| place("span", word, part));
    item("li", part, &format!("{level} by {source}, {left}"))
}

fn gpu(part: &Part) -> String {
    let span = |name| place("span", name, part);
    let title = format!("<h3>{} {}</h3>", span("name"), span("model"));
    let state = format!(
        "<p class=\"state\">{} {}</p>",
        place("b", "state", part),
        span("since")
    );
    let charts = [
        chart("temperature", "Core temperature", &["hour", "memory"], part),
        chart("draw", "Power", &["limit"], part),
    ];
    let facts = [
        ("Thresholds", "trips"),
        ("Throttles", "throttles"),
        ("Throttled for", "held"),
        ("Last throttle", "receipt"),
        ("Cooling", "cooling"),
        ("Can draw for good", "sustainable"),
        ("Slowed by", "slowed"),
        ("Sensors", "sensors"),
        ("Knobs", "knobs"),
        ("Paused", "paused"),
        ("UUID", "uuid"),
    ];
    let facts = facts.map(|(label, name)| {
        let value = place("dd", name, part);
        format!("<div class=\"{name}\"><dt>{label}</dt>{value}</div>")
    });
    let inner = format!(
        "<header>{title}{state}</header>{why}<div class=\"charts\">{charts}</div>\
         <h4>Leases</h4><ul class=\"leases\" data-list=\"leases\">{leases}</ul>\
         <details><summary>More of {name}</summary><dl class=\"facts\">{facts}</dl></details>",
        name = place("span", "name", part),
        why = place("p", "why", part),
        charts = charts.concat(),
        leases = items(part, "leases", lease),
        facts = facts.concat(),
    );
    item("li", part, &inner)
}

/// A present value, the last hour in words, and room for the last hour as a picture. The words are for
/// readers without a script and for screen readers. The script writes clock times under the picture.
fn chart(value: &str, label: &str, words: &[&str], part: &Part) -> String {
    let words: String = words.iter().map(|word| place("span", word, part)).collect();
    let value_now = place("b", value, part);
    format!(
        "<figure class=\"{value}\"><figcaption><span>{label}</span> {value_now} {words}</figcaption>\
         <div class=\"plot\" data-plot=\"{value}\" aria-hidden=\"true\"></div>\
         <p class=\"axis\" aria-hidden=\"true\"><span>1 h ago</span><span>30 min ago</span><span>now</span></p></figure>"
    )
}

fn items(part: &Part, list: &str, item: Item) -> String {
    let parts = part.lists.get(list).into_iter().flatten();
    parts.map(item).collect()
}

/// The element of one part of a list.
fn item(tag: &str, part: &Part, inner: &str) -> String {
    let mut marks = String::new();
    for (line, height) in &part.marks {
        let _ = write!(marks, " data-{line}=\"{height}\"");
    }
    let (key, tone) = (Text(&part.key), Text(part.tone));
    format!("<{tag} data-part data-key=\"{key}\" data-tone=\"{tone}\"{marks}>{inner}</{tag}>")
}

/// The element with one text of the part.
fn place(tag: &str, name: &str, part: &Part) -> String {
    let text = Text(part.text_of(name));
    format!("<{tag} class=\"{name}\" data-text=\"{name}\">{text}</{tag}>")
}

/// Text inside an element or a quoted attribute, with HTML's own characters escaped.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}
