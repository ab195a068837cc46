use anyhow::anyhow;

use super::*;
use crate::units::Celsius;

fn gpu(index: u32, left: Result<f64, &str>) -> GpuHeat {
    GpuHeat {
        uuid: format!("GPU-{index}"),
        index: Some(index),
        core: None,
        left: left.map(Celsius::new).map_err(str::to_owned),
    }
}

/// One look per second at GPUs with these degrees left to safe; how long the streak is at the end.
fn after(looks: &[&[Result<f64, &str>]]) -> Option<u64> {
    let mut streak = Streak::new(Below::Safe);
    let mut lasts = None;
    for (second, look) in (0..).zip(looks) {
        let now = Moment::from_start(Duration::from_secs(second));
        let gpus = (0..).zip(*look).map(|(index, left)| gpu(index, *left));
        streak.note(now, now, Ok(gpus.collect()));
        lasts = streak.lasts(now).map(|it| it.as_secs());
    }
    lasts
}

#[test]
fn it_counts_from_the_first_look_at_which_all_are_cool() {
    assert_eq!(after(&[&[Ok(3.0)], &[Ok(3.0)], &[Ok(0.0)]]), Some(2));
    let (hot, cool) = ([Ok(5.0), Ok(-1.0)], [Ok(5.0), Ok(1.0)]);
    assert_eq!(after(&[&hot, &cool, &cool]), Some(1));
    assert_eq!(after(&[&hot, &hot]), None);
}

#[test]
fn one_hot_or_unreadable_look_breaks_it() {
    let cool: &[Result<f64, &str>] = &[Ok(5.0)];
    assert_eq!(after(&[cool, cool, &[Ok(-0.1)], cool]), Some(0));
    assert_eq!(after(&[cool, cool, &[Err("blind")], cool, cool]), Some(1));
    assert_eq!(after(&[cool, cool, &[Err("blind")]]), None);
}

#[test]
fn a_gpu_that_vanishes_is_not_cool() {
    let both: &[Result<f64, &str>] = &[Ok(5.0), Ok(5.0)];
    assert_eq!(after(&[both, both, &[Ok(5.0)]]), None);
    assert_eq!(after(&[both, &[Ok(5.0)], both, both]), Some(1));
    assert_eq!(after(&[&[]]), None, "no GPU at all");
}

#[test]
fn a_gap_between_two_looks_breaks_it() {
    let mut streak = Streak::new(Below::Safe);
    let at = |seconds| Moment::from_start(Duration::from_secs(seconds));
    for (second, lasts) in [(0, 0), (5, 5), (11, 0), (12, 1)] {
        streak.note(at(second), at(second), Ok(vec![gpu(0, Ok(5.0))]));
        let now = streak.lasts(at(second));
        assert_eq!(now, Some(Duration::from_secs(lasts)), "{second}");
    }
}

#[test]
fn without_an_answer_each_gpu_says_why() {
    let mut streak = Streak::new(Below::Safe);
    let at = Moment::START;
    streak.note(at, at, Ok(vec![gpu(0, Ok(5.0)), gpu(1, Ok(5.0))]));
    let gpus = streak.note(at, at, Err(anyhow!("no answer in time")));
    assert_eq!(gpus.len(), 2);
    for gpu in gpus {
        assert_eq!(gpu.left.unwrap_err(), "no answer in time");
    }
    assert_eq!(streak.lasts(at), None);
}
