//! Lets the cards' time pass, when somebody looks.

use std::time::Duration;

use thermal_guard::device::plant;

use crate::layout::Bench;

/// Less than this much simulated time isn't worth a step: most calls come in bursts.
const SHORTEST: f64 = 0.005;

/// More than this much isn't worth the computing: every card has long come to rest.
const LONGEST: f64 = 24.0 * 3600.0;

/// With air shared, how long the cards run between two looks at each other's draw.
const EXCHANGE: f64 = 1.0;

/// Runs the physics up to `now` (since boot). A clock that went backwards means another boot: the
/// cards stood still meanwhile.
pub fn catch_up(bench: &mut Bench, now: Duration) {
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    if now < bench.advanced_to {
        bench.advanced_to = now;
        return;
    }
    let passed = Duration::from_nanos(now - bench.advanced_to).as_secs_f64() * bench.time_scale;
    if passed < SHORTEST || !passed.is_finite() {
        return;
    }
    pass(bench, passed.min(LONGEST));
    bench.elapsed += passed;
    bench.advanced_to = now;
}

/// Lets that many simulated seconds pass.
pub fn pass(bench: &mut Bench, seconds: f64) {
    let shared = bench.shared_air > 0.0;
    let mut left = seconds;
    while left > 0.0 {
        let step = if shared { left.min(EXCHANGE) } else { left };
        if shared {
            exchange(bench);
        }
        for card in bench.cards_mut() {
            let (profile, inputs) = (card.profile(), card.inputs());
            plant::advance(
                profile,
                &mut card.state,
                &inputs,
                Duration::from_secs_f64(step),
            );
        }
        left -= step;
    }
}

/// What each card's exhaust does to the others' inlets.
fn exchange(bench: &mut Bench) {
    let factor = bench.shared_air;
    let draws = bench.cards().iter().map(|card| {
        plant::flow(card.profile(), &card.state, &card.inputs())
            .draw
            .as_f64()
    });
    let total: f64 = draws.sum();
    for card in bench.cards_mut() {
        let own = plant::flow(card.profile(), &card.state, &card.inputs())
            .draw
            .as_f64();
        card.inlet_rise = factor * (total - own);
    }
}
