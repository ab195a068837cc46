//! A trace of what was done to the cards, and when: for who measures how fast a guard reacts.
//!
//! It is kept beside the state file, as `STATE.trace`, if that file is there when a process opens
//! the state file. A line is `NANOSECONDS GPU WHAT CODE MILLIWATTS`: when it was asked for, by the
//! monotonic clock, which all processes share; NVML's return code; the limit requested from then on.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::layout::Card;

#[derive(Debug)]
pub struct Trace(Option<File>);

impl Trace {
    pub fn beside(state: &Path) -> Self {
        Self(OpenOptions::new().append(true).open(path_of(state)).ok())
    }

    /// One line, written at once: lines of several processes don't mix.
    pub fn note(&self, at: Duration, gpu: usize, card: &Card, what: &str, code: u32) {
        let Some(mut file) = self.0.as_ref() else {
            return;
        };
        let (nanoseconds, milliwatts) = (at.as_nanos(), card.limit);
        let line = format!("{nanoseconds} {gpu} {what} {code} {milliwatts}\n");
        // What is missing in it will be missed by who measures.
        let _ = file.write_all(line.as_bytes());
    }
}

fn path_of(state: &Path) -> PathBuf {
    let mut path = state.as_os_str().to_owned();
    path.push(".trace");
    path.into()
}

#[cfg(test)]
mod tests {
    use thermal_guard::sim::profile;

    use super::*;

    #[test]
    fn a_trace_is_kept_where_its_file_is_there_and_nowhere_else() {
        let directory = tempfile::tempdir().expect("scratch directory");
        let state = directory.path().join("state");
        let card = Card::new(profile::ALL[0], "GPU-0", 25.0);
        let at = Duration::from_nanos(1_000_000_007);
        Trace::beside(&state).note(at, 3, &card, "power-limit", 0);
        assert!(!path_of(&state).exists());

        File::create(path_of(&state)).expect("a trace");
        for code in [0, 4] {
            Trace::beside(&state).note(at, 3, &card, "power-limit", code);
        }
        let watts = card.limit;
        let lines =
            format!("1000000007 3 power-limit 0 {watts}\n1000000007 3 power-limit 4 {watts}\n");
        assert_eq!(
            std::fs::read_to_string(path_of(&state)).expect("a trace"),
            lines
        );
    }
}
