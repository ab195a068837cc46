//! The parts of a running guard, made from flags and configuration.

use std::sync::Arc;

use anyhow::Context;

use crate::alerts::Desk;
use crate::alerts::pull::Puller;
use crate::apps::Apps;
use crate::cli::flags::Flags;
use crate::cli::setup::driver;
use crate::clock::Clock;
use crate::config::{Config, Mode, OnExit};
use crate::events::{Events, Notifier, Origin};
use crate::guard::Plan;
use crate::guard::memory::{self, CHAIN_EXPECTED_FOR, Record};
use crate::guard::state::{Live, Shared};
use crate::policy::Chain;

/// The state that workers and web share, with the memory of the previous guard.
pub(crate) fn shared(flags: &Flags, config: &Config, clock: Clock, apps: Arc<Apps>) -> Arc<Shared> {
    let known = remembered(flags);
    let chain = chain(config, clock, &known);
    let shared = Shared::new(clock, chain, live(config)).with_apps(apps);
    // Also a simulated guard, in its own directory. A start that fails is logged by `not_started`.
    shared.events.write_to(&flags.state_dir());
    if flags.simulate || shared.remember_in(&flags.state_dir()) {
        shared.recall(&known);
    }
    Arc::new(shared)
}

/// The memory of the previous guard: operators' requests that still hold.
fn remembered(flags: &Flags) -> Record {
    if flags.simulate {
        return Record::default();
    }
    memory::load(&flags.state_dir())
}

fn chain(config: &Config, clock: Clock, known: &Record) -> Chain {
    let alertmanager = &config.alertmanager;
    let now = clock.wall();
    let chain = Chain::new(alertmanager.expected(), alertmanager.heartbeat_timeout, now)
        .pulling(alertmanager.pull.is_some());
    let age = known.heartbeat_age(known.present(Clock::unix(), &memory::since_boot()));
    let expected = age.and_then(|age| CHAIN_EXPECTED_FOR.checked_sub(age));
    match age.zip(expected) {
        Some((age, left)) => chain.remembering(age, now + left),
        None => chain,
    }
}

/// The webhook for people, if there is one. `node`: what this machine is called.
pub(crate) fn notifier(
    flags: &Flags,
    config: &Config,
    node: &str,
    events: &Events,
) -> anyhow::Result<Option<Notifier>> {
    let origin = Origin {
        node: node.to_owned(),
        mode: config.mode,
        simulated: flags.simulate,
    };
    let start = |notify| Notifier::start(notify, origin, events.notify_counters.clone());
    let notifier = config.notify.as_ref().map(start).transpose();
    notifier.context("notify.ca_file")
}

pub(crate) fn puller(config: &Config, desk: &Arc<Desk>) -> anyhow::Result<Option<Puller>> {
    let pull = config.alertmanager.pull.as_ref();
    Ok(pull.map(|pull| Puller::new(desk, pull)).transpose()?)
}

pub(crate) fn apps(flags: &Flags, config: &Config) -> Apps {
    let state_dir = flags.state_dir();
    let observe = config.mode == Mode::Observe;
    let remembers = (!observe).then_some(state_dir.as_path());
    Apps::spawn(
        config.apps.clone(),
        remembers,
        observe,
        &tokio::runtime::Handle::current(),
    )
}

pub(crate) fn plan(flags: &Flags, config: &Config, clock: Clock) -> Plan {
    let writes = config.mode == Mode::Enforce && !flags.simulate;
    Plan {
        driver: driver(flags, config.mode, clock),
        state_dir: writes.then(|| flags.state_dir()),
        lock_dir: writes.then(|| flags.lock_dir.clone()),
    }
}

pub(crate) fn live(config: &Config) -> Live {
    Live {
        settings: config.policy_settings(),
        poll_interval: config.poll_interval,
        observes: config.mode == Mode::Observe,
        gpus: config.gpus.clone(),
        apps: config.apps.iter().map(|app| app.gpus.clone()).collect(),
        sensors: config.sensors.clone(),
        restore_clock: config.actuators.gpu_clock_restore,
        keep_on_exit: config.on_exit == OnExit::Keep,
    }
}
