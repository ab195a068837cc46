use super::card::Wishes;
use super::history::{History, Row, Slowdown, Values};
use super::judge;
use super::report::GpuReport;
use super::verdict::Verdict;

const EVERY: u32 = 15;

/// Scrapes of a card over hours: load in turns of twenty minutes, and a temperature that follows.
fn history(hours: u32, hottest: f64, gap: std::ops::Range<u32>) -> History {
    let mut core = hottest - 40.0;
    let mut rows = Vec::new();
    for scrape in 0..hours * 3600 / EVERY {
        let seconds = scrape * EVERY;
        let busy = seconds / 1200 % 2 == 1;
        let rest = if busy { hottest } else { hottest - 40.0 };
        core += (rest - core) * (1.0 - (-f64::from(EVERY) / 60.0).exp());
        if gap.contains(&seconds) {
            continue;
        }
        let values = Values {
            core_celsius: Some(core.round()),
            watts: Some(if busy { 400.0 } else { 60.0 }),
            megahertz: Some(1410.0),
            slowdown: Slowdown::None,
            ..Values::default()
        };
        rows.push(Row::new(f64::from(seconds), &values));
    }
    History {
        key: "GPU-1".to_owned(),
        model: Some("NVIDIA A100-SXM4-80GB".to_owned()),
        rows,
        ..History::default()
    }
}

fn judged(history: &History, hours: u32) -> GpuReport {
    judge::gpu(history, Wishes::default(), f64::from(hours) * 3600.0)
}

#[test]
fn a_cool_card_does_not_need_a_guard() {
    let report = judged(&history(12, 70.0, 0..0), 12);
    assert_eq!(report.verdict, Verdict::NotNeeded);
    assert!(
        report.words.starts_with("You don't need this"),
        "{}",
        report.words
    );
    assert!(report.what_if.unwrap().interventions < 0.5);
}

#[test]
fn a_hot_card_would_have_been_held_at_alert() {
    let report = judged(&history(12, 84.0, 0..0), 12);
    assert_eq!(report.verdict, Verdict::HoldsUnderAlert, "{report:#?}");
    let what_if = report.what_if.unwrap();
    // Eighteen turns of load, each of which got hot.
    assert!(
        (15.0..=21.0).contains(&what_if.interventions),
        "{what_if:?}"
    );
    assert!(what_if.hottest_celsius.unwrap() < 80.0, "{what_if:?}");
    assert!(what_if.lost_seconds > 0.0 && what_if.own_lost_seconds <= 0.0);
    let fit = report.fit.unwrap();
    let off = fit.resistance_celsius_per_watt / (40.0 / 340.0) - 1.0;
    assert!(off.abs() < 0.1, "{fit:?}");
}

#[test]
fn a_card_that_never_got_over_alert_is_not_held_at_a_higher_temperature() {
    // Its alert is 78 °C; the guard acts from 77 °C on.
    let mut warm = history(12, 77.0, 0..0);
    let report = judged(&warm, 12);
    assert_eq!(report.verdict, Verdict::HoldsUnderAlert, "{report:#?}");
    let said = "It reached 77 °C, and no slowdown was seen: 1 °C under its alert. The guard acts";
    assert!(report.words.starts_with(said), "{}", report.words);
    assert!(!report.words.contains("held it at"), "{}", report.words);
    // The same where a guard was the reason.
    for hottest in [77.0, 72.0] {
        warm = history(12, hottest, 0..0);
        warm.told.guarded_seconds = Some(3600.0);
        let report = judged(&warm, 12);
        assert_eq!(report.verdict, Verdict::CantTell, "{report:#?}");
        assert!(
            report.words.contains("a guard throttled it"),
            "{}",
            report.words
        );
    }
    // The control: it got over alert in spite of a guard.
    let mut hot = history(12, 84.0, 0..0);
    hot.told.guarded_seconds = Some(3600.0);
    assert_eq!(judged(&hot, 12).verdict, Verdict::HoldsUnderAlert);
}

#[test]
fn a_gap_is_a_gap_and_not_heat() {
    let whole = judged(&history(12, 84.0, 0..0), 12);
    let gappy = judged(&history(12, 84.0, 10_000..24_400), 12);
    let heat = gappy.heat.unwrap();
    assert!((heat.gap_seconds - 14_400.0).abs() < 60.0, "{heat:?}");
    assert!((heat.longest_gap_seconds - 14_400.0).abs() < 60.0);
    assert!((heat.seen_seconds - 28_800.0).abs() < 60.0);
    let (whole, gappy) = (whole.what_if.unwrap(), gappy.what_if.unwrap());
    assert!(gappy.throttled_seconds < whole.throttled_seconds * 0.75);
}

#[test]
fn without_power_a_hot_card_has_no_fit_and_a_cool_one_needs_none() {
    let bare = |hottest| {
        let mut history = history(6, hottest, 0..0);
        for row in &mut history.rows {
            let values = Values {
                core_celsius: row.core_celsius(),
                ..Values::default()
            };
            *row = Row::new(row.seconds(), &values);
        }
        judged(&history, 6)
    };
    let hot = bare(84.0);
    assert_eq!(hot.verdict, Verdict::HotWithoutFit);
    assert!(hot.unfit.is_some() && hot.own_slowdown.is_none());
    assert!(hot.words.contains("isn't exported"), "{}", hot.words);
    assert_eq!(bare(60.0).verdict, Verdict::NotNeeded);
    let nothing = judged(&History::default(), 6);
    assert_eq!(nothing.verdict, Verdict::CantTell);
}

#[test]
fn a_counter_tells_of_slowdowns_that_scrapes_missed() {
    let mut history = history(6, 84.0, 0..0);
    history.told.slowed_seconds = Some(321.0);
    let own = judged(&history, 6).own_slowdown.unwrap();
    assert!(own.counted && (own.seconds - 321.0).abs() < 0.1);
    assert_eq!(own.lost_seconds, None, "no scrape saw its clock");
}
