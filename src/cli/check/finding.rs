//! The findings: one line each, and a page of all of them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::cli::style::{BAD, GOOD, WARN, plain};
use crate::cli::width::Width;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Ok,
    Warn,
    Fail,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gpu: Option<u32>,
    pub(crate) detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remedy: Option<String>,
}

impl Finding {
    pub(crate) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            status: Status::Ok,
            gpu: None,
            detail: detail.into(),
            remedy: None,
        }
    }

    pub(crate) fn warn(
        check: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Warn,
            remedy: Some(remedy.into()),
            ..Self::ok(check, detail)
        }
    }

    pub(crate) fn fail(
        check: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            status: Status::Fail,
            ..Self::warn(check, detail, remedy)
        }
    }

    pub(crate) fn of_gpu(self, index: u32) -> Self {
        Self {
            gpu: Some(index),
            ..self
        }
    }

    /// Turns a plain fact into a warning if there is one.
    pub(crate) fn warned(self, warning: Option<(String, &str)>) -> Self {
        match warning {
            None => self,
            Some((warning, remedy)) => Self {
                status: Status::Warn,
                detail: format!("{}: {warning}", self.detail),
                remedy: Some(remedy.to_owned()),
                ..self
            },
        }
    }

    fn what(&self) -> String {
        match self.gpu {
            Some(gpu) => format!("gpu {gpu} {}", self.check),
            None => self.check.to_owned(),
        }
    }

    /// `subjects`: the width of their column.
    fn line(&self, subjects: usize, width: Width) -> String {
        let (name, style) = match self.status {
            Status::Ok => ("ok", GOOD),
            Status::Warn => ("warn", WARN),
            Status::Fail => ("fail", BAD),
        };
        let (what, detail) = (self.what(), plain(&self.detail));
        let remedy = self.remedy.as_deref().map(plain);
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        let told = width.beside(4 + 2 + subjects + 2, &format!("{detail}{remedy}"));
        format!("{style}{name:<4}{style:#}  {what:<subjects$}  {told}\n")
    }
}

/// What is wrong with several GPUs in the same way, once, with their names.
fn merged(findings: &[Finding]) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::with_capacity(findings.len());
    let mut told: Vec<&Finding> = Vec::new();
    for finding in findings {
        let is_same = |other: &&Finding| {
            let bare = |it: &Finding| (it.check, it.status, it.detail.clone(), it.remedy.clone());
            other.gpu.is_some() && bare(other) == bare(finding)
        };
        let alike: Vec<_> = findings.iter().filter(is_same).collect();
        if finding.status == Status::Ok || finding.gpu.is_none() || alike.len() < 2 {
            merged.push(finding.clone());
        } else if !told.iter().any(is_same) {
            told.push(finding);
            let gpus = alike.iter().filter_map(|it| it.gpu);
            let gpus: Vec<_> = gpus.map(|gpu| format!("gpu {gpu}")).collect();
            merged.push(Finding {
                gpu: None,
                detail: format!("{}: {}", gpus.join(", "), finding.detail),
                ..finding.clone()
            });
        }
    }
    merged
}

/// One line per finding, and the verdict last: at 3 a.m., that is the line above the prompt.
pub(crate) fn page(findings: &[Finding], width: Width) -> String {
    let findings = &merged(findings);
    let subjects = findings.iter().map(|finding| finding.what().len()).max();
    let lines = findings
        .iter()
        .map(|finding| finding.line(subjects.unwrap_or(0), width));
    let mut text: String = lines.collect();
    let named = |status: Status| {
        let those = findings.iter().filter(|finding| finding.status == status);
        let mut names: Vec<String> = those.map(Finding::what).collect();
        // Six mistakes in one file are one thing to look at.
        names.dedup();
        names.join(", ")
    };
    let (fails, warns) = (named(Status::Fail), named(Status::Warn));
    let warned = match warns.as_str() {
        "" => String::new(),
        warns => format!("; {WARN}look at{WARN:#}: {warns}"),
    };
    let verdict = match fails.as_str() {
        "" => format!("{GOOD}ready{GOOD:#}"),
        fails => format!("{BAD}not ready{BAD:#}: {fails}"),
    };
    // Writing to a String can't fail.
    let _ = writeln!(text, "\n{verdict}{warned}");
    text
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;

    #[test]
    fn what_several_gpus_have_is_told_once_and_names_them() {
        let off = |gpu| Finding::warn("persistence", "it is off", "switch it on").of_gpu(gpu);
        let hot = Finding::warn("thresholds", "hot", "look").of_gpu(1);
        let fine = |gpu| Finding::ok("fans", "30 %").of_gpu(gpu);
        let findings = [fine(0), off(0), fine(1), hot, off(1), off(3)];
        assert_eq!(
            strip_str(&page(&findings, Width::ANY)).to_string(),
            "ok    gpu 0 fans        30 %\n\
             warn  persistence       gpu 0, gpu 1, gpu 3: it is off; switch it on\n\
             ok    gpu 1 fans        30 %\n\
             warn  gpu 1 thresholds  hot; look\n\n\
             ready; look at: persistence, gpu 1 thresholds\n"
        );
    }
}
