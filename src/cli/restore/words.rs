//! What `restore` says about a GPU.

use crate::device::Reading;
use crate::guard::actuate::journal::{Entry, Reason};
use crate::guard::actuate::limit::OutOfReach;
use crate::guard::outcomes::{Action, ActionResult, Outcomes};
use crate::policy::{Claim, Doubt, Judgement};
use crate::units::Watts;

/// The limit that somebody else has set, and the one before the guard: an operator may know which is
/// right.
pub(super) fn left_alone(entry: &Entry, reading: &Reading) -> String {
    let theirs = reading.limit.map(|limit| format!(" to {limit}"));
    let before = entry.claim.limit.map(|ours| {
        let original = ours.original;
        format!(" (it was {original} before the guard)")
    });
    format!(
        "somebody else has set the power limit{} since{}: left alone",
        theirs.unwrap_or_default(),
        before.unwrap_or_default()
    )
}

pub(super) fn said(it: OutOfReach) -> String {
    let OutOfReach {
        original,
        range,
        set,
    } = it;
    let (min, max) = (range.min, range.max);
    format!("{original} isn't taken any more ({min} to {max}): {set} is set, the nearest")
}

/// Why the temperature isn't known. The doubts are the dead guard's.
pub(super) fn unseen(judged: Option<Judgement>, left: &Reason) -> String {
    let doubted = judged.and_then(|it| it.doubted.zip(it.doubt));
    let doubted = doubted.map(|(sensor, doubt)| match doubt {
        Doubt::Inherited => (sensor, left.doubted[sensor].unwrap_or(doubt)),
        _ => (sensor, doubt),
    });
    let why = match doubted {
        Some((sensor, Doubt::Missing)) => format!("its {} sensor can't be read", sensor.name()),
        Some((sensor, doubt)) => format!(
            "its {} sensor isn't believed ({}), as the guard that left it so found, and hasn't proven itself",
            sensor.name(),
            doubt.name()
        ),
        None => "its temperature can't be read".to_owned(),
    };
    format!("{why}; `thermal-guard restore --force` gives back blindly")
}

/// A claim, in words.
pub(super) fn described(claim: &Claim) -> String {
    let limit = claim
        .limit
        .map(|limit| format!("the power limit {}", limit.original));
    let locks = claim.locks.iter().filter(|(_, held)| **held);
    let locks = locks.map(|(domain, _)| domain.words().to_owned());
    let fans = claim.fans.any().then(|| "the fans".to_owned());
    limit
        .into_iter()
        .chain(locks)
        .chain(fans)
        .collect::<Vec<_>>()
        .join(" and ")
}

/// The writes that failed. `now` is the limit on the card.
pub(super) fn trouble(outcomes: &Outcomes, now: Option<Watts>) -> String {
    let mut troubles = Vec::new();
    for action in Action::ALL {
        for result in ActionResult::ALL {
            if result != ActionResult::Ok && outcomes.has(action, result) {
                troubles.push(format!("{}: {}", action.name(), result.name()));
            }
        }
    }
    match now {
        Some(now) if !troubles.is_empty() => {
            format!("the card has {now}; {}", troubles.join(", "))
        }
        None if !troubles.is_empty() => troubles.join(", "),
        Some(now) => format!("the card takes no more than the {now} that are on it now"),
        None => "the limit can't be read".to_owned(),
    }
}
