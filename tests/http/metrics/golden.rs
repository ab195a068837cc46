//! The whole exposition: the golden text, and what promtool says of it.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use super::*;
use crate::common::needs::needs;

/// Compares with a file under `tests/golden`; `UPDATE_GOLDEN=1` writes it instead.
fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(
        expected == text,
        "{name} differs (UPDATE_GOLDEN=1 rewrites it), first in {differs:?}"
    );
}

/// The library keeps counters in a hash map, whose order differs from run to run: sorted, but for
/// the buckets of histograms.
fn sorted(text: &str) -> String {
    let mut lines: Vec<_> = text.lines().collect();
    let is_sample = |line: &&str| !line.starts_with('#') && !line.contains("_bucket{");
    for samples in lines.chunk_by_mut(|a, b| is_sample(a) && is_sample(b)) {
        samples.sort_unstable();
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_exposition_is_the_golden_one_in_both_formats() {
    golden("metrics.txt", &sorted(&classic(fleet::snapshot())));
    golden("metrics.openmetrics.txt", &sorted(&open(fleet::snapshot())));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may start promtool")]
fn promtool_finds_nothing_to_complain_about() {
    needs!("promtool");
    let text = render(
        String::new(),
        fleet::snapshot(),
        &fleet::counters(),
        Collect::ALL,
        Format::Classic,
    )
    .unwrap();
    let spawned = std::process::Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = spawned.expect("promtool is needed: it comes with the Prometheus package");
    let mut stdin = promtool.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}
