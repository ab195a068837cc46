//! Reads Alertmanager's active alerts (`GET /api/v2/alerts`) every few seconds, beside the hook or
//! instead of it. A pull finds what the hook can't: firing and resolved messages that were never
//! delivered, and silences.
//!
//! - An *active* alert takes or renews a lease by the hook's rules and in the same table, so an alert
//!   that comes both ways is one lease.
//! - A silenced or inhibited alert does neither, and its lease expires. So a silence ends a lease as
//!   late as a hook that receives nothing more.
//! - If an alert is gone and the answer proves that (see [`verdict`]), its lease ends; otherwise it
//!   expires. So a pull never holds a GPU longer than the hook, and ends only leases of alerts.
//! - The newest heartbeat for this guard counts as if the hook had received it.
//!
//! `endsAt` is deliberately not used: Prometheus sets it four resend delays ahead (4 s as shipped),
//! and a lease that ended there would expire between two pulls.
//!
//! Only this task waits for Alertmanager. Requests run on blocking threads, are bounded in time and
//! size, and a stop doesn't wait for one under way.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use super::client::{Client, SetupError};
use super::error::PullError;
use super::listing::Listing;
use super::verdict::{self, Held};
use crate::alerts::desk::Desk;
use crate::clock::Clock;
use crate::config::PullConfig;
use crate::units::Moment;

/// Pulls during one lease, if no interval is configured: two in a row may fail.
const PULLS_PER_LEASE: u32 = 3;

/// The part of the interval that is random, so that the guards of a fleet don't pull all at once. A
/// pull only comes earlier: no lease may expire by chance.
const JITTER: f64 = 0.2;

/// The first pull comes at a random moment within this time.
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

    /// Ends the task at once. A request under way runs into its timeout, and its answer is dropped.
    pub async fn close(self) {
        self.closing.send_replace(true);
        // An error means that the task panicked: there is nothing left to end.
        let _ = self.task.await;
    }
}

async fn until_closed(mut puller: Puller, mut closed: watch::Receiver<bool>) {
    let pulls = async {
        tokio::time::sleep(FIRST.mul_f64(random_share())).await;
        loop {
            let began = puller.desk.shared.clock.wall();
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

/// Pulls, and remembers what was listed from one pull to the next.
pub struct Puller {
    desk: Arc<Desk>,
    members: Vec<Member>,
    interval: Option<Duration>,
    /// The operator filters alerts, so an alert that was never listed may still fire.
    filtered: bool,
    /// Alerts that a pull has listed, as long as they are listed or have a lease.
    listed: BTreeSet<u64>,
}

impl Puller {
    pub fn new(desk: &Arc<Desk>, config: &PullConfig) -> Result<Self, SetupError> {
        let clients = Client::all(config)?;
        desk.pull_counters
            .pull_from(clients.iter().map(|client| client.url().to_owned()));
        let members = clients.into_iter().map(|client| Member {
            client: Arc::new(client),
            failing: false,
        });
        Ok(Self {
            desk: desk.clone(),
            members: members.collect(),
            interval: config.interval,
            filtered: !config.filter.is_empty(),
            listed: BTreeSet::new(),
        })
    }

    /// Pulls once from every Alertmanager and applies the answers. Like the hook, it waits until the
    /// GPUs are known.
    pub async fn round(&mut self) {
        if self.desk.shared.is_stopping() || !self.desk.shared.driver_status().ready {
            return;
        }
        let held = verdict::held(&self.desk);
        let labelled_only = self.desk.settings().severity_map.is_empty();
        let answers = self.ask(move |client| client.alerts(labelled_only)).await;
        let listings = self.account(answers);
        let heard: Vec<&Listing> = listings.iter().flatten().collect();
        let present = verdict::take(&self.desk, &heard);
        let gone = self.gone(held, &present);
        let all_heard = heard.len() == self.members.len();
        if !gone.is_empty()
            && all_heard
            && verdict::proves(&self.desk, &heard)
            && self.settled().await
        {
            verdict::end(&self.desk, &gone);
        }
        self.desk.shared.generation.advance();
    }

    /// Leases whose alert would be listed if it fired, and isn't. That includes alerts that no pull ever
    /// listed: a late member of a cluster may fire an alert once more after it was resolved.
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

    /// Whether every Alertmanager has run for as long as a lease. A new one hasn't received all alerts
    /// yet; leases of alerts that it never receives have expired by then.
    async fn settled(&self) -> bool {
        let lease = self.desk.settings().lease;
        let ages = self.ask(Client::age).await;
        ages.iter()
            .all(|(age, _)| matches!(age, Ok(Some(age)) if *age >= lease))
    }

    /// Asks all members at the same time. Returns each answer with the time it took.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(&Client) -> Result<T, PullError> + Clone + Send + 'static,
    ) -> Vec<(Result<T, PullError>, Duration)> {
        let clock = self.desk.shared.clock;
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

    /// Counts the requests, and logs when a failure begins and when it ends.
    fn account(
        &mut self,
        answers: Vec<(Result<Listing, PullError>, Duration)>,
    ) -> Vec<Option<Listing>> {
        let counters = &self.desk.pull_counters;
        let mut listings = Vec::with_capacity(answers.len());
        for (member, (answer, took)) in self.members.iter_mut().zip(answers) {
            let url = member.client.url();
            counters.count_request(url, answer.as_ref().err(), took, Clock::unix());
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

    /// The time until the next pull. It follows `hook.lease`, which a reload can change.
    fn pause(&self, began: Moment) -> Duration {
        let lease = self.desk.settings().lease;
        let interval = self.interval.unwrap_or(lease / PULLS_PER_LEASE);
        pause(
            interval,
            random_share(),
            self.desk.shared.clock.wall().since(began),
        )
    }
}

/// For fuzzing: applies one Alertmanager's answer. True: an alert that isn't in it isn't firing.
pub(crate) fn hear(desk: &Desk, body: &[u8]) -> Result<bool, PullError> {
    let listing = Listing::parse(body)?;
    verdict::take(desk, &[&listing]);
    Ok(verdict::proves(desk, &[&listing]))
}

/// The pause after a pull that took so long.
fn pause(interval: Duration, random: f64, took: Duration) -> Duration {
    let next = interval.mul_f64(1.0 - JITTER * random);
    // A slow Alertmanager gets a rest between two pulls.
    next.saturating_sub(took).max(interval / 10)
}

/// From 0 to 1.
fn random_share() -> f64 {
    let mut byte = [0];
    // Without randomness, the guards of a fleet pull in step.
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pulls_come_up_to_a_fifth_early_never_late_and_never_without_a_rest() {
        let (interval, second) = (Duration::from_secs(10), Duration::from_secs(1));
        assert_eq!(pause(interval, 0.0, Duration::ZERO), 10 * second);
        assert_eq!(pause(interval, 1.0, Duration::ZERO), 8 * second);
        assert_eq!(pause(interval, 0.0, 4 * second), 6 * second);
        assert_eq!(pause(interval, 1.0, 60 * second), second);
        assert!((0.0..=1.0).contains(&random_share()));
    }
}
