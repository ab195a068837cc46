//! What programs ask of a card that its thermal profile doesn't say.

use thermal_guard::sim::profile::Profile;

/// Identity facts of a product.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// `nvmlBrandType_t`.
    pub brand: u32,
    /// `NVML_DEVICE_ARCH_*`.
    pub architecture: u32,
    pub compute_capability: (i32, i32),
    /// Device id in the upper, NVIDIA's vendor id in the lower half.
    pub pci_device_id: u32,
    pub pcie_generation: u32,
    /// Can be split into MIG instances (it never is, here).
    pub mig: bool,
    /// Has a serial number: data-centre and workstation boards do.
    pub serial: bool,
    /// The API takes memory clock locks from Ampere on.
    pub memory_lock: bool,
}

const TESLA: u32 = 2;
const NVIDIA_RTX: u32 = 13;
const NVIDIA: u32 = 14;
const GEFORCE: u32 = 5;

/// The product of that profile; by architecture for profiles this table doesn't know by key.
pub fn product(profile: &Profile) -> Product {
    let (brand, device) = match profile.key {
        "a100-40gb" => (NVIDIA, 0x20f1),
        "a100-80gb" => (NVIDIA, 0x20b2),
        "v100-32gb" => (TESLA, 0x1db6),
        "rtx-6000-ada" => (NVIDIA_RTX, 0x26b1),
        "h100" => (NVIDIA, 0x2330),
        "h200" => (NVIDIA, 0x2335),
        "l40s" => (NVIDIA, 0x26b9),
        "rtx-4090" => (GEFORCE, 0x2684),
        "gb10" => (NVIDIA, 0x2e12),
        "rtx-5090-laptop" => (GEFORCE, 0x2c58),
        _ => (NVIDIA, 0x0000),
    };
    let (architecture, compute_capability, pcie_generation) = match profile.architecture {
        "Volta" => (5, (7, 0), 3),
        "Turing" => (6, (7, 5), 3),
        "Ampere" => (7, (8, 0), 4),
        "Ada" => (8, (8, 9), 4),
        "Hopper" => (9, (9, 0), 5),
        "Blackwell" => (10, (10, 0), 5),
        _ => (u32::MAX, (0, 0), 4),
    };
    Product {
        brand,
        architecture,
        compute_capability,
        pci_device_id: device << 16 | 0x10de,
        pcie_generation,
        mig: matches!(architecture, 7 | 9 | 10) && profile.hbm.is_some(),
        serial: brand != GEFORCE,
        memory_lock: architecture >= 7,
    }
}
