//! One process's use of the library: initialised or not, under which driver, and how a call gets
//! from a handle to a card.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use thermal_guard::sim::faults::{Call, Said};

pub use crate::access::{Access, Asked, Seen};
use crate::clock;
use crate::code::{self, Code, Outcome};
use crate::fault::Fault;
use crate::file::{self, Locked, StateFile};
use crate::latency;
use crate::layout::{Bench, Card, Driver};
use crate::physics;
use crate::wild::number;

/// How often a hanging call looks whether it still does.
const HANG_POLL: Duration = Duration::from_millis(10);

/// A device handle: an index in disguise, so that a stray pointer isn't taken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Handle(usize);

impl Handle {
    const TAG: usize = 0x5117_0000;

    pub fn new(index: usize) -> Self {
        Self(Self::TAG + index)
    }

    /// As it lies in a struct of NVML's.
    pub fn raw(self) -> usize {
        self.0
    }

    pub fn index(self) -> Option<usize> {
        self.0.checked_sub(Self::TAG)
    }
}

#[derive(Debug)]
struct Session {
    file: StateFile,
    /// `nvmlInit` calls not yet shut down.
    users: u32,
    /// The driver load it initialised under.
    generation: u64,
}

static SESSION: Mutex<Option<Session>> = Mutex::new(None);

fn session() -> MutexGuard<'static, Option<Session>> {
    SESSION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `nvmlInit`: counts, and on the first opens the file.
pub fn start() -> Outcome {
    let mut session = session();
    if let Some(open) = session.as_mut() {
        let mut bench = open.file.lock().map_err(|_| Code::Unknown)?;
        ask(&mut bench, Call::Init)?;
        usable(&bench)?;
        drop(bench);
        open.users += 1;
        return Ok(());
    }
    let file = StateFile::open(&file::path()).map_err(|error| cannot_open(&error))?;
    let generation = {
        let mut bench = file.lock().map_err(|_| Code::Unknown)?;
        ask(&mut bench, Call::Init)?;
        usable(&bench)?;
        bench.generation
    };
    *session = Some(Session {
        file,
        users: 1,
        generation,
    });
    Ok(())
}

/// A driver is there to talk to.
fn usable(bench: &Bench) -> Outcome {
    match bench.driver() {
        Driver::Missing => Err(Code::DriverNotLoaded),
        Driver::Mismatched => Err(Code::LibRmVersionMismatch),
        Driver::Loaded => Ok(()),
    }
}

fn cannot_open(error: &io::Error) -> Code {
    match error.kind() {
        // No file is no driver, and so isn't worth a word.
        io::ErrorKind::NotFound => Code::DriverNotLoaded,
        io::ErrorKind::InvalidData => {
            eprintln!("nvml-sim: {error}");
            Code::LibRmVersionMismatch
        }
        _ => {
            eprintln!("nvml-sim: {}: {error}", file::path().display());
            Code::NoPermission
        }
    }
}

/// `nvmlShutdown`.
pub fn stop() -> Outcome {
    let mut session = session();
    let open = session.as_mut().ok_or(Code::Uninitialized)?;
    open.users -= 1;
    if open.users == 0 {
        *session = None;
    }
    Ok(())
}

impl Session {
    /// The machine, if this session's driver is still the loaded one.
    fn bench(&self) -> Outcome<Locked<'_>> {
        let bench = self.file.lock().map_err(|_| Code::Unknown)?;
        usable(&bench)?;
        if bench.generation == self.generation {
            Ok(bench)
        } else {
            Err(Code::Uninitialized)
        }
    }
}

/// A call about the machine.
pub fn with_bench<T>(call: impl FnOnce(&Bench) -> Outcome<T>) -> Outcome<T> {
    let session = session();
    call(&*session.as_ref().ok_or(Code::Uninitialized)?.bench()?)
}

/// The same of a call that can be told what to answer: a code, or a number for `call` to see.
pub fn with_bench_asked<T>(
    which: Call,
    call: impl FnOnce(&Bench, Option<i64>) -> Outcome<T>,
) -> Outcome<T> {
    let session = session();
    let mut bench = session.as_ref().ok_or(Code::Uninitialized)?.bench()?;
    let told = ask(&mut bench, which)?;
    call(&bench, told)
}

/// What the machine was told to answer to a call.
fn ask(bench: &mut Bench, call: Call) -> Outcome<Option<i64>> {
    match bench.answers.ask(call) {
        Said::Truth => Ok(None),
        Said::Value(number) => Ok(Some(number)),
        Said::Code(code) => Err(Code::Told(code)),
    }
}

/// Every fourth write, for one of the reasons that there are.
fn refuse_at_a_whim() -> Outcome {
    match number() % 16 {
        0 => Err(Code::NoPermission),
        1 => Err(Code::InvalidArgument),
        2 => Err(Code::GpuIsLost),
        3 => Err(Code::Timeout),
        _ => Ok(()),
    }
}

/// A call about a card: waits while the card hangs, with nothing held, then lets the cards' time
/// pass and goes on.
pub fn with_card<T>(
    handle: Handle,
    asked: impl Into<Asked>,
    call: impl FnOnce(Seen<'_>) -> Outcome<T>,
) -> Outcome<T> {
    let Asked {
        access,
        call: which,
    } = asked.into();
    let index = handle.index().ok_or(Code::InvalidArgument)?;
    let begun = clock::monotonic();
    let mut delayed = false;
    loop {
        let session = session();
        let mut bench = session.as_ref().ok_or(Code::Uninitialized)?.bench()?;
        let card = bench.cards().get(index).ok_or(Code::InvalidArgument)?;
        let pause = match (admit(card, access, which)?, delayed) {
            (Admission::Hangs, _) => HANG_POLL,
            (Admission::Takes(latency), false) if !latency.is_zero() => {
                delayed = true;
                latency
            }
            _ => {
                physics::catch_up(&mut bench, clock::since_boot());
                let (driver_version, now) = (bench.driver_version, bench.elapsed);
                let counted = bench.counted().position(|place| place == index);
                let card = &mut bench.cards_mut()[index];
                if access != Access::Cached {
                    card.calls = card.calls.wrapping_add(1);
                }
                let (profile, sensed) = (card.profile(), card.sensed(now));
                let outcome =
                    match which.map_or(Said::Truth, |which| card.faults.answers.ask(which)) {
                        Said::Code(code) => {
                            let is_write = matches!(access, Access::Write(_));
                            card.refused_writes += u64::from(is_write);
                            Err(Code::Told(code))
                        }
                        said => call(Seen {
                            index,
                            card,
                            profile,
                            driver_version: driver_version.as_str(),
                            now,
                            sensed,
                            told: match said {
                                Said::Value(number) => Some(number),
                                Said::Truth | Said::Code(_) => None,
                            },
                            counted,
                        }),
                    };
                if let Access::Write(feature) = access {
                    let code = code::number(&outcome);
                    bench
                        .trace()
                        .note(begun, index, &bench.gpus[index], feature.name(), code);
                }
                return outcome;
            }
        };
        drop(bench);
        drop(session);
        sleep(pause);
    }
}

enum Admission {
    Hangs,
    Takes(Duration),
}

fn admit(card: &Card, access: Access, call: Option<Call>) -> Outcome<Admission> {
    if card.has(Fault::Lost) {
        return Err(Code::GpuIsLost);
    }
    let feature = match access {
        Access::Cached => return Ok(Admission::Takes(Duration::ZERO)),
        Access::Read(_) if card.has(Fault::FailingReads) => return Err(Code::Unknown),
        Access::Read(feature) | Access::Write(feature) => feature,
    };
    if card.has(Fault::Hang) {
        return Ok(Admission::Hangs);
    }
    if card.has(Fault::AnyAnswer) && matches!(access, Access::Write(_)) {
        refuse_at_a_whim()?;
    }
    // What a single call was told goes before what its kind lacks.
    let is_told = call.is_some_and(|call| card.faults.answers.is_told(call));
    if !is_told && !card.supports(feature) {
        return Err(Code::NotSupported);
    }
    let all = Duration::from_micros(card.latency_microseconds.into());
    let own = if card.reported_latencies == 0 {
        Duration::ZERO
    } else {
        latency::reported(feature)
    };
    Ok(Admission::Takes(all + own))
}
