//! The page as the server renders it. `status.js` shows the same cells.

use std::fmt::{self, Display, Write as _};

use crate::web::status::{Chain, Driver, Gpu, Status};

/// Without a script the browser asks again by itself.
const REFRESH_SECONDS: u32 = 5;

/// The whole page.
pub fn render(status: &Status, telemetry_path: &str) -> String {
    let rows: String = status.gpus.iter().map(row).collect();
    let link = telemetry_path.trim_start_matches('/');
    let (chain_class, chain) = chain(&status.chain);
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>thermal-guard</title>
<link rel="stylesheet" href="assets/status.css">
<link rel="icon" href="data:,">
<noscript><meta http-equiv="refresh" content="{REFRESH_SECONDS}"></noscript>
<script src="assets/status.js" defer></script>
</head>
<body>
<header>
<h1>thermal-guard</h1>
<p id="mode" class="{mode_class}">{mode}</p>
<p id="driver" class="{driver_class}">{driver}</p>
<p id="chain" class="{chain_class}">{chain}</p>
<p id="link" hidden>connection lost: what you see is old</p>
</header>
<main>
<table>
<thead><tr><th>GPU</th><th>State</th><th>Temperature</th><th>Trips</th><th>Last hour</th><th>Power</th><th>Throttles</th><th>Leases</th></tr></thead>
<tbody id="gpus">
{rows}</tbody>
</table>
<p id="none"{none}>No GPU yet.</p>
</main>
<footer><a href="{metrics}">metrics</a> <a href="api/v1/status">status as JSON</a> <span>version {version}</span></footer>
</body>
</html>
"#,
        mode_class = Text(mode_class(status)),
        mode = Text(mode(status)),
        driver_class = driver_class(&status.driver),
        driver = Text(driver(status)),
        chain = Text(chain),
        none = if status.gpus.is_empty() {
            ""
        } else {
            " hidden"
        },
        metrics = Text(link),
        version = Text(&status.version),
    )
}

fn mode_class(status: &Status) -> &'static str {
    if status.simulated || status.mode != "enforce" {
        "notice"
    } else {
        "good"
    }
}

fn mode(status: &Status) -> String {
    let mut mode = format!("mode: {}", status.mode);
    if status.mode == "observe" {
        mode.push_str(" (nothing is written)");
    }
    if status.simulated {
        mode.push_str(", simulated GPUs");
    }
    mode
}

fn driver_class(driver: &Driver) -> &'static str {
    match (driver.detached, driver.up) {
        (true, _) => "notice",
        (false, true) => "good",
        (false, false) => "bad",
    }
}

fn driver(status: &Status) -> String {
    match &status.driver.error {
        _ if status.driver.detached => "driver: detached".to_owned(),
        _ if status.driver.up => "driver: up".to_owned(),
        Some(error) => format!("driver: {error}"),
        None => "driver: not found yet".to_owned(),
    }
}

fn chain(chain: &Chain) -> (&'static str, String) {
    let class = match (chain.expected, chain.fallback) {
        (_, true) => "bad",
        (true, false) => "good",
        (false, false) => "plain",
    };
    let mut text = format!("alert chain: {}", chain.state);
    if let Some(age) = chain.heartbeat_age_seconds {
        let _ = write!(text, ", last heartbeat {age:.0} s ago");
    }
    (class, text)
}

fn row(gpu: &Gpu) -> String {
    let cells = [
        vec![format!("{} {}", gpu.index, gpu.name), gpu.uuid.clone()],
        vec![state(gpu), gpu.why.clone()],
        temperature(gpu),
        trips(gpu),
        hour(gpu),
        power(gpu),
        vec![
            format!(
                "{} begun, {} recovered",
                gpu.throttle_events, gpu.recoveries
            ),
            format!(
                "{:.0} s gradual, {:.0} s emergency",
                gpu.throttled_seconds.gradual, gpu.throttled_seconds.emergency
            ),
        ],
        leases(gpu),
    ];
    let mut row = format!("<tr class=\"{}\">", Text(state(gpu)));
    for lines in cells {
        row.push_str("<td>");
        for line in lines {
            let _ = write!(row, "<div>{}</div>", Text(line));
        }
        row.push_str("</td>");
    }
    row.push_str("</tr>\n");
    row
}

fn state(gpu: &Gpu) -> String {
    match (gpu.up, gpu.state.as_str()) {
        (false, _) | (true, "") => "down".to_owned(),
        (true, state) => state.to_owned(),
    }
}

fn temperature(gpu: &Gpu) -> Vec<String> {
    let core = gpu.now.temperature_celsius;
    let memory = gpu.now.memory_temperature_celsius;
    let core = core.map(|celsius| format!("{celsius:.1} °C"));
    let memory = memory.map(|celsius| format!("memory {celsius:.1} °C"));
    core.into_iter().chain(memory).collect()
}

fn trips(gpu: &Gpu) -> Vec<String> {
    let Some(trips) = &gpu.now.trips else {
        return Vec::new();
    };
    vec![
        format!("alert {:.0} °C", trips.alert_celsius),
        format!(
            "critical {:.0}, safe {:.0}",
            trips.critical_celsius, trips.safe_celsius
        ),
    ]
}

fn hour(gpu: &Gpu) -> Vec<String> {
    let Some(hour) = &gpu.hour else {
        return Vec::new();
    };
    vec![
        format!("max {:.1} °C", hour.max_celsius),
        format!("mean {:.1} °C", hour.mean_celsius),
    ]
}

fn power(gpu: &Gpu) -> Vec<String> {
    let draw = gpu.now.power_draw_watts;
    let draw = draw.map(|watts| format!("{watts:.0} W drawn"));
    let limit = gpu.limit.current.map(|limit| match gpu.limit.original {
        Some(original) => format!("limit {limit:.0} of {original:.0} W"),
        None => format!("limit {limit:.0} W"),
    });
    draw.into_iter().chain(limit).collect()
}

fn leases(gpu: &Gpu) -> Vec<String> {
    let leases = gpu.leases.iter().map(|lease| {
        format!(
            "{}: {}, {:.0} s left",
            lease.holder, lease.level, lease.expires_in_seconds
        )
    });
    let paused = gpu.paused_for_seconds;
    let paused = paused.map(|left| format!("paused, {left:.0} s left"));
    leases.chain(paused).collect()
}

/// Text inside an element or a quoted attribute: what HTML reads otherwise is escaped.
struct Text<T>(T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.to_string().chars() {
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
