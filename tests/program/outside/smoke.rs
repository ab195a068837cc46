//! The control of these tests: a guard over one simulated card answers.

use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

#[test]
fn a_guard_over_a_simulated_card_answers() {
    let guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 1, "");
    assert!(guard.get("/metrics").is_ok());
}
