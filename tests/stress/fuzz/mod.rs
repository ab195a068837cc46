//! Bytes from outside, good, bad and absurd, for every parser: the stored corpus, then mutants of it.
//! `make fuzz` looks for new inputs with a coverage-guided fuzzer.
//!
//! `THERMAL_GUARD_FUZZ_RUNS` sets how many mutants each target gets, `THERMAL_GUARD_FUZZ_SEED` which
//! ones; without them the same few thousand each time. `THERMAL_GUARD_FUZZ_TARGET` names one target.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code fails by panicking"
)]

mod mutate;
mod nvml;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::mutate::Mutator;
use self::targets::{ALL, Target};

/// Of all targets together; a few seconds in a debug build.
const RUNS: usize = 1_000;

/// One input, in a debug build on a machine that has other things to do. The longest take a
/// millisecond: an input that takes this long is stuck.
const HANG: Duration = Duration::from_secs(10);

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/stress/fuzz/corpus")
        .join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn setting(name: &str, default: usize) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

/// Runs the target on `bytes`. `Err`: it panicked, or took too long.
#[expect(
    clippy::disallowed_methods,
    reason = "a test may look how long something takes"
)]
fn run(target: &Target, bytes: &[u8]) -> Result<(), String> {
    let began = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(bytes)));
    let took = began.elapsed();
    if outcome.is_ok() && took < HANG {
        return Ok(());
    }
    let shown = bytes.escape_ascii();
    Err(format!(
        "{}: {took:?}, {} bytes: {shown}",
        target.name,
        bytes.len()
    ))
}

#[test]
fn no_bytes_of_the_corpus_and_none_near_it_break_what_reads_them() {
    let runs = setting("THERMAL_GUARD_FUZZ_RUNS", RUNS);
    let seed = setting("THERMAL_GUARD_FUZZ_SEED", 20_261_123);
    let only = std::env::var("THERMAL_GUARD_FUZZ_TARGET").ok();
    let wanted = |it: &&Target| only.as_ref().is_none_or(|only| only == it.name);
    let broken: Vec<String> = ALL
        .iter()
        .filter(wanted)
        .filter_map(|target| try_all(target, runs, seed).err())
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The corpus and that many mutants of it, up to the first that breaks the target.
fn try_all(target: &Target, runs: usize, seed: usize) -> Result<(), String> {
    let corpus = corpus(target.name);
    assert!(!corpus.is_empty(), "{} has no corpus", target.name);
    for bytes in &corpus {
        run(target, bytes)?;
    }
    let mut mutator = Mutator::seeded(seed.try_into().unwrap_or_default());
    for _ in 0..runs {
        run(target, &mutator.mutant(&corpus))?;
    }
    println!(
        "{}: {} of the corpus, {runs} mutants",
        target.name,
        corpus.len()
    );
    Ok(())
}

/// The control: a parser with a planted fault in it is found out within the same number of runs.
#[test]
fn a_parser_that_panics_on_a_lonely_quote_is_found_out() {
    let planted = Target {
        name: "planted",
        run: |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let key = text.split_once("BATCH=\"");
            if let Some((_, value)) = key {
                assert!(value.contains('"'), "planted");
            }
        },
    };
    let corpus = [b"A=1\nBATCH=\"4\"\n".to_vec()];
    run(&planted, &corpus[0]).unwrap();
    let mut mutator = Mutator::seeded(1);
    let found = (0..RUNS).any(|_| run(&planted, &mutator.mutant(&corpus)).is_err());
    assert!(found);
}
