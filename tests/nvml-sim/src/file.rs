//! The state file: mapped by every process, locked for the length of a call.
//!
//! The lock is an `fcntl` record lock. The kernel takes it back from a process that dies, however
//! it dies, and a forked child doesn't share it with its parent, as it would an `flock`. It
//! doesn't tell threads of one process apart: the session's mutex does.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use memmap2::MmapRaw;
use thermal_guard::sim::profile;

use crate::layout::{Bench, MAGIC, VERSION};
use crate::trace::Trace;

/// Names the state file.
pub const VARIABLE: &str = "NVML_SIM_STATE";
/// Where it is when nobody says.
pub const DEFAULT_PATH: &str = "/tmp/nvml-sim.state";

const SIZE: usize = size_of::<Bench>();

/// The path the environment asks for.
pub fn path() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(|| DEFAULT_PATH.into(), PathBuf::from)
}

/// The mapped file.
#[derive(Debug)]
pub struct StateFile {
    file: File,
    map: MmapRaw,
    trace: Trace,
}

impl StateFile {
    /// Opens an existing file, and refuses one that isn't of this version.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        if file.metadata()?.len() != SIZE as u64 {
            return Err(foreign(path, "its size is another"));
        }
        let map = MmapRaw::map_raw(&file)?;
        let trace = Trace::beside(path);
        let state = Self { file, map, trace };
        check(path, &*state.lock()?)?;
        Ok(state)
    }

    /// Opens or makes the file and writes `bench` over whatever it held. Processes that have it
    /// open see a driver reload.
    pub fn create(path: &Path, mut bench: Bench) -> io::Result<Self> {
        let earlier = Self::open(path).and_then(|old| Ok(old.lock()?.generation));
        bench.generation = earlier.unwrap_or(0) + 1;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        file.set_len(SIZE as u64)?;
        // As the driver's device nodes: any user may read the cards, and reading lets time pass.
        // Whoever isn't the owner leaves it as the owner had it.
        let _ = file.set_permissions(PermissionsExt::from_mode(0o666));
        let map = MmapRaw::map_raw(&file)?;
        let trace = Trace::beside(path);
        let state = Self { file, map, trace };
        *state.lock()? = bench;
        Ok(state)
    }

    /// Waits for the file and holds it until the guard goes.
    pub fn lock(&self) -> io::Result<Locked<'_>> {
        control_lock(&self.file, libc::F_WRLCK)?;
        Ok(Locked { state: self })
    }
}

fn check(path: &Path, bench: &Bench) -> io::Result<()> {
    if bench.magic != MAGIC {
        return Err(foreign(path, "it isn't one"));
    }
    if bench.version != VERSION || bench.size as usize != SIZE {
        return Err(foreign(
            path,
            &format!("version {}, this program has {VERSION}", bench.version),
        ));
    }
    let unknown = bench
        .cards()
        .iter()
        .find(|card| profile::named(card.profile.as_str()).is_none());
    match unknown {
        Some(card) => Err(foreign(
            path,
            &format!("no profile {:?} here", card.profile.as_str()),
        )),
        None => Ok(()),
    }
}

fn foreign(path: &Path, why: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!(
            "{} is not a state file of this version ({why}): make it anew with nvml-simctl create",
            path.display()
        ),
    )
}

/// The bench, for as long as this process holds the file.
#[derive(Debug)]
pub struct Locked<'a> {
    state: &'a StateFile,
}

impl Locked<'_> {
    pub fn trace(&self) -> &Trace {
        &self.state.trace
    }
}

impl StateFile {
    fn bench(&self) -> *mut Bench {
        #[expect(clippy::cast_ptr_alignment, reason = "a map begins at a page")]
        let bench = self.map.as_mut_ptr().cast::<Bench>();
        bench
    }
}

impl Deref for Locked<'_> {
    type Target = Bench;

    fn deref(&self) -> &Bench {
        // SAFETY: the map is SIZE bytes (checked), aligned, shared and live; every bit pattern is
        // a Bench; the record lock keeps other processes away, the session's mutex threads.
        unsafe { &*self.state.bench() }
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Bench {
        // SAFETY: as above, and the guard is borrowed exclusively.
        unsafe { &mut *self.state.bench() }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // Nothing to be done if it fails; the kernel unlocks with the last close at the latest.
        let _ = control_lock(&self.state.file, libc::F_UNLCK);
    }
}

fn control_lock(file: &File, kind: libc::c_int) -> io::Result<()> {
    let request = libc::flock {
        l_type: libc::c_short::try_from(kind).unwrap_or_default(),
        l_whence: libc::c_short::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    loop {
        // SAFETY: the descriptor is open and `request` a valid flock for the call's length.
        if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLKW, &raw const request) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use thermal_guard::sim::faults::{CARD_ANSWERS, CardFaults};

    use super::*;
    use crate::layout::Card;
    use crate::operate;

    fn bench() -> Bench {
        let cards = [profile::ALL[0], profile::ALL[1]];
        operate::machine(&cards, 25.0, "580.95.05").expect("two cards fit")
    }

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("scratch directory");
        let path = directory.path().join("state");
        (directory, path)
    }

    #[test]
    fn two_handles_of_a_file_see_each_others_writes() {
        let (_directory, path) = scratch();
        let one = StateFile::create(&path, bench()).expect("create");
        let other = StateFile::open(&path).expect("open");
        one.lock().expect("lock").gpus[1].limit = 123_456;
        assert_eq!(other.lock().expect("lock").gpus[1].limit, 123_456);
        assert_eq!(other.lock().expect("lock").cards().len(), 2);
    }

    #[test]
    fn a_file_of_another_version_is_refused_in_words() {
        let (_directory, path) = scratch();
        let file = StateFile::create(&path, bench()).expect("create");
        file.lock().expect("lock").version = VERSION + 1;
        let error = StateFile::open(&path).expect_err("another version");
        let versions = format!("version {}, this program has {VERSION}", VERSION + 1);
        assert!(error.to_string().contains(&versions), "{error}");
        assert!(error.to_string().contains("nvml-simctl create"), "{error}");
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let (_directory, path) = scratch();
        std::fs::write(&path, "not a machine").expect("write");
        assert_eq!(
            StateFile::open(&path).expect_err("too short").kind(),
            io::ErrorKind::InvalidData
        );
        std::fs::write(&path, vec![0; SIZE]).expect("write");
        assert_eq!(
            StateFile::open(&path).expect_err("zeroes").kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn a_machine_made_anew_is_another_driver_load() {
        let (_directory, path) = scratch();
        let first = StateFile::create(&path, bench()).expect("create");
        assert_eq!(first.lock().expect("lock").generation, 1);
        StateFile::create(&path, bench()).expect("create again");
        assert_eq!(first.lock().expect("lock").generation, 2);
    }

    #[test]
    fn the_layout_has_no_holes() {
        // A hole is a byte whose value nobody decides; and a moved field is another version.
        let wrong = 32 * CARD_ANSWERS + 40 * 7 + 16 * 17 + 16;
        let fields =
            32 + 48 + size_of_val(&bench().gpus[0].state) * 2 + 16 + 8 * 5 + 4 * 12 + 8 * 3;
        assert_eq!(size_of::<CardFaults>(), wrong);
        assert_eq!(
            size_of::<Card>(),
            fields + wrong + 32 * 4 + 16 * 3 + 4 * (16 + 6)
        );
        assert_eq!(std::mem::offset_of!(Bench, version), 8);
        assert_eq!(std::mem::offset_of!(Bench, generation), 16);
    }
}
