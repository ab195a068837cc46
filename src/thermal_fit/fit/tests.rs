use super::*;

/// A card with these masses in still air, its load switched by a coin every few minutes.
fn card(masses: &[(f64, f64)], hours: f64, period: f64, air: impl Fn(f64) -> f64) -> Series {
    let mut filters: Vec<(f64, Filter)> = masses
        .iter()
        .map(|(r, seconds)| (*r, Filter::at_rest(*seconds, 60.0)))
        .collect();
    let mut points = Vec::new();
    let (mut dice, mut watts) = (0x2545_f491_4f6c_dd1d_u64, 60.0);
    let mut next = 0.0;
    for second in 0..whole(hours * 3600.0) {
        let seconds = f64::from(second);
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let coin = (dice >> 40) as f64 / 16_777_216.0;
        if second % 180 == 0 {
            next = 60.0 + 340.0 * coin;
        }
        let before = watts;
        watts = next;
        for (_, filter) in &mut filters {
            filter.pass(1.0, before, watts);
        }
        if seconds % period < 1.0 {
            let core: f64 = filters.iter().map(|(r, it)| r * it.state()).sum();
            points.push(Point {
                seconds,
                watts,
                core_celsius: (core + air(seconds) + coin - 0.5).round(),
                fan: None,
            });
        }
    }
    Series { points }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of a test")]
fn whole(seconds: f64) -> i32 {
    seconds as i32
}

#[test]
fn resistance_is_found_from_coarse_scrapes_in_air_that_changes() {
    let swing = |seconds: f64| 25.0 + 4.0 * (seconds / 86_400.0 * std::f64::consts::TAU).sin();
    for (period, most) in [(15.0, 0.03), (30.0, 0.04), (60.0, 0.07)] {
        for masses in [
            &[(0.03, 0.0), (0.09, 40.0)][..],
            &[(0.025, 0.0), (0.05, 30.0), (0.04, 400.0)][..],
        ] {
            let truth: f64 = masses.iter().map(|(r, _)| r).sum();
            let fit = fit(&card(masses, 48.0, period, swing)).unwrap();
            let off = (fit.modes.resistance() / truth - 1.0).abs();
            assert!(off < most + 0.05, "{period} {masses:?}: {fit:?}");
            assert!(fit.held_out_rms_celsius < 2.0, "{period}: {fit:?}");
        }
    }
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let points = |watts: fn(f64) -> f64, core: fn(f64) -> f64| Series {
        points: (0..600)
            .map(|n| f64::from(n) * 15.0)
            .map(|seconds| Point {
                seconds,
                watts: watts(seconds),
                core_celsius: core(seconds),
                fan: None,
            })
            .collect(),
    };
    let wave = |seconds: f64| 200.0 + 150.0 * (seconds / 300.0).sin();
    assert!(matches!(fit(&Series::default()), Err(Unfit::TooFew { .. })));
    let steady = points(|_| 250.0, |seconds| 40.0 + seconds / 900.0);
    assert!(matches!(fit(&steady), Err(Unfit::SteadyPower { .. })));
    let flat = points(wave, |_| 60.0);
    assert!(matches!(fit(&flat), Err(Unfit::SteadyTemperature { .. })));
    let other = points(wave, |seconds| 60.0 + 15.0 * (seconds / 77.0).cos());
    assert!(matches!(fit(&other), Err(Unfit::Unexplained { .. })));
}
