//! What NVML's return codes are called, what they say, and what to do about them: for people. What
//! they mean to the guard is decided in [`super::codes`].

use std::fmt;

/// A return code of NVML. Displayed as `NVML code 17 (OPERATING_SYSTEM)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NvmlCode(pub u32);

/// What is known of a code. Empty: nothing worth saying.
struct Known {
    code: u32,
    /// After `NVML_ERROR_`.
    name: &'static str,
    meaning: &'static str,
    remedy: &'static str,
}

/// What helps with whatever has no remedy of its own.
const SEE: &str = "see nvidia-smi and dmesg";

impl NvmlCode {
    /// The name in nvml.h, without `NVML_ERROR_`. `None`: newer than we know.
    pub fn name(self) -> Option<&'static str> {
        self.known().map(|known| known.name)
    }

    /// What it says, in words.
    pub fn meaning(self) -> Option<&'static str> {
        let meaning = self.known().map(|known| known.meaning);
        meaning.filter(|text| !text.is_empty())
    }

    /// What to do about a GPU or a driver that can't be used for it.
    pub fn remedy(self) -> &'static str {
        let remedy = self.known().map(|known| known.remedy);
        remedy.filter(|text| !text.is_empty()).unwrap_or(SEE)
    }

    fn known(self) -> Option<&'static Known> {
        KNOWN.iter().find(|known| known.code == self.0)
    }
}

impl fmt::Display for NvmlCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NVML code {}", self.0)?;
        match self.name() {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

const fn known(
    code: u32,
    name: &'static str,
    meaning: &'static str,
    remedy: &'static str,
) -> Known {
    Known {
        code,
        name,
        meaning,
        remedy,
    }
}

/// nvml.h of NVML 13.
#[rustfmt::skip]
const KNOWN: [Known; 32] = [
    known(0, "SUCCESS", "", ""),
    known(1, "UNINITIALIZED", "the library lost its driver", ""),
    known(2, "INVALID_ARGUMENT", "", ""),
    known(3, "NOT_SUPPORTED", "this card or driver has no such call", ""),
    known(4, "NO_PERMISSION", "this process may not do that",
        "run as root or with CAP_SYS_ADMIN; in a container, let it have the device files /dev/nvidia*"),
    known(5, "ALREADY_INITIALIZED", "", ""),
    known(6, "NOT_FOUND", "", ""),
    known(7, "INSUFFICIENT_SIZE", "", ""),
    known(8, "INSUFFICIENT_POWER", "the GPU's power cables aren't all attached",
        "attach the GPU's power cables"),
    known(9, "DRIVER_NOT_LOADED", "the NVIDIA driver is not loaded",
        "load it (modprobe nvidia) and see dmesg"),
    known(10, "TIMEOUT", "the GPU didn't answer in time",
        "see dmesg for Xid errors; a GPU that stays like this needs a reset or a reboot"),
    known(11, "IRQ_ISSUE", "the kernel has trouble with the GPU's interrupts",
        "see dmesg; another slot or firmware setting may help"),
    known(12, "LIBRARY_NOT_FOUND", "a library of the driver is missing",
        "install the whole NVIDIA driver, of one version"),
    known(13, "FUNCTION_NOT_FOUND", "the library lacks that call: it is older than the caller", ""),
    known(14, "CORRUPTED_INFOROM", "the GPU's infoROM is corrupted",
        "see nvidia-smi -q; ask the card's vendor for a repair"),
    known(15, "GPU_IS_LOST", "the GPU fell off the bus or can't be reached",
        "see dmesg for Xid errors; reset the GPU or reboot, and look after its slot and power"),
    known(16, "RESET_REQUIRED", "the GPU needs a reset",
        "reset it (nvidia-smi --gpu-reset) or reboot"),
    known(17, "OPERATING_SYSTEM",
        "the operating system blocks access to the GPU (WSL, container or VM policy)",
        "let this system have the GPU: in WSL update Windows' driver and WSL, \
         in a container use the NVIDIA container runtime, in a VM pass the GPU through"),
    known(18, "LIB_RM_VERSION_MISMATCH", "driver and NVML library have different versions",
        "finish the upgrade: reload the driver, or reboot"),
    known(19, "IN_USE", "somebody else has the GPU for himself",
        "see who has it (fuser -v /dev/nvidia*), and wait or end that"),
    known(20, "MEMORY", "there isn't enough memory", "free memory on this node"),
    known(21, "NO_DATA", "there is no data", ""),
    known(22, "VGPU_ECC_NOT_SUPPORTED", "", ""),
    known(23, "INSUFFICIENT_RESOURCES", "the driver is short of something other than memory", ""),
    known(24, "FREQ_NOT_SUPPORTED", "", ""),
    known(25, "ARGUMENT_VERSION_MISMATCH", "", ""),
    known(26, "DEPRECATED", "", ""),
    known(27, "NOT_READY", "the system isn't ready yet", "wait; if it stays, see dmesg"),
    known(28, "GPU_NOT_FOUND", "there is no such GPU any more", ""),
    known(29, "INVALID_STATE", "", ""),
    known(30, "RESET_TYPE_NOT_SUPPORTED", "", ""),
    known(999, "UNKNOWN", "the driver doesn't say why",
        "see dmesg and nvidia-smi; if it stays, reload the driver or reboot"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_its_name_and_a_newer_one_its_number() {
        let said = [17, 999, 77].map(|code| NvmlCode(code).to_string());
        let expected = [
            "NVML code 17 (OPERATING_SYSTEM)",
            "NVML code 999 (UNKNOWN)",
            "NVML code 77",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn every_code_of_the_header_has_one_name() {
        let known: Vec<u32> = KNOWN.iter().map(|known| known.code).collect();
        let header: Vec<u32> = (0..=30).chain([999]).collect();
        assert_eq!(known, header);
    }

    #[test]
    fn there_is_always_something_to_do() {
        for code in (0..=31).chain([999]) {
            assert!(!NvmlCode(code).remedy().is_empty(), "{code}");
        }
        assert!(NvmlCode(17).meaning().is_some_and(|it| it.contains("WSL")));
        assert!(NvmlCode(16).remedy().contains("reset"));
    }
}
