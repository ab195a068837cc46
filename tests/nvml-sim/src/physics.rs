//! Lets the cards' time pass, when somebody looks.

use std::time::Duration;

use thermal_guard::sim::plant;

use crate::layout::{Bench, Card, Lock};

/// Less than this much simulated time isn't worth a step: most calls come in bursts.
const SHORTEST: f64 = 0.005;

/// More than this much isn't worth the computing: every card has long come to rest.
const LONGEST: f64 = 24.0 * 3600.0;

/// With air shared, how long the cards run between two looks at each other's draw.
const EXCHANGE: f64 = 1.0;

/// How often a sensor that lags or caches looks at the card.
const LOOK: f64 = 0.25;

/// The least time that passes before a card forgets: never none, or time would stand still.
const SHORTEST_LIFE: f64 = 1e-3;

/// Runs the physics up to `now` (since boot). A clock that went backwards means another boot: the
/// cards stood still meanwhile.
pub fn catch_up(bench: &mut Bench, now: Duration) {
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    if now < bench.advanced_to {
        bench.advanced_to = now;
        return;
    }
    if passed(bench, now) >= SHORTEST {
        run_to(bench, now);
    }
}

/// As [`catch_up`], to the last nanosecond: before the pace of time changes.
pub fn settle(bench: &mut Bench, now: Duration) {
    let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    run_to(bench, now.max(bench.advanced_to));
}

/// Simulated seconds between the last step and `now`.
fn passed(bench: &Bench, now: u64) -> f64 {
    Duration::from_nanos(now - bench.advanced_to).as_secs_f64() * bench.time_scale
}

fn run_to(bench: &mut Bench, now: u64) {
    let seconds = passed(bench, now).min(LONGEST);
    pass(bench, seconds);
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
        let now = bench.elapsed + (seconds - left);
        for card in bench.cards_mut() {
            run(card, now, step);
        }
        left -= step;
    }
    bench.elapsed += seconds;
}

/// Lets `seconds` pass on a card from `now` on, in as large steps as what is wrong with it allows.
fn run(card: &mut Card, now: f64, seconds: f64) {
    let (mut now, mut left) = (now, seconds);
    while left > 0.0 {
        let has_memory = card.faults.sensors().iter().any(|it| it.has_memory());
        let look = if has_memory { LOOK } else { left };
        let due = card.pending.due();
        let life = due.map_or(left, |due| (due - now).max(SHORTEST_LIFE));
        let step = left.min(look).min(life);
        let (profile, inputs) = (card.physical(), card.inputs());
        card.state.fan_held = card.fans.held(&profile);
        plant::advance(
            &profile,
            &mut card.state,
            &inputs,
            Duration::from_secs_f64(step),
        );
        now += step;
        left -= step;
        forget(card, now);
        card.feel(now, step);
    }
}

/// What was set may be gone by now.
fn forget(card: &mut Card, now: f64) {
    let (faults, pending) = (&card.faults, &mut card.pending);
    if let Some(before) = pending.limit.expire(&faults.power_limit, now) {
        card.limit = before;
    }
    if pending.sm_lock.expire(&faults.gpu_clock, now).is_some() {
        card.sm_lock = Lock::NONE;
    }
    let memory_lock = pending.memory_lock.expire(&faults.memory_clock, now);
    if memory_lock.is_some() {
        card.memory_lock = Lock::NONE;
    }
}

/// What each card's exhaust does to the others' inlets.
fn exchange(bench: &mut Bench) {
    let factor = bench.shared_air;
    let draws = bench.cards().iter().map(|card| card.flow().draw.as_f64());
    let total: f64 = draws.sum();
    for card in bench.cards_mut() {
        let own = card.flow().draw.as_f64();
        card.inlet_rise = factor * (total - own);
    }
}

#[cfg(test)]
mod tests {
    use thermal_guard::sim::faults::{Sensor, Setter};
    use thermal_guard::sim::plant::Load;
    use thermal_guard::sim::profile;

    use super::*;
    use crate::{operate, setters};

    fn bench() -> Bench {
        let cards = [profile::ALL[1], profile::ALL[1]];
        let mut bench = operate::machine(&cards, 25.0, "580.95.05").expect("two cards fit");
        bench.advanced_to = 0;
        bench.gpus[0].load = Load::FULL;
        bench
    }

    #[test]
    fn time_passes_by_its_scale() {
        let mut bench = bench();
        bench.time_scale = 60.0;
        catch_up(&mut bench, Duration::from_secs(10));
        assert!((bench.elapsed - 600.0).abs() < 1e-6);
        assert!(
            bench.gpus[0].state.die > 70.0,
            "{}",
            bench.gpus[0].state.die
        );
        assert!(
            bench.gpus[1].state.die < 40.0,
            "{}",
            bench.gpus[1].state.die
        );
    }

    #[test]
    fn time_that_stood_still_isnt_made_up_for() {
        let mut bench = bench();
        bench.time_scale = 0.0;
        settle(&mut bench, Duration::from_secs(100));
        bench.time_scale = 1.0;
        catch_up(&mut bench, Duration::from_secs(101));
        assert!((bench.elapsed - 1.0).abs() < 1e-6, "{}", bench.elapsed);
    }

    #[test]
    fn another_boots_clock_is_no_reason_to_run() {
        let mut bench = bench();
        bench.advanced_to = 1 << 60;
        catch_up(&mut bench, Duration::from_secs(5));
        assert!(bench.elapsed.abs() < f64::EPSILON);
        assert_eq!(bench.advanced_to, 5_000_000_000);
    }

    #[test]
    fn a_setting_is_forgotten_at_its_moment_however_much_time_passes_at_once() {
        let mut bench = bench();
        let card = &mut bench.gpus[0];
        card.faults.power_limit = Setter::forget(60.0);
        card.faults.gpu_clock = Setter::forget(90.0);
        setters::request_limit(card, 0.0, 200_000, None).expect("within the range");
        let ends = (210, 900);
        setters::request_lock(card, setters::Domain::Sm, 0.0, ends, None).expect("a lock");
        pass(&mut bench, 59.9);
        assert_eq!(bench.gpus[0].limit, 200_000);
        pass(&mut bench, 1800.0);
        let card = &bench.gpus[0];
        assert_eq!((card.limit, card.sm_lock), (400_000, Lock::NONE));
        // Back to full power since long ago.
        assert!(card.state.die > 70.0, "{}", card.state.die);
    }

    #[test]
    fn a_sensor_with_a_memory_is_the_same_in_one_step_and_in_many() {
        let told = |steps: u32| {
            let mut bench = bench();
            bench.gpus[0].faults.core = Sensor::lag(15.0);
            bench.gpus[0].faults.draw = Sensor::cache(7.0);
            for _ in 0..steps {
                pass(&mut bench, 20.0 / f64::from(steps));
            }
            let (now, truth) = (bench.elapsed, bench.gpus[0].state.die);
            let sensed = bench.gpus[0].sensed(now);
            (sensed.core.degrees(), sensed.draw.as_f64(), truth)
        };
        let (core, draw, truth) = told(1);
        assert!(core < truth - 3.0, "{core} of {truth}");
        let (same_core, same_draw, _) = told(40);
        assert!((core - same_core).abs() < 0.2, "{core} {same_core}");
        assert!((draw - same_draw).abs() < 1.0, "{draw} {same_draw}");
    }

    #[test]
    fn shared_air_warms_the_neighbour() {
        let mut bench = bench();
        bench.shared_air = 0.02;
        pass(&mut bench, 600.0);
        let neighbour = &bench.gpus[1];
        assert!(
            (7.0..9.0).contains(&neighbour.inlet_rise),
            "{}",
            neighbour.inlet_rise
        );
        assert!(neighbour.state.die > 35.0, "{}", neighbour.state.die);
    }
}
