//! NVML that answers any code and any value to every call: the real backend, worker and policy over
//! the simulated library, whose cards keep their true limits.

use std::sync::Arc;
use std::time::Duration;

use thermal_guard::clock::Clock;
use thermal_guard::device::Driver;
use thermal_guard::device::nvml::NvmlDriver;
use thermal_guard::guard::actuate::actuation::Actuation;
use thermal_guard::guard::actuate::journal::Journal;
use thermal_guard::guard::gpu::worker::{Setup, Worker};
use thermal_guard::guard::state::{Live, Shared};
use thermal_guard::policy::Chain;
use thermal_guard::policy::ask::chain::Expected;
use thermal_guard::units::Moment;

use super::{RUNS, setting};
use crate::common::nvml_sim::{in_own_process, library, this_test};

/// So many ticks, each some thirty calls, by one worker before the next begins with the card.
const TICKS: usize = 50;

#[test]
fn a_driver_that_answers_anything_breaks_no_worker() {
    let test = this_test!();
    in_own_process(test, &["h100", "rtx-4090"], |machine| {
        let driver: Arc<dyn Driver> = Arc::new(NvmlDriver::new(Some(library())));
        let inventory = driver.inventory().unwrap();
        // Keeps the library loaded: a new load would restart its answers.
        let _held = driver.open(&inventory[0].uuid).unwrap();
        machine.ctl(&["fault", "any-answer"]);
        // It answers truly, and would stand in for the other call.
        machine.ctl(&["answer", "temperature-v", "3"]);
        let chain = Chain::new(Expected::Auto, None, Moment::START);
        let clock = Clock::start(1.0);
        let shared = Shared::new(clock, chain, Live::default());
        let (mut now, mut up, mut blind) = (Moment::START, 0, 0);
        for _ in 0..setting("THERMAL_GUARD_FUZZ_RUNS", RUNS) / TICKS {
            for identity in &inventory {
                let setup = Setup {
                    actuation: Actuation::new(identity.uuid.clone(), Journal::none()),
                    identity: identity.clone(),
                    driver: driver.clone(),
                    left: None,
                    may_write: true,
                };
                let mut worker = Worker::new(setup, shared.live());
                for _ in 0..TICKS {
                    now = now + Duration::from_secs(1);
                    let tick = worker.tick(now, now, &shared);
                    up += usize::from(tick.up);
                    blind += usize::from(tick.up && tick.reading.core.is_err());
                }
            }
        }
        // Else it saw a card that was well, or none at all.
        assert!(up > 0 && blind > 0 && blind < up, "{blind} of {up}");
        machine.ctl(&["fault", "none"]);
    });
}
