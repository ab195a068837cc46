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

/// One line per finding, and the verdict last: at 3 a.m., that is the line above the prompt.
pub(crate) fn page(findings: &[Finding], width: Width) -> String {
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
