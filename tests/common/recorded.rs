//! Histories of simulated cards in a real Prometheus, as dcgm-exporter or another exporter would have
//! left them there.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    reason = "tests start programs, and fail by panic"
)]

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::chain::free_ports;
use super::process::Running;
use super::wait::wait_until;

/// A metric of a GPU over time: seconds since 1970, and values.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) labels: String,
    pub(crate) samples: Vec<(u64, f64)>,
}

/// Writes the metrics of a fleet as `promtool` imports them: all series of one name together.
pub(crate) fn write_openmetrics(path: &Path, mut metrics: Vec<Metric>) {
    metrics.sort_by_key(|metric| metric.name);
    let mut out = BufWriter::new(File::create(path).expect("file"));
    let mut last = "";
    let mut line = String::new();
    for metric in &metrics {
        if metric.name != last {
            writeln!(out, "# TYPE {} unknown", metric.name).expect("written");
            last = metric.name;
        }
        for (at, value) in &metric.samples {
            line.clear();
            let _ = writeln!(line, "{}{{{}}} {value} {at}", metric.name, metric.labels);
            out.write_all(line.as_bytes()).expect("written");
        }
    }
    out.write_all(b"# EOF\n").expect("written");
}

/// A real Prometheus with a history, and without anything to scrape.
pub(crate) struct Prometheus {
    pub(crate) url: String,
    process: Running,
    dir: TempDir,
}

impl Prometheus {
    /// Imports the file, and starts on it. `flags`: further ones.
    pub(crate) fn with(openmetrics: &Path, flags: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("directory");
        let data = dir.path().join("data");
        import(openmetrics, &data);
        Self::on(dir, flags)
    }

    /// Starts on the data of this directory.
    pub(crate) fn on(dir: TempDir, flags: &[&str]) -> Self {
        let config = dir.path().join("prometheus.yml");
        fs::write(&config, "global: {}\n").expect("written");
        let [port] = free_ports();
        let log = File::create(dir.path().join("log")).expect("log");
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.path().join("data").display()
            ))
            .arg("--storage.tsdb.retention.time=100y")
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .args(flags)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus");
        let process = Running::new(child);
        let url = format!("http://127.0.0.1:{port}");
        let ready = || ureq::get(format!("{url}/-/ready")).call().is_ok();
        assert!(wait_until(Duration::from_secs(60), ready), "it isn't ready");
        Self { url, process, dir }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }
}

fn import(openmetrics: &Path, data: &Path) {
    let output = Command::new("promtool")
        .args([
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            "--max-block-duration=186h",
        ])
        .args([openmetrics, data])
        .output()
        .expect("promtool");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
