//! The controls: the observer sees a broken rule, and doesn't mistake other things for one.

use thermal_guard::sim::plant::Load;
use thermal_guard::sim::profile;
use thermal_guard::units::Celsius;

use super::*;

const ORIGINAL: Watts = Watts::from_milliwatts(380_123);
const LOCK: Option<Megahertz> = Some(Megahertz::new(705));

fn card() -> &'static Profile {
    profile::named("a100-80gb").unwrap()
}

fn observer() -> Observer {
    let mut observer = Observer::new(card(), ORIGINAL, 2.0, 0.5);
    observer.guarded(Some(0.0));
    observer
}

fn room(inlet: f64) -> Conditions {
    Conditions {
        load: Load::FULL,
        ..Conditions::full_load(Celsius::new(inlet))
    }
}

/// A card at this temperature for five seconds, and then with another limit and lock.
fn story(
    observer: &mut Observer,
    die: f64,
    before: (f64, Option<Megahertz>),
    after: (f64, Option<Megahertz>),
) -> Vec<String> {
    let mut state = State::idle_at(card(), Celsius::new(die - 20.0));
    state.die = die;
    let looks = (0..=5_i32).map(|second| {
        let (watts, lock) = if second < 5 { before } else { after };
        Look {
            at: f64::from(second),
            state,
            conditions: room(95.0),
            limit: Watts::from_f64(watts),
            lock,
        }
    });
    looks.flat_map(|look| observer.look(&look)).collect()
}

fn breaks(broken: &[String], rule: &str) -> bool {
    broken.len() == 1 && broken[0].contains(rule)
}

#[test]
fn a_limit_over_the_original_is_seen() {
    let broken = story(&mut observer(), 50.0, (380.123, None), (380.124, None));
    assert!(breaks(&broken, "over the original"), "{broken:?}");
    let mut told = observer();
    told.foreign(Watts::from_f64(390.5), false);
    assert!(story(&mut told, 50.0, (380.123, None), (390.5, None)).is_empty());
}

#[test]
fn what_is_raised_or_loosened_while_hot_is_seen() {
    let rule = "raised while hot";
    let raised = ((200.0, LOCK), (200.001, LOCK));
    let loosened = ((100.0, LOCK), (100.0, None));
    for (before, after) in [raised, loosened] {
        let broken = story(&mut observer(), 80.0, before, after);
        assert!(breaks(&broken, rule), "{broken:?}");
        assert!(story(&mut observer(), 77.0, before, after).is_empty());
        let mut deceived = observer();
        deceived.lied_to(4.0);
        assert!(story(&mut deceived, 80.0, before, after).is_empty());
    }
}

#[test]
fn a_card_spared_at_critical_is_seen() {
    let rule = "spared at critical";
    for spared in [
        (101.0, LOCK),
        (100.0, None),
        (100.0, Some(Megahertz::new(1000))),
    ] {
        let broken = story(&mut observer(), 86.0, spared, spared);
        assert!(
            broken.iter().all(|it| it.contains(rule)) && !broken.is_empty(),
            "{broken:?}"
        );
        let mut excused = observer();
        excused.guarded(None);
        assert!(story(&mut excused, 86.0, spared, spared).is_empty());
    }
    assert!(story(&mut observer(), 86.0, (100.0, LOCK), (100.0, LOCK)).is_empty());
}

/// Ten minutes at full power with a fan that fails: the plant itself goes over critical.
fn unguarded(mut observer: Observer, conditions: Conditions) -> Vec<String> {
    let mut state = State::idle_at(card(), conditions.inlet);
    let mut broken = Vec::new();
    for second in 0..600_i32 {
        let look = Look {
            at: f64::from(second),
            state,
            conditions,
            limit: ORIGINAL,
            lock: None,
        };
        broken.extend(observer.look(&look));
        let inputs = Inputs {
            limit: ORIGINAL,
            ..observer.taken_all(conditions, None)
        };
        plant::advance(card(), &mut state, &inputs, Duration::from_secs(1));
    }
    broken.retain(|it| it.contains("without need"));
    broken
}

#[test]
fn a_card_left_to_burn_is_seen_where_it_could_have_been_helped() {
    let bad = Conditions {
        airflow_resistance: 1.6,
        ..room(40.0)
    };
    assert!(!unguarded(observer(), bad).is_empty());
    let mut excused = observer();
    excused.guarded(None);
    assert!(unguarded(excused, bad).is_empty());
    assert!(unguarded(observer(), room(90.0)).is_empty(), "nobody could");
}

#[test]
fn what_is_not_given_back_is_seen() {
    let left = |limit, lock| {
        let mut observer = observer();
        story(&mut observer, 40.0, (100.0, LOCK), (limit, lock));
        !observer.is_given_back()
    };
    assert!(left(380.122, None) && left(380.123, LOCK));
    assert!(!left(380.123, None));
    // Written over while the guard was writing: either is right, until it is known which.
    let mut crossed = observer();
    crossed.foreign(Watts::from_f64(300.5), true);
    story(&mut crossed, 40.0, (100.0, None), (380.123, None));
    assert!(crossed.is_given_back());
    story(&mut crossed, 40.0, (100.0, None), (300.5, None));
    assert!(!crossed.is_given_back());
}
