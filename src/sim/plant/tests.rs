use super::*;
use crate::sim::profile;
use crate::units::Celsius;

fn inputs(profile: &Profile, load: Load, inlet: f64) -> Inputs {
    Inputs {
        load,
        inlet: Celsius::new(inlet),
        airflow_resistance: 1.0,
        hbm_resistance: 1.0,
        limit: profile.default_limit,
        gpu_clock_lock: None,
    }
}

fn settle(profile: &Profile, inputs: &Inputs) -> (State, Flow) {
    let mut state = State::idle_at(profile, inputs.inlet);
    let flow = advance(profile, &mut state, inputs, Duration::from_secs(1800));
    (state, flow)
}

#[test]
fn at_rest_heat_in_equals_heat_out() {
    for profile in profile::ALL {
        let inputs = inputs(
            profile,
            Load {
                power: 0.6,
                compute_bound: 1.0,
            },
            20.0,
        );
        let (state, flow) = settle(profile, &inputs);
        let expected = 20.0
            + flow.draw.as_f64() * profile.thermal.die_resistance()
            + profile
                .thermal
                .sink_rise(flow.draw.as_f64(), state.fan, 1.0);
        assert!(
            (state.die - expected).abs() < 0.1,
            "{}: {} {expected}",
            profile.key,
            state.die
        );
    }
}

#[test]
fn every_card_runs_free_in_a_cool_room() {
    for profile in profile::ALL {
        let (state, flow) = settle(profile, &inputs(profile, Load::FULL, 18.0));
        assert!(
            state.margin(profile).degrees() > 9.0,
            "{} {:?}",
            profile.key,
            state.margin(profile)
        );
        assert!(
            flow.throughput > 0.97,
            "{} {}",
            profile.key,
            flow.throughput
        );
    }
}

#[test]
fn a_lower_limit_or_lock_cools() {
    for profile in profile::ALL {
        let free = inputs(profile, Load::FULL, 30.0);
        let capped = Inputs {
            limit: profile.min_limit,
            ..free
        };
        let slow = profile.gpu_clock_max.scaled(Ratio::new(0.6));
        let locked = Inputs {
            gpu_clock_lock: Some(slow),
            ..free
        };
        let (hot, _) = settle(profile, &free);
        assert!(
            settle(profile, &capped).0.die < hot.die - 5.0,
            "{}",
            profile.key
        );
        assert!(
            settle(profile, &locked).0.die < hot.die - 5.0,
            "{}",
            profile.key
        );
    }
}

#[test]
fn the_draw_never_exceeds_the_limit_at_work() {
    for profile in profile::ALL {
        for share in [0.5, 0.7, 0.9, 1.0] {
            let limit = profile
                .default_limit
                .scaled(Ratio::new(share))
                .max(profile.min_limit);
            let (_, flow) = settle(
                profile,
                &Inputs {
                    limit,
                    ..inputs(profile, Load::FULL, 30.0)
                },
            );
            assert!(
                flow.draw <= limit,
                "{} {} > {limit}",
                profile.key,
                flow.draw
            );
        }
    }
}

#[test]
fn the_driver_saves_itself_and_says_so() {
    let profile = profile::named("a100-80gb").expect("profile");
    let hot = Inputs {
        airflow_resistance: 1.6,
        ..inputs(profile, Load::FULL, 40.0)
    };
    let (state, flow) = settle(profile, &hot);
    let reasons = flow.slowdown_reasons;
    assert!(reasons.contains(SlowdownReason::SoftwareThermal));
    assert!(state.die < profile.shutdown.degrees());
    assert!(state.slowdown_seconds[2] > 60.0);
}

/// Masses that are integrated exactly take any time constant, and any step up to the longest.
#[test]
fn a_die_faster_than_a_step_is_as_right_as_a_slow_one() {
    let h100 = &profile::H100;
    let inputs = Inputs {
        limit: Watts::from_watts(600),
        ..inputs(h100, Load::FULL, 25.0)
    };
    let after = |step: f64, seconds: f64| {
        let mut state = State::idle_at(h100, inputs.inlet);
        let mut left = seconds;
        while left > 1e-9 {
            let step = step.min(left);
            advance(h100, &mut state, &inputs, Duration::from_secs_f64(step));
            left -= step;
        }
        state.die
    };
    for seconds in [0.1, 0.3, 1.0, 30.0] {
        let (coarse, fine) = (after(0.1, seconds), after(0.001, seconds));
        assert!((coarse - fine).abs() < 0.3, "{seconds} s: {coarse} {fine}");
    }
    // Recorded: 15 to 16 °C within 0.3 s.
    let jump = after(0.01, 0.3) - State::idle_at(h100, inputs.inlet).die;
    assert!((11.0..17.0).contains(&jump), "{jump}");
}

#[test]
fn a_faster_fan_takes_more_heat_and_follows_the_temperature() {
    let card = &profile::GTX_1080_TI;
    let (free, _) = settle(card, &inputs(card, Load::FULL, 40.0));
    assert!((0.4..0.95).contains(&free.fan), "{}", free.fan);
    let mut held = free;
    held.fan_held = 0.3;
    advance(
        card,
        &mut held,
        &inputs(card, Load::FULL, 40.0),
        Duration::from_secs(300),
    );
    assert!(held.die > free.die + 5.0, "{} {}", held.die, free.die);
}
