//! How well the observer foresees a recorded card: where it said that the temperature would be, beside
//! the reading at that time. The forecast knows the mean draw of that time, so that its error is the
//! thermal picture's alone.

use std::time::Duration;

use serde::Serialize;

use crate::policy::Heat;
use crate::policy::regulate::observer::{Draws, Observer};
use crate::recording::Card;
use crate::units::{Celsius, Moment, Watts};

/// How far ahead the governor looks.
const AHEAD: Duration = Duration::from_secs(10);

/// The estimate has settled by then.
const SETTLES: Duration = Duration::from_secs(60);

/// The errors of all forecasts for one card, in °C.
#[derive(Clone, Copy, Debug, Default, Serialize, PartialEq)]
#[expect(
    clippy::struct_field_names,
    reason = "JSON says the unit, as everywhere"
)]
pub(super) struct Forecast {
    pub(super) mean_celsius: f64,
    pub(super) p95_celsius: f64,
    pub(super) most_celsius: f64,
}

/// `None`: the recording is too short, or has no draw.
pub(super) fn errors(card: &Card, full: Option<Watts>) -> Option<Forecast> {
    let full = full?;
    // Temperatures count from 0 °C here.
    let known = |it: &crate::recording::Sample| Some((it.at, it.core?.degrees(), it.draw?));
    let samples: Vec<_> = card.samples.iter().filter_map(known).collect();
    let mut observer = Observer::default();
    let mut errors = Vec::new();
    let mut then = 0;
    for (index, &(at, core, draw)) in samples.iter().enumerate() {
        observer.observe(at, &heat(core), Draws::steady(draw.share_of(full)));
        then = then.max(index);
        while samples.get(then).is_some_and(|it| it.0.since(at) < AHEAD) {
            then += 1;
        }
        let Some(&(until, real, _)) = samples.get(then) else {
            break;
        };
        let ahead = until.since(at);
        if at.since(samples[0].0) < SETTLES || ahead > AHEAD * 2 {
            continue;
        }
        let mean = mean(&samples[index..=then]).share_of(full);
        let foreseen = observer.predict(mean, ahead).degrees();
        errors.push((foreseen - real).abs());
    }
    summary(errors)
}

fn heat(core: f64) -> Heat {
    let left = Celsius::new(-core);
    Heat {
        to_critical: left,
        to_alert: left,
        to_safe: left,
    }
}

/// The draw between the first and the last of these samples.
fn mean(samples: &[(Moment, f64, Watts)]) -> Watts {
    let (mut joules, mut seconds) = (0.0, 0.0);
    for pair in samples.windows(2) {
        let step = pair[1].0.since(pair[0].0).as_secs_f64();
        joules += pair[1].2.as_f64() * step;
        seconds += step;
    }
    Watts::from_f64(if seconds > 0.0 { joules / seconds } else { 0.0 })
}

fn summary(mut errors: Vec<f64>) -> Option<Forecast> {
    errors.sort_by(f64::total_cmp);
    let most = *errors.last()?;
    let p95 = errors[(errors.len() - 1) * 95 / 100];
    Some(Forecast {
        mean_celsius: errors.iter().sum::<f64>() / errors.len() as f64,
        p95_celsius: p95,
        most_celsius: most,
    })
}
