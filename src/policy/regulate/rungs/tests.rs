use super::*;
use crate::device::ByKnob;
use crate::units::Watts;

impl Rungs {
    /// These rungs, and nothing for emergencies.
    pub(crate) fn with(all: Vec<Targets>) -> Self {
        Self {
            all,
            emergency: Targets::default(),
            blind: Targets::default(),
            contested: None,
            leased: None,
        }
    }
}

fn w(watts: u32) -> Watts {
    Watts::from_watts(watts)
}

fn facts() -> Facts {
    Facts {
        power: Some(PowerConstraints {
            default: w(400),
            min: w(100),
            max: w(400),
        }),
        gpu_clock_min: Some(Megahertz::new(210)),
        gpu_clock_max: Some(Megahertz::new(2000)),
        memory_clocks: [2000, 1000, 900, 400].map(Megahertz::new).to_vec(),
        ..Facts::default()
    }
}

fn range(min: u32, max: u32) -> ClockRange {
    ClockRange {
        min: Megahertz::new(min),
        max: Megahertz::new(max),
    }
}

/// With all that is configured and offered.
fn made(settings: &Settings) -> Rungs {
    Rungs::new(settings, &facts(), &Means::all(settings, &facts()))
}

fn under_floor(settings: &Settings) -> Rungs {
    Rungs::under_floor(settings, &facts(), &Means::all(settings, &facts()))
}

fn settings() -> Settings {
    Settings {
        enabled: ByKnob::of(|_| true),
        gradual_floor: Ratio::new(0.475),
        ..Settings::default()
    }
}

#[test]
fn the_limit_goes_first_then_clock_batch_memory_and_the_minimum() {
    let rungs = made(&settings());
    let limits: Vec<_> = rungs.all.iter().map(|rung| rung.limit).collect();
    // Seven steps of 30 W from the default to the floor of 190 W.
    let mut expected = vec![None];
    expected.extend([370, 340, 310, 280, 250, 220, 190].map(|watts| Some(w(watts))));
    expected.extend([Some(w(190)); 5]);
    expected.push(Some(w(100)));
    assert_eq!(limits, expected);
    let late = |at: usize| {
        let rung = rungs.all[at];
        (rung.locks[Gpu], rung.app, rung.locks[Memory])
    };
    let memory = Some(range(1000, 1000));
    assert_eq!(late(7), (None, AppMode::Gradual, None));
    // Down to the emergency's lock: with less, a card could be held only there.
    for (rung, clock) in [(8, 1500), (9, 1200), (10, 1000)] {
        assert_eq!(
            late(rung),
            (Some(range(210, clock)), AppMode::Gradual, None)
        );
    }
    let lock = Some(range(210, 1000));
    assert_eq!(late(11), (lock, AppMode::GradualBatch, None));
    assert_eq!(late(12), (lock, AppMode::GradualBatch, memory));
    assert_eq!(late(13), (lock, AppMode::GradualBatch, memory));
}

#[test]
fn emergency_is_the_minimum_and_half_the_clock_and_blindness_the_floor_and_a_lock() {
    let rungs = made(&settings());
    let emergency = Targets {
        limit: Some(w(100)),
        locks: ByClock::only(Gpu, Some(range(210, 1000))),
        app: AppMode::Emergency,
        ..Targets::default()
    };
    assert_eq!(rungs.emergency(), emergency);
    let blind = Targets {
        limit: Some(w(190)),
        // Holds where the limit can't: it may be that low already, or not be taken.
        locks: ByClock::only(Gpu, Some(range(210, 1500))),
        app: AppMode::Gradual,
        ..Targets::default()
    };
    assert_eq!(rungs.blind(), blind);
    assert_eq!(rungs.contested_clock(), Some(range(210, 1500)));
}

#[test]
fn under_the_floor_the_locks_are_finer() {
    let rungs = under_floor(&settings());
    let locks: Vec<_> = rungs
        .all
        .iter()
        .map(|rung| rung.locks[Gpu].map(|lock| lock.max.megahertz()))
        .collect();
    let mut expected = vec![None, None];
    expected.extend([1900, 1800, 1700, 1600, 1500, 1400, 1200, 1000].map(Some));
    expected.extend([Some(1000); 3]);
    assert_eq!(locks, expected);
    assert_eq!(rungs.all[1].limit, Some(w(190)));
    assert_eq!(rungs.all[12].limit, Some(w(100)));
    assert_eq!(rungs.emergency().locks[Gpu], Some(range(210, 1000)));
}

#[test]
fn a_knob_that_may_not_be_used_has_no_rung() {
    let settings = Settings {
        enabled: ByKnob::default(),
        ..settings()
    };
    for rungs in [made(&settings), under_floor(&settings)] {
        let apps: Vec<_> = rungs.all.iter().map(|rung| rung.app).collect();
        assert_eq!(apps, [AppMode::Gradual, AppMode::GradualBatch]);
        assert_eq!(
            (rungs.emergency().limit, rungs.contested_clock()),
            (None, None)
        );
    }
}

#[test]
fn without_a_limit_the_locks_begin_sooner() {
    let means = Means {
        power: None,
        ..Means::all(&settings(), &facts())
    };
    let rungs = Rungs::new(&settings(), &facts(), &means);
    let locks = rungs.all.iter().filter_map(|rung| rung.locks[Gpu]);
    let mut locks: Vec<_> = locks.map(|lock| lock.max.megahertz()).collect();
    locks.dedup();
    assert_eq!(locks, [1700, 1500, 1200, 1000]);
    assert_eq!(rungs.blind().locks[Gpu], Some(range(210, 1500)));
    assert!(rungs.all.iter().all(|rung| rung.limit.is_none()));
}

#[test]
fn a_memory_lock_is_the_lowest_clock_of_at_least_half() {
    for (clocks, lock) in [
        (&[2000, 1000, 999][..], Some(1000)),
        (&[2000, 999], None),
        (&[2000], None),
        (&[], None),
    ] {
        let facts = Facts {
            memory_clocks: clocks.iter().copied().map(Megahertz::new).collect(),
            ..Facts::default()
        };
        let lock = lock.map(|clock| range(clock, clock));
        assert_eq!(
            memory_range(&Means::all(&settings(), &facts), &facts),
            lock,
            "{clocks:?}"
        );
    }
}

#[test]
fn a_lock_is_no_range_upside_down() {
    let facts = Facts {
        gpu_clock_min: Some(Megahertz::new(1200)),
        gpu_clock_max: Some(Megahertz::new(2000)),
        ..Facts::default()
    };
    assert_eq!(
        clock_range(&facts, Ratio::new(0.5)),
        Some(range(1000, 1000))
    );
    let silent = Facts {
        gpu_clock_min: None,
        ..facts
    };
    assert_eq!(clock_range(&silent, Ratio::new(0.5)), Some(range(0, 1000)));
}
