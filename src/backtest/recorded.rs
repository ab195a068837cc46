//! Histories from files, as `nvidia-smi --query-gpu=… --format=csv` writes them.

use crate::recording;
use crate::recording::Sample;
use crate::units::{Celsius, Ratio, Watts};

use super::history::{History, Row, Slowdown, Told, Values};

/// One card of a file. `every`: seconds between two samples, as a scrape would take them; 0 takes all.
pub fn history(file: &str, card: &recording::Card, every: f64) -> History {
    /// Steps of a recording aren't even.
    const EARLY: f64 = 0.01;
    let mut rows = Vec::new();
    let mut next = f64::NEG_INFINITY;
    for sample in &card.samples {
        let seconds = sample.at.since_start().as_secs_f64();
        if seconds < next {
            continue;
        }
        next = seconds + every - EARLY;
        rows.push(Row::new(seconds, &values(sample)));
    }
    let watts = |limit: Option<Watts>| limit.map(Watts::as_f64);
    History {
        key: format!("{file} {}", card.name).trim_end().to_owned(),
        told: Told {
            default_limit_watts: watts(card.default_limit),
            min_limit_watts: watts(card.min_limit),
            ..Told::default()
        },
        rows,
        ..History::default()
    }
}

fn values(sample: &Sample) -> Values {
    let whole = |celsius: Celsius| celsius.degrees().round();
    Values {
        core_celsius: sample.core.map(whole),
        memory_celsius: sample.memory.map(whole),
        watts: sample.draw.map(Watts::as_f64),
        megahertz: sample.clock.map(|clock| f64::from(clock.megahertz())),
        fan: sample.fan.map(Ratio::value),
        slowdown: Slowdown::Untold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_thinned_as_a_scrape_would_see_it() {
        let lines: Vec<String> = (0..60).map(|n| format!("{n},{},100", 40 + n)).collect();
        let text = format!("s,core_c,power_w\n{}\n", lines.join("\n"));
        let recording = recording::parse(text.as_bytes()).unwrap();
        let history = history("a.csv", &recording.cards[0], 15.0);
        let seconds: Vec<f64> = history.rows.iter().map(Row::seconds).collect();
        assert_eq!(seconds, [0.0, 15.0, 30.0, 45.0]);
        assert_eq!(history.rows[1].core_celsius(), Some(55.0));
        assert_eq!(history.name(), "a.csv");
    }
}
