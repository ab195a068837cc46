//! The thread that sends. It may wait for the network as long as it likes: nobody waits for it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use thiserror::Error;
use ureq::Agent;
use ureq::http::Uri;

use crate::clock::Clock;
use crate::config::{NotifyConfig, NotifyTarget};
use crate::disk::ca_file::TrustError;
use crate::disk::credential;
use crate::disk::login::Login;
use crate::http_client;

use super::super::event::Event;
use super::counters::NotifyCounters;
use super::current::Current;
use super::message::{self, Message, Origin};
use super::outbox::Outbox;

/// For one message, from the look-up of the name to the answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// With nothing to tell, it only waits for the next event.
const NOTHING_DUE: Duration = Duration::from_secs(3600);

/// Why a message wasn't delivered.
#[derive(Debug, Error)]
enum SendError {
    #[error("{}: {source}", path.display())]
    Secret { path: PathBuf, source: io::Error },
    /// The content isn't repeated: it may be a secret.
    #[error("{}: not an http:// or https:// URL", .0.display())]
    NoUrl(PathBuf),
    #[error("{to} answered {status}")]
    Status { to: String, status: u16 },
    #[error("{to}: {source}")]
    Failed {
        to: String,
        source: Box<ureq::Error>,
    },
}

impl SendError {
    /// The same message can't be accepted later.
    const fn is_final(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                *status < 500 && !matches!(*status, 401 | 403 | 404 | 408 | 425 | 429)
            }
            _ => false,
        }
    }
}

/// The state of the thread.
pub(super) struct Sender {
    agent: Agent,
    config: NotifyConfig,
    login: Login,
    origin: Origin,
    counters: NotifyCounters,
    clock: Clock,
    outbox: Outbox,
    /// Why the last message wasn't delivered.
    failing: Option<String>,
    is_current: Current,
}

impl Sender {
    pub(super) fn new(
        config: &NotifyConfig,
        origin: Origin,
        counters: NotifyCounters,
        is_current: Current,
    ) -> Result<Self, TrustError> {
        let agent = http_client::config(TIMEOUT).max_idle_connections(0);
        let agent = http_client::trusting(agent, config.ca_file.as_deref())?;
        let token_file = config.bearer_token_file.clone();
        Ok(Self {
            agent: agent.build().new_agent(),
            config: config.clone(),
            login: token_file.map_or(Login::None, |token_file| Login::Bearer { token_file }),
            origin,
            counters,
            clock: Clock::start(1.0),
            outbox: Outbox::default(),
            failing: None,
            is_current,
        })
    }

    pub(super) fn run(mut self, events: &Receiver<Arc<Event>>) {
        loop {
            let due = self.outbox.due();
            let wait = due.map_or(NOTHING_DUE, |due| due.since(self.clock.wall()));
            match events.recv_timeout(wait) {
                Ok(event) => {
                    if !self.outbox.take(self.clock.wall(), event) {
                        self.counters.dropped.inc();
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The guard stops, or has another webhook now: one last try.
                Err(RecvTimeoutError::Disconnected) => return self.tell_last(),
            }
            if self
                .outbox
                .due()
                .is_some_and(|due| due <= self.clock.wall())
            {
                self.tell();
            }
        }
    }

    fn tell_last(&mut self) {
        self.tell();
        let (left, _) = self.outbox.message();
        if !left.is_empty() {
            self.counters.dropped.inc_by(left.len() as u64);
            tracing::warn!(
                events = left.len(),
                "notifications dropped: the webhook didn't take them before the guard let go of it"
            );
        }
    }

    fn tell(&mut self) {
        let (events, dropped) = self.outbox.message();
        if events.is_empty() {
            return;
        }
        let message = message::write(self.config.format, &self.origin, &events, dropped);
        match self.send(message) {
            Ok(()) => {
                let told = self.outbox.delivered(self.clock.wall());
                self.counters.delivered.inc_by(told);
                self.note_up(1);
                if self.failing.take().is_some() {
                    tracing::info!("notifications are delivered again");
                }
            }
            Err(error) => self.not_delivered(&error),
        }
    }

    /// What becomes of a message now says nothing of a webhook that came after.
    fn note_up(&self, up: i64) {
        let gauge = &self.counters.up;
        self.is_current
            .if_still(|| _ = gauge.get_or_create_owned(&[]).set(up));
    }

    /// Each new reason is logged once.
    fn not_delivered(&mut self, error: &SendError) {
        self.note_up(0);
        let now = self.clock.wall();
        let lost = if error.is_final() {
            self.outbox.refused(now)
        } else {
            self.outbox.failed(now)
        };
        self.counters.dropped.inc_by(lost);
        let why = error.to_string();
        if self.failing.as_ref() == Some(&why) {
            return;
        }
        if error.is_final() {
            tracing::warn!(%error, events = lost, "notification refused and dropped, protection goes on: check url and format of `notify` in the configuration");
        } else {
            let again = self.outbox.waits(now);
            tracing::warn!(%error, again = ?again, "notification not delivered, protection goes on and it is tried again: check `notify` in the configuration and whether this machine reaches the webhook");
        }
        self.failing = Some(why);
    }

    /// Whom the next message would go to, if its files can be read.
    pub(super) fn target(&self) -> Result<String, String> {
        let unread = |(path, source)| SendError::Secret { path, source };
        let url = self.url().map_err(|error| error.to_string())?;
        let login = self.login.header().map_err(unread);
        login.map_err(|error| error.to_string())?;
        Ok(http_client::shown(&url))
    }

    fn send(&self, message: Message) -> Result<(), SendError> {
        let url = self.url()?;
        let to = http_client::shown(&url);
        let mut request = self.agent.post(&url).content_type(message.content_type);
        for (name, value) in message.headers {
            request = request.header(name, value);
        }
        let unread = |(path, source)| SendError::Secret { path, source };
        if let Some(authorization) = self.login.header().map_err(unread)? {
            request = request.header("Authorization", authorization);
        }
        match request.send(message.body) {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status().as_u16();
                Err(SendError::Status { to, status })
            }
            Err(source) => {
                let source = Box::new(source);
                Err(SendError::Failed { to, source })
            }
        }
    }

    /// Read for each message, so that a new secret needs no restart.
    fn url(&self) -> Result<String, SendError> {
        let path = match &self.config.target {
            NotifyTarget::Url(url) => return Ok(url.clone()),
            NotifyTarget::File(path) => path,
        };
        let unread = |source| SendError::Secret {
            path: path.clone(),
            source,
        };
        let url = credential::line(path).map_err(unread)?;
        let parsed = url.parse::<Uri>().ok();
        let parts = parsed
            .as_ref()
            .and_then(|uri| Some((uri.scheme_str()?, uri.host()?)));
        if matches!(parts, Some(("http" | "https", host)) if !host.is_empty()) {
            Ok(url)
        } else {
            Err(SendError::NoUrl(path.clone()))
        }
    }
}
