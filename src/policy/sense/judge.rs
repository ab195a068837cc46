//! The judgement: hot, cool or unknown, over all sensors of a card and those beside it.

use std::time::Duration;

use crate::device::{Facts, Reading};
use crate::units::{Celsius, Moment, Ratio, Watts};

use super::super::probe::{self, Probe};
use super::super::zone::{Heat, TripOrigin, TripOverrides, TripTable, Trips};
use super::channel::{Channel, Part, Surroundings};
use super::evidence::Evidence;
use super::fall::Recent;
use super::run::{Run, Trust};
use super::sensor::{BySensor, Doubt, Sensor, SensorReport, SensorState};
use super::slowdown::{Slowdown, holds_itself};
use super::still::{Draw, LATELY};

/// How long a reading may stand still while the draw moves. A memory stack follows its power within
/// 20 s, and its heat sink within a minute.
const STANDS: [Duration; 3] = [
    Duration::from_secs(20),
    Duration::from_secs(35),
    Duration::from_secs(20),
];

/// A draw that can't be read is the last one for this long, and unknown after it.
const DRAW_HOLDS: Duration = Duration::from_secs(3);

/// What the guard sees on a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum View {
    /// Neither the card nor a file beside it has ever offered a temperature.
    Never,
    Clear(Heat),
    /// A read failed, which happens: hold still.
    Blink,
    /// A sensor that must be seen can't be, or isn't believed. What the others say may only add
    /// protection.
    Blind(Option<Heat>),
}

/// How hot a card is, and how that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    pub view: View,
    /// Why the sensors aren't all taken at their word.
    pub doubt: Option<Doubt>,
    /// Whose doubt it is, where it is one sensor's.
    pub doubted: Option<Sensor>,
    pub sensors: BySensor<SensorReport>,
    /// The draw, now or a moment ago.
    pub draw: Option<Watts>,
}

impl Judgement {
    /// All that must be seen is, and it is cool enough to give everything back.
    pub fn is_cool(&self) -> bool {
        let contradicted = self.doubt == Some(Doubt::Contradicted);
        matches!(self.view, View::Clear(heat) if heat.is_safe()) && !contradicted
    }
}

/// What is known of one card's sensors, and where its trips lie.
#[derive(Clone, Debug)]
pub struct Judge {
    by: TripOverrides,
    trips: TripTable,
    channels: [Channel; 3],
    power: Evidence,
    last_draw: Option<(Moment, Watts)>,
    /// There is no draw, and how busy the card is stands in for it.
    by_busy: bool,
    draw: Draw,
    recent: Recent,
    slowdown: Slowdown,
    /// The files, of a card that has no sensor of its own.
    beside: Run,
    /// Core and margin together, when both were last believed: the core temperature at margin 0.
    core_at_zero: Option<Celsius>,
    /// Falls are what is waited for.
    expects_falls: bool,
    driver_version: Option<String>,
}

impl Judge {
    pub fn new(by: TripOverrides, facts: &Facts) -> Self {
        Self {
            by,
            trips: TripTable::resolve(&by, facts, false, false),
            channels: STANDS.map(Channel::new),
            power: Evidence::default(),
            last_draw: None,
            by_busy: false,
            draw: Draw::new(facts.power.map(|power| power.default)),
            recent: Recent::default(),
            slowdown: Slowdown::of(facts),
            beside: Run::default(),
            core_at_zero: None,
            expects_falls: false,
            driver_version: None,
        }
    }

    /// For who waits until a card has cooled down, and looks seldom: no fall is too fast.
    #[must_use]
    pub const fn expecting_falls(mut self) -> Self {
        self.expects_falls = true;
        self
    }

    /// The card was opened anew, perhaps by another driver, which may have other sensors.
    pub fn reopened(&mut self, driver_version: Option<&str>) {
        let known = self.driver_version.as_deref();
        let told = known.is_some() && driver_version.is_some();
        if told && known != driver_version {
            let all = self.channels.iter_mut();
            for evidence in all.map(|it| &mut it.evidence).chain([&mut self.power]) {
                (evidence.offered, evidence.worked) = (false, false);
            }
        }
        if driver_version.is_some() {
            self.driver_version = driver_version.map(str::to_owned);
        }
    }

    /// Other settings, or other facts of the card.
    pub fn recalibrate(&mut self, by: TripOverrides, facts: &Facts) {
        self.by = by;
        self.draw
            .set_default_limit(facts.power.map(|power| power.default));
        self.slowdown.recalibrate(facts);
        self.resolve(facts);
    }

    fn resolve(&mut self, facts: &Facts) {
        let [core, memory, margin] = self.present();
        self.trips = TripTable::resolve(&self.by, facts, margin, memory);
        self.trips.has_core = core;
    }

    /// A guard before this one has doubted these sensors: each must prove itself again.
    pub fn inherit(&mut self, doubted: &[(Sensor, Doubt)]) {
        for &(sensor, doubt) in doubted {
            let still = !matches!(doubt, Doubt::Missing);
            if let Some(channel) = self.channels.get_mut(sensor as usize) {
                channel.run.inherit(still);
                (channel.evidence.offered, channel.evidence.worked) = (true, true);
                channel.evidence.doubt = Some(Doubt::Inherited);
            }
        }
    }

    /// The sensors that aren't trusted now, and why: what a guard after this one must know.
    pub fn doubted(&self) -> BySensor<Option<Doubt>> {
        BySensor::of(|sensor| {
            let channel = self.channels.get(sensor as usize)?;
            let lost = channel.run.is_lost();
            lost.then(|| channel.evidence.doubt.unwrap_or(Doubt::Missing))
        })
    }

    pub const fn trips(&self) -> &TripTable {
        &self.trips
    }

    fn present(&self) -> [bool; 3] {
        [0, 1, 2].map(|index: usize| {
            let evidence = &self.channels[index].evidence;
            evidence.offered || evidence.is_pending()
        })
    }

    /// `in_turn`: not woken out of turn.
    pub fn look(
        &mut self,
        now: Moment,
        reading: &Reading,
        facts: &Facts,
        probes: &[Probe],
        in_turn: bool,
    ) -> Judgement {
        let before = self.present();
        let draw = self.read_draw(now, reading, in_turn);
        let parts = self.read_sensors(now, reading, draw, in_turn);
        if self.present() != before || self.trips.has_core != self.present()[0] {
            self.resolve(facts);
        }
        let (view, doubted) = self.view(parts);
        let view = self.beside(now, view, probes, in_turn);
        let (view, contradicted) = self.contradicted(now, reading, view);
        let doubt = doubted.map(|it| self.doubt_of(it));
        let lost = probes.iter().any(|probe| probe.now.is_none());
        let doubt = contradicted.or(doubt).or(lost.then_some(Doubt::Probe));
        Judgement {
            view: joined(view, probes),
            doubt,
            doubted: doubted.filter(|_| contradicted.is_none()),
            sensors: BySensor::of(|sensor| self.report(sensor)),
            draw,
        }
    }

    fn read_draw(&mut self, now: Moment, reading: &Reading, in_turn: bool) -> Option<Watts> {
        self.power.note(now, reading.draw.err(), in_turn);
        let holds = |(at, _): &(Moment, Watts)| now.since(*at) <= DRAW_HOLDS;
        let draw = reading
            .draw
            .ok()
            .or(self.last_draw.filter(holds).map(|(_, draw)| draw));
        if let Ok(draw) = reading.draw {
            self.last_draw = Some((now, draw));
        }
        draw
    }

    /// Without a draw, how busy the card is tells whether its temperature should move.
    fn power_sign(reading: &Reading, draw: Option<Watts>) -> Option<Watts> {
        let busy = reading.utilization.ok().zip(reading.limit.ok());
        draw.or(busy.map(|(busy, limit): (Ratio, Watts)| limit.scaled(busy)))
    }

    fn read_sensors(
        &mut self,
        now: Moment,
        reading: &Reading,
        draw: Option<Watts>,
        in_turn: bool,
    ) -> [Part; 3] {
        let by_busy = draw.is_none();
        if std::mem::replace(&mut self.by_busy, by_busy) != by_busy {
            // One can't be compared with the other.
            self.draw.restart();
            self.recent = Recent::default();
            self.channels.iter_mut().for_each(|it| it.still.reset());
        }
        let sign = Self::power_sign(reading, draw);
        let average = self.draw.average(now, sign);
        self.recent.note(now, average);
        // A load's end shows in the draw at once, and in its average only later.
        let now_drawn = average
            .zip(sign)
            .map(|(average, sign)| average.min(sign.as_f64()));
        let scale = self.draw.scale();
        let surroundings = Surroundings {
            average,
            lately: self.recent.highest(now, LATELY),
            scale,
            holds_itself: holds_itself(reading),
            explains_falls: self.expects_falls || self.recent.explains_falls(now_drawn, scale),
        };
        let said = [reading.core, reading.memory, reading.margin];
        let channels = &mut self.channels;
        let parts = [0, 1, 2]
            .map(|index: usize| channels[index].read(now, said[index], in_turn, &surroundings));
        if let [Some(core), _, Some(margin)] = parts.map(Part::believed) {
            self.core_at_zero = Some(core + margin);
        }
        parts
    }

    /// What the card's own sensors say, and whose doubt stands against it.
    fn view(&self, parts: [Part; 3]) -> (View, Option<Sensor>) {
        let [core, memory, margin] = parts;
        if parts.iter().all(|part| part.absent) {
            return (View::Never, None);
        }
        // A margin that is gone for more than a moment is stood in for by the core.
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
        // One that can't be read may be covered by another. One that lies makes all suspect: they
        // are read by the same firmware.
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
        // Nothing stands in for a margin on a card that shows no core.
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
            // What is critical is acted on at once, whatever else is to be seen.
            (Some(_), Some(said)) if said.is_critical() => (View::Clear(said), standing_in),
            (Some(_), _) => (View::Blink, standing_in),
            (None, _) => (View::Clear(heat), standing_in),
        }
    }

    /// The core's trips while the margin can't be read: where the margin last said they were, and
    /// never above what the card or the configuration tells of the core.
    fn stand_in(&self) -> Trips {
        let told = self.trips.core;
        match self.core_at_zero {
            Some(zero) if zero < told.critical => Trips::under(zero),
            _ => told,
        }
    }

    /// A card without a thermometer is judged by the files beside it; those that once could be
    /// read, or should be, are no absence.
    fn beside(&mut self, now: Moment, view: View, probes: &[Probe], in_turn: bool) -> View {
        if view != View::Never || probes.is_empty() {
            return view;
        }
        let trust = match probe::worst(None, probes) {
            Some(heat) => self.beside.good(now, in_turn, heat.to_alert),
            None => self.beside.bad(now, in_turn),
        };
        match (probe::worst(None, probes), trust) {
            (Some(heat), Trust::Clear) => View::Clear(heat),
            (_, Trust::Blink) => View::Blink,
            (heat, _) => View::Blind(heat),
        }
    }

    fn contradicted(
        &mut self,
        now: Moment,
        reading: &Reading,
        view: View,
    ) -> (View, Option<Doubt>) {
        let heat = match view {
            View::Never => return (view, None),
            View::Clear(heat) => Some(heat),
            View::Blind(heat) => heat,
            View::Blink => None,
        };
        let worse = self.slowdown.contradicts(now, reading, heat);
        match (view, worse) {
            (View::Clear(_), Some(worse)) => (View::Clear(worse), Some(Doubt::Contradicted)),
            (View::Blink, Some(worse)) if worse.is_critical() => {
                (View::Clear(worse), Some(Doubt::Contradicted))
            }
            (View::Blind(_), Some(worse)) => (View::Blind(Some(worse)), None),
            (view, _) => (view, None),
        }
    }

    fn doubt_of(&self, sensor: Sensor) -> Doubt {
        let channel = self.channels.get(sensor as usize);
        channel
            .and_then(|it| it.evidence.doubt)
            .unwrap_or(Doubt::Missing)
    }

    fn report(&self, sensor: Sensor) -> SensorReport {
        let channel = self.channels.get(sensor as usize);
        let evidence = channel.map_or(&self.power, |it| &it.evidence);
        let lost = channel.map_or(self.by_busy, |it| it.run.is_lost());
        let state = match (evidence.offered, evidence.missing) {
            (false, _) => SensorState::Absent,
            (true, Some(_)) if lost || !evidence.worked => SensorState::Failing,
            (true, None) if lost => SensorState::Doubted,
            (true, _) => SensorState::Working,
        };
        SensorReport {
            state,
            missing: evidence.missing.filter(|_| state == SensorState::Failing),
            doubt: evidence.doubt.filter(|_| state == SensorState::Doubted),
        }
    }
}

/// Over the card's own and the files beside it.
fn joined(view: View, probes: &[Probe]) -> View {
    match view {
        View::Clear(heat) => View::Clear(probe::worst(Some(heat), probes).unwrap_or(heat)),
        View::Blind(heat) => View::Blind(probe::worst(heat, probes)),
        View::Never | View::Blink => view,
    }
}

#[cfg(test)]
mod tests;
