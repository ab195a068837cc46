//! Workload power profiles: settings of Blackwell data-centre cards that move several clocks and the
//! limit at once. Only read here.

use crate::device::nvml::raw::Card;
use crate::device::nvml::unsupported::{Call, OpenCard};
use crate::device::{Missing, PowerProfiles, ProfileSet};

/// Asked with each of this many full reads. Programs set profiles for a job, not for a second, and
/// what the call costs isn't known.
const EVERY: u32 = 6;

/// The profiles as last read.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    reads: u32,
    last: Option<PowerProfiles>,
}

impl Profiles {
    pub(crate) fn read(&mut self, card: &mut OpenCard) -> Option<PowerProfiles> {
        if self.reads.is_multiple_of(EVERY) {
            let masks = card.ask(Call::PowerProfiles, Card::power_profiles);
            self.last = said(masks);
        }
        self.reads = self.reads.wrapping_add(1);
        self.last
    }
}

/// A card without any profile has none to show.
fn said(masks: Result<[[u32; 8]; 3], Missing>) -> Option<PowerProfiles> {
    let [supported, requested, enforced] = masks.ok()?.map(ProfileSet::new);
    let profiles = PowerProfiles {
        supported,
        requested,
        enforced,
    };
    (supported != ProfileSet::default()).then_some(profiles)
}

/// The names of `nvmlPowerProfileType_t` in nvml.h 13, by number.
const NAMES: [&str; 15] = [
    "max_p",
    "max_q",
    "compute",
    "memory_bound",
    "network",
    "balanced",
    "llm_inference",
    "llm_training",
    "rbm",
    "dcpcie",
    "hmma_sparse",
    "hmma_dense",
    "sync_balanced",
    "hpc",
    "mig",
];

/// `None`: it is newer than this build.
pub(crate) fn profile_name(number: u8) -> Option<&'static str> {
    NAMES.get(usize::from(number)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_sets_and_no_profile_at_all_is_nothing_to_show() {
        let mask = |first: u32| [first, 0, 0, 0, 0, 0, 0, 1];
        let profiles = said(Ok([mask(0b1011), mask(0b0010), mask(0b0001)])).unwrap();
        let all: Vec<_> = profiles.supported.iter().collect();
        assert_eq!(all, [0, 1, 3, 224]);
        assert!(profiles.requested.contains(1) && !profiles.requested.contains(0));
        assert!(profiles.enforced.contains(0) && profiles.enforced.contains(224));
        assert_eq!(said(Ok([[0; 8]; 3])), None);
        assert_eq!(said(Err(Missing::NotSupported)), None);
    }

    #[test]
    fn the_names_are_those_of_the_header() {
        use nvml_wrapper_sys::bindings as c;
        for (number, name) in [
            (c::nvmlPowerProfileType_t_NVML_POWER_PROFILE_MAX_Q, "max_q"),
            (
                c::nvmlPowerProfileType_t_NVML_POWER_PROFILE_LLM_INFERENCE,
                "llm_inference",
            ),
            (c::nvmlPowerProfileType_t_NVML_POWER_PROFILE_MIG, "mig"),
        ] {
            assert_eq!(profile_name(u8::try_from(number).unwrap()), Some(name));
        }
        assert_eq!(profile_name(15), None);
    }
}
