//! The GPUs that the driver lists, beside those that it counts and those that `gpus` names.

use std::sync::Arc;

use crate::cli::check::finding::Finding;
use crate::cli::flags::Flags;
use crate::config::gpu_name::{Listed, listing};
use crate::config::{GpuRef, GpuSelection};
use crate::device::{DriverError, Identity};

pub(crate) fn unusable(error: &DriverError) -> Finding {
    let remedy = match error {
        DriverError::LibraryMissing { .. } => {
            "in a container, set NVIDIA_DRIVER_CAPABILITIES=utility; to try the guard without a GPU, `thermal-guard serve --simulate`"
        }
        DriverError::DriverNotLoaded(_) => {
            "load it (modprobe nvidia) and see dmesg; to try the guard without a GPU, `thermal-guard serve --simulate`"
        }
        _ => "see nvidia-smi and dmesg",
    };
    Finding::fail("driver", error.to_string(), remedy)
}

pub(crate) fn found(
    flags: &Flags,
    inventory: &[Arc<Identity>],
    library: Option<String>,
) -> Finding {
    const CHECK: &str = "driver";
    let Some(first) = inventory.first() else {
        return Finding::fail(CHECK, "there is no GPU", "see nvidia-smi and dmesg");
    };
    let version = first.driver_version.as_deref().unwrap_or("unknown");
    let what = if flags.simulate {
        "simulated"
    } else {
        "NVIDIA"
    };
    let count = match inventory.len() {
        1 => "1 GPU".to_owned(),
        count => format!("{count} GPUs"),
    };
    let library = library.map_or_else(String::new, |library| format!("; library {library}"));
    Finding::ok(
        CHECK,
        format!("{what}, version {version}, {count}{library}"),
    )
}

/// A GPU that the driver counts but can't name can't be guarded.
pub(crate) fn uncounted(counted: usize, listed: usize) -> Option<Finding> {
    (counted > listed).then(|| {
        Finding::fail(
            "gpus",
            format!("the driver counts {counted} GPUs and can tell the UUIDs of {listed}"),
            "the others can't be guarded: see nvidia-smi -L and dmesg; they may need a reset",
        )
    })
}

/// The guard knows a GPU by its UUID: of two GPUs with the same UUID, it guards the first.
pub(crate) fn without_twins(inventory: Vec<Arc<Identity>>) -> (Vec<Arc<Identity>>, Vec<Finding>) {
    let mut kept: Vec<Arc<Identity>> = Vec::new();
    let mut twins = Vec::new();
    for gpu in inventory {
        match kept.iter().find(|other| other.uuid == gpu.uuid) {
            None => kept.push(gpu),
            Some(other) => twins.push(Finding::warn(
                "gpus",
                format!(
                    "indexes {} and {} have the same UUID, {}",
                    other.index, gpu.index, gpu.uuid
                ),
                "the second can't be guarded: it needs new firmware or another vGPU profile",
            )),
        }
    }
    (kept, twins)
}

/// Each entry of a list in `gpus` must match a GPU.
pub(crate) fn missing(selection: &GpuSelection, inventory: &[Arc<Identity>]) -> Option<Finding> {
    let GpuSelection::Listed(listed) = selection else {
        return None;
    };
    let is_here = |name: &&GpuRef| inventory.iter().any(|gpu| name.matches(gpu));
    let absent: Vec<String> = (listed.iter().filter(|name| !is_here(name)))
        .map(ToString::to_string)
        .collect();
    (!absent.is_empty()).then(|| {
        let here: Vec<_> = inventory
            .iter()
            .map(|gpu| Listed::from(gpu.as_ref()))
            .collect();
        let (absent, here) = (absent.join(", "), listing(here.iter()));
        let detail = format!("{absent} isn't here; here are {here}");
        Finding::fail("gpus", detail, "correct `gpus`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::check::finding::Status;

    use crate::device::Uuid;

    fn gpu(index: u32, uuid: &str) -> Arc<Identity> {
        Arc::new(Identity {
            uuid: Uuid::new(uuid),
            index,
            name: String::new(),
            pci_bus_id: String::new(),
            serial: None,
            vbios_version: None,
            driver_version: None,
            architecture: None,
            brand: None,
            instance_uuids: Vec::new(),
        })
    }

    #[test]
    fn a_gpu_that_is_counted_and_can_t_be_named_fails() {
        assert!(uncounted(2, 2).is_none());
        let finding = uncounted(3, 2).unwrap();
        assert_eq!(finding.status, Status::Fail);
        let said = "the driver counts 3 GPUs and can tell the UUIDs of 2";
        assert_eq!(finding.detail, said);
    }

    #[test]
    fn of_two_gpus_with_one_uuid_the_second_is_warned_of() {
        let all = vec![gpu(0, "GPU-a"), gpu(1, "GPU-b"), gpu(2, "GPU-a")];
        let (kept, twins) = without_twins(all);
        assert_eq!(kept.iter().map(|it| it.index).collect::<Vec<_>>(), [0, 1]);
        assert_eq!((twins.len(), twins[0].status), (1, Status::Warn));
        let said = "indexes 0 and 2 have the same UUID, GPU-a";
        assert_eq!(twins[0].detail, said);
    }
}
