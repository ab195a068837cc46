//! NVML's bit mask of clock event reasons, as slowdown reasons.

use crate::device::{SlowdownReason, SlowdownReasons};

/// nvml.h, `nvmlClocksEventReason*`.
const BITS: [(u64, SlowdownReason); 9] = [
    (0x001, SlowdownReason::Idle),
    (0x002, SlowdownReason::ApplicationsClocks),
    (0x004, SlowdownReason::SoftwarePowerCap),
    (0x008, SlowdownReason::HardwareSlowdown),
    (0x010, SlowdownReason::SyncBoost),
    (0x020, SlowdownReason::SoftwareThermal),
    (0x040, SlowdownReason::HardwareThermal),
    (0x080, SlowdownReason::HardwarePowerBrake),
    (0x100, SlowdownReason::DisplayClock),
];

/// Every bit that has a name here.
const NAMED: u64 = 0x1ff;

/// The reasons in a mask. The whole mask, because nvml-wrapper's type drops new bits.
pub fn slowdown_reasons(mask: u64) -> SlowdownReasons {
    let set = BITS.iter().filter(|(bit, _)| mask & bit != 0);
    let mut reasons: SlowdownReasons = set.map(|(_, reason)| *reason).collect();
    reasons.has_unnamed = mask & !NAMED != 0;
    reasons
}

/// The mask of the reasons, for the simulated cards.
pub fn reasons_mask(reasons: SlowdownReasons) -> u64 {
    let set = BITS.iter().filter(|(_, reason)| reasons.contains(*reason));
    set.fold(0, |mask, (bit, _)| mask | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_one_reason_and_back() {
        for (bit, reason) in BITS {
            let reasons = slowdown_reasons(bit);
            assert_eq!(reasons, SlowdownReasons::default().with(reason));
            assert_eq!(reasons_mask(reasons), bit);
        }
        let named: Vec<_> = slowdown_reasons(NAMED).iter().collect();
        assert_eq!(named, SlowdownReason::ALL);
    }

    #[test]
    fn a_new_bit_is_a_reason_without_a_name() {
        let reasons = slowdown_reasons(0x200);
        assert!(reasons.has_unnamed && reasons.iter().next().is_none());
        assert!(!slowdown_reasons(NAMED).has_unnamed);
    }
}
