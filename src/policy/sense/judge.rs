//! The judge decides over all sensors of a card and the extra ones: hot, cool or unknown.

use std::time::Duration;

use crate::device::{Facts, Fan, FanPolicy, Reading};
use crate::units::{Celsius, Moment, Ratio, Watts};

use super::extra_sensor;
use super::extra_sensor::ExtraSensor;
use super::judgement::{Judgement, View};
use super::sensor::channel::{Channel, Part, Surroundings};
use super::sensor::draw::Draw;
use super::sensor::evidence::Evidence;
use super::sensor::fall::Recent;
use super::sensor::meter::Meter;
use super::sensor::run::{Run, Trust};
use super::sensor::{BySensor, Doubt, Sensor, SensorReport, SensorState};
use super::slowdown::{Slowdown, holds_itself};
use super::trips::{Heat, TripOverrides, TripTable};

/// How long a reading of core, memory and margin may stand still while the draw moves. A memory
/// stack follows its power within 20 s, and its heat sink within a minute.
const STANDS: [Duration; 3] = [
    Duration::from_secs(20),
    Duration::from_secs(35),
    Duration::from_secs(20),
];

/// Cards hold themselves at 65 to 91 °C, with a critical of 81 to 95: no further from it than this.
const HELD_WITHIN: Celsius = Celsius::new(30.0);

/// If the draw can't be read, the last one counts for this long. After that the draw is unknown.
const DRAW_HOLDS: Duration = Duration::from_secs(3);

/// The state of one card's sensors, and its trips.
#[derive(Clone, Debug)]
pub struct Judge {
    by: TripOverrides,
    pub(super) trips: TripTable,
    channels: [Channel; 3],
    power: Evidence,
    last_draw: Option<(Moment, Watts)>,
    /// There is no draw, so the utilization is used instead.
    by_busy: bool,
    draw: Draw,
    meter: Meter,
    /// The same, corrected by the card's count of its energy.
    counted: Meter,
    recent: Recent,
    slowdown: Slowdown,
    /// The extra sensors together, on a card without own sensors.
    beside: Run,
    /// The core temperature at margin 0, from the last readings of both that were trusted.
    pub(super) core_at_zero: Option<Celsius>,
    /// The caller waits for the temperature to fall.
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
            meter: Meter::default(),
            counted: Meter::default(),
            recent: Recent::default(),
            slowdown: Slowdown::of(facts),
            beside: Run::default(),
            core_at_zero: None,
            expects_falls: false,
            driver_version: None,
        }
    }

    /// For a caller that waits until a card has cooled down and reads seldom: no fall counts as too
    /// fast.
    #[must_use]
    pub const fn expecting_falls(mut self) -> Self {
        self.expects_falls = true;
        self
    }

    /// The card was opened again, perhaps by another driver, which may offer other sensors.
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

    /// The settings or the facts of the card changed.
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

    /// A previous guard doubted these sensors: each must prove itself again.
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

    /// The sensors that aren't trusted now, and why. The next guard must know them; but one that never
    /// worked may not be there at all, which it finds out by itself.
    pub fn doubted(&self) -> BySensor<Option<Doubt>> {
        BySensor::of(|sensor| {
            let channel = self.channels.get(sensor as usize)?;
            let lost = channel.run.is_lost() && channel.evidence.worked;
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

    /// Judges one reading. `in_turn`: the tick came at its time, nothing woke the guard early.
    pub fn judge(
        &mut self,
        now: Moment,
        reading: &Reading,
        facts: &Facts,
        extra_sensors: &[ExtraSensor],
        in_turn: bool,
    ) -> Judgement {
        let before = self.present();
        let draw = self.read_draw(now, reading, in_turn);
        let parts = self.read_sensors(now, reading, draw, in_turn);
        if self.present() != before || self.trips.has_core != self.present()[0] {
            self.resolve(facts);
        }
        let (view, doubted) = self.view(parts);
        let view = self.beside(now, view, extra_sensors, in_turn);
        let (view, contradicted) = self.contradicted(now, reading, view);
        let doubtful = self.doubtful();
        let doubted = doubted.or(doubtful);
        let doubt = doubted.map(|it| self.doubt_of(it));
        let lost = extra_sensors.iter().any(|sensor| sensor.now.is_none());
        let doubt = contradicted
            .or(doubt)
            .or(lost.then_some(Doubt::ExtraSensor));
        Judgement {
            view: view.joined(extra_sensors),
            doubt,
            doubted: doubted.filter(|_| contradicted.is_none()),
            sensors: BySensor::of(|sensor| self.report(sensor)),
            unsure: doubtful.is_some(),
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

    /// Without a draw, the utilization tells whether the temperature should move.
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
            // A draw can't be compared with a utilization.
            self.draw.restart();
            self.meter.restart();
            self.counted.restart();
            self.recent = Recent::default();
            self.channels.iter_mut().for_each(|it| it.still.reset());
        }
        let sign = Self::power_sign(reading, draw);
        let average = self.draw.average(now, sign);
        self.recent.note(now, average);
        let count = reading.slow.energy_millijoules.filter(|_| !by_busy);
        self.meter.note(now, sign, None);
        self.counted.note(now, sign, count);
        // The end of a load shows in the draw at once, but in its average only later.
        let now_drawn = average
            .zip(sign)
            .map(|(average, sign)| average.min(sign.as_f64()));
        let scale = self.draw.scale();
        let surroundings = Surroundings {
            average,
            meter: &self.meter,
            counted: Some(&self.counted).filter(|it| it.has_count()),
            scale,
            fans: fans(reading),
            holds_itself: false,
            explains_falls: self.expects_falls || self.recent.explains_falls(now_drawn, scale),
        };
        let said = [reading.core, reading.memory, reading.margin];
        let held = self.held_by_the_card(reading);
        let channels = &mut self.channels;
        let parts = [0, 1, 2].map(|index: usize| {
            let around = Surroundings {
                holds_itself: held[index],
                ..surroundings
            };
            channels[index].read(now, said[index], in_turn, &around)
        });
        if let [Some(core), _, Some(margin)] = parts.map(Part::believed) {
            self.core_at_zero = Some(core + margin);
        }
        parts
    }

    /// Which of core, memory and margin may stand still because the card slows itself down to hold them
    /// there. One that reads cool isn't what the card holds; of one without trips nobody knows.
    fn held_by_the_card(&self, reading: &Reading) -> [bool; 3] {
        let trips = &self.trips;
        let memory = reading.memory.ok().zip(trips.memory);
        let heats = [
            reading.core.ok().map(|core| Heat::of(&trips.core, core)),
            memory.map(|(memory, trips)| Heat::of(&trips, memory)),
            reading.margin.ok().map(|margin| trips.of_margin(margin)),
        ];
        let holds = holds_itself(reading);
        heats.map(|heat| holds && heat.is_none_or(|heat| heat.to_critical <= HELD_WITHIN))
    }

    /// A card without own sensors is judged by the extra ones.
    fn beside(
        &mut self,
        now: Moment,
        view: View,
        extra_sensors: &[ExtraSensor],
        in_turn: bool,
    ) -> View {
        if view != View::Never || extra_sensors.is_empty() {
            return view;
        }
        let trust = match extra_sensor::worst(None, extra_sensors) {
            Some(heat) => self.beside.good(now, in_turn, heat.to_alert),
            None => self.beside.bad(now, in_turn),
        };
        match (extra_sensor::worst(None, extra_sensors), trust) {
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

    /// A sensor that isn't trusted any more, but still counts.
    fn doubtful(&self) -> Option<Sensor> {
        let mut all = Sensor::THERMAL.into_iter().zip(&self.channels);
        all.find(|(_, it)| it.doubtful).map(|(sensor, _)| sensor)
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
        let lost = channel.map_or(self.by_busy, |it| it.run.is_lost() || it.doubtful);
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

/// The mean speed of the fans that go by the temperature.
fn fans(reading: &Reading) -> Option<Ratio> {
    let free = |fan: &&Fan| fan.policy != Some(FanPolicy::Manual);
    let speeds = reading.slow.fans.iter().filter(free);
    let (mut sum, mut count) = (0.0, 0.0);
    for speed in speeds.filter_map(|fan| fan.speed) {
        sum += speed.value();
        count += 1.0;
    }
    (count > 0.0).then(|| Ratio::new(sum / count))
}

#[cfg(test)]
mod tests;
