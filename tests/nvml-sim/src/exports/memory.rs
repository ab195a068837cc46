//! Memory, ECC, and who uses the card (nobody).

use nvml_wrapper_sys::bindings::{nvmlBAR1Memory_t, nvmlMemory_t, nvmlMemory_v2_t};
use thermal_guard::sim::faults::Call;

use super::ffi::{Out, answer, check_version, get};
use crate::code::{Code, Outcome};
use crate::fault::Feature;
use crate::session::{Access, Handle, Seen, with_card};

const ALWAYS: Access = Access::Read(Feature::Always);

/// What the driver keeps for itself.
const RESERVED: u64 = 512 << 20;

/// Total, and what programs hold of it.
fn amounts(seen: &Seen<'_>) -> Outcome<(u64, u64)> {
    let total = seen.profile.memory_bytes;
    if total == 0 {
        return Err(Code::NotSupported);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a size that fits"
    )]
    let used = ((total - RESERVED) as f64 * seen.card.memory_used.clamp(0.0, 1.0)) as u64;
    Ok((total, used))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMemoryInfo(device: Handle, out: Out<'_, nvmlMemory_t>) -> u32 {
    get(device, ALWAYS.by(Call::MemoryInfo), out, |seen| {
        let (total, used) = amounts(seen)?;
        Ok(nvmlMemory_t {
            total,
            free: total - RESERVED - used,
            used: used + RESERVED,
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMemoryInfo_v2(
    device: Handle,
    inout: Option<&mut nvmlMemory_v2_t>,
) -> u32 {
    answer(|| {
        let inout = inout.ok_or(Code::InvalidArgument)?;
        check_version::<nvmlMemory_v2_t>(inout.version, 2)?;
        let (total, used) = with_card(device, ALWAYS.by(Call::MemoryInfo), |seen| amounts(&seen))?;
        (inout.total, inout.reserved, inout.used) = (total, RESERVED, used);
        inout.free = total - RESERVED - used;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetBAR1MemoryInfo(
    device: Handle,
    out: Out<'_, nvmlBAR1Memory_t>,
) -> u32 {
    get(device, ALWAYS, out, |_| {
        Ok(nvmlBAR1Memory_t {
            bar1Total: 256 << 20,
            bar1Free: 255 << 20,
            bar1Used: 1 << 20,
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetEccMode(
    device: Handle,
    current: Out<'_, u32>,
    pending: Out<'_, u32>,
) -> u32 {
    let mode = |out| {
        get(device, ALWAYS, out, |seen| {
            if seen.profile.ecc {
                Ok(1)
            } else {
                Err(Code::NotSupported)
            }
        })
    };
    match mode(current) {
        0 => mode(pending),
        code => code,
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetTotalEccErrors(
    device: Handle,
    kind: u32,
    counter: u32,
    out: Out<'_, u64>,
) -> u32 {
    // Corrected or uncorrected, volatile or aggregate: none of any.
    if kind > 1 || counter > 1 {
        return Code::InvalidArgument.number();
    }
    get(device, ALWAYS, out, |seen| {
        if seen.profile.ecc {
            Ok(0)
        } else {
            Err(Code::NotSupported)
        }
    })
}

/// An empty list of processes, by the names it has had.
macro_rules! no_processes {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(device: Handle, count: Out<'_, u32>, _infos: usize) -> u32 {
            get(device, ALWAYS, count, |_| Ok(0))
        }
    )*};
}

no_processes! {
    nvmlDeviceGetComputeRunningProcesses
    nvmlDeviceGetComputeRunningProcesses_v2
    nvmlDeviceGetComputeRunningProcesses_v3
    nvmlDeviceGetGraphicsRunningProcesses
    nvmlDeviceGetGraphicsRunningProcesses_v2
    nvmlDeviceGetGraphicsRunningProcesses_v3
    nvmlDeviceGetMPSComputeRunningProcesses
    nvmlDeviceGetMPSComputeRunningProcesses_v2
    nvmlDeviceGetMPSComputeRunningProcesses_v3
}
