//! Who a card is: answered from what the driver read once, whatever the card does now.

use nvml_wrapper_sys::bindings::{nvmlPciInfo_t, nvmlPciInfoExt_t};

use thermal_guard::sim::faults::{Call, bits};

use super::ffi::{Out, TextOut, answer, characters, check_version, get};
use crate::cards::{Product, product};
use crate::code::{Code, Outcome};
use crate::session::{Access, Asked, Handle, Seen, with_card};

const CACHED: Access = Access::Cached;

/// Where the card of that index sits: one bus each, from 01 on.
fn bus(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(0) + 1
}

/// `00000000:01:00.0`
pub fn pci_bus_id(index: usize) -> String {
    format!("00000000:{:02X}:00.0", bus(index))
}

/// A number like NVIDIA's: thirteen digits.
pub fn serial(index: usize) -> String {
    format!("13221{index:08}")
}

fn text(
    device: Handle,
    asked: impl Into<Asked>,
    out: TextOut,
    length: u32,
    value: impl FnOnce(&Seen<'_>) -> Outcome<String>,
) -> u32 {
    answer(|| out.write(length, &with_card(device, asked, |seen| value(&seen))?))
}

fn of_product<T>(
    device: Handle,
    out: Out<'_, T>,
    value: impl FnOnce(Product) -> Outcome<T>,
) -> u32 {
    get(device, CACHED, out, |seen| value(product(seen.profile)))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetName(device: Handle, out: TextOut, length: u32) -> u32 {
    text(device, CACHED.by(Call::Name), out, length, |seen| {
        Ok(seen.profile.name.to_owned())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetUUID(device: Handle, out: TextOut, length: u32) -> u32 {
    text(device, CACHED.by(Call::Uuid), out, length, |seen| {
        Ok(seen.card.uuid.as_str().to_owned())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetSerial(device: Handle, out: TextOut, length: u32) -> u32 {
    text(device, CACHED, out, length, |seen| {
        product(seen.profile)
            .serial
            .then(|| serial(seen.index))
            .ok_or(Code::NotSupported)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetVbiosVersion(device: Handle, out: TextOut, length: u32) -> u32 {
    text(device, CACHED, out, length, |seen| {
        Ok(format!(
            "99.{:02X}.00.00.01",
            product(seen.profile).pci_device_id >> 24
        ))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetIndex(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, CACHED.by(Call::Index), out, |seen| {
        seen.told_or(bits, |seen| {
            let index = seen.counted.and_then(|index| u32::try_from(index).ok());
            // A card that the driver no longer counts.
            index.ok_or(Code::NotFound)
        })
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMinorNumber(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, CACHED, out, |seen| {
        u32::try_from(seen.index).map_err(|_| Code::Unknown)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetBoardId(device: Handle, out: Out<'_, u32>) -> u32 {
    get(device, CACHED, out, |seen| Ok(bus(seen.index) << 8))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetBrand(device: Handle, out: Out<'_, u32>) -> u32 {
    of_product(device, out, |product| Ok(product.brand))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetArchitecture(device: Handle, out: Out<'_, u32>) -> u32 {
    of_product(device, out, |product| Ok(product.architecture))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCudaComputeCapability(
    device: Handle,
    major: Out<'_, i32>,
    minor: Out<'_, i32>,
) -> u32 {
    match of_product(device, major, |product| Ok(product.compute_capability.0)) {
        0 => of_product(device, minor, |product| Ok(product.compute_capability.1)),
        code => code,
    }
}

fn pci_info(seen: &Seen<'_>) -> nvmlPciInfo_t {
    let id = pci_bus_id(seen.index);
    nvmlPciInfo_t {
        busIdLegacy: characters(&id[4..]),
        domain: 0,
        bus: bus(seen.index),
        device: 0,
        pciDeviceId: product(seen.profile).pci_device_id,
        pciSubSystemId: product(seen.profile).pci_device_id,
        busId: characters(&id),
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPciInfo_v3(device: Handle, out: Out<'_, nvmlPciInfo_t>) -> u32 {
    get(device, CACHED.by(Call::PciInfo), out, |seen| {
        Ok(pci_info(seen))
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetPciInfoExt(
    device: Handle,
    out: Option<&mut nvmlPciInfoExt_t>,
) -> u32 {
    answer(|| {
        let out = out.ok_or(Code::InvalidArgument)?;
        check_version::<nvmlPciInfoExt_t>(out.version, 1)?;
        let asked = CACHED.by(Call::PciInfo);
        let info = with_card(device, asked, |seen| Ok(pci_info(&seen)))?;
        (out.domain, out.bus, out.device) = (info.domain, info.bus, info.device);
        (out.pciDeviceId, out.pciSubSystemId) = (info.pciDeviceId, info.pciSubSystemId);
        // Display controller, 3D.
        (out.baseClass, out.subClass) = (3, 2);
        out.busId = info.busId;
        Ok(())
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMaxPcieLinkGeneration(device: Handle, out: Out<'_, u32>) -> u32 {
    of_product(device, out, |product| Ok(product.pcie_generation))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrPcieLinkGeneration(device: Handle, out: Out<'_, u32>) -> u32 {
    of_product(device, out, |product| Ok(product.pcie_generation))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetMaxPcieLinkWidth(device: Handle, out: Out<'_, u32>) -> u32 {
    of_product(device, out, |_| Ok(16))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCurrPcieLinkWidth(device: Handle, out: Out<'_, u32>) -> u32 {
    of_product(device, out, |_| Ok(16))
}
