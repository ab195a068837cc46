//! One GPU over time, packed: 16 bytes for each scrape, so that a month of a node fits into a few
//! megabytes.

/// A scrape of one GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Tenths of a second since the start of the period.
    at: u32,
    /// Tenths of a degree over −100 °C.
    core: u16,
    /// Tenths of a watt.
    draw: u16,
    clock: u16,
    memory: u8,
    /// Per cent.
    fan: u8,
    slowdown: Slowdown,
}

/// What the card said about its own slowdown at a scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Slowdown {
    /// The reasons aren't exported.
    #[default]
    Untold,
    None,
    /// By heat: the driver's software slowdown, the hardware's, or both.
    Thermal,
}

const NO_WORD: u16 = u16::MAX;
const NO_BYTE: u8 = u8::MAX;
const COLDEST: f64 = -100.0;

/// The values of a scrape. `None`: not exported.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Values {
    pub core_celsius: Option<f64>,
    pub memory_celsius: Option<f64>,
    pub watts: Option<f64>,
    pub megahertz: Option<f64>,
    /// Share of the highest speed.
    pub fan: Option<f64>,
    pub slowdown: Slowdown,
}

impl Row {
    pub fn new(seconds: f64, values: &Values) -> Self {
        let core = values.core_celsius.map(|it| (it - COLDEST) * 10.0);
        Self {
            at: long(seconds * 10.0),
            core: word(core),
            draw: word(values.watts.map(|it| it * 10.0)),
            clock: word(values.megahertz),
            memory: byte(values.memory_celsius),
            fan: byte(values.fan.map(|it| it * 100.0)),
            slowdown: values.slowdown,
        }
    }

    pub fn seconds(&self) -> f64 {
        f64::from(self.at) / 10.0
    }

    pub fn core_celsius(&self) -> Option<f64> {
        (self.core != NO_WORD).then(|| f64::from(self.core) / 10.0 + COLDEST)
    }

    pub fn memory_celsius(&self) -> Option<f64> {
        (self.memory != NO_BYTE).then(|| f64::from(self.memory))
    }

    pub fn watts(&self) -> Option<f64> {
        (self.draw != NO_WORD).then(|| f64::from(self.draw) / 10.0)
    }

    pub fn megahertz(&self) -> Option<f64> {
        (self.clock != NO_WORD).then(|| f64::from(self.clock))
    }

    pub fn fan(&self) -> Option<f64> {
        (self.fan != NO_BYTE).then(|| f64::from(self.fan) / 100.0)
    }

    pub const fn slowdown(&self) -> Slowdown {
        self.slowdown
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float cast saturates"
)]
fn long(value: f64) -> u32 {
    value.round() as u32
}

fn word(value: Option<f64>) -> u16 {
    let fits = |it: &f64| (0.0..f64::from(NO_WORD)).contains(&it.round());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range"
    )]
    let packed = |it: f64| it.round() as u16;
    value.filter(fits).map_or(NO_WORD, packed)
}

fn byte(value: Option<f64>) -> u8 {
    let fits = |it: &f64| (0.0..f64::from(NO_BYTE)).contains(&it.round());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "in range"
    )]
    let packed = |it: f64| it.round() as u8;
    value.filter(fits).map_or(NO_BYTE, packed)
}

/// Facts about the card, as far as its exporter tells them.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub struct Told {
    pub default_limit_watts: Option<f64>,
    pub min_limit_watts: Option<f64>,
    /// The temperature at which the card slows itself down, or its maximum operating temperature.
    pub max_operating_celsius: Option<f64>,
    /// The trips of the guard that exported the history.
    pub alert_celsius: Option<f64>,
    pub critical_celsius: Option<f64>,
    /// What counters say about slowdown by heat, over the whole period.
    pub slowed_seconds: Option<f64>,
    /// How long a guard throttled the card, if one ran.
    pub guarded_seconds: Option<f64>,
}

/// A GPU over the period.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Its UUID, or another name of which there is only one.
    pub key: String,
    /// The machine, and the GPU's index there.
    pub host: Option<String>,
    pub index: Option<String>,
    pub model: Option<String>,
    pub told: Told,
    /// In the order of time.
    pub rows: Vec<Row>,
}

impl History {
    /// For people: `node-7/3`, or the key.
    pub fn name(&self) -> String {
        match (&self.host, &self.index) {
            (Some(host), Some(index)) => format!("{host}/{index}"),
            (None, Some(index)) if self.key.is_empty() => index.clone(),
            (Some(host), None) => format!("{host} {}", self.key),
            _ => self.key.clone(),
        }
    }

    /// Seconds from the start of the period to the last scrape.
    pub fn length(&self) -> f64 {
        self.rows.last().map_or(0.0, Row::seconds)
    }

    /// The usual time between two scrapes, in seconds. `None`: fewer than two.
    pub fn interval(&self) -> Option<f64> {
        let rows = &self.rows[..self.rows.len().min(20_001)];
        let steps = rows.windows(2);
        let mut steps: Vec<f64> = steps
            .map(|pair| pair[1].seconds() - pair[0].seconds())
            .collect();
        if steps.is_empty() {
            return None;
        }
        let middle = steps.len() / 2;
        let (_, median, _) = steps.select_nth_unstable_by(middle, f64::total_cmp);
        Some(median.max(0.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_row_keeps_what_exporters_tell() {
        assert_eq!(size_of::<Row>(), 16);
        let values = Values {
            core_celsius: Some(78.0),
            memory_celsius: Some(92.0),
            watts: Some(1012.3),
            megahertz: Some(1980.0),
            fan: Some(0.62),
            slowdown: Slowdown::Thermal,
        };
        let row = Row::new(2_592_000.0, &values);
        let back = Values {
            core_celsius: row.core_celsius(),
            memory_celsius: row.memory_celsius(),
            watts: row.watts(),
            megahertz: row.megahertz(),
            fan: row.fan(),
            slowdown: row.slowdown(),
        };
        assert_eq!((row.seconds(), back), (2_592_000.0, values));
        let none = Row::new(0.0, &Values::default());
        assert_eq!(none.core_celsius(), None);
        assert_eq!(none.watts(), None);
    }

    #[test]
    fn a_value_that_no_card_has_is_none() {
        // What DCGM exports of a card without the sensor.
        let values = Values {
            core_celsius: Some(9.223e18),
            memory_celsius: Some(9.223e18),
            watts: Some(-1.0),
            ..Values::default()
        };
        let row = Row::new(0.0, &values);
        assert_eq!(row.core_celsius(), None);
        assert_eq!(row.memory_celsius(), None);
        assert_eq!(row.watts(), None);
    }
}
