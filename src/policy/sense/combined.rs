//! The card's own sensors at one moment, combined into one view.

use crate::units::Celsius;

use super::judge::Judge;
use super::judgement::View;
use super::sensor::Sensor;
use super::sensor::channel::Part;
use super::sensor::run::Trust;
use super::trips::{Heat, TripOrigin, Trips};

impl Judge {
    /// The view by the card's own sensors, and the doubted one among them.
    pub(super) fn view(&self, parts: [Part; 3]) -> (View, Option<Sensor>) {
        let [core, memory, margin] = parts;
        if parts.iter().all(|part| part.absent) {
            return (View::Never, None);
        }
        // If the margin is missing for more than a moment, the core replaces it.
        let gone = !margin.absent && (margin.trust == Trust::Lost || !margin.worked);
        let gone = gone && margin.believed().is_none();
        let by_core = self.trips.origin != TripOrigin::Margin || gone;
        let core_trips = if gone {
            self.stand_in()
        } else {
            self.trips.core
        };
        let memory_trips = self
            .trips
            .memory
            .or(gone.then(Trips::of_unknown_memory))
            .filter(|_| !memory.absent);
        let core_heat = |value: Celsius| Heat::of(&core_trips, value);
        let memory_heat = |value: Celsius| memory_trips.map(|trips| Heat::of(&trips, value));
        let margin_heat = |value: Celsius| self.trips.of_margin(value);
        let fold = |value: &dyn Fn(Part) -> Option<Celsius>| {
            let core = value(core).filter(|_| by_core).map(core_heat);
            let memory = value(memory).and_then(memory_heat);
            let margin = value(margin).map(margin_heat);
            [core, memory, margin]
                .into_iter()
                .flatten()
                .reduce(Heat::worse)
        };
        // Another sensor may cover one that can't be read. But a sensor that lies makes all
        // suspect, because the same firmware reads them.
        let lies = |part: Part| !part.absent && part.value.is_some();
        let due = [
            (Sensor::Core, core, (by_core && !core.absent) || lies(core)),
            (
                Sensor::Memory,
                memory,
                memory_trips.is_some() || lies(memory),
            ),
            (Sensor::Margin, margin, !margin.absent && !gone),
        ];
        let lacking = |trust| {
            let found = due
                .iter()
                .find(|(_, part, due)| *due && part.trust == trust);
            found.map(|(sensor, ..)| *sensor)
        };
        let said = fold(&|part: Part| part.value);
        if let Some(sensor) = lacking(Trust::Lost) {
            return (View::Blind(said), Some(sensor));
        }
        // On a card without a core sensor, nothing can replace the margin.
        let believed = fold(&Part::believed);
        let standing_in = gone.then_some(Sensor::Margin);
        let Some(heat) = believed.filter(|_| !gone || !core.absent) else {
            let view = match standing_in {
                Some(_) if margin.trust == Trust::Lost => View::Blind(said),
                _ => View::Blink,
            };
            return (view, standing_in);
        };
        match (lacking(Trust::Blink), said) {
            // A critical reading counts at once, whatever the other sensors say.
            (Some(_), Some(said)) if said.is_critical() => (View::Clear(said), standing_in),
            (Some(_), _) => (View::Blink, standing_in),
            (None, _) => (View::Clear(heat), standing_in),
        }
    }

    /// The core's trips while the margin can't be read: by the margin's last reading, and never
    /// above the trips of the card or the configuration.
    fn stand_in(&self) -> Trips {
        let told = self.trips.core;
        match self.core_at_zero {
            Some(zero) if zero < told.critical => Trips::under(zero),
            _ => told,
        }
    }
}
