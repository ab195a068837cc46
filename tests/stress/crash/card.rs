//! The knobs that a guard may use, and how the card treats writes: each story draws one of each.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::common::dice::Dice;
use crate::common::guard::Guard;

/// Guards of one story, and `restore`.
const MOST_GUARDS: usize = 6;

/// The knobs that the configuration leaves to the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knobs {
    Limit,
    Clock,
    Both,
    /// With the memory clock, on a card that has several.
    All,
    /// With the fans, on a card whose firmware leaves room in its curve. Only in stories of their own.
    Fans,
}

impl Knobs {
    const ALL: [Self; 4] = [Self::Limit, Self::Clock, Self::Both, Self::All];

    pub(super) fn draw(dice: &mut Dice) -> Self {
        Self::ALL[dice.index(Self::ALL.len())]
    }

    const fn actuators(self) -> &'static str {
        match self {
            Self::Limit => "{ gpu_clock: { enabled: false } }",
            Self::Clock => "{ power_limit: { enabled: false } }",
            Self::Both => "{}",
            Self::All => "{ memory_clock: { enabled: true } }",
            Self::Fans => "{ fan: { enabled: true } }",
        }
    }

    /// The cards on which all of them are there.
    pub(super) const fn profiles(self) -> &'static [&'static str] {
        match self {
            Self::All => &["l40s", "rtx-4090"],
            Self::Fans => &["rtx-4090", "rtx-6000-ada"],
            _ => &["a100-80gb", "v100-32gb", "l40s", "rtx-4090"],
        }
    }

    const fn has_limit(self) -> bool {
        !matches!(self, Self::Clock)
    }

    const fn has_clock(self) -> bool {
        !matches!(self, Self::Limit)
    }
}

/// How the card treats a number that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setter {
    Honest,
    /// A milliwatt less, as reported of real cards; of a clock, whole steps.
    RoundsALittle,
    /// The same in steps of 5 W.
    RoundsTo5W,
    /// Raises a lower number to its own minimum.
    ClampsLow,
    /// Lowers a higher number to its own maximum: the original can't be given back.
    ClampsHigh,
    /// Answers with this code of NVML's; for some of the time.
    Refuses(u32),
    /// Refuses low numbers.
    RefusesLow(u32),
    /// Refuses high numbers, and so the original.
    RefusesHigh(u32),
    /// Says success, for some of the time.
    Ignores,
}

impl Setter {
    /// Told in turn, so that a few stories meet each.
    const ALL: [Self; 12] = [
        Self::Honest,
        Self::RoundsALittle,
        Self::RoundsTo5W,
        Self::ClampsLow,
        Self::ClampsHigh,
        Self::Refuses(2),
        Self::Refuses(3),
        Self::Refuses(999),
        Self::RefusesLow(2),
        Self::RefusesLow(999),
        Self::RefusesHigh(3),
        Self::Ignores,
    ];

    pub(super) fn of_story(seed: u64) -> Self {
        Self::ALL[usize::try_from(seed).unwrap_or(0) % Self::ALL.len()]
    }

    /// Ends by itself, at some moment of the story.
    pub(super) const fn passes(self) -> bool {
        matches!(self, Self::Refuses(_) | Self::Ignores)
    }

    /// The original can't be given back as long as it lasts.
    pub(super) const fn keeps(self) -> bool {
        matches!(
            self,
            Self::ClampsHigh | Self::Refuses(_) | Self::RefusesHigh(_) | Self::Ignores
        )
    }

    /// Whether a card may have this limit, in mW, of an original one. A guard that finds a rounded
    /// limit can't know that there was another: it is rounded once more in each guard's life.
    pub(super) fn may_have(self, limit: u32, original: u32) -> bool {
        let stored = |limit: &u32| Some(self.stored(*limit));
        std::iter::successors(Some(original), stored)
            .take(1 + MOST_GUARDS)
            .any(|it| it == limit)
    }

    const fn stored(self, original: u32) -> u32 {
        match self {
            Self::RoundsALittle => original - 1,
            Self::RoundsTo5W => original / 5000 * 5000 - 1,
            _ => original,
        }
    }

    fn of_limit(self, original: u32) -> String {
        let share = |percent| original / 100 * percent;
        match self {
            Self::Honest => "none".to_owned(),
            Self::RoundsALittle => "quantise=1,offset=1".to_owned(),
            Self::RoundsTo5W => "quantise=5000,offset=1".to_owned(),
            Self::ClampsLow => format!("clamp={}:{original}", share(60)),
            Self::ClampsHigh => format!("clamp=100000:{}", share(70)),
            Self::Refuses(code) => format!("refuse={code}"),
            Self::RefusesLow(code) => format!("refuse={code}:0:{}", share(60)),
            Self::RefusesHigh(code) => format!("refuse={code}:{}:{}", share(80), 2 * original),
            Self::Ignores => "ignore".to_owned(),
        }
    }

    fn of_clock(self) -> String {
        match self {
            Self::Honest => "none".to_owned(),
            Self::RoundsALittle => "quantise=15".to_owned(),
            Self::RoundsTo5W => "quantise=100".to_owned(),
            Self::ClampsLow => "clamp=900:20000".to_owned(),
            Self::ClampsHigh => "clamp=1:1000".to_owned(),
            Self::Refuses(code) => format!("refuse={code}"),
            Self::RefusesLow(code) => format!("refuse={code}:0:1000"),
            Self::RefusesHigh(code) => format!("refuse={code}:1200:20000"),
            Self::Ignores => "ignore".to_owned(),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::RoundsALittle => "1 mW less",
            Self::RoundsTo5W => "5 W steps",
            Self::ClampsLow => "clamps low",
            Self::ClampsHigh => "clamps high",
            Self::Refuses(_) => "refuses for a while",
            Self::RefusesLow(_) => "refuses what is low",
            Self::RefusesHigh(_) => "refuses what is high",
            Self::Ignores => "ignores for a while",
        }
    }
}

/// The card of one story.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    pub(super) knobs: Knobs,
    pub(super) setter: Setter,
}

impl Card {
    pub(super) const HONEST: Self = Self {
        knobs: Knobs::Both,
        setter: Setter::Honest,
    };

    /// The configuration of a guard with these knobs, and with an application.
    pub(super) fn config(self) -> String {
        let app =
            "apps: [{ name: app, env_file: { path: app.env, key: batch, normal: 4, gradual: 1 } }]";
        format!("{app}\nactuators: {}\n", self.knobs.actuators())
    }

    pub(super) fn misbehave(self, guard: &Guard, original: f64) {
        let milliwatts = milliwatts(original);
        if self.knobs.has_limit() {
            let how = self.setter.of_limit(milliwatts);
            guard.machine.ctl(&["setter", "power-limit", &how]);
        }
        if self.knobs.has_clock() {
            let how = self.setter.of_clock();
            guard.machine.ctl(&["setter", "gpu-clock", &how]);
            guard.machine.ctl(&["setter", "memory-clock", &how]);
        }
        if let (Knobs::Fans, Setter::Refuses(code)) = (self.knobs, self.setter) {
            for call in ["set-fan-speed", "set-default-fan-speed"] {
                let code = code.to_string();
                guard.machine.ctl(&["answer", "--gpu", "0", call, &code]);
            }
        }
    }

    pub(super) fn behave(guard: &Guard) {
        for knob in ["power-limit", "gpu-clock", "memory-clock"] {
            guard.machine.ctl(&["setter", knob, "none"]);
        }
        guard.machine.ctl(&["answer", "--gpu", "0", "--clear"]);
    }

    /// A lock can't be read, so the guard can't know that the card only claims to have reset it.
    pub(super) fn ignores_resets(self) -> bool {
        self.setter == Setter::Ignores && self.knobs.has_clock()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a limit in whole milliwatts"
)]
pub(super) fn milliwatts(watts: f64) -> u32 {
    (watts * 1000.0).round() as u32
}

/// How many stories of each kind were told.
#[derive(Default)]
pub(super) struct Told(Mutex<BTreeMap<String, u64>>);

impl Told {
    pub(super) fn count(&self, what: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(what.to_owned()).or_default() += 1;
    }

    pub(super) fn card(&self, card: Card) {
        self.count(&format!("knobs {:?}", card.knobs));
        self.count(&format!("setter {}", card.setter.name()));
    }

    pub(super) fn text(&self) -> String {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let each = counts
            .iter()
            .map(|(what, count)| format!("{what}: {count}"));
        each.collect::<Vec<_>>().join(", ")
    }
}
