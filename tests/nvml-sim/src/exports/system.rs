//! Initialisation, versions, and the way to a handle.

use std::ffi::c_char;

use thermal_guard::sim::faults::{Call, bits};

use super::ffi::{Out, TextIn, TextOut, answer, put};
use super::identity::pci_bus_id;
use crate::code::{Code, Outcome, words};
use crate::fault::Fault;
use crate::layout::Bench;
use crate::session::{self, Handle};

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit() -> u32 {
    answer(session::start)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInit_v2() -> u32 {
    answer(session::start)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlInitWithFlags(_flags: u32) -> u32 {
    answer(session::start)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlShutdown() -> u32 {
    answer(session::stop)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlErrorString(code: u32) -> *const c_char {
    words(code).as_ptr()
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetDriverVersion(out: TextOut, length: u32) -> u32 {
    answer(|| {
        out.write(
            length,
            &session::with_bench_asked(Call::DriverVersion, |bench, _| {
                Ok(bench.driver_version.as_str().to_owned())
            })?,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetNVMLVersion(out: TextOut, length: u32) -> u32 {
    answer(|| {
        let text = session::with_bench(|bench| {
            let driver = bench.driver_version.as_str();
            Ok(format!("{}.{driver}", cuda_version(driver) / 1000))
        })?;
        out.write(length, &text)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetCudaDriverVersion(out: Out<'_, i32>) -> u32 {
    answer(|| {
        put(
            out,
            session::with_bench(|bench| Ok(cuda_version(bench.driver_version.as_str())))?,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlSystemGetCudaDriverVersion_v2(out: Out<'_, i32>) -> u32 {
    nvmlSystemGetCudaDriverVersion(out)
}

/// The newest CUDA a driver brings, as NVML counts: 12080 is 12.8.
fn cuda_version(driver: &str) -> i32 {
    match driver
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok())
    {
        Some(580..) => 13_000,
        Some(570..) => 12_080,
        Some(550..) => 12_040,
        Some(535..) => 12_020,
        _ => 12_000,
    }
}

/// The driver's branch and the number after it: 580.95.05 is (580, 95).
pub fn driver_branch(driver: &str) -> (u32, u32) {
    let mut numbers = driver.split('.').map(|number| number.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCount_v2(out: Out<'_, u32>) -> u32 {
    answer(|| {
        let count = session::with_bench_asked(Call::Count, |bench, told| {
            Ok(told.map_or_else(|| counted(bench), bits))
        })?;
        put(out, count)
    })
}

fn counted(bench: &Bench) -> u32 {
    u32::try_from(bench.counted().count()).unwrap_or(u32::MAX)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetCount(out: Out<'_, u32>) -> u32 {
    nvmlDeviceGetCount_v2(out)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleByIndex_v2(index: u32, out: Out<'_, Handle>) -> u32 {
    answer(|| {
        let call = Call::HandleByIndex(index);
        let handle = session::with_bench_asked(call, |bench, told| {
            let found = match told {
                Some(place) => Some(bits(place) as usize),
                None => bench.counted().nth(index as usize),
            };
            let place = found.ok_or(Code::InvalidArgument)?;
            handle_of(bench, place)
        })?;
        put(out, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleByIndex(index: u32, out: Out<'_, Handle>) -> u32 {
    nvmlDeviceGetHandleByIndex_v2(index, out)
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleByUUID(uuid: TextIn, out: Out<'_, Handle>) -> u32 {
    answer(|| {
        let uuid = uuid.read()?;
        let handle = session::with_bench_asked(Call::HandleByUuid, |bench, told| match told {
            Some(place) => handle_of(bench, bits(place) as usize),
            None => handle(bench, |at| bench.gpus[at].uuid.as_str() == uuid),
        })?;
        put(out, handle)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleBySerial(serial: TextIn, out: Out<'_, Handle>) -> u32 {
    answer(|| {
        let serial = serial.read()?;
        put(
            out,
            session::with_bench(|bench| handle(bench, |at| super::identity::serial(at) == serial))?,
        )
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleByPciBusId_v2(id: TextIn, out: Out<'_, Handle>) -> u32 {
    answer(|| {
        let id = id.read()?.to_ascii_uppercase();
        // 00000000:01:00.0, 0000:01:00.0 and 01:00.0 are all the same place.
        let matches = |at: usize| {
            let full = pci_bus_id(at);
            full == id || full[4..] == id || full[9..] == id
        };
        put(out, session::with_bench(|bench| handle(bench, matches))?)
    })
}

#[unsafe(no_mangle)]
pub extern "C" fn nvmlDeviceGetHandleByPciBusId(id: TextIn, out: Out<'_, Handle>) -> u32 {
    nvmlDeviceGetHandleByPciBusId_v2(id, out)
}

/// The handle of the first card that `wanted` picks, of those that are counted.
fn handle(bench: &Bench, wanted: impl Fn(usize) -> bool) -> Outcome<Handle> {
    let found = bench.counted().find(|at| wanted(*at));
    handle_of(bench, found.ok_or(Code::NotFound)?)
}

/// A lost card has none to give.
fn handle_of(bench: &Bench, place: usize) -> Outcome<Handle> {
    match bench.cards().get(place) {
        Some(card) if card.has(Fault::Lost) => Err(Code::GpuIsLost),
        Some(_) => Ok(Handle::new(place)),
        None => Err(Code::NotFound),
    }
}
