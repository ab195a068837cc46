//! The rules of a single tick, by the guard's own reading of it, which the hour can't know.

use thermal_guard::device::ClockRange;
use thermal_guard::guard::Tick;
use thermal_guard::policy::{Level, State};
use thermal_guard::sim::profile::Profile;
use thermal_guard::units::Watts;

/// The values on a card.
#[derive(Clone, Copy)]
pub(super) struct On {
    pub(super) limit: Watts,
    pub(super) lock: Option<ClockRange>,
}

/// The rules that a tick broke. `well`: the guard can read the card and write to it, and no other
/// program does.
pub(super) fn broken_by(tick: &Tick, before: On, after: On, well: Option<&Profile>) -> Vec<String> {
    let decision = &tick.decision;
    let raised = after.limit > before.limit;
    let slower = |was: ClockRange| after.lock.is_some_and(|is| is.max <= was.max);
    let loosened = before.lock.is_some_and(|was| !slower(was));
    let cool = decision.heat.is_some_and(|heat| !heat.is_hot());
    let critical = decision.heat.is_some_and(|heat| heat.is_critical());
    let told = decision.asks.alert == Level::Emergency && !decision.overheld;
    let spared = |profile: &Profile| {
        decision.level != Level::Emergency
            || after.limit != profile.min_limit
            || after.lock.is_none()
    };
    let rules = [
        ("raised unseen or hot", (raised || loosened) && !cool),
        (
            "raised while blind",
            raised && decision.state == State::Blind,
        ),
        (
            "an alert took protection away",
            // Of an unguarded card nothing is claimed.
            decision.state != State::Unguarded && decision.level < decision.asks.local,
        ),
        (
            "an emergency waits",
            (critical || told) && well.is_some_and(spared),
        ),
    ];
    let broken = rules.iter().filter(|(_, broken)| *broken);
    broken
        .map(|(rule, _)| {
            format!(
                "{rule}: {:?} to {:?}, {decision:?}",
                before.limit, after.limit
            )
        })
        .collect()
}
