//! Whether a control loop goes on, as its own thread last said. Whoever wants to know looks here and
//! asks nobody: a loop that is stuck can't answer.
//!
//! A loop inside a driver call is hung with the driver, not stuck: no restart would help it, and one
//! that ends there can't even be killed. So each call says that it is one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::device::{
    Actuator, ActuatorError, Cadence, ClockRange, Driver, DriverError, EventSource, Facts, Gpu,
    Identity, Reading, Sensor, Uuid,
};
use crate::units::{Moment, Watts};

use super::clock::Clock;

/// One loop's sign of life, on the wall's clock.
#[derive(Debug, Default)]
pub struct Pulse {
    back_by_millis: AtomicU64,
    in_driver: AtomicBool,
}

impl Pulse {
    /// The loop came by, and means to do so again at `back_by`.
    pub fn beat(&self, back_by: Moment) {
        let millis = u64::try_from(back_by.since_start().as_millis()).unwrap_or(u64::MAX);
        self.back_by_millis.store(millis, Ordering::SeqCst);
    }

    /// The loop has waited for the driver for longer than `patience`, counted from when it meant to
    /// be back, or the call before this one ended.
    pub fn hangs(&self, now: Moment, patience: Duration) -> bool {
        self.is_in_driver() && now > self.back_by() + patience
    }

    pub fn is_in_driver(&self) -> bool {
        self.in_driver.load(Ordering::SeqCst)
    }

    /// The loop came by when it said, at most `patience` late; or it waits for the driver.
    pub fn goes_on(&self, now: Moment, patience: Duration) -> bool {
        self.is_in_driver() || now <= self.back_by() + patience
    }

    /// Before then it can't hang, whatever happens until then.
    pub fn hangs_from(&self, patience: Duration) -> Moment {
        self.back_by() + patience
    }

    fn back_by(&self) -> Moment {
        let back_by = self.back_by_millis.load(Ordering::SeqCst);
        Moment::from_start(Duration::from_millis(back_by))
    }
}

/// A driver whose calls count as such on the caller's pulse.
pub struct Felt {
    driver: Arc<dyn Driver>,
    feeler: Feeler,
}

impl Felt {
    pub fn new(driver: Arc<dyn Driver>, pulse: Arc<Pulse>, clock: Clock) -> Self {
        let feeler = Feeler { pulse, clock };
        Self { driver, feeler }
    }
}

impl Driver for Felt {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        self.feeler.call(|| self.driver.inventory())
    }

    fn count(&self) -> Result<usize, DriverError> {
        self.feeler.call(|| self.driver.count())
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        let gpu = self.feeler.call(|| self.driver.open(uuid))?;
        Ok(Box::new(FeltGpu {
            gpu,
            feeler: self.feeler.clone(),
            closing: None,
        }))
    }

    fn events(&self) -> Result<Option<Box<dyn EventSource>>, DriverError> {
        self.feeler.call(|| self.driver.events())
    }
}

#[derive(Clone)]
struct Feeler {
    pulse: Arc<Pulse>,
    clock: Clock,
}

impl Feeler {
    fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        let _call = self.begin();
        call()
    }

    fn begin(&self) -> Call {
        self.pulse.in_driver.store(true, Ordering::SeqCst);
        Call(self.clone())
    }
}

/// A call under way. However it ends, by a panic too, the loop is no longer the driver's.
struct Call(Feeler);

impl Drop for Call {
    fn drop(&mut self) {
        let Feeler { pulse, clock } = &self.0;
        // First: a call that took minutes must not look like a loop that did.
        pulse.beat(clock.wall());
        pulse.in_driver.store(false, Ordering::SeqCst);
    }
}

struct FeltGpu {
    gpu: Box<dyn Gpu>,
    feeler: Feeler,
    /// Dropped after the GPU: the last handle closes the library, which is a call, too.
    closing: Option<Call>,
}

impl Drop for FeltGpu {
    fn drop(&mut self) {
        self.closing = Some(self.feeler.begin());
    }
}

impl Sensor for FeltGpu {
    fn identity(&self) -> &Arc<Identity> {
        self.gpu.identity()
    }

    fn facts(&self) -> &Arc<Facts> {
        self.gpu.facts()
    }

    fn read(&mut self, now: Moment, cadence: Cadence) -> Reading {
        self.feeler.call(|| self.gpu.read(now, cadence))
    }
}

impl Actuator for FeltGpu {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        self.feeler.call(|| self.gpu.power_limit())
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        self.feeler.call(|| self.gpu.set_power_limit(limit))
    }

    fn lock_gpu_clock(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
        self.feeler.call(|| self.gpu.lock_gpu_clock(range))
    }

    fn reset_gpu_clock(&mut self) -> Result<(), ActuatorError> {
        self.feeler.call(|| self.gpu.reset_gpu_clock())
    }

    fn lock_memory_clock(&mut self, range: ClockRange) -> Result<(), ActuatorError> {
        self.feeler.call(|| self.gpu.lock_memory_clock(range))
    }

    fn reset_memory_clock(&mut self) -> Result<(), ActuatorError> {
        self.feeler.call(|| self.gpu.reset_memory_clock())
    }

    fn writes(&self) -> bool {
        self.gpu.writes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Moment {
        Moment::from_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_loop_goes_on_until_it_is_later_than_patience() {
        let pulse = Pulse::default();
        pulse.beat(at(10));
        assert!(pulse.goes_on(at(15), PATIENCE));
        assert!(!pulse.goes_on(at(16), PATIENCE));
    }

    #[test]
    fn a_loop_inside_the_driver_goes_on_however_late_and_starts_afresh_when_back() {
        let feeler = Feeler {
            pulse: Arc::default(),
            clock: Clock::start(1000.0),
        };
        let pulse = feeler.pulse.clone();
        let call = feeler.begin();
        assert!(pulse.goes_on(at(1_000_000), PATIENCE));
        drop(call);
        let back = feeler.clock.wall();
        assert!(pulse.goes_on(back, PATIENCE));
        assert!(!pulse.goes_on(at(1_000_000), PATIENCE));
    }

    #[test]
    fn a_call_that_panics_has_ended() {
        let feeler = Feeler {
            pulse: Arc::default(),
            clock: Clock::start(1.0),
        };
        let pulse = feeler.pulse.clone();
        let thread = std::thread::spawn(move || feeler.call(|| assert!(at(0) > at(1), "planted")));
        assert!(thread.join().is_err());
        assert!(!pulse.goes_on(at(1_000_000), PATIENCE));
    }
}
