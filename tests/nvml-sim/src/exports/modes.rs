//! Utilisation, performance state, and the modes a card can be in.

use nvml_wrapper_sys::bindings::nvmlUtilization_t;
use thermal_guard::sim::faults::{Call, bits};

use super::ffi::{Out, answer, get};
use crate::cards::product;
use crate::code::Code;
use crate::fault::Feature;
use crate::operate::{self, Write};
use crate::session::{Access, Handle, Seen, with_card};

const ALWAYS: Access = Access::Read(Feature::Always);
const UTILIZATION: Access = Access::Read(Feature::Utilization);

/// Sampling period NVML gives with encoder and decoder utilisation, in microseconds.
const SAMPLING: u32 = 167_000;

fn busy(seen: &Seen<'_>) -> bool {
    seen.card.load.power > 0.0
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetUtilizationRates(
    device: Handle,
    out: Out<'_, nvmlUtilization_t>,
) -> u32 {
    get(device, UTILIZATION.by(Call::Utilization), out, |seen| {
        seen.told_or(told_rates, |seen| Ok(true_rates(seen)))
    })
}

fn told_rates(number: i64) -> nvmlUtilization_t {
    nvmlUtilization_t {
        gpu: bits(number),
        memory: bits(number >> 32),
    }
}

fn true_rates(seen: &Seen<'_>) -> nvmlUtilization_t {
    let flow = seen.flow();
    let percent = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "0 to 100"
        )]
        let percent = (share.clamp(0.0, 1.0) * 100.0).round() as u32;
        percent
    };
    let memory_bound = if busy(seen) {
        1.0 - 0.5 * seen.card.load.compute_bound
    } else {
        0.0
    };
    nvmlUtilization_t {
        gpu: percent(flow.utilization.value()),
        memory: percent(memory_bound),
    }
}

/// Engines nobody uses.
macro_rules! idle_engines {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(device: Handle, percent: Out<'_, u32>, period: Out<'_, u32>) -> u32 {
            match get(device, UTILIZATION, percent, |_| Ok(0)) {
                0 => get(device, UTILIZATION, period, |_| Ok(SAMPLING)),
                code => code,
            }
        }
    )*};
}

idle_engines! {
    nvmlDeviceGetEncoderUtilization
    nvmlDeviceGetDecoderUtilization
    nvmlDeviceGetJpgUtilization
    nvmlDeviceGetOfaUtilization
}

/// Nothing is ever sent or received.
#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPcieThroughput(
    device: Handle,
    _counter: u32,
    out: Out<'_, u32>,
) -> u32 {
    get(device, Access::Read(Feature::PcieThroughput), out, |_| {
        Ok(0)
    })
}

/// Modes in which nothing is on, nor set to anything but the default.
macro_rules! zero_modes {
    ($($name:ident)*) => {$(
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(device: Handle, out: Out<'_, u32>) -> u32 {
            get(device, ALWAYS, out, |_| Ok(0))
        }
    )*};
}

zero_modes! {
    nvmlDeviceGetComputeMode
    nvmlDeviceGetDisplayMode
    nvmlDeviceGetDisplayActive
    nvmlDeviceGetVirtualizationMode
    nvmlDeviceGetPowerSource
    nvmlDeviceGetMultiGpuBoard
    nvmlDeviceIsMigDeviceHandle
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPerformanceState(device: Handle, out: Out<'_, u32>) -> u32 {
    // HBM cards stay in P0; the others fall to P8 at rest.
    let asked = Access::Read(Feature::Clocks).by(Call::PerformanceState);
    get(device, asked, out, |seen| {
        let is_low = !busy(seen) && seen.profile.hbm.is_none();
        seen.told_or(bits, |_| Ok(if is_low { 8 } else { 0 }))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPowerState(device: Handle, out: Out<'_, u32>) -> u32 {
    nvmlDeviceGetPerformanceState(device, out)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPersistenceMode(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, ALWAYS.by(Call::PersistenceMode), out, |seen| {
        seen.told_or(bits, |seen| Ok(seen.card.persistence))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceSetPersistenceMode(device: Handle, mode: u32) -> u32 {
    if mode > 1 {
        return Code::InvalidArgument.number();
    }
    answer(|| {
        let asked = Access::Write(Feature::Always).by(Call::SetPersistenceMode);
        with_card(device, asked, |seen| {
            operate::write(seen.card, Write::Other, |card| {
                card.persistence = seen.told.map_or(mode, bits);
                Ok(())
            })
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMigMode(
    device: Handle,
    current: Out<'_, u32>,
    pending: Out<'_, u32>,
) -> u32 {
    let mode = |out| {
        get(device, ALWAYS, out, |seen| {
            if product(seen.profile).mig {
                Ok(0)
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
pub extern "C" fn nvmlDeviceGetMaxMigDeviceCount(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, ALWAYS, out, |seen| {
        Ok(if product(seen.profile).mig { 7 } else { 0 })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMigDeviceHandleByIndex(
    device: Handle,
    _index: u32,
    out: Out<'_, Handle>,
) -> u32 {
    get(device, ALWAYS, out, |_| Err(Code::NotFound))
}
