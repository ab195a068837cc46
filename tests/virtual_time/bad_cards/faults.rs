//! The table of faults that a history draws from.

use proptest::prelude::*;

use thermal_guard::sim::card::Card;
use thermal_guard::sim::faults::{Answer, Call, Sensor, Setter};
use thermal_guard::sim::profile::Profile;

/// A sensor of the card's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Core,
    Memory,
    Margin,
    Draw,
}

/// A setter of the card's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knob {
    Limit,
    Clock,
}

/// How a setter lies; numbers as shares of the card's range.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lie {
    Quantise(u32, u32),
    ClampLow(f64),
    ClampHigh(f64),
    Refuse(u32),
    RefuseBelow(f64),
    Ignore,
    Forget(f64),
    Honest,
}

/// One thing that is wrong with the card.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// A call answers this code, or number, so many times (0: for ever).
    Call(Call, Result<i64, u32>, u32),
    Setter(Knob, Lie),
    Sensor(Which, Sensor),
    /// Bits that stick, of no heat.
    Stuck(u64),
}

impl Fault {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Call(call, Err(_), times) => match (is_getter(*call), times) {
                (true, 1) => "getter fails once",
                (true, 0) => "getter fails for ever",
                (true, _) => "getter fails for a while",
                (false, 0) => "setter fails for ever",
                (false, _) => "setter fails for a while",
            },
            Self::Call(_, Ok(_), 0) => "absurd value for ever",
            Self::Call(..) => "absurd value for a while",
            Self::Setter(_, lie) => match lie {
                Lie::Quantise(..) => "setter quantises",
                Lie::ClampLow(_) | Lie::ClampHigh(_) => "setter clamps",
                Lie::Refuse(_) | Lie::RefuseBelow(_) => "setter refuses",
                Lie::Ignore => "setter ignores",
                Lie::Forget(_) => "setter forgets",
                Lie::Honest => "setter is mended",
            },
            Self::Sensor(_, sensor) if sensor.freeze != 0 => "sensor freezes",
            Self::Sensor(_, sensor) if sensor.cache_seconds > 0.0 => "sensor caches",
            Self::Sensor(_, sensor) if sensor.lag_seconds > 0.0 => "sensor lags",
            Self::Sensor(_, sensor) if sensor.offset != 0.0 => "sensor jumps",
            Self::Sensor(..) => "sensor is noisy",
            Self::Stuck(_) => "event bits stick",
        }
    }

    /// The thermal sensor, draw or event mask that it touches.
    pub(crate) fn touches(&self) -> Option<Touched> {
        match self {
            Self::Call(call, ..) => Some(match call {
                Call::Temperature | Call::TemperatureV => Touched::Sensor(Which::Core),
                Call::MemoryTemperature => Touched::Sensor(Which::Memory),
                Call::Margin => Touched::Sensor(Which::Margin),
                Call::PowerUsage => Touched::Sensor(Which::Draw),
                Call::EventReasons => Touched::Events,
                _ => return None,
            }),
            Self::Sensor(which, _) => Some(Touched::Sensor(*which)),
            Self::Stuck(_) => Some(Touched::Events),
            Self::Setter(..) => None,
        }
    }

    pub(crate) fn put(&self, card: &mut Card) {
        let faults = &mut card.faults;
        match self {
            Self::Call(call, said, times) => {
                let answer = match said {
                    Ok(value) => Answer::value(*value),
                    Err(code) => Answer::code(*code),
                };
                let answer = if *times == 0 {
                    answer
                } else {
                    answer.times(*times)
                };
                faults.answers.set(*call, answer);
            }
            Self::Setter(Knob::Limit, lie) => faults.power_limit = limit_setter(*lie, card.profile),
            Self::Setter(Knob::Clock, lie) => faults.gpu_clock = clock_setter(*lie, card.profile),
            Self::Sensor(which, sensor) => {
                let there = match which {
                    Which::Core => &mut faults.core,
                    Which::Memory => &mut faults.memory,
                    Which::Margin => &mut faults.margin,
                    Which::Draw => &mut faults.draw,
                };
                *there = *sensor;
            }
            Self::Stuck(bits) => faults.events.on = *bits,
        }
    }
}

/// The evidence that a fault has spoilt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    Sensor(Which),
    Events,
}

fn is_getter(call: Call) -> bool {
    !matches!(
        call,
        Call::SetPowerLimit | Call::LockGpuClock | Call::ResetGpuClock
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a range lies in it"
)]
fn between(low: u32, high: u32, share: f64) -> u32 {
    low + (f64::from(high - low) * share).round() as u32
}

fn limit_setter(lie: Lie, profile: &Profile) -> Setter {
    let (min, max) = (
        profile.min_limit.milliwatts(),
        profile.max_limit.milliwatts(),
    );
    match lie {
        Lie::Quantise(step, offset) => Setter::quantise(step, offset),
        Lie::ClampLow(share) => Setter::clamp(between(min, max, share), max),
        Lie::ClampHigh(share) => Setter::clamp(min, between(min, max, share)),
        Lie::Refuse(code) => Setter::refuse(code),
        Lie::RefuseBelow(share) => Setter::refuse_within(2, 0, between(min, max, share)),
        Lie::Ignore => Setter::ignore(),
        Lie::Forget(seconds) => Setter::forget(seconds),
        Lie::Honest => Setter::NONE,
    }
}

fn clock_setter(lie: Lie, profile: &Profile) -> Setter {
    let low = profile.gpu_clock_min.megahertz();
    let high = profile.gpu_clock_max.megahertz();
    match lie {
        Lie::Quantise(..) => Setter::quantise(15, 0),
        Lie::ClampLow(share) => Setter::clamp(between(low, high, share), high),
        Lie::ClampHigh(share) => Setter::clamp(low, between(low, high, share)),
        Lie::Refuse(code) => Setter::refuse(code),
        Lie::RefuseBelow(share) => Setter::refuse_within(2, 0, between(low, high, share)),
        Lie::Ignore => Setter::ignore(),
        Lie::Forget(seconds) => Setter::forget(seconds),
        Lie::Honest => Setter::NONE,
    }
}

#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn fault() -> impl Strategy<Value = Fault> {
    let codes = prop_oneof![
        2 => Just(3_u32), 2 => Just(999_u32), 1 => Just(2_u32), 1 => Just(4_u32),
        1 => Just(10_u32), 1 => Just(21_u32)
    ];
    let times = prop_oneof![2 => Just(1_u32), 1 => 2..8_u32, 1 => 8..60_u32, 2 => Just(0_u32)];
    let getter = prop_oneof![
        4 => Just(Call::Temperature),
        3 => Just(Call::MemoryTemperature),
        3 => Just(Call::Margin),
        3 => Just(Call::PowerUsage),
        3 => Just(Call::PowerLimit),
        1 => Just(Call::SmClock),
        1 => Just(Call::EventReasons),
        1 => Just(Call::Utilization),
        1 => Just(Call::Energy),
    ];
    let setter = prop_oneof![
        2 => Just(Call::SetPowerLimit),
        2 => Just(Call::LockGpuClock),
        1 => Just(Call::ResetGpuClock),
    ];
    let failing = (
        prop_oneof![3 => getter.clone(), 2 => setter],
        codes.clone(),
        times.clone(),
    )
        .prop_map(|(call, code, times)| Fault::Call(call, Err(code), times));
    let absurd = prop_oneof![
        Just(0_i64),
        Just(3),
        Just(255),
        Just(511),
        Just(-256),
        Just(4_294_967_295),
        Just(3_700_000_000),
        Just(20)
    ];
    let absurd = (getter, absurd, times).prop_map(|(call, value, times)| {
        // Low numbers are odd for a margin, but a card may say them.
        let call = if call == Call::Margin {
            Call::Temperature
        } else {
            call
        };
        Fault::Call(call, Ok(value), times)
    });
    let lie = prop_oneof![
        (prop_oneof![Just(1000_u32), Just(5000), Just(1)], 0..2_u32)
            .prop_map(|(step, offset)| Lie::Quantise(step, offset)),
        (0.0..1.0_f64).prop_map(Lie::ClampLow),
        (0.0..1.0_f64).prop_map(Lie::ClampHigh),
        codes.prop_map(Lie::Refuse),
        (0.0..1.0_f64).prop_map(Lie::RefuseBelow),
        Just(Lie::Ignore),
        (5.0..300.0_f64).prop_map(Lie::Forget),
        Just(Lie::Honest),
    ];
    let knob = prop_oneof![Just(Knob::Limit), Just(Knob::Clock)];
    let setter = (knob, lie).prop_map(|(knob, lie)| Fault::Setter(knob, lie));
    let which = prop_oneof![
        3 => Just(Which::Core), 2 => Just(Which::Memory), 2 => Just(Which::Margin),
        1 => Just(Which::Draw)
    ];
    let sensor = prop_oneof![
        (1.0..12.0_f64).prop_map(Sensor::cache),
        (1.0..15.0_f64).prop_map(Sensor::lag),
        (-30.0..10.0_f64).prop_map(Sensor::offset),
        (0.5..3.0_f64).prop_map(Sensor::noise),
        Just(Sensor::freeze()),
    ];
    let sensor = (which, sensor).prop_map(|(which, sensor)| Fault::Sensor(which, sensor));
    let stuck = prop_oneof![Just(0x20_u64), Just(0x40), Just(0x8), Just(0)].prop_map(Fault::Stuck);
    prop_oneof![4 => failing, 2 => absurd, 4 => setter, 3 => sensor, 1 => stuck]
}
