//! Reads Alertmanager's active alerts (`GET /api/v2/alerts`), slowly: beside the hook or instead of
//! it. Finds what the hook can't: a firing or a resolved that was never delivered, and silences.
//!
//! - What is *active* takes a lease or renews it, as by the hook and in the same table: an alert
//!   that comes both ways is one lease.
//! - What is silenced or inhibited does neither; its lease runs out by its time to live. A silence
//!   stops the alert, and no sooner than a hook that hears nothing more would.
//! - What is gone ends its lease, if the answer proves that (see [`verdict`]); otherwise the time to
//!   live does. So a pull never holds longer than the hook, and only ever ends what alerts added.
//! - Of our heartbeats the newest one counts, as if it had been sent.
//!
//! `endsAt` is deliberately not used: Prometheus puts it four resend delays ahead, with the shipped
//! one 4 s, and a lease that ended there would lapse between two pulls.
//!
//! Whatever Alertmanager does, only this task waits for it: requests run on threads for what blocks
//! and are bounded in time and size, and a stop doesn't wait for one under way.

pub mod client;
pub mod counters;
mod listing;
mod slim;
mod verdict;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::config::PullConfig;
use crate::guard::Clock;
use crate::units::Moment;

use super::Web;

use client::{Client, PullError, SetupError};
use listing::Listing;
use verdict::Held;

pub use counters::{PullCounters, PullSnapshot};

/// Pulls in the time of one lease, if not configured: two in a row may get lost.
const PULLS_PER_LEASE: u32 = 3;

/// A fifth of the interval is drawn by lot, so that the guards of a fleet don't ask all at once.
/// Only ever sooner: a lease must not lapse by chance.
const JITTER: f64 = 0.2;

/// The first pull comes within this time: as soon as the GPUs are known, but not in step.
const FIRST: Duration = Duration::from_secs(1);

/// Pulls until it is closed.
pub struct Pull {
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Pull {
    pub fn start(puller: Puller) -> Self {
        let closing = watch::Sender::new(false);
        let closed = closing.subscribe();
        Self {
            task: tokio::spawn(until_closed(puller, closed)),
            closing,
        }
    }

    /// At once: a request under way is left to its timeout, and what it brings is dropped.
    pub async fn close(self) {
        self.closing.send_replace(true);
        // An error: the task panicked, and there is nothing left to end.
        let _ = self.task.await;
    }
}

async fn until_closed(mut puller: Puller, mut closed: watch::Receiver<bool>) {
    let pulls = async {
        tokio::time::sleep(FIRST.mul_f64(lot())).await;
        loop {
            let began = puller.web.shared.clock.wall();
            puller.round().await;
            tokio::time::sleep(puller.pause(began)).await;
        }
    };
    tokio::select! {
        _ = closed.wait_for(|closed| *closed) => {}
        () = pulls => {}
    }
}

/// One Alertmanager.
struct Member {
    client: Arc<Client>,
    failing: bool,
}

/// What is remembered from one pull to the next.
pub struct Puller {
    web: Arc<Web>,
    members: Vec<Member>,
    interval: Option<Duration>,
    /// The operator asks for some alerts only: one that was never listed proves nothing.
    filtered: bool,
    /// Alerts that a pull has listed, as long as they are there or have a lease.
    listed: BTreeSet<u64>,
}

impl Puller {
    pub fn new(web: &Arc<Web>, config: &PullConfig) -> Result<Self, SetupError> {
        let clients = Client::all(config)?;
        web.pull_counters
            .enlist(clients.iter().map(|client| client.url().to_owned()));
        let members = clients.into_iter().map(|client| Member {
            client: Arc::new(client),
            failing: false,
        });
        Ok(Self {
            web: web.clone(),
            members: members.collect(),
            interval: config.interval,
            filtered: !config.filter.is_empty(),
            listed: BTreeSet::new(),
        })
    }

    /// One pull from every Alertmanager, and what follows from it. As the hook, it waits until the
    /// GPUs are known.
    pub async fn round(&mut self) {
        if self.web.shared.is_stopping() || !self.web.shared.driver_status().ready {
            return;
        }
        let held = verdict::held(&self.web);
        let labelled_only = self.web.settings().severity_map.is_empty();
        let answers = self.ask(move |client| client.alerts(labelled_only)).await;
        let listings = self.account(answers);
        let heard: Vec<&Listing> = listings.iter().flatten().collect();
        let present = verdict::take(&self.web, &heard);
        let gone = self.gone(held, &present);
        let all_heard = heard.len() == self.members.len();
        if !gone.is_empty()
            && all_heard
            && verdict::proves(&self.web, &heard)
            && self.settled().await
        {
            verdict::end(&self.web, &gone);
        }
    }

    /// Leases whose alert could have been listed, and isn't. Also one that no pull ever listed: what a
    /// late member of a cluster fires once more, after it was resolved, is found only so.
    fn gone(&mut self, mut held: Vec<Held>, present: &BTreeSet<u64>) -> Vec<Held> {
        self.listed.extend(present);
        self.listed.retain(|alert| {
            present.contains(alert) || held.iter().any(|held| held.alert == *alert)
        });
        held.retain(|held| {
            let would_show = !self.filtered || self.listed.contains(&held.alert);
            would_show && !present.contains(&held.alert)
        });
        held
    }

    /// Every Alertmanager has run for the time of a lease. One that just started hasn't heard of
    /// all alerts yet; those that it never hears of again have lapsed by then.
    async fn settled(&self) -> bool {
        let lease = self.web.settings().lease;
        let ages = self.ask(Client::age).await;
        ages.iter()
            .all(|(age, _)| matches!(age, Ok(Some(age)) if *age >= lease))
    }

    /// All members at the same time, and how long each took.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(&Client) -> Result<T, PullError> + Clone + Send + 'static,
    ) -> Vec<(Result<T, PullError>, Duration)> {
        let clock = self.web.shared.clock;
        let asked: Vec<_> = self
            .members
            .iter()
            .map(|member| {
                let (client, question) = (member.client.clone(), question.clone());
                spawn_blocking(move || {
                    let began = clock.wall();
                    (question(&client), clock.wall().since(began))
                })
            })
            .collect();
        let mut answers = Vec::with_capacity(asked.len());
        for answer in asked {
            let panicked = |_| (Err(PullError::Malformed("the answer")), Duration::ZERO);
            answers.push(answer.await.unwrap_or_else(panicked));
        }
        answers
    }

    /// Counts, and tells when a trouble begins and when it ends.
    fn account(
        &mut self,
        answers: Vec<(Result<Listing, PullError>, Duration)>,
    ) -> Vec<Option<Listing>> {
        let counters = &self.web.pull_counters;
        let mut listings = Vec::with_capacity(answers.len());
        for (n, (member, (answer, took))) in self.members.iter_mut().zip(answers).enumerate() {
            let url = member.client.url();
            counters.count_request(n, answer.as_ref().err(), took, Clock::unix());
            match &answer {
                Ok(_) if member.failing => tracing::info!(url, "alerts are pulled again"),
                Err(error) if !member.failing => {
                    tracing::warn!(url, %error, "alerts can't be pulled: their leases run out, the local loop protects; see alertmanager in the configuration, and `thermal-guard check`");
                }
                _ => {}
            }
            member.failing = answer.is_err();
            listings.push(answer.ok());
        }
        listings
    }

    /// Until the next pull. Follows `hook.lease`, which a reload can change.
    fn pause(&self, began: Moment) -> Duration {
        let lease = self.web.settings().lease;
        let interval = self.interval.unwrap_or(lease / PULLS_PER_LEASE);
        pause(interval, lot(), self.web.shared.clock.wall().since(began))
    }
}

pub(crate) use slim::agrees;

/// What a pull from one Alertmanager does with its answer; true: it proves what isn't in it.
pub(crate) fn hear(web: &Web, body: &[u8]) -> Result<bool, PullError> {
    let listing = Listing::parse(body)?;
    verdict::take(web, &[&listing]);
    Ok(verdict::proves(web, &[&listing]))
}

/// After a pull that took so long.
fn pause(interval: Duration, lot: f64, took: Duration) -> Duration {
    let next = interval.mul_f64(1.0 - JITTER * lot);
    // A slow Alertmanager isn't asked without a rest.
    next.saturating_sub(took).max(interval / 10)
}

/// From 0 to 1.
fn lot() -> f64 {
    let mut byte = [0];
    // Without randomness, in step.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulls_come_early_by_lot_never_late_and_never_without_a_rest() {
        let (interval, second) = (Duration::from_secs(10), Duration::from_secs(1));
        assert_eq!(pause(interval, 0.0, Duration::ZERO), 10 * second);
        assert_eq!(pause(interval, 1.0, Duration::ZERO), 8 * second);
        assert_eq!(pause(interval, 0.0, 4 * second), 6 * second);
        assert_eq!(pause(interval, 1.0, 60 * second), second);
        assert!((0.0..=1.0).contains(&lot()));
    }
}
