//! The name of the scrape job: the label `job` of all metrics of the guards, for which the rules ask.

use std::str::FromStr;

use anyhow::ensure;

/// As `alerts/` has it.
pub(crate) const JOB: &str = "thermal-guard";

/// A job's name. It goes into YAML and into queries.
#[derive(Clone, Debug)]
pub(crate) struct Job(String);

impl Job {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Job {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let plain = |c: char| c.is_alphanumeric() || "-_./:".contains(c);
        ensure!(
            text.starts_with(char::is_alphabetic) && text.chars().all(plain),
            "a letter first, then letters, digits, - _ . / and : are accepted"
        );
        Ok(Self(text.to_owned()))
    }
}
