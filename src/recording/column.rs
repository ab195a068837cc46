//! The columns of a recording, by their names: of which card, and which value.

/// A value that is read. Other columns are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Core,
    Memory,
    Margin,
    Draw,
    Limit,
    Clock,
    Fan,
    Utilization,
    DefaultLimit,
    MinLimit,
    MaxLimit,
}

/// The meaning of one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Time,
    /// Tells which card a line is about.
    Card(Rank),
    /// The value, and of which card if a line has several.
    Of(Value, Option<String>),
    Ignored,
}

/// If several columns tell cards apart, the first of these does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Index,
    Uuid,
    Pci,
}

/// nvidia-smi's names, and those of plain tables.
const VALUES: [(&str, Value); 23] = [
    ("core_c", Value::Core),
    ("temperature.gpu", Value::Core),
    ("memory_c", Value::Memory),
    ("temperature.memory", Value::Memory),
    ("temperature.gpu.tlimit", Value::Margin),
    ("power_w", Value::Draw),
    ("power.draw", Value::Draw),
    ("power.draw.instant", Value::Draw),
    ("power.draw.average", Value::Draw),
    ("limit_w", Value::Limit),
    ("power.limit", Value::Limit),
    ("enforced.power.limit", Value::Limit),
    ("clock_mhz", Value::Clock),
    ("clocks.sm", Value::Clock),
    ("clocks.current.sm", Value::Clock),
    ("clocks.gr", Value::Clock),
    ("clocks.current.graphics", Value::Clock),
    ("fan_pct", Value::Fan),
    ("fan.speed", Value::Fan),
    ("utilization.gpu", Value::Utilization),
    ("power.default_limit", Value::DefaultLimit),
    ("power.min_limit", Value::MinLimit),
    ("power.max_limit", Value::MaxLimit),
];

impl Column {
    /// By its name in the header.
    pub(super) fn named(name: &str) -> Self {
        // nvidia-smi adds the unit: `power.draw [W]`.
        let bare = name.split('[').next().unwrap_or_default().trim();
        let bare = bare.to_ascii_lowercase();
        match bare.as_str() {
            "s" | "seconds" | "timestamp" => return Self::Time,
            "index" => return Self::Card(Rank::Index),
            "uuid" | "gpu_uuid" => return Self::Card(Rank::Uuid),
            "pci.bus_id" | "gpu_bus_id" | "gpu_bus_id.pci" => return Self::Card(Rank::Pci),
            _ => {}
        }
        if let Some(value) = value(&bare) {
            return Self::Of(value, None);
        }
        // `core_c_3`, and `gpu3_core_c`.
        let after = bare.rsplit_once('_').map(|(value, card)| (card, value));
        let before = bare.strip_prefix("gpu").and_then(|it| it.split_once('_'));
        let is_index = |card: &str| !card.is_empty() && card.bytes().all(|it| it.is_ascii_digit());
        let both = [after, before].into_iter().flatten();
        let mut found = both.filter(|(card, _)| is_index(card));
        found
            .find_map(|(card, name)| Some(Self::Of(value(name)?, Some(card.to_owned()))))
            .unwrap_or(Self::Ignored)
    }
}

fn value(name: &str) -> Option<Value> {
    let found = VALUES.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_known_by_both_families_of_names() {
        let of = |value, card: Option<&str>| Column::Of(value, card.map(str::to_owned));
        for (name, wanted) in [
            ("s", Column::Time),
            ("timestamp", Column::Time),
            ("power.draw [W]", of(Value::Draw, None)),
            ("temperature.gpu", of(Value::Core, None)),
            ("core_c_7", of(Value::Core, Some("7"))),
            ("gpu0_core_c", of(Value::Core, Some("0"))),
            ("uuid", Column::Card(Rank::Uuid)),
            ("hotspot_c", Column::Ignored),
            ("power_instant_w", Column::Ignored),
            ("name", Column::Ignored),
        ] {
            assert_eq!(Column::named(name), wanted, "{name}");
        }
    }
}
