//! Why an operator's request will have less effect than was asked for.

use std::time::Duration;

use crate::device::Identity;
use crate::guard::Permission;
use crate::guard::state::Shared;
use crate::policy::{State as GpuState, Unguarded};
use crate::web::snapshot::GpuView;

/// What keeps a lease from its full effect, as of the GPU's last tick.
pub(crate) fn obstacles(shared: &Shared, gpu: &Identity, period: Duration) -> Vec<String> {
    let now = shared.clock.wall();
    let tick = shared.gpu_handle(&gpu.uuid).and_then(|it| it.latest());
    let decision = tick.as_ref().map(|tick| tick.decision);
    let unguarded = decision.and_then(|it| it.unguarded);
    let permission = tick.map(|tick| tick.permission);
    let index = shared.index_of(gpu);
    let moved = index.is_none().then(|| {
        let was = gpu.index;
        format!("it is gone, and index {was} is another card's now: name that one to hold it")
    });
    let silent = shared.gpu_handle(&gpu.uuid).filter(|_| unguarded.is_none());
    let poll = shared.clock.on_wall(shared.live().poll_interval);
    let silent = silent.filter(|it| {
        let view = GpuView::new(&it.identity, it.latest(), now, poll);
        view.tick.is_some() && !view.up
    });
    let silent = silent.map(|_| "it doesn't answer: nothing is done before it is back".to_owned());
    let nothing_to_do = unguarded.map(|why| {
        format!(
            "it is unguarded, and nothing can be done: {}",
            why.explained()
        )
    });
    let left = decision
        .filter(|it| it.state != GpuState::Unguarded)
        .and_then(|it| cut_short(it.hold_left, period));
    let paused = shared.paused_until(&gpu.uuid, now).map(|until| {
        let left = Duration::from_secs(until.since(now).as_secs());
        let left = humantime::format_duration(left);
        format!("it is paused for another {left}, and the lease ignored until then")
    });
    let detached = shared.is_detached() && unguarded != Some(Unguarded::Detached);
    let plain = [
        (
            detached,
            "the guard is detached: nothing is done before an attach",
        ),
        (
            permission == Some(Permission::Observe),
            "mode observe: what would be done is computed, not written",
        ),
        (
            permission == Some(Permission::Denied) && unguarded.is_none(),
            "the guard has no permission to write to it",
        ),
    ];
    let plain = plain.into_iter().filter(|(holds, _)| *holds);
    moved
        .into_iter()
        .chain(silent)
        .chain(nothing_to_do)
        .chain(paused)
        .chain(plain.map(|(_, note)| note.to_owned()))
        .chain(left)
        .collect()
}

/// The part of `period` that `max_hold` leaves, if that is less.
fn cut_short(left: Duration, period: Duration) -> Option<String> {
    let whole = Duration::from_secs(left.as_secs());
    if left >= period {
        None
    } else if whole.is_zero() {
        Some("max_hold is used up within this hour: the lease is counted, not obeyed, but for what the temperature itself asks for".to_owned())
    } else {
        let left = humantime::format_duration(whole);
        Some(format!(
            "max_hold lets leases hold it for another {left} within this hour: after that it is counted, not obeyed"
        ))
    }
}

/// The leases that a pause overrides.
pub(crate) fn ignored(shared: &Shared, gpu: &Identity) -> Option<String> {
    match shared.leases().of(&gpu.uuid).count() {
        0 => None,
        1 => Some("a live lease on it is ignored until then".to_owned()),
        count => Some(format!("{count} live leases on it are ignored until then")),
    }
}
