//! `thermal-guard simulate`: policies against the thermal model, in virtual time, through the very
//! worker and policy that run on a node. The same command gives the same numbers.
//!
//! Reading order: [`scenario`] and [`room`] (the stories), [`scene`] (one telling), [`stage`] (a
//! policy at work in it), [`oracle`] (what physics allows), [`run`] (the record), then the views.

mod clinic;
mod days;
mod fixed_step;
mod oracle;
mod physics;
mod plot;
mod room;
mod run;
mod scenario;
mod scene;
mod score;
mod stage;
mod table;
mod ward;
mod work;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use crate::device::profile::{self, Profile};

use super::say;
use run::{Policy, Run};
use scenario::Scenario;
use scene::Story;
use work::Result;

/// Bad usage, as clap's.
const EXIT_USAGE: u8 = 2;

/// The cards without `--profile`: one of each kind.
const PROFILES: [&str; 5] = ["a100-80gb", "v100-32gb", "h100", "l40s", "rtx-4090"];

#[derive(Debug, Args)]
pub(super) struct Options {
    /// What happens [default: all but clinic].
    #[arg(value_name = "SCENARIO", value_parser = PossibleValuesParser::new(Scenario::ALL.map(Scenario::name)))]
    scenarios: Vec<String>,

    /// Cards; repeatable, or separated by commas [default: one of each kind].
    #[arg(
        long = "profile",
        value_name = "PROFILE",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(profile::ALL.map(|profile| profile.key))
    )]
    profiles: Vec<String>,

    /// Policies; repeatable, or separated by commas [default: all].
    #[arg(
        long = "policy",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Policy::NAMES)
    )]
    policies: Vec<String>,

    /// The record, for programs.
    #[arg(long)]
    json: bool,

    /// Also draws temperature, limit and level over time: a row for each card and scenario, a
    /// panel for each policy.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,

    /// Another length than the scenario's own.
    #[arg(long, hide = true, value_parser = hours)]
    hours: Option<f64>,
}

#[derive(Serialize)]
struct Record<'a> {
    runs: Vec<&'a Run>,
}

pub(super) fn run(options: &Options) -> ExitCode {
    match tell(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("thermal-guard: {error:#}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn tell(options: &Options) -> anyhow::Result<()> {
    let stories = options.stories();
    let results = work::all(&stories, &options.policies(), options.plot.is_some());
    if let Some(path) = &options.plot {
        let drawing = plot::draw(&results);
        std::fs::write(path, drawing).with_context(|| {
            format!(
                "--plot={} can't be written; wanted: a file in a directory that is there",
                path.display()
            )
        })?;
    }
    if options.json {
        let runs = results.iter().flat_map(|result| &result.runs).collect();
        let mut text = serde_json::to_string_pretty(&Record { runs })?;
        text.push('\n');
        return say(&text);
    }
    say(&page(&results))
}

/// The tables, and the clinic's rows under its own.
fn page(results: &[Result]) -> String {
    let mut text = table::table(results);
    for result in results {
        text.push_str(&clinic::rows(result));
    }
    text
}

impl Options {
    fn stories(&self) -> Vec<Story> {
        let scenarios = Scenario::ALL.into_iter().filter(|&scenario| {
            if self.scenarios.is_empty() {
                scenario != Scenario::Clinic
            } else {
                self.scenarios.iter().any(|name| name == scenario.name())
            }
        });
        scenarios.flat_map(|scenario| self.of(scenario)).collect()
    }

    /// A scenario on each of the cards that it can be told of.
    fn of(&self, scenario: Scenario) -> Vec<Story> {
        let keys: Vec<&str> = match self.profiles.is_empty() {
            true if scenario == Scenario::Clinic => vec![scenario::CLINIC_PROFILE],
            true => PROFILES.to_vec(),
            false => self.profiles.iter().map(String::as_str).collect(),
        };
        let profiles = keys.into_iter().filter_map(profile::named);
        let seconds = whole((self.hours.unwrap_or(scenario.hours()) * 3600.0).round());
        let story = |profile: &'static Profile| match scenario.misfit(profile) {
            Some(why) => {
                eprintln!("{} on {}: left out, {why}", scenario.name(), profile.key);
                None
            }
            None => Some(Story {
                scenario,
                profile,
                seconds,
            }),
        };
        profiles.filter_map(story).collect()
    }

    fn policies(&self) -> Vec<Policy> {
        let wanted = |policy: &Policy| {
            self.policies.is_empty() || self.policies.iter().any(|name| name == policy.name())
        };
        Policy::ALL.into_iter().filter(wanted).collect()
    }
}

fn hours(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(hours) if (0.01..=1000.0).contains(&hours) => Ok(hours),
        _ => Err("a number from 0.01 to 1000".to_owned()),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "hours in range"
)]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}
