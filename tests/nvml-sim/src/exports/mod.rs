//! The C ABI: every name NVML has. Those with bodies, by subject; all others, generated from
//! symbols.txt by build.rs, say "not supported".

// NVML's names are what is exported.
#![allow(non_snake_case, reason = "the names are NVML's")]

pub mod clocks;
pub mod events;
pub mod fans;
pub mod ffi;
pub mod fields;
pub mod identity;
pub mod memory;
pub mod modes;
pub mod power;
pub mod profiles;
pub mod system;
pub mod temperature;

mod stubs {
    const NOT_SUPPORTED: u32 = crate::code::Code::NotSupported.number();

    include!(concat!(env!("OUT_DIR"), "/stubs.rs"));
}
