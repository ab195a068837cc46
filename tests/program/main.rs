//! The real program over the simulated library, as operators and their other programs meet it.

#[path = "../common/mod.rs"]
mod common;

mod backtest;
mod cli;
mod device_nvml;
mod end_to_end;
mod findings;
mod generate;
mod outside;
