//! Which GPUs should be there, and which of them are missing. Logs a missing GPU once, and its return
//! once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::{GpuRef, GpuSelection};
use crate::device::{Driver, Identity};

/// More GPUs than any node has: a larger count from the driver is wrong.
const MOST: usize = 1024;

/// How many GPUs the driver counts. Its list has only those whose UUID it can read.
pub fn counted(driver: &dyn Driver, listed: usize) -> usize {
    let counted = driver.count().unwrap_or(listed);
    counted.min(MOST).max(listed)
}

/// The result of one inventory.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// GPUs that should be under guard.
    pub expected: usize,
    /// The GPUs that can't be guarded, by name, and why.
    missing: BTreeMap<String, Absence>,
}

/// Why an expected GPU isn't guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    /// The driver counts it, but can't tell its UUID.
    Unnamed,
    /// The configuration names it, and the driver has no such GPU.
    Unknown,
    /// It has the UUID of another one.
    Twin,
}

impl Absence {
    const fn explained(self) -> &'static str {
        match self {
            Self::Unnamed => {
                "the driver counts a GPU there and can't tell its UUID: see nvidia-smi -L and dmesg; it may need a reset"
            }
            Self::Unknown => {
                "`gpus` names it and the driver has no such GPU: see nvidia-smi -L and dmesg, or correct `gpus`"
            }
            Self::Twin => {
                "it has the same UUID as another GPU, which is guarded: it needs new firmware or another vGPU profile"
            }
        }
    }
}

impl Inventory {
    /// `listed`: those of the `counted` GPUs that the driver can name. `known`: the GPUs under guard
    /// already. One of these that is gone isn't missing: its own state says so.
    pub fn call(
        selection: &GpuSelection,
        counted: usize,
        listed: &[Arc<Identity>],
        known: &[Arc<Identity>],
    ) -> Self {
        let mut inventory = Self::default();
        let mut seen = BTreeSet::new();
        for gpu in listed.iter().filter(|gpu| selection.matches(gpu)) {
            inventory.expected += 1;
            if !seen.insert(&gpu.uuid) {
                let twin = format!("index {} ({})", gpu.index, gpu.uuid);
                inventory.missing.insert(twin, Absence::Twin);
            }
        }
        match selection {
            GpuSelection::All => inventory.unnamed(counted, listed, known),
            GpuSelection::Listed(wanted) => inventory.unknown(wanted, listed, known),
        }
        inventory
    }

    /// How many GPUs are expected while there is no driver to ask.
    pub fn unasked(selection: &GpuSelection) -> usize {
        match selection {
            GpuSelection::All => 0,
            GpuSelection::Listed(wanted) => wanted.len(),
        }
    }

    fn unnamed(&mut self, counted: usize, listed: &[Arc<Identity>], known: &[Arc<Identity>]) {
        self.expected = self.expected.max(counted);
        let named: BTreeSet<u32> = listed.iter().chain(known).map(|gpu| gpu.index).collect();
        let nameless = (0..).take(counted).filter(|index| !named.contains(index));
        // Never more than the driver failed to list: indexes may have moved.
        let most = counted.saturating_sub(listed.len());
        for index in nameless.take(most) {
            self.missing
                .insert(format!("index {index}"), Absence::Unnamed);
        }
    }

    fn unknown(&mut self, wanted: &[GpuRef], listed: &[Arc<Identity>], known: &[Arc<Identity>]) {
        let among = |gpus: &[Arc<Identity>], gpu: &GpuRef| gpus.iter().any(|it| gpu.matches(it));
        for gpu in wanted.iter().filter(|gpu| !among(listed, gpu)) {
            self.expected += 1;
            if !among(known, gpu) {
                self.missing.insert(gpu.to_string(), Absence::Unknown);
            }
        }
    }

    /// One line for each GPU that is missing since `before`, and for each that is back.
    pub fn log(&self, before: &Self) {
        for (gpu, absence) in &self.missing {
            if !before.missing.contains_key(gpu) {
                let why = absence.explained();
                tracing::error!(missing = %gpu, expected = self.expected, "a GPU that should be guarded isn't: {why}");
            }
        }
        for gpu in before.missing.keys() {
            if !self.missing.contains_key(gpu) {
                tracing::info!(missing = %gpu, expected = self.expected, "a GPU that was missing is back");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::device::Uuid;

    fn gpu(index: u32, uuid: &str) -> Arc<Identity> {
        Arc::new(Identity {
            uuid: Uuid::new(uuid),
            index,
            name: String::new(),
            pci_bus_id: format!("00000000:{:02X}:00.0", 0x17 + index),
            serial: None,
            vbios_version: None,
            driver_version: None,
            architecture: None,
            brand: None,
            instance_uuids: Vec::new(),
        })
    }

    fn missing(inventory: &Inventory) -> Vec<(&str, Absence)> {
        let missing = inventory.missing.iter();
        missing.map(|(gpu, why)| (gpu.as_str(), *why)).collect()
    }

    #[test]
    fn a_gpu_that_the_driver_counts_and_can_t_name_is_expected_and_missing() {
        let listed = [gpu(0, "GPU-a"), gpu(2, "GPU-c")];
        let inventory = Inventory::call(&GpuSelection::All, 3, &listed, &[]);
        assert_eq!(inventory.expected, 3);
        assert_eq!(missing(&inventory), [("index 1", Absence::Unnamed)]);
        let all = Inventory::call(&GpuSelection::All, 2, &listed, &[]);
        assert_eq!((all.expected, missing(&all)), (2, vec![]));
    }

    #[test]
    fn a_listed_gpu_that_is_not_there_is_expected_and_missing() {
        let wanted = GpuSelection::Listed(vec![
            GpuRef::Index(0),
            GpuRef::Uuid("gpu-b".to_owned()),
            GpuRef::Index(7),
        ]);
        let inventory = Inventory::call(&wanted, 1, &[gpu(0, "GPU-a")], &[]);
        assert_eq!(inventory.expected, 3);
        let both = [
            ("GPU gpu-b", Absence::Unknown),
            ("index 7", Absence::Unknown),
        ];
        assert_eq!(missing(&inventory), both);
        assert_eq!(Inventory::unasked(&wanted), 3, "before there is a driver");
    }

    #[test]
    fn a_gpu_that_was_found_and_is_gone_has_a_state_and_is_not_missing() {
        let (kept, gone) = (gpu(0, "GPU-a"), gpu(1, "GPU-b"));
        let known = [kept.clone(), gone];
        let here = [kept];
        let inventory = Inventory::call(&GpuSelection::All, 2, &here, &known);
        assert_eq!((inventory.expected, missing(&inventory)), (2, vec![]));
        let wanted = GpuSelection::Listed(vec![GpuRef::Index(0), GpuRef::Uuid("gpu-b".to_owned())]);
        let inventory = Inventory::call(&wanted, 1, &here, &known);
        assert_eq!((inventory.expected, missing(&inventory)), (2, vec![]));
    }

    #[test]
    fn of_two_gpus_with_one_uuid_the_second_is_missing() {
        let twins = [gpu(0, "GPU-a"), gpu(1, "GPU-a")];
        let inventory = Inventory::call(&GpuSelection::All, 2, &twins, &twins[..1]);
        assert_eq!(inventory.expected, 2);
        assert_eq!(missing(&inventory), [("index 1 (GPU-a)", Absence::Twin)]);
    }

    #[test]
    fn what_is_not_selected_is_not_expected() {
        let wanted = GpuSelection::Listed(vec![GpuRef::Index(1)]);
        let listed = [gpu(0, "GPU-a"), gpu(1, "GPU-b")];
        let inventory = Inventory::call(&wanted, 4, &listed, &[]);
        assert_eq!((inventory.expected, missing(&inventory)), (1, vec![]));
    }

    #[test]
    fn two_names_of_one_gpu_expect_it_once() {
        let both = GpuSelection::Listed(vec![GpuRef::Index(0), GpuRef::Uuid("gpu-a".to_owned())]);
        let inventory = Inventory::call(&both, 1, &[gpu(0, "GPU-a")], &[]);
        assert_eq!((inventory.expected, missing(&inventory)), (1, vec![]));
    }
}
