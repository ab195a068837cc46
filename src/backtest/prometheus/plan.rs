//! What is to be fetched, and what came of it.

/// What to fetch, in seconds since 1970.
#[derive(Clone, Debug)]
pub struct Plan {
    pub start: f64,
    pub end: f64,
    /// Further matchers.
    pub matching: String,
}

/// A part of the period that the server didn't give.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    pub start: f64,
    pub end: f64,
    pub gpus: usize,
    pub why: String,
}

/// What was fetched, beside the histories.
#[derive(Debug, Default)]
pub struct Fetched {
    pub samples: u64,
    pub gaps: Vec<Gap>,
    pub warnings: Vec<String>,
}
