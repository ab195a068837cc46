//! What NVML's return codes are called, what they mean, and what to do about them, for people. What
//! they mean to the guard is decided in [`super::fault`].

use crate::device::error::{ErrorCode, ErrorCodes, KnownCode};

/// A return code of NVML.
pub const fn code(number: u32) -> ErrorCode {
    ErrorCode::new(&CODES, number)
}

static CODES: ErrorCodes = ErrorCodes {
    interface: "NVML",
    known: &KNOWN,
    remedy: "see nvidia-smi and dmesg",
};

const fn known(
    number: u32,
    name: &'static str,
    meaning: &'static str,
    remedy: &'static str,
) -> KnownCode {
    KnownCode {
        number,
        name,
        meaning,
        remedy,
    }
}

/// nvml.h of NVML 13.
#[rustfmt::skip]
static KNOWN: [KnownCode; 32] = [
    known(0, "SUCCESS", "", ""),
    known(1, "UNINITIALIZED", "the library lost its driver", ""),
    known(2, "INVALID_ARGUMENT", "", ""),
    known(3, "NOT_SUPPORTED", "this card or driver has no such call", ""),
    known(4, "NO_PERMISSION", "this process may not do that",
        "run as root or with CAP_SYS_ADMIN; in a container, let it have the device files /dev/nvidia*"),
    known(5, "ALREADY_INITIALIZED", "", ""),
    known(6, "NOT_FOUND", "", "see nvidia-smi -L for those there are"),
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
    known(18, "LIB_RM_VERSION_MISMATCH",
        "driver and NVML library have different versions (a driver upgrade is under way)",
        "finish the upgrade: reload the driver, or reboot"),
    known(19, "IN_USE", "another program has exclusive use of the GPU",
        "find that program (fuser -v /dev/nvidia*), and wait for it or end it"),
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
    use crate::device::{ActuatorError, DriverError, Missing};

    const INIT: &str = "nvmlInit_v2";

    #[test]
    fn a_code_says_its_name_and_a_newer_one_its_number() {
        let said = [17, 999, 77].map(|number| code(number).to_string());
        let expected = [
            "NVML code 17 (OPERATING_SYSTEM)",
            "NVML code 999 (UNKNOWN)",
            "NVML code 77",
        ];
        assert_eq!(said, expected);
        let write = ActuatorError::Transient(code(10)).to_string();
        assert_eq!(write, "NVML code 10 (TIMEOUT)");
        let read = Missing::Failed(code(999)).to_string();
        assert_eq!(read, "NVML code 999 (UNKNOWN)");
    }

    #[test]
    fn every_code_of_the_header_has_one_name() {
        let known: Vec<u32> = KNOWN.iter().map(|known| known.number).collect();
        let header: Vec<u32> = (0..=30).chain([999]).collect();
        assert_eq!(known, header);
    }

    #[test]
    fn there_is_always_something_to_do() {
        for number in (0..=31).chain([999]) {
            assert!(!code(number).remedy().is_empty(), "{number}");
        }
        assert!(code(17).meaning().is_some_and(|it| it.contains("WSL")));
        assert!(code(16).remedy().contains("reset"));
    }

    #[test]
    fn a_failed_call_says_its_code_in_words_and_what_to_do() {
        let call = |number| DriverError::Call {
            call: INIT,
            code: code(number),
        };
        let said = call(17).to_string();
        let beginning = "nvmlInit_v2: NVML code 17 (OPERATING_SYSTEM): the operating system";
        assert!(said.starts_with(beginning), "{said}");
        assert!(call(17).remedy().contains("WSL"), "{}", call(17).remedy());
        assert_eq!(call(77).to_string(), "nvmlInit_v2: NVML code 77");
    }

    #[test]
    fn a_driver_that_cannot_be_used_says_so_in_words() {
        let not_loaded = DriverError::DriverNotLoaded(code(9)).to_string();
        assert_eq!(not_loaded, "the NVIDIA driver is not loaded");
        let other = DriverError::VersionMismatch(code(18)).to_string();
        let said =
            "driver and NVML library have different versions (a driver upgrade is under way)";
        assert_eq!(other, said);
    }

    #[test]
    fn a_driver_that_fails_to_initialise_is_there() {
        for number in [8, 17, 19, 999] {
            let code = code(number);
            assert!(!DriverError::Call { call: INIT, code }.is_absence());
        }
        assert!(!DriverError::VersionMismatch(code(18)).is_absence());
        assert!(DriverError::DriverNotLoaded(code(9)).is_absence());
    }
}
