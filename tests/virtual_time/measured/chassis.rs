//! Positions in one chassis: a hot one behind a cool one, whose heat it breathes.

use std::time::Duration;

use thermal_guard::policy::Settings;
use thermal_guard::sim::card::Conditions;
use thermal_guard::sim::chassis::Preheat;
use thermal_guard::sim::node::Node;
use thermal_guard::sim::profile::{H100, H100_COOL};
use thermal_guard::units::Celsius;

#[test]
fn a_card_behind_another_is_held_while_that_one_comes_and_goes() {
    let mut node = Node::new(&[&H100_COOL, &H100], &Settings::default());
    let inlet = Celsius::new(32.0);
    let mut preheat = Preheat::RECORDED;
    let (mut hottest, mut over) = (f64::MIN, 0_u32);
    for second in 0..3600_u64 {
        let front = if second % 900 < 600 {
            Conditions::full_load(inlet)
        } else {
            Conditions {
                load: thermal_guard::sim::plant::Load::IDLE,
                ..Conditions::full_load(inlet)
            }
        };
        node.set(0, front);
        let ahead = node.rack.card(0).draw();
        let warmed = preheat.pass(ahead, Duration::from_secs(1));
        node.set(1, Conditions::full_load(inlet + warmed));
        node.step();
        let above = 7.0 - node.rack.card(1).margin().degrees();
        hottest = hottest.max(above);
        over += u32::from(second > 600 && above > 0.0);
    }
    assert!(hottest <= 1.5, "{hottest} °C over alert");
    assert!(over <= 300, "{over} of 3000 s over alert");
}
