use super::*;
use crate::units::Celsius;

const COOL: Heat = Heat {
    to_alert: Celsius::new(20.0),
    to_critical: Celsius::new(27.0),
    to_safe: Celsius::new(14.0),
};

#[test]
fn one_failed_read_is_noise_three_are_blindness_ten_good_ones_sight() {
    let mut sight = Sight::default();
    assert_eq!(sight.look(Some(COOL), false), View::Clear(COOL));
    let lost = None;
    assert_eq!(sight.look(lost, false), View::Blink);
    assert_eq!(sight.look(lost, false), View::Blink);
    assert_eq!(sight.look(lost, false), View::Blind);
    for _ in 0..9 {
        assert_eq!(sight.look(Some(COOL), false), View::Blind);
    }
    assert_eq!(sight.look(Some(COOL), false), View::Clear(COOL));
}

#[test]
fn a_card_without_a_sensor_is_not_blind() {
    let mut sight = Sight::default();
    for _ in 0..100 {
        assert_eq!(sight.look(None, false), View::Never);
    }
}
