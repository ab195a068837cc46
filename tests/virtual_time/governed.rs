//! The governor in a hot inlet, held for minutes within the bounds that operators are promised. The
//! bound of the throughput comes from the plant alone.
//!
//! That the real program does this over real NVML calls, too, is shown by
//! `tests/program/end_to_end/governed.rs`, without figures: those would depend on the machine's load.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "tests fail by panic, and compare counts exactly"
)]

use std::time::Duration;

use thermal_guard::policy::Settings;
use thermal_guard::sim::card::{Card, Conditions};
use thermal_guard::sim::plant;
use thermal_guard::sim::plant::{Inputs, Load, State};
use thermal_guard::sim::profile;
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::{Celsius, Watts};

use crate::common::figures::tell;
use crate::common::virtual_node::{Node, room};

/// Hot enough for a cut of a quarter or more.
const INLET: Celsius = Celsius::new(42.0);

/// The A100's, as its driver tells it.
const ALERT: f64 = 78.0;

/// Seconds at full power in good air before the inlet gets hot: the card is warm, below all trips.
const BEFORE: u64 = 900;
/// Seconds until the heat has arrived and the governor has found its limit.
const ARRIVAL: u64 = 240;
/// Seconds in which it is then watched.
const HELD: u64 = 900;

/// The figures that operators are promised: overshoot in degrees, share of the bound, limit writes per
/// hour at rest, share of the time over alert.
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

/// The temperatures of a card while it was watched.
struct Watch {
    hottest: f64,
    /// Share of the time over alert.
    over_alert: f64,
}

/// Lets so many seconds pass.
fn watch(node: &mut Node, seconds: u64) -> Watch {
    let (mut hottest, mut over) = (0.0_f64, 0.0);
    for _ in 0..seconds {
        node.step();
        let die = node.rack.card(0).state.die;
        hottest = hottest.max(die);
        over += f64::from(u8::from(die > ALERT));
    }
    Watch {
        hottest,
        over_alert: over / seconds as f64,
    }
}

/// The counts that the figures come from.
fn counts(card: &Card) -> [f64; 3] {
    let writes = card.limit_writes as f64;
    [card.state.work_done, card.state.work_asked, writes]
}

#[test]
fn a_hot_inlet_is_held_for_minutes_at_nearly_all_that_physics_allows() {
    let profile = profile::named("a100-80gb").unwrap();
    let bound = bound(profile, ALERT);
    let mut node = Node::new(&[profile], &Settings::default());
    node.set(
        0,
        Conditions {
            airflow_resistance: 0.85,
            ..room(Celsius::new(25.0))
        },
    );
    node.run(BEFORE);
    assert_eq!(node.rack.card(0).limit_writes, 0, "at rest before");
    node.set(0, room(INLET));
    let arriving = watch(&mut node, ARRIVAL);

    let before = counts(&node.rack.card(0));
    let held = watch(&mut node, HELD);
    let after = counts(&node.rack.card(0));
    let [done, asked, writes] = [0, 1, 2].map(|which| after[which] - before[which]);
    let of_bound = done / asked / bound;
    let writes_per_hour = writes * 3600.0 / HELD as f64;
    let overshoot = arriving.hottest.max(held.hottest) - ALERT;
    tell(&format!(
        "hot inlet, {HELD} s: {of_bound:.3} of the bound ({bound:.3}), at most {overshoot:.2} °C over alert, \
         {:.1} % of the time, {writes_per_hour} writes per hour",
        held.over_alert * 100.0,
    ));
    assert!(overshoot <= OVERSHOOT, "{overshoot}");
    assert!(of_bound >= OF_BOUND, "{of_bound}");
    assert!(writes_per_hour <= WRITES_PER_HOUR, "{writes_per_hour}");
    assert!(held.over_alert <= ABOVE_ALERT, "{}", held.over_alert);
    let card = node.rack.card(0);
    assert_eq!(card.refused_writes, 0);
    assert_eq!(card.lock_writes, 0, "the limit alone was enough");
}
