//! Asks one Prometheus: GET only, one request at a time, and no more of them per second than allowed.

use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use ureq::http::StatusCode;
use ureq::{Agent, Body};

use crate::clock::Clock;
use crate::disk::ca_file::TrustError;
use crate::http_client;
use crate::units::Moment;

use super::answer::{self, Answered, Aside};
use super::bytes::Torn;
use crate::disk::login::Login;

/// Of an answer's time, this much again is left to the server before the next request.
const REST: f64 = 0.25;

/// Tries of a request, and the pause after the first failure; it doubles.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

/// Of an answer with samples: a piece is a few megabytes. A larger one is asked for in smaller pieces.
const MAX_SAMPLES_BYTES: u64 = 64 * 1024 * 1024;

/// Of a list of label sets, of which little is kept.
const MAX_SERIES_BYTES: u64 = 256 * 1024 * 1024;

/// Of an error's body.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// Where and how to ask.
#[derive(Clone, Debug)]
pub struct Target {
    /// The base URL: `/api/v1` is added to it.
    pub url: String,
    pub login: Login,
    pub ca_file: Option<PathBuf>,
    /// For one request, to its last byte.
    pub patience: Duration,
    /// Requests per second. `None`: as fast as it answers.
    pub rate: Option<f64>,
}

#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("--ca-file {0}")]
    Trust(#[from] TrustError),
    #[error("the credential {}: {source}", path.display())]
    Credential { path: PathBuf, source: io::Error },
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("no Prometheus answers ({0}): is it running there, with or without TLS?")]
    Unreachable(Box<ureq::Error>),
    #[error("the name {0:?} isn't known here; --prometheus wants the address of your Prometheus")]
    UnknownName(String),
    #[error("its certificate isn't trusted ({0}): name its authority with --ca-file")]
    Untrusted(Box<ureq::Error>),
    #[error(
        "it refuses the credential ({0}): see --bearer-token-file, --username and --password-file"
    )]
    Refused(u16),
    #[error(
        "it answers {0} where /api/v1 should be: --prometheus wants the base URL, without /graph or /api/v1"
    )]
    NoPrometheus(u16),
    /// The query is too large, or wrong.
    #[error("it rejects the query ({status}): {said}")]
    Rejected { status: u16, said: String },
    #[error("it is busy ({status}){}", colon(said))]
    Busy { status: u16, said: String },
    #[error("no answer within {}; see --timeout", humantime::format_duration(*.0))]
    Slow(Duration),
    #[error("its answer can't be read: {0}")]
    Torn(String),
    /// It has answered before, so it may come back.
    #[error("it no longer answers ({0})")]
    Gone(Box<ureq::Error>),
}

fn colon(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!(": {said}")
    }
}

impl QueryError {
    /// A smaller request, or the same one later, may succeed.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Rejected { .. }
            | Self::Busy { .. }
            | Self::Slow(_)
            | Self::Torn(_)
            | Self::Gone(_) => true,
            Self::Unreachable(_)
            | Self::UnknownName(_)
            | Self::Untrusted(_)
            | Self::Refused(_)
            | Self::NoPrometheus(_) => false,
        }
    }
}

/// One Prometheus, and how often it was asked.
pub struct Client {
    agent: Agent,
    url: String,
    authorization: Option<String>,
    patience: Duration,
    pause: Option<Duration>,
    clock: Clock,
    next: Option<Moment>,
    has_answered: bool,
    pub requests: u64,
    /// Of them, those that asked again.
    pub repeated: u64,
}

impl Client {
    pub fn new(target: &Target) -> Result<Self, SetupError> {
        let config = http_client::config(target.patience);
        let config = http_client::trusting(config, target.ca_file.as_deref())?;
        let authorization = target
            .login
            .header()
            .map_err(|(path, source)| SetupError::Credential { path, source })?;
        Ok(Self {
            agent: config.build().new_agent(),
            url: target.url.trim_end_matches('/').to_owned(),
            authorization,
            patience: target.patience,
            pause: target.rate.map(|rate| Duration::from_secs_f64(1.0 / rate)),
            clock: Clock::start(1.0),
            next: None,
            has_answered: false,
            requests: 0,
            repeated: 0,
        })
    }

    /// An instant query: `at` in seconds since 1970. A range selector in it returns the samples as they
    /// were scraped, with their own times.
    pub(super) fn query(
        &mut self,
        query: &str,
        at: f64,
        each: impl FnMut(&mut Answered),
    ) -> Result<Aside, QueryError> {
        let patience = format!("{}ms", self.patience.as_millis());
        let parameters = [
            ("query", query.to_owned()),
            ("time", format!("{at:.3}")),
            ("timeout", patience),
        ];
        self.ask("/api/v1/query", &parameters, MAX_SAMPLES_BYTES, each)
    }

    /// The label sets of the series that match between two times.
    pub(super) fn series(
        &mut self,
        matches: &[String],
        between: (f64, f64),
        each: impl FnMut(&mut Answered),
    ) -> Result<Aside, QueryError> {
        let mut parameters = vec![
            ("start", format!("{:.3}", between.0)),
            ("end", format!("{:.3}", between.1)),
        ];
        parameters.extend(matches.iter().map(|it| ("match[]", it.clone())));
        self.ask("/api/v1/series", &parameters, MAX_SERIES_BYTES, each)
    }

    /// Asks again if the server is busy or breaks off.
    pub(super) fn patiently<T>(
        &mut self,
        mut ask: impl FnMut(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            match ask(self) {
                Err(QueryError::Busy { .. } | QueryError::Torn(_) | QueryError::Gone(_)) => {
                    self.repeated += 1;
                    thread::sleep(pause);
                    pause *= 2;
                }
                // A smaller request may pass; the same one won't.
                answer => return answer,
            }
        }
        ask(self)
    }

    fn ask(
        &mut self,
        path: &str,
        parameters: &[(&str, String)],
        most: u64,
        each: impl FnMut(&mut Answered),
    ) -> Result<Aside, QueryError> {
        self.wait();
        let begun = self.clock.now();
        self.requests += 1;
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in parameters {
            request = request.query(*name, value);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let response = request.header("Accept", "application/json").call();
        let answered = match response {
            Ok(response) => {
                self.has_answered = true;
                self.read(response.status(), response.into_body(), most, each)
            }
            Err(error) => Err(self.failed(error)),
        };
        if let Some(pause) = self.pause {
            let end = self.clock.now();
            let rest = end.since(begun).mul_f64(REST);
            self.next = Some((begun + pause).max(end + rest));
        }
        answered
    }

    fn wait(&self) {
        if let Some(next) = self.next {
            thread::sleep(next.since(self.clock.now()));
        }
    }

    fn read(
        &self,
        status: StatusCode,
        mut body: Body,
        most: u64,
        each: impl FnMut(&mut Answered),
    ) -> Result<Aside, QueryError> {
        if !status.is_success() {
            let text = body.with_config().limit(MAX_ERROR_BYTES).read_to_string();
            return Err(rejection(status.as_u16(), &text.unwrap_or_default()));
        }
        let body = body.into_with_config().limit(most).reader();
        let aside = answer::read(body, each).map_err(|torn| self.torn(&torn))?;
        if !aside.success {
            let said = aside.error.unwrap_or_default();
            return Err(QueryError::Rejected { status: 200, said });
        }
        Ok(aside)
    }

    fn torn(&self, torn: &Torn) -> QueryError {
        match torn {
            Torn::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
                QueryError::Slow(self.patience)
            }
            Torn::Io(error)
                if error
                    .get_ref()
                    .and_then(|inner| inner.downcast_ref::<ureq::Error>())
                    .is_some_and(|error| matches!(error, ureq::Error::Timeout(_))) =>
            {
                QueryError::Slow(self.patience)
            }
            torn => QueryError::Torn(torn.to_string()),
        }
    }

    fn failed(&self, error: ureq::Error) -> QueryError {
        match error {
            ureq::Error::Timeout(_) => QueryError::Slow(self.patience),
            error @ (ureq::Error::Rustls(_) | ureq::Error::Tls(_)) => {
                QueryError::Untrusted(Box::new(error))
            }
            error if self.has_answered => QueryError::Gone(Box::new(error)),
            error if http_client::is_unknown_name(&error) => {
                QueryError::UnknownName(http_client::host(&self.url))
            }
            error => QueryError::Unreachable(Box::new(error)),
        }
    }
}

/// What an answer other than success means.
fn rejection(status: u16, body: &str) -> QueryError {
    let aside = answer::read(body.as_bytes(), |_| {}).ok();
    let said = aside.and_then(|aside| aside.error);
    match (status, said) {
        (401 | 403, _) => QueryError::Refused(status),
        (408 | 429 | 500..=599, said) => QueryError::Busy {
            status,
            said: said.unwrap_or_default(),
        },
        (_, Some(said)) => QueryError::Rejected { status, said },
        _ => QueryError::NoPrometheus(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_other_than_success_say_what_to_do() {
        let said = r#"{"status":"error","errorType":"execution","error":"query processing would load too many samples"}"#;
        let rejected = rejection(422, said);
        assert!(rejected.may_pass() && rejected.to_string().contains("too many samples"));
        assert!(rejection(503, "").may_pass());
        for (status, word) in [
            (401, "--bearer-token-file"),
            (404, "--prometheus"),
            (302, "--prometheus"),
        ] {
            let error = rejection(status, "<html>");
            assert!(!error.may_pass());
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn an_answer_without_end_is_not_read_to_its_end() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let head = "HTTP/1.1 200 OK\r\n\r\n{\"status\":\"success\",\"data\":[";
            let mut send = |text: &str| io::Write::write_all(&mut stream, text.as_bytes());
            if send(head).is_ok() {
                while send("{\"a\":\"b\"},").is_ok() {}
            }
        });
        let target = Target {
            url,
            login: Login::None,
            ca_file: None,
            patience: Duration::from_secs(60),
            rate: None,
        };
        let mut client = Client::new(&target).unwrap();
        let mut seen = 0_u64;
        let answer = client.ask("/api/v1/series", &[], 10_000, |_| seen += 1);
        assert!(matches!(answer, Err(QueryError::Torn(_))), "{answer:?}");
        assert!(seen < 10_000, "{seen}");
    }
}
