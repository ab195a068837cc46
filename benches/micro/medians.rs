//! The medians that Criterion left on disk, as a table.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

pub(super) const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/criterion");

/// Of earlier runs: a part may have had another name.
pub(super) fn forget() {
    // None is there the first time.
    let _ = fs::remove_dir_all(DIRECTORY);
}

/// By group and part; a group's own throughput says how many of its elements one run has.
pub(super) fn table() -> String {
    let groups = listed(Path::new(DIRECTORY));
    let runs = groups.iter().flat_map(|group| listed(group));
    let mut rows: Vec<_> = runs.filter_map(|run| row(&run.join("new"))).collect();
    rows.sort();
    let mut text = "| part | median |\n|---|---|\n".to_owned();
    for (title, median) in rows {
        let _ = writeln!(text, "| {title} | {median:.2?} |");
    }
    text
}

fn row(run: &Path) -> Option<(String, Duration)> {
    let about = read(&run.join("benchmark.json"))?;
    let elements = about["throughput"]["Elements"].as_u64().unwrap_or(1);
    let nanos = read(&run.join("estimates.json"))?["median"]["point_estimate"].as_f64()?;
    let each = Duration::from_secs_f64(nanos / 1e9 / elements as f64);
    Some((about["title"].as_str()?.replace('/', ", "), each))
}

fn listed(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
