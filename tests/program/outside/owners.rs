//! One owner for each application, its place and its journal, whatever is reloaded.

use std::time::Duration;

use super::applications::{App, guard, journal, reload, restore, stays, throttle, until};
use crate::common::dice::Dice;

#[test]
fn a_reload_tells_no_throttled_app_normal_and_loses_no_journal() {
    let (a, b, c) = (App::start(), App::start(), App::start());
    let two = a.entry("a") + &b.entry("b");
    let mut guard = guard(1, &two);
    throttle(&guard, "gradual");
    until(&guard, "both told", || {
        a.mode() == "eco" && b.mode() == "eco"
    });
    // More than one, because the test is about their order; the last ones while one app is away.
    for round in 0..6 {
        b.set_away(round >= 3);
        let three = two.clone() + &c.entry("c");
        reload(&guard, if round % 2 == 0 { &three } else { &two });
        if round % 2 == 0 {
            until(&guard, "the new one told", || c.mode() == "eco");
        } else {
            until(&guard, "the old one told", || c.mode() == "normal");
        }
    }
    b.set_away(false);
    reload(&guard, &(two + &c.entry("c")));
    until(&guard, "all told", || c.mode() == "eco");
    stays(&guard, 3.0, "all eco", || {
        [&a, &b, &c].iter().all(|app| app.mode() == "eco")
    });
    for app in [&a, &b] {
        let told = app.told();
        assert!(!told.contains(&"normal".to_owned()), "{told:?}");
    }
    guard.kill();
    restore(&guard);
    for app in [&a, &b, &c] {
        assert_eq!(app.mode(), "normal", "{}", journal(&guard));
    }
    assert_eq!(journal(&guard), r#"{"throttled":[]}"#);
}

#[test]
fn an_app_that_is_taken_out_is_given_back_even_if_it_is_away_at_first() {
    let (a, b) = (App::start(), App::start());
    let guard = guard(1, &(a.entry("a") + &b.entry("b")));
    throttle(&guard, "gradual");
    until(&guard, "both told", || {
        a.mode() == "eco" && b.mode() == "eco"
    });
    b.set_away(true);
    reload(&guard, &a.entry("a"));
    // Longer than a stop would wait.
    stays(&guard, 8.0, "the journal knows of it", || {
        journal(&guard).contains("\"b\"") || journal(&guard).contains("\"b:http\"")
    });
    b.set_away(false);
    until(&guard, "given back", || b.mode() == "normal");
    until(&guard, "forgotten", || !journal(&guard).contains("\"b\""));
    assert_eq!(a.told(), ["eco"]);
}

#[test]
fn a_moved_app_is_given_back_at_its_old_place_by_whoever_comes_after_a_kill() {
    let (old, new) = (App::start(), App::start());
    let mut guard = guard(1, &old.entry("app"));
    throttle(&guard, "gradual");
    until(&guard, "told", || old.mode() == "eco");
    old.set_away(true);
    reload(&guard, &new.entry("app"));
    until(&guard, "told at the new place", || new.mode() == "eco");
    guard.kill();
    old.set_away(false);
    restore(&guard);
    assert_eq!(
        (old.mode().as_str(), new.mode().as_str()),
        ("normal", "normal")
    );
}

/// Random lists, with apps away now and then, and a kill at a random moment: what was told eco is in
/// the journal, and is given back by the configuration of that moment.
#[test]
fn whenever_a_guard_is_killed_between_reloads_everything_is_given_back() {
    let mut dice = Dice(20_261_129);
    let apps: Vec<_> = (0..4).map(|_| App::start()).collect();
    let entry = |n: usize| apps[n].entry(&format!("app{n}"));
    let mut guard = guard(1, &entry(0));
    for round in 0..6 {
        throttle(&guard, "gradual");
        for _ in 0..4 {
            let mask = 1 + dice.below(15);
            let list: String = (0..4).filter(|n| mask >> n & 1 == 1).map(entry).collect();
            for app in &apps {
                app.set_away(dice.below(4) == 0);
            }
            reload(&guard, &list);
            std::thread::sleep(Duration::from_millis(dice.below(400)));
        }
        guard.kill();
        for (n, app) in apps.iter().enumerate() {
            app.set_away(false);
            let known = journal(&guard).contains(&format!("app{n}"));
            assert!(known || app.mode() == "normal", "round {round}, app {n}");
        }
        restore(&guard);
        for (n, app) in apps.iter().enumerate() {
            assert_eq!(
                app.mode(),
                "normal",
                "round {round}, app {n}: {:?}",
                app.told()
            );
        }
        guard.start();
    }
}
