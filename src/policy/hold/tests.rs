use super::*;

const TICK: Duration = Duration::from_secs(1);

#[test]
fn no_hour_holds_more_than_allowed() {
    let max = Duration::from_secs(30 * 60);
    let mut ledger = HoldLedger::new(max);
    let mut held = Vec::new();
    for second in 0..4 * 3600 {
        let now = Moment::from_start(TICK * second);
        ledger.charge(now, held.last().copied().unwrap_or(false));
        held.push(ledger.permits(TICK));
    }
    let mut seconds = 0;
    for (now, is_held) in held.iter().enumerate() {
        seconds += u32::from(*is_held);
        seconds -= u32::from(now >= 3600 && held[now - 3600]);
        assert!(seconds <= 1800, "{seconds} in the hour until {now}");
    }
    assert!(
        held[2 * 3600..].iter().any(|&held| held),
        "the budget comes back"
    );
}
