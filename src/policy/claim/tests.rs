use super::*;
use crate::device::ClockDomain;

const W: fn(u32) -> Watts = Watts::from_watts;

fn at(seconds: u64) -> Moment {
    Moment::from_start(Duration::from_secs(seconds))
}

#[test]
fn the_original_is_remembered_over_many_writes() {
    let mut claim = Claim::default();
    claim.writing(W(400), W(340));
    claim.writing(W(340), W(300));
    let limit = claim.limit.expect("claimed");
    assert_eq!(
        limit,
        LimitClaim {
            original: W(400),
            previous: W(340),
            next: W(300)
        }
    );
    assert!(limit.owns(W(400)) && limit.owns(W(340)) && limit.owns(W(300)));
    assert!(!limit.owns(W(350)));
}

#[test]
fn a_lower_foreign_limit_stays_and_is_given_back() {
    let mut limit = LimitClaim {
        original: W(400),
        previous: W(400),
        next: W(300),
    };
    let mut contest = Contest::default();
    let verdict = contest.observe(at(0), W(250), false, &mut limit);
    assert_eq!(
        (verdict, limit.original),
        (Verdict::MaybeLower, W(400)),
        "once"
    );
    let verdict = contest.observe(at(1), W(250), false, &mut limit);
    assert_eq!((verdict, limit.original), (Verdict::Lower, W(250)));
}

#[test]
fn a_higher_one_is_corrected_at_once_then_every_ten_seconds() {
    let mut contest = Contest::default();
    let mut limit = LimitClaim {
        original: W(400),
        previous: W(400),
        next: W(300),
    };
    let mut corrections = Vec::new();
    for second in 0..25 {
        if contest.observe(at(second), W(390), false, &mut limit) == Verdict::Higher {
            contest.corrected(at(second));
            corrections.push(second);
        }
    }
    assert_eq!(corrections, [0, 10, 20]);
    assert_eq!(limit.original, W(390));
    assert!(contest.is_contested(at(25)));
    assert!(!contest.is_contested(at(601)));
}

#[test]
fn our_own_original_put_back_by_another_is_corrected_too() {
    let mut limit = LimitClaim {
        original: W(400),
        previous: W(400),
        next: W(300),
    };
    assert_eq!(
        Contest::default().observe(at(0), W(400), false, &mut limit),
        Verdict::Higher
    );
    assert_eq!(limit.original, W(400));
}

#[test]
fn a_claim_on_anything_is_a_claim() {
    assert!(Claim::default().is_empty());
    let lock = Claim {
        locks: ByClock::only(ClockDomain::Memory, true),
        ..Claim::default()
    };
    assert!(!lock.is_empty());
}

#[test]
fn a_contest_is_three_corrections_within_ten_minutes() {
    let mut contest = Contest::default();
    contest.corrected(at(0));
    contest.corrected(at(10));
    assert!(!contest.is_contested(at(10)));
    contest.corrected(at(20));
    assert!(contest.is_contested(at(600)));
    assert!(!contest.is_contested(at(601)));
}

#[test]
fn the_guards_own_limit_and_a_lower_one_of_its_own_stay() {
    let mut limit = LimitClaim {
        original: W(400),
        previous: W(250),
        next: W(300),
    };
    let mut contest = Contest::default();
    assert_eq!(
        contest.observe(at(0), W(300), false, &mut limit),
        Verdict::Ours
    );
    assert_eq!(
        contest.observe(at(0), W(250), false, &mut limit),
        Verdict::Ours
    );
    assert_eq!(limit.original, W(400));
}

#[test]
fn a_lower_limit_that_is_read_once_counts_for_nothing() {
    let ours = LimitClaim {
        original: W(400),
        previous: W(400),
        next: W(300),
    };
    let (mut limit, mut contest) = (ours, Contest::default());
    for second in 0..20 {
        // An odd answer every other time, each time another one, between right ones.
        let odd = W(100 + u32::try_from(second).expect("small"));
        assert_eq!(
            contest.observe(at(2 * second), odd, false, &mut limit),
            Verdict::MaybeLower
        );
        assert_eq!(
            contest.observe(at(2 * second + 1), W(300), false, &mut limit),
            Verdict::Ours
        );
    }
    assert_eq!(limit, ours);
    // Two odd ones in a row that differ are no limit, either.
    for odd in [W(1), W(2), W(3)] {
        assert_eq!(
            contest.observe(at(50), odd, false, &mut limit),
            Verdict::MaybeLower
        );
    }
    assert_eq!(limit, ours);
}

#[test]
fn a_limit_between_the_two_of_a_write_or_just_under_them_is_spanned() {
    let limit = LimitClaim {
        original: W(400),
        previous: W(300),
        next: W(283),
    };
    for (on_card, spanned) in [
        (300, true),
        (290, true),
        (283, true),
        (280, true),
        (277, false),
    ] {
        assert_eq!(limit.spans(W(on_card)), spanned, "{on_card} W");
    }
    assert!(!limit.spans(W(301)), "above both");
    let raise = LimitClaim {
        previous: W(283),
        next: W(300),
        ..limit
    };
    assert!(
        raise.spans(W(290)) && !raise.spans(W(301)),
        "in either direction"
    );
}
