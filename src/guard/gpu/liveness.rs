//! Whether a control loop still runs, by the last report of its own thread. Other threads read it here
//! and don't ask the loop: a stuck loop can't answer.
//!
//! A loop inside a driver call hangs with the driver; it isn't stuck. A restart wouldn't help it, and a
//! process that hangs there can't even be killed. So each driver call is marked as one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::device::{
    Actuator, ActuatorError, Cadence, ClockDomain, ClockRange, CriticalErrors, Driver, DriverError,
    Facts, FanSetting, Gpu, Identity, Reading, Sensor, Uuid,
};
use crate::units::{Moment, Watts};

/// The last report of one loop, on the wall's clock.
#[derive(Debug, Default)]
pub struct Liveness {
    back_by_millis: AtomicU64,
    in_driver: AtomicBool,
}

impl Liveness {
    /// The loop reports, and will report again by `back_by`.
    pub fn beat(&self, back_by: Moment) {
        let millis = u64::try_from(back_by.since_start().as_millis()).unwrap_or(u64::MAX);
        self.back_by_millis.store(millis, Ordering::SeqCst);
    }

    /// The loop has waited for the driver for longer than `patience`. The time counts from its promised
    /// report, or from the end of the driver call before.
    pub fn hangs(&self, now: Moment, patience: Duration) -> bool {
        self.is_in_driver() && now > self.back_by() + patience
    }

    pub fn is_in_driver(&self) -> bool {
        self.in_driver.load(Ordering::SeqCst)
    }

    /// The loop reported in time, or at most `patience` late; or it waits for the driver.
    pub fn goes_on(&self, now: Moment, patience: Duration) -> bool {
        self.is_in_driver() || now <= self.back_by() + patience
    }

    /// The loop can't count as hung before this time.
    pub fn hangs_from(&self, patience: Duration) -> Moment {
        self.back_by() + patience
    }

    fn back_by(&self) -> Moment {
        let back_by = self.back_by_millis.load(Ordering::SeqCst);
        Moment::from_start(Duration::from_millis(back_by))
    }
}

/// A driver that marks each call in the caller's [`Liveness`].
pub struct WatchedDriver {
    driver: Arc<dyn Driver>,
    marker: CallMarker,
}

impl WatchedDriver {
    pub fn new(driver: Arc<dyn Driver>, liveness: Arc<Liveness>, clock: Clock) -> Self {
        let marker = CallMarker { liveness, clock };
        Self { driver, marker }
    }
}

impl Driver for WatchedDriver {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        self.marker.call(|| self.driver.inventory())
    }

    fn library(&self) -> Option<String> {
        self.driver.library()
    }

    fn count(&self) -> Result<usize, DriverError> {
        self.marker.call(|| self.driver.count())
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        let gpu = self.marker.call(|| self.driver.open(uuid))?;
        Ok(Box::new(WatchedGpu {
            gpu,
            marker: self.marker.clone(),
            closing: None,
        }))
    }

    fn critical_errors(&self) -> Result<Option<Box<dyn CriticalErrors>>, DriverError> {
        self.marker.call(|| self.driver.critical_errors())
    }
}

#[derive(Clone)]
struct CallMarker {
    liveness: Arc<Liveness>,
    clock: Clock,
}

impl CallMarker {
    fn call<T>(&self, call: impl FnOnce() -> T) -> T {
        let _call = self.begin();
        call()
    }

    fn begin(&self) -> Call {
        self.liveness.in_driver.store(true, Ordering::SeqCst);
        Call(self.clone())
    }
}

/// A call under way. When it ends, also by a panic, the loop is no longer in the driver.
struct Call(CallMarker);

impl Drop for Call {
    fn drop(&mut self) {
        let CallMarker { liveness, clock } = &self.0;
        // Report first: a call that took minutes must not look like a stuck loop.
        liveness.beat(clock.wall());
        liveness.in_driver.store(false, Ordering::SeqCst);
    }
}

struct WatchedGpu {
    gpu: Box<dyn Gpu>,
    marker: CallMarker,
    /// Dropped after the GPU: the last handle closes the library, which is a call, too.
    closing: Option<Call>,
}

impl Drop for WatchedGpu {
    fn drop(&mut self) {
        self.closing = Some(self.marker.begin());
    }
}

impl Sensor for WatchedGpu {
    fn identity(&self) -> &Arc<Identity> {
        self.gpu.identity()
    }

    fn facts(&self) -> &Arc<Facts> {
        self.gpu.facts()
    }

    fn read(&mut self, now: Moment, cadence: Cadence) -> Reading {
        self.marker.call(|| self.gpu.read(now, cadence))
    }
}

impl Actuator for WatchedGpu {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        self.marker.call(|| self.gpu.power_limit())
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        self.marker.call(|| self.gpu.set_power_limit(limit))
    }

    fn lock_clock(&mut self, domain: ClockDomain, range: ClockRange) -> Result<(), ActuatorError> {
        self.marker.call(|| self.gpu.lock_clock(domain, range))
    }

    fn reset_clock(&mut self, domain: ClockDomain) -> Result<(), ActuatorError> {
        self.marker.call(|| self.gpu.reset_clock(domain))
    }

    fn fan(&mut self, fan: usize) -> Result<FanSetting, ActuatorError> {
        self.marker.call(|| self.gpu.fan(fan))
    }

    fn set_fan(&mut self, fan: usize, setting: FanSetting) -> Result<(), ActuatorError> {
        self.marker.call(|| self.gpu.set_fan(fan, setting))
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
        let liveness = Liveness::default();
        liveness.beat(at(10));
        assert!(liveness.goes_on(at(15), PATIENCE));
        assert!(!liveness.goes_on(at(16), PATIENCE));
    }

    #[test]
    fn a_loop_inside_the_driver_goes_on_however_late_and_starts_afresh_when_back() {
        let marker = CallMarker {
            liveness: Arc::default(),
            clock: Clock::start(1000.0),
        };
        let liveness = marker.liveness.clone();
        let call = marker.begin();
        assert!(liveness.goes_on(at(1_000_000), PATIENCE));
        drop(call);
        let back = marker.clock.wall();
        assert!(liveness.goes_on(back, PATIENCE));
        assert!(!liveness.goes_on(at(1_000_000), PATIENCE));
    }

    #[test]
    fn a_call_that_panics_has_ended() {
        let marker = CallMarker {
            liveness: Arc::default(),
            clock: Clock::start(1.0),
        };
        let liveness = marker.liveness.clone();
        let thread = std::thread::spawn(move || marker.call(|| assert!(at(0) > at(1), "planted")));
        assert!(thread.join().is_err());
        assert!(!liveness.goes_on(at(1_000_000), PATIENCE));
    }
}
