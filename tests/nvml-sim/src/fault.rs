//! What can be wrong with a card, by the names the control command has for it.

/// One thing wrong with a whole card. A set of them is a bit mask in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Fault {
    None = 0,
    /// Fell off the bus: every call says `GPU_IS_LOST`.
    Lost = 1,
    /// Every call that touches the card blocks until the fault is cleared.
    Hang = 1 << 1,
    /// Setters say `NO_PERMISSION`, as for a process that isn't root.
    NoPermission = 1 << 2,
    /// Temperatures and margin stay where they were; the card doesn't.
    FrozenTemperature = 1 << 3,
    /// Setters say `SUCCESS`, and nothing happens.
    IgnoredWrites = 1 << 4,
    /// Every reading fails with `UNKNOWN`; setters work.
    FailingReads = 1 << 5,
    /// Every call answers any code and any value, now and then the true ones; see `wild`.
    AnyAnswer = 1 << 6,
}

impl Fault {
    pub const ALL: [(&'static str, Self); 8] = [
        ("none", Self::None),
        ("lost", Self::Lost),
        ("hang", Self::Hang),
        ("no-permission", Self::NoPermission),
        ("frozen-temperature", Self::FrozenTemperature),
        ("ignored-writes", Self::IgnoredWrites),
        ("failing-reads", Self::FailingReads),
        ("any-answer", Self::AnyAnswer),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, fault)| fault)
    }

    pub const fn bit(self) -> u32 {
        self as u32
    }

    /// The names in a mask: `none`, `hang,no-permission`.
    pub fn names(mask: u32) -> String {
        let there = Self::ALL
            .iter()
            .filter(|(_, fault)| mask & fault.bit() != 0);
        let names: Vec<_> = there.map(|&(name, _)| name).collect();
        if names.is_empty() {
            return Self::ALL[0].0.to_owned();
        }
        names.join(",")
    }
}

/// A group of calls a card or driver may not support. A set of them is a bit mask in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Feature {
    /// Identity, memory, ECC and the like: always there.
    Always = 0,
    Temperature = 1,
    MemoryTemperature = 1 << 1,
    Power = 1 << 2,
    PowerLimit = 1 << 3,
    Margin = 1 << 4,
    Thresholds = 1 << 5,
    Clocks = 1 << 6,
    Fan = 1 << 7,
    Energy = 1 << 8,
    Locks = 1 << 9,
    Events = 1 << 10,
    Utilization = 1 << 11,
    AveragePower = 1 << 12,
    PcieThroughput = 1 << 13,
}

impl Feature {
    pub const ALL: [(&'static str, Self); 14] = [
        ("temperature", Self::Temperature),
        ("memory-temperature", Self::MemoryTemperature),
        ("power", Self::Power),
        ("power-limit", Self::PowerLimit),
        ("margin", Self::Margin),
        ("thresholds", Self::Thresholds),
        ("clocks", Self::Clocks),
        ("fan", Self::Fan),
        ("energy", Self::Energy),
        ("locks", Self::Locks),
        ("events", Self::Events),
        ("utilization", Self::Utilization),
        ("average-power", Self::AveragePower),
        ("pcie-throughput", Self::PcieThroughput),
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, feature)| feature)
    }

    pub const fn bit(self) -> u32 {
        self as u32
    }

    /// Its name; what is always there has none of its own.
    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(_, feature)| *feature == self);
        known.map_or("other", |&(name, _)| name)
    }

    /// The names in a mask.
    pub fn names(mask: u32) -> Vec<&'static str> {
        Self::ALL
            .iter()
            .filter(|(_, feature)| mask & feature.bit() != 0)
            .map(|&(name, _)| name)
            .collect()
    }
}
