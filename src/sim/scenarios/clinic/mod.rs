//! The clinic of the article: its work ([`workload`]) and the figures of its table
//! ([`daily_stats`]).

pub(crate) mod daily_stats;
pub(crate) mod workload;
