//! The options of `backtest`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::{ArgGroup, Args};

use crate::backtest::card::Wishes;
use crate::backtest::prometheus::{Login, Target};
use crate::cli::client::reader::username;
use crate::cli::client::with_scheme;
use crate::cli::durations;
use crate::cli::flags::Flags;
use crate::config::tree::value::host_part;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
pub(crate) struct Options {
    /// Base URL of a Prometheus that scrapes dcgm-exporter, `nvidia_gpu_exporter` or thermal-guard; or of
    /// another server with its query API.
    #[arg(long, value_name = "URL", group = "source")]
    prometheus: Option<String>,
    /// Recordings instead: CSV as `nvidia-smi --query-gpu=timestamp,index,temperature.gpu,power.draw --format=csv -l 1`
    /// writes it.
    #[arg(long, value_name = "FILE", num_args = 1.., group = "source")]
    pub(super) csv: Vec<PathBuf>,
    /// Of files, takes one sample in this time, as a scrape would [default: all].
    #[arg(long, value_name = "DURATION", requires = "csv", value_parser = durations::of_a_day)]
    pub(super) every: Option<Duration>,
    /// How far to look back, such as 24h or 30d.
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = durations::of_years)]
    pub(super) last: Duration,
    /// The end of the period, such as 2026-11-30T12:00:00Z [default: now].
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) until: Option<Duration>,
    /// Only series with these labels, such as 'cluster="a",Hostname=~"gpu.*"'; repeatable.
    #[arg(long = "match", value_name = "MATCHERS", value_parser = matchers)]
    matching: Vec<String>,
    /// User name for basic authentication.
    #[arg(long, value_name = "NAME", requires = "password_file", value_parser = username)]
    username: Option<String>,
    /// File with the password.
    #[arg(long, value_name = "PATH", requires = "username")]
    password_file: Option<PathBuf>,
    /// File with a bearer token.
    #[arg(long, value_name = "PATH", conflicts_with = "username")]
    bearer_token_file: Option<PathBuf>,
    /// At most this many requests per second; 0 sets no limit, and leaves the server no rest.
    #[arg(long, value_name = "REQUESTS", default_value = "4", value_parser = rate)]
    rate: f64,
    /// How long to wait for one answer.
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = durations::of_a_day)]
    timeout: Duration,
    /// The alert temperature of the core [default: from exporter or model, else 78].
    #[arg(long, value_name = "CELSIUS", value_parser = celsius)]
    alert: Option<f64>,
    /// The cards' default power limit [default: from exporter or model, else the highest draw].
    #[arg(long, value_name = "WATTS", value_parser = watts)]
    default_limit: Option<f64>,
    /// The record, for programs.
    #[arg(long)]
    pub(super) json: bool,
    /// Also writes a report to send on: one file, without anything from elsewhere.
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

impl Options {
    pub(super) fn target(&self, flags: &Flags) -> anyhow::Result<Option<Target>> {
        let Some(url) = &self.prometheus else {
            return Ok(None);
        };
        if host_part(url).contains('@') {
            // Checked first: no other message may repeat the password.
            bail!(
                "--prometheus carries a user name or password: use --username and --password-file"
            );
        }
        let url = &with_scheme(url, ":9090");
        let uri: http::Uri = match url.parse() {
            Ok(uri) => uri,
            Err(error) => bail!("--prometheus {url:?} is no URL ({error})"),
        };
        let scheme = uri.scheme_str();
        if !matches!(scheme, Some("http" | "https")) || uri.query().is_some() {
            bail!("--prometheus {url:?} is not of the form http://host:9090");
        }
        Ok(Some(Target {
            url: url.clone(),
            login: self.login(),
            ca_file: flags.ca_file.clone(),
            patience: self.timeout,
            rate: (self.rate > 0.0).then_some(self.rate),
        }))
    }

    fn login(&self) -> Login {
        match (&self.bearer_token_file, &self.username, &self.password_file) {
            (Some(token_file), _, _) => Login::Bearer {
                token_file: token_file.clone(),
            },
            (None, Some(username), Some(password_file)) => Login::Basic {
                username: username.clone(),
                password_file: password_file.clone(),
            },
            _ => Login::None,
        }
    }

    pub(super) fn matching(&self) -> String {
        self.matching.join(",")
    }

    pub(super) const fn wishes(&self) -> Wishes {
        Wishes {
            alert_celsius: self.alert,
            default_limit_watts: self.default_limit,
        }
    }
}

fn time(text: &str) -> Result<Duration, String> {
    let accepted = "a time such as 2026-11-30T12:00:00Z";
    let time = humantime::parse_rfc3339_weak(text).map_err(|_| format!("wanted: {accepted}"))?;
    let since = time.duration_since(std::time::UNIX_EPOCH);
    since.map_err(|_| format!("wanted: {accepted}"))
}

/// Braces are ours to set.
fn matchers(text: &str) -> Result<String, String> {
    let bare = text.trim();
    let bare = bare.strip_prefix('{').unwrap_or(bare);
    let bare = bare.strip_suffix('}').unwrap_or(bare).trim();
    let bare = bare.trim_end_matches(',');
    if bare.is_empty() || !bare.contains('=') {
        return Err("wanted: matchers such as cluster=\"a\",Hostname=~\"gpu.*\"".to_owned());
    }
    Ok(bare.to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let accepted = "0, or a number from 0.001 to 1000";
    match text.parse::<f64>() {
        Ok(0.0) => Ok(0.0),
        _ => number(text, 0.001..=1000.0, accepted),
    }
}

fn celsius(text: &str) -> Result<f64, String> {
    number(text, 40.0..=110.0, "a number from 40 to 110")
}

fn watts(text: &str) -> Result<f64, String> {
    number(text, 1.0..=10_000.0, "a number from 1 to 10000")
}

fn number(
    text: &str,
    within: std::ops::RangeInclusive<f64>,
    accepted: &str,
) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if within.contains(&number) => Ok(number),
        _ => Err(format!("wanted: {accepted}")),
    }
}
