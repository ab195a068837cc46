//! `thermal-guard simulate`: policies against the thermal model, in virtual time, through the very
//! worker and policy that run on a node. The same command gives the same numbers.
//!
//! The scenarios are in [`crate::sim::scenarios`]; here are the command and its views.

mod clinic;
mod plot;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use serde::Serialize;

use crate::sim::profile;
use crate::sim::profile::Profile;

use super::output::{in_full, say};
use super::own_file::OwnFile;
use super::width::Width;
use super::{durations, log, progress};
use crate::sim::scenarios::jobs::{self, StoryResult};
use crate::sim::scenarios::policy::Policy;
use crate::sim::scenarios::run::Run;
use crate::sim::scenarios::scenario::{Scenario, Story};

/// Bad usage, as clap's.
const EXIT_USAGE: u8 = 2;

/// The cards without `--profile`: one of each kind with a power limit.
const PROFILES: [&str; 5] = ["a100-80gb", "v100-32gb", "h100", "l40s", "rtx-4090"];

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What happens [default: all but clinic].
    #[arg(value_name = "SCENARIO", value_parser = PossibleValuesParser::new(Scenario::ALL.map(Scenario::name)))]
    scenarios: Vec<String>,

    /// Cards; repeatable, or separated by commas [default: one of each kind].
    #[arg(
        long = "profile",
        value_name = "PROFILE",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(profile::KNOWN.map(|profile| profile.key))
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

    /// Also draws temperature, limit and level over time, as SVG: a panel for each card, scenario and
    /// policy. Replaces only a drawing of its own.
    #[arg(long, value_name = "FILE.svg", value_parser = svg)]
    plot: Option<PathBuf>,

    /// Draws only the last part of each run, such as 20m.
    #[arg(long, value_name = "DURATION", requires = "plot", value_parser = durations::of_years)]
    window: Option<Duration>,

    /// Another length than the scenario's own.
    #[arg(long, hide = true, value_parser = hours)]
    hours: Option<f64>,
}

#[derive(Serialize)]
struct Record<'a> {
    runs: Vec<&'a Run>,
}

pub(crate) fn run(options: &Options) -> ExitCode {
    match tell(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::complain(&format!("thermal-guard: {}", in_full(&error)));
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn tell(options: &Options) -> anyhow::Result<()> {
    let drawing = options.plot.as_deref().map(plot::file);
    // Before the work, not after it.
    drawing.as_ref().map_or(Ok(()), OwnFile::check)?;
    let stories = options.stories();
    let traced = options.plot.is_some();
    let results = jobs::all(&stories, &options.policies(), traced, |done, all| {
        progress::count(done, all, "runs");
    });
    if let Some(drawing) = &drawing {
        let window = options.window.map(|window| window.as_secs_f64() / 3600.0);
        drawing.write(&plot::draw(&results, window))?;
        log::remark(&format!("thermal-guard: wrote {}", drawing.path.display()));
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
fn page(results: &[StoryResult]) -> String {
    let mut text = table::table(results, Width::of_stdout());
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
            true if scenario == Scenario::Clinic => {
                vec![crate::sim::scenarios::scenario::CLINIC_PROFILE]
            }
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

/// The name says what is in the file: other programs go by it.
fn svg(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_svg = path
        .extension()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("svg"));
    if is_svg {
        Ok(path)
    } else {
        Err("the drawing is SVG: wanted a name that ends with .svg".to_owned())
    }
}

fn hours(text: &str) -> Result<f64, String> {
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
