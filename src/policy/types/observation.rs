//! The policy's input.

use crate::device::{ByKnob, Facts, Reading};
use crate::policy::ask::lease::Asked;
use crate::policy::claim::Claim;
use crate::policy::knobs::Write;
use crate::policy::sense::extra_sensor::ExtraSensor;
use crate::units::Moment;

/// Everything that the policy knows on one tick.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent circumstances, from as many places"
)]
pub struct Observation<'a> {
    pub reading: &'a Reading,
    pub facts: &'a Facts,
    /// The card is open. `false`: nothing can be read or written.
    pub open: bool,
    /// Another guard has the card: nothing may be written.
    pub locked_out: bool,
    /// The policy decides, but nothing is written.
    pub observes: bool,
    /// An application is configured for this card.
    pub has_app: bool,
    /// The outcomes of the last tick's writes.
    pub writes: &'a ByKnob<Option<Write>>,
    /// The extra sensors, beside the card's own.
    pub extra_sensors: &'a [ExtraSensor],
    /// This tick comes soon after another one: something woke the guard early.
    pub woken: bool,
    /// The guard's settings on the GPU.
    pub claim: &'a Claim,
    /// The last limit was read back as written. So a different one now comes from another program.
    pub confirmed: bool,
    /// The limit on the card is one that the guard set recently: a card may forget the last one.
    pub set_lately: bool,
    /// What live leases ask for.
    pub asked: Asked,
    /// The clock of the leases. It follows the wall clock, even when sampling is sped up.
    pub lease_clock: Moment,
    /// An operator has paused the GPU.
    pub paused: bool,
    /// An alert chain is expected but missing.
    pub fallback: bool,
    /// The applications have answered their health URLs since the last message to them.
    pub apps_well: bool,
}
