//! The governor over real NVML calls: a hot inlet, held for minutes, within the bounds that it
//! keeps in `simulate`. The bound of the throughput comes from the plant alone.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use thermal_guard::device::plant::{self, Inputs, Load, State};
use thermal_guard::device::profile::{self, Profile};
use thermal_guard::units::{Celsius, Watts};

use crate::common::guard::{Guard, die};
use crate::{WORKING, tell, warm};

/// Hot enough for a cut of a quarter or more.
const INLET: Celsius = Celsius::new(42.0);

/// Twenty times as fast as the wall: a tick lasts 50 ms, which a loaded machine still keeps.
const SCALE: u32 = 20;

/// Simulated: until the heat has arrived and the governor has found its limit.
const ARRIVAL: f64 = 240.0;
/// Simulated: as long as it is then watched.
const HELD: f64 = 900.0;

/// What is allowed: overshoot in degrees, share of the bound, limit writes per hour at rest, share
/// of the time over alert. The figures that operators are promised.
const OVERSHOOT: f64 = 1.5;
const OF_BOUND: f64 = 0.97;
const WRITES_PER_HOUR: f64 = 30.0;
const ABOVE_ALERT: f64 = 0.02;

/// The throughput of a card that rests at exactly `alert` in this inlet.
fn bound(profile: &Profile, alert: f64) -> f64 {
    let rest = |limit: f64| {
        let mut state = State::idle_at(profile, INLET);
        let inputs = Inputs {
            load: Load::FULL,
            inlet: INLET,
            airflow_resistance: 1.0,
            hbm_resistance: 1.0,
            limit: Watts::from_f64(limit),
            gpu_clock_lock: None,
        };
        let mut flow = plant::flow(profile, &state, &inputs);
        for _ in 0..3600 {
            flow = plant::advance(profile, &mut state, &inputs, Duration::from_secs(1));
        }
        (state.die, flow.throughput)
    };
    let (mut low, mut high) = (profile.min_limit.as_f64(), profile.default_limit.as_f64());
    assert!(rest(low).0 < alert && alert < rest(high).0, "hot, feasible");
    for _ in 0..20 {
        let middle = f64::midpoint(low, high);
        if rest(middle).0 < alert {
            low = middle;
        } else {
            high = middle;
        }
    }
    rest(low).1
}

/// Watches the card's truth for so many simulated seconds: the hottest, and the share over alert.
fn watch(guard: &Guard, alert: f64, seconds: f64) -> (f64, f64) {
    let elapsed = || guard.machine.show()["elapsed_seconds"].as_f64().unwrap();
    let end = elapsed() + seconds;
    let (mut hottest, mut over, mut samples) = (0.0_f64, 0.0, 0.0);
    while elapsed() < end {
        let degrees = die(&guard.machine.gpu(0));
        hottest = hottest.max(degrees);
        over += f64::from(u8::from(degrees > alert));
        samples += 1.0;
        thread::sleep(Duration::from_millis(25));
    }
    (hottest, over / samples)
}

fn number(card: &Value, key: &str) -> f64 {
    card[key].as_f64().unwrap()
}

#[test]
fn a_hot_inlet_is_held_for_minutes_at_nearly_all_that_physics_allows() {
    let (key, alert) = ("a100-80gb", 78.0);
    let bound = bound(profile::named(key).unwrap(), alert);
    let machine = warm(&[key], &WORKING);
    let guard = Guard::started(machine, SCALE, "");
    let inlet = format!("inlet={}", INLET.degrees());
    guard.machine.ctl(&["set", "load=1", "airflow=1", &inlet]);
    let (arriving, _) = watch(&guard, alert, ARRIVAL);

    let before = guard.machine.gpu(0);
    let (held, over) = watch(&guard, alert, HELD);
    let after = guard.machine.gpu(0);
    let gained = |key| number(&after, key) - number(&before, key);
    let of_bound = gained("work_done") / gained("work_asked") / bound;
    let writes_per_hour = gained("limit_writes") * 3600.0 / HELD;
    tell(&format!(
        "hot inlet, {HELD} simulated seconds: {of_bound:.3} of the bound ({bound:.3}), at most {:.2} °C over alert, \
         {:.1} % of the time, {writes_per_hour} writes per hour",
        arriving.max(held) - alert,
        over * 100.0,
    ));
    assert!(arriving.max(held) - alert <= OVERSHOOT, "{arriving} {held}");
    assert!(of_bound >= OF_BOUND, "{of_bound}");
    assert!(writes_per_hour <= WRITES_PER_HOUR, "{writes_per_hour}");
    assert!(over <= ABOVE_ALERT, "{over}");
    assert_eq!(gained("refused_writes"), 0.0);
    assert_eq!(gained("lock_writes"), 0.0, "the limit alone was enough");

    guard.cool(0);
    guard.assert_given_back();
}
