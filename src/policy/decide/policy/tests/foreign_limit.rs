//! Limits that somebody else sets: a higher one is lowered, a lower one stays.

use super::*;

#[test]
fn a_higher_foreign_limit_is_lowered_at_once_then_every_ten_seconds() {
    let mut card = capped();
    let mut lowered = Vec::new();
    for second in 0..21 {
        card.reading.limit = Ok(w(350));
        let decision = card.tick(COOL);
        assert_eq!(decision.contested, second == 20, "{second}");
        if card.limit() < w(350) {
            lowered.push(second);
        }
    }
    assert_eq!(lowered, [0, 10, 20]);
    let original = card.claim.limit.map(|ours| ours.original);
    assert!(original <= Some(w(400)));
}

#[test]
fn at_critical_a_higher_limit_is_lowered_every_tick() {
    let mut card = Card::new();
    card.tick(CRITICAL);
    for second in 0..5 {
        card.reading.limit = Ok(w(350));
        card.tick(CRITICAL);
        assert_eq!(card.limit(), w(100), "{second}");
    }
}

#[test]
fn a_contested_limit_gets_a_clock_lock() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    for second in 0..21 {
        card.reading.limit = Ok(w(390));
        let decision = card.tick(COOL);
        let lock = (second == 20).then_some(lock(1500));
        assert_eq!(decision.targets.locks[ClockDomain::Gpu], lock, "{second}");
    }
}

#[test]
fn a_lower_foreign_limit_stays_and_becomes_the_original() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.reading.limit = Ok(w(250));
    assert!(!card.tick(COOL).foreign_limit, "read once, it may be none");
    assert_eq!(card.limit(), w(250), "but it is left alone");
    let decision = card.tick(COOL);
    assert!(decision.foreign_limit);
    assert_eq!(card.limit(), w(250));
    assert!(decision.targets.limit <= Some(w(250)));
}

/// Also at a tick at which the guard would have lowered its own: writing over it would lose it.
#[test]
fn a_lower_foreign_limit_is_noticed_at_whatever_tick_of_a_throttle_it_comes() {
    for tick in 0..80 {
        let mut card = Card::new();
        let heating = |card: &Card| (COOL + 0.2 * card.second as f64).min(HOT - 0.3);
        while card.claim.limit.is_none() {
            card.tick(heating(&card));
        }
        for _ in 0..tick {
            card.tick(heating(&card));
        }
        let foreign = card.limit().saturating_sub(w(1));
        card.reading.limit = Ok(foreign);
        card.tick(heating(&card));
        assert_eq!(card.limit(), foreign, "{tick}: it is read again");
        assert!(card.tick(heating(&card)).foreign_limit, "{tick}");
    }
}

#[test]
fn heat_does_not_wait_until_a_foreign_limit_was_read_twice() {
    let mut card = Card::new();
    card.until(HOT, State::Gradual);
    card.reading.limit = Ok(card.limit().saturating_sub(w(1)));
    let foreign = card.limit();
    card.tick(CRITICAL);
    assert!(card.limit() < foreign);
}

#[test]
fn our_own_limit_is_not_foreign() {
    let mut card = capped();
    let decision = card.tick(COOL);
    assert!(!decision.foreign_limit && !decision.contested);
}

#[test]
fn a_foreign_limit_is_told_on_its_own_tick_only() {
    let mut card = Card::new();
    card.asked = alert(Level::Gradual);
    card.tick(COOL);
    card.reading.limit = Ok(w(250));
    assert!(!card.look().foreign_limit);
    assert!(card.look().foreign_limit, "read twice");
    card.reading.core = Err(Missing::Failed(any_code(999)));
    card.reading.limit = Err(Missing::Failed(any_code(999)));
    assert!(!card.look().foreign_limit);
}
