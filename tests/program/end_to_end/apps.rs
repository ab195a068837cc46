//! Notifications to applications. With `observe` the guard sends none and writes nothing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::card::writes;
use crate::common::figures::measured;
use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::wait::{PATIENCE, holds_for, wait_until};

const ENV_FILE: &str = "# the clinic's own\nmodel=27b\nreduced_batch_size=4\n\nport=7860\n";

/// Two apps: one that listens, one that takes connections and never answers.
fn config(listening: &Listener, hanging: &Listener, rest: &str) -> String {
    format!(
        "{rest}
policy: {{ recovery_delay: 10s }}
apps:
  - name: medgemma
    env_file: {{ path: runtime_config.env, key: reduced_batch_size, normal: 4, gradual: 1, emergency: 1 }}
    http: {{ url: 'http://{}/api/thermal_mode?mode={{mode}}', modes: {{ normal: normal, gradual: eco, emergency: eco }} }}
  - name: hanging
    http: {{ url: 'http://{}/mode?mode={{mode}}' }}
",
        listening.address, hanging.address
    )
}

const ECO: &str = "POST /api/thermal_mode?mode=eco";
const NORMAL: &str = "POST /api/thermal_mode?mode=normal";

#[test]
fn an_app_hears_of_gradual_at_once_and_takes_smaller_batches_only_deeper() {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "390.5"]);
    let (app, hanging) = (Listener::obedient(), Listener::hanging());
    let mut guard = Guard::new(machine, 20, &config(&app, &hanging, ""));
    let env_file = guard.path("runtime_config.env");
    fs::write(&env_file, ENV_FILE).unwrap();
    guard.start();

    guard.machine.ctl(&["set", "airflow=1.2"]);
    guard.wait_throttled(0);
    let throttled = Instant::now();
    let heard = wait_until(PATIENCE, || app.requests().contains(&ECO.to_owned()));
    measured("limit on the GPU to the app being told", throttled);
    assert!(heard, "{:?}", app.requests());
    assert_eq!(
        fs::read_to_string(&env_file).unwrap(),
        ENV_FILE,
        "batches stay"
    );

    // Hotter than any power limit of gradual's can hold.
    guard.machine.ctl(&["set", "airflow=1.6", "inlet=55"]);
    let deeper = ENV_FILE.replace("reduced_batch_size=4", "reduced_batch_size=1");
    let reduced = || fs::read_to_string(&env_file).unwrap() == deeper;
    assert!(wait_until(PATIENCE, reduced), "{}", guard.log());
    let writes_before = writes(&guard.machine.gpu(0));
    assert!(writes_before > 0);
    assert!(!hanging.requests().is_empty(), "it was called, and hangs");

    guard.cool(0);
    guard.assert_given_back();
    let back = || fs::read_to_string(&env_file).unwrap() == ENV_FILE;
    assert!(wait_until(PATIENCE, back), "as it was, but for nothing");
    let heard = || app.requests().last().is_some_and(|last| last == NORMAL);
    assert!(wait_until(PATIENCE, heard), "{:?}", app.requests());
}

#[test]
fn a_hanging_app_delays_no_throttle() {
    let machine = Machine::warm(&["a100-80gb", "a100-80gb"], &WORKING);
    machine.ctl(&["limit", "390.5"]);
    let (app, hanging) = (Listener::obedient(), Listener::hanging());
    let guard = Guard::started(machine, 20, &config(&app, &hanging, ""));
    fs::write(guard.path("runtime_config.env"), ENV_FILE).unwrap();
    guard.heat(0);
    guard.wait_throttled(0);
    let told = || !hanging.requests().is_empty();
    assert!(wait_until(PATIENCE, told), "told, and hangs from here on");
    let heated = Instant::now();
    guard.heat(1);
    guard.wait_throttled(1);
    measured(
        "heat to limit on the GPU with an app that hangs, 20 times as fast",
        heated,
    );
    guard.cool(0);
    guard.cool(1);
    guard.assert_given_back();
}

#[test]
fn a_recovery_is_complete_only_when_the_app_is_well_again() {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "390.5"]);
    let well = Arc::new(AtomicBool::new(true));
    let app = Listener::convalescent(well.clone());
    let url = format!("http://{}", app.address);
    let config = format!(
        "policy: {{ recovery_delay: 10s }}\napps: [{{ name: medgemma, http: {{ url: '{url}/mode?mode={{mode}}', health_url: '{url}/health' }} }}]"
    );
    let guard = Guard::started(machine, 20, &config);
    guard.heat(0);
    guard.wait_throttled(0);
    well.store(false, Ordering::SeqCst);
    guard.cool(0);

    let told = || {
        app.requests()
            .contains(&"POST /mode?mode=normal".to_owned())
    };
    assert!(wait_until(PATIENCE, told), "{:?}", app.requests());
    let recovering = |metrics: &crate::common::scrape::Metrics| {
        metrics.state(0) == Some("recovering")
            && metrics.of(0, "thermal_guard_recoveries_total", &[]) == Some(0.0)
            && metrics.get("thermal_guard_app_well", &[]) == Some(0.0)
    };
    let asked = || {
        app.requests()
            .iter()
            .filter(|request| *request == "GET /health")
            .count()
    };
    let before = asked();
    assert!(
        wait_until(PATIENCE, || asked() > before + 2),
        "asked again and again"
    );
    assert!(recovering(&guard.metrics()), "{}", guard.log());
    guard.wait_gpu(0, "limit given back meanwhile", |card| {
        card["limit_watts"] == 390.5
    });

    well.store(true, Ordering::SeqCst);
    let metrics = guard.wait_state(0, "normal");
    assert_eq!(
        metrics.of(0, "thermal_guard_recoveries_total", &[]),
        Some(1.0)
    );
    assert_eq!(metrics.get("thermal_guard_app_well", &[]), Some(1.0));
    guard.assert_given_back();
}

#[test]
fn observe_writes_to_nothing_and_exports_what_it_would_have_done() {
    let machine = Machine::warm(&["a100-80gb"], &WORKING);
    machine.ctl(&["limit", "390.5"]);
    let before = writes(&machine.gpu(0));
    let (app, hanging) = (Listener::obedient(), Listener::hanging());
    let rest = "mode: observe\nthresholds: { alert: 74, critical: 80, safe: 68 }";
    let mut guard = Guard::new(machine, 20, &config(&app, &hanging, rest));
    let env_file = guard.path("runtime_config.env");
    fs::write(&env_file, ENV_FILE).unwrap();
    let file = fs::metadata(&env_file).unwrap();
    guard.start();

    let mode = |metrics: &crate::common::scrape::Metrics, mode| {
        metrics.get("thermal_guard_mode", &[("mode", mode)])
    };
    let metrics = guard.metrics();
    assert_eq!(mode(&metrics, "observe"), Some(1.0));
    assert_eq!(mode(&metrics, "enforce"), Some(0.0));
    assert_eq!(guard.status()["mode"], "observe");
    assert!(guard.log().lines().next().unwrap().contains("mode=observe"));

    guard.heat(0);
    guard.wait_state(0, "gradual");
    let metrics = guard.wait_state(0, "emergency");
    let target = metrics.of(0, "thermal_guard_action_power_limit_target_watts", &[]);
    assert_eq!(target, Some(100.0));
    let observed = metrics.of(0, "thermal_guard_actions_total", &[("result", "observed")]);
    assert!(observed > Some(0.0));
    assert_eq!(
        metrics.of(0, "thermal_guard_actions_total", &[("result", "ok")]),
        Some(0.0)
    );
    holds_for(Duration::from_secs(2), "emergency, untouched", || {
        writes(&guard.machine.gpu(0)) == before
    });

    guard.cool(0);
    guard.wait_state(0, "normal");
    assert_eq!(guard.stop(), Some(0));
    assert_eq!(writes(&guard.machine.gpu(0)), before);
    assert_eq!(fs::read_to_string(&env_file).unwrap(), ENV_FILE);
    assert_eq!(
        fs::metadata(&env_file).unwrap().ino(),
        file.ino(),
        "not even replaced"
    );
    assert!(app.requests().is_empty() && hanging.requests().is_empty());
    guard.assert_given_back();
}
