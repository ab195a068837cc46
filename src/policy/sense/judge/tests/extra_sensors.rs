//! Files beside the card.

use super::*;
use crate::policy::sense::trips::Trips;

fn sensor(now: Option<f64>) -> ExtraSensor {
    ExtraSensor {
        name: "inlet".into(),
        trips: Trips {
            alert: c(38.0),
            critical: c(45.0),
            safe: c(32.0),
        },
        now: now.map(c),
        last: now.map(c),
        left_hot: false,
    }
}

#[test]
fn a_card_without_a_sensor_is_judged_by_the_files_beside_it_and_their_loss_is_no_absence() {
    let mut bench = Bench::new(None, None, None);
    bench.extra_sensors = vec![sensor(Some(30.0))];
    assert_eq!(heat(&bench.look()).to_alert, c(8.0));
    bench.extra_sensors = vec![sensor(None)];
    assert_eq!(bench.look().view, View::Blink);
    bench.until_blind();
    let mut never = Bench::new(None, None, None);
    never.extra_sensors = vec![sensor(None)];
    never.until_blind();
}

#[test]
fn a_file_beside_a_card_with_a_sensor_only_adds_to_it() {
    let mut bench = Bench::core(60.0);
    bench.extra_sensors = vec![sensor(Some(46.0))];
    assert!(heat(&bench.look()).is_critical());
    bench.extra_sensors = vec![sensor(None)];
    let judgement = bench.pass(60.0);
    assert_eq!(heat(&judgement).to_alert, c(18.0));
    assert_eq!(judgement.doubt, Some(Doubt::ExtraSensor));
    bench.reading.core = Err(FAILED);
    bench.extra_sensors = vec![sensor(Some(20.0))];
    assert!(is_blind(&bench.pass(5.0)), "a cool file is no sight");
}
