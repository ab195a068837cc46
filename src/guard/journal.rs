//! The write-ahead journal: what is ours on a GPU, on disk before it is on the GPU.
//!
//! One small file per GPU in `<state.dir>/gpus`, replaced as a whole (write, fsync, rename, fsync of
//! the directory). A thread of its own does that, because a disk can hang: the control loop waits
//! for it at most [`PATIENCE`].

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::device::{ClockRange, Reading, Uuid};
use crate::policy::{BySensor, Claim, Doubt, LimitClaim, Sensor, State};
use crate::units::{Megahertz, Watts};

use crate::files::{Dir, NotAFile, patiently};

use super::replace::{Texts, discard_unnamed_in, finish_in, named, replace_in};

/// How long a write to the GPU may wait for the disk.
const PATIENCE: Duration = Duration::from_millis(100);

/// How long whoever looks for entries waits for the disk. Chosen: what can't be read by then is
/// taken up later, and a GPU isn't left alone for longer.
const READ_PATIENCE: Duration = Duration::from_secs(1);

/// In the state directory.
const DIRECTORY: &str = "gpus";

const VERSION: u32 = 1;

/// What a guard left on a GPU, with what tells whether it is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub uuid: Uuid,
    pub claim: Claim,
    /// A reboot clears limits and locks.
    pub boot_id: String,
    /// So does a driver reload, which sets this counter back.
    pub energy_millijoules: Option<u64>,
    /// By [`Domain`](super::domain::Domain), the slowest lock that may be on the card.
    pub locked: [Option<ClockRange>; 2],
    /// The last limit was read back: anything else on the card is somebody else's.
    pub confirmed: bool,
    pub reason: Reason,
    /// Since when something has been held, since the Unix epoch.
    pub since: Option<Duration>,
}

/// Why something is held: whoever finds the journal must not trust what was doubted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Reason {
    /// The GPU's state.
    pub state: &'static str,
    pub doubted: BySensor<Option<Doubt>>,
}

impl Reason {
    pub fn doubts(&self) -> Vec<(Sensor, Doubt)> {
        let doubted = self.doubted.iter();
        doubted
            .filter_map(|(sensor, doubt)| Some((sensor, (*doubt)?)))
            .collect()
    }
}

impl Entry {
    /// What of the claim is still on the GPU, as far as it can be told: a limit only if it is one
    /// of ours. `Err`: nothing can be, and why.
    pub fn still_there(&self, reading: &Reading) -> Result<Claim, &'static str> {
        if self.boot_id != boot_id() {
            return Err("the machine was rebooted");
        }
        let energy = self.energy_millijoules.zip(reading.slow.energy_millijoules);
        // A limit that is to the milliwatt what was set has seen no reload, whatever a counter says.
        let shows =
            |limit: LimitClaim| limit.next != limit.original && reading.limit == Ok(limit.next);
        if energy.is_some_and(|(then, now)| now < then) && !self.claim.limit.is_some_and(shows) {
            return Err("the driver was reloaded");
        }
        let ours = |limit: LimitClaim| match reading.limit {
            Ok(now) => self.as_stored(limit, now),
            Err(_) => Some(limit),
        };
        Ok(Claim {
            limit: self.claim.limit.and_then(ours),
            ..self.claim
        })
    }

    /// The claim on the limit that is on the card. A guard that died before it read its last write
    /// back may have left what the card made of it, something between the two: then that is ours
    /// from here on.
    fn as_stored(&self, limit: LimitClaim, now: Watts) -> Option<LimitClaim> {
        if limit.owns(now) {
            return Some(limit);
        }
        let next = now;
        (!self.confirmed && limit.spans(now)).then_some(LimitClaim { next, ..limit })
    }
}

/// Why an entry couldn't be written or read.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("the disk didn't answer within {} ms", PATIENCE.as_millis())]
    Late,
    #[error("there is no thread that writes it: {0}")]
    NoWriter(Arc<io::Error>),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{path} is not a journal of this guard: {reason}")]
    Unreadable { path: PathBuf, reason: String },
    #[error("what stands in it couldn't be read yet, and is not overwritten")]
    Unread,
}

impl JournalError {
    /// Another user could read it.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Nobody has seen what stands there: another look may.
    pub(super) const fn is_unread(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::Late)
    }
}

/// The journal of one GPU. Its clones share the writer, so that what they record has one order.
#[derive(Clone)]
pub struct Journal {
    writer: Writer,
    /// As last recorded, whether the disk took it or not.
    latest: Arc<Mutex<Option<Entry>>>,
    /// What a guard before this one left there couldn't be read: nothing is written over it.
    unread: Arc<AtomicBool>,
}

#[derive(Clone)]
enum Writer {
    Thread(SyncSender<Request>),
    /// It couldn't be started: as with a disk that takes nothing.
    Failed(Arc<io::Error>),
    /// Nothing is to be remembered.
    Unwanted,
}

struct Request {
    entry: Entry,
    done: SyncSender<Result<(), JournalError>>,
}

impl Journal {
    /// A journal under `state_dir`, with its own writer thread, which ends with the last clone.
    pub fn open(state_dir: &Path, uuid: &Uuid) -> Self {
        let path = path_of(state_dir, uuid);
        // One that nobody waits for must not be in the way of one that somebody does.
        let (requests, queue) = sync_channel::<Request>(2);
        let thread = thread::Builder::new().name("journal".to_owned());
        let writer = match thread.spawn(move || write_all(&path, &queue)) {
            Ok(_) => Writer::Thread(requests),
            Err(error) => Writer::Failed(Arc::new(error)),
        };
        Self {
            writer,
            latest: Arc::default(),
            unread: Arc::default(),
        }
    }

    /// A journal that remembers nothing: simulated GPUs vanish with the process.
    pub fn none() -> Self {
        Self {
            writer: Writer::Unwanted,
            latest: Arc::default(),
            unread: Arc::default(),
        }
    }

    /// What was last recorded here, also where the disk refused it; `None` if nothing ever was.
    pub fn latest(&self) -> Option<Entry> {
        let latest = self.latest.lock();
        latest.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether what stands on disk hasn't been read, and so isn't to be overwritten.
    pub(super) fn set_unread(&self, unread: bool) {
        self.unread.store(unread, Ordering::SeqCst);
    }

    pub(super) fn is_unread(&self) -> bool {
        self.unread.load(Ordering::SeqCst)
    }

    /// What was last recorded here says nothing about the GPU any more.
    pub fn forget_latest(&self) {
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Puts `entry` on disk when there is time. Nobody waits, and nothing is lost if it doesn't get
    /// there: the one before says as much, less exactly.
    pub fn record_later(&self, entry: Entry) {
        if let (Writer::Thread(requests), false) = (&self.writer, self.is_unread()) {
            let (done, _) = sync_channel(1);
            // A full queue holds something newer.
            let _ = requests.try_send(Request { entry, done });
        }
    }

    /// Puts `entry` on disk, or removes the file if nothing is claimed any more.
    pub fn record(&self, entry: Entry) -> Result<(), JournalError> {
        let latest = self.latest.lock();
        *latest.unwrap_or_else(PoisonError::into_inner) = Some(entry.clone());
        let requests = match &self.writer {
            Writer::Thread(requests) => requests,
            Writer::Failed(error) => return Err(JournalError::NoWriter(error.clone())),
            Writer::Unwanted => return Ok(()),
        };
        if self.is_unread() {
            return Err(JournalError::Unread);
        }
        let (done, answer) = sync_channel(1);
        match requests.try_send(Request { entry, done }) {
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(JournalError::Late),
            Ok(()) => match answer.recv_timeout(PATIENCE) {
                Ok(result) => result,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    Err(JournalError::Late)
                }
            },
        }
    }
}

fn write_all(path: &Path, queue: &Receiver<Request>) {
    while let Ok(Request { entry, done }) = queue.recv() {
        let written = if entry.claim.is_empty() {
            remove(path)
        } else {
            write(path, &entry)
        };
        let result = written.map_err(|source| JournalError::Io {
            path: path.to_owned(),
            source,
        });
        // Nobody waits any more if the disk took longer than the patience.
        let _ = done.try_send(result);
    }
}

/// All entries under `state_dir`, and what couldn't be read. A missing directory holds none.
pub fn load_all(state_dir: &Path) -> (Vec<Entry>, Vec<JournalError>) {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    let directory = state_dir.join(DIRECTORY);
    let its = directory.clone();
    let listing = patiently(&directory, READ_PATIENCE, move || list(&its));
    let paths = match listing.flatten() {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return (entries, errors),
        Err(source) => {
            errors.push(JournalError::Io {
                path: directory,
                source,
            });
            return (entries, errors);
        }
    };
    for path in paths {
        match read(&path) {
            Ok(entry) => entries.extend(entry),
            Err(error) => errors.push(error),
        }
    }
    (entries, errors)
}

/// By their names, and by what was about to get them.
fn list(directory: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let paths = fs::read_dir(directory)?.flatten().map(|file| file.path());
    let paths = paths.map(|path| named(&path).unwrap_or(path));
    let is_entry = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "json");
    Ok(paths.filter(is_entry).collect())
}

/// The entry of one GPU, if there is one.
pub fn load(state_dir: &Path, uuid: &Uuid) -> Result<Option<Entry>, JournalError> {
    read(&path_of(state_dir, uuid))
}

/// The same, for as long as the disk takes.
pub(super) fn load_whenever(state_dir: &Path, uuid: &Uuid) -> Result<Option<Entry>, JournalError> {
    let path = path_of(state_dir, uuid);
    understood(&path, texts(&path))
}

/// This boot's identity: limits and locks don't survive it.
pub fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// What would be read in its stead goes first.
fn remove(path: &Path) -> io::Result<()> {
    let dir = match gpus(path) {
        Ok(dir) => dir,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let name = name(path);
    if discard_unnamed_in(&dir, name)? | dir.remove(name)? {
        dir.sync()?;
    }
    Ok(())
}

/// The directory of all entries, by the state directory's handle.
fn gpus(path: &Path) -> io::Result<Dir> {
    Dir::open(state_dir(path))?.within(DIRECTORY)
}

fn state_dir(path: &Path) -> &Path {
    let directory = path.parent().and_then(Path::parent);
    directory.unwrap_or(Path::new(""))
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or_default()
}

/// UUIDs come from the driver, and still: only what a UUID consists of gets into a path.
pub(super) fn path_of(state_dir: &Path, uuid: &Uuid) -> PathBuf {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = uuid.as_str().chars().map(plain).collect();
    state_dir.join(DIRECTORY).join(name).with_extension("json")
}

/// The file's form.
#[derive(Serialize, Deserialize)]
struct Record {
    version: u32,
    uuid: String,
    boot_id: String,
    energy_millijoules: Option<u64>,
    limit: Option<LimitRecord>,
    gpu_clock_locked: bool,
    memory_clock_locked: bool,
    /// From, to. Files of an older guard lack this and what follows.
    #[serde(default)]
    gpu_clock_lock_megahertz: Option<[u32; 2]>,
    #[serde(default)]
    memory_clock_lock_megahertz: Option<[u32; 2]>,
    #[serde(default = "yes")]
    confirmed: bool,
    #[serde(default)]
    state: String,
    /// By sensor.
    #[serde(default)]
    doubts: BTreeMap<String, String>,
    #[serde(default)]
    since_unix_seconds: Option<f64>,
}

const fn yes() -> bool {
    true
}

#[derive(Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the file's keys say their unit")]
struct LimitRecord {
    original_milliwatts: u32,
    previous_milliwatts: u32,
    next_milliwatts: u32,
}

fn write(path: &Path, entry: &Entry) -> io::Result<()> {
    let limit = entry.claim.limit.map(|limit| LimitRecord {
        original_milliwatts: limit.original.milliwatts(),
        previous_milliwatts: limit.previous.milliwatts(),
        next_milliwatts: limit.next.milliwatts(),
    });
    let record = Record {
        version: VERSION,
        uuid: entry.uuid.to_string(),
        boot_id: entry.boot_id.clone(),
        energy_millijoules: entry.energy_millijoules,
        limit,
        gpu_clock_locked: entry.claim.gpu_clock,
        memory_clock_locked: entry.claim.memory_clock,
        gpu_clock_lock_megahertz: entry.locked[0].map(ends),
        memory_clock_lock_megahertz: entry.locked[1].map(ends),
        confirmed: entry.confirmed,
        state: entry.reason.state.to_owned(),
        doubts: entry
            .reason
            .doubts()
            .into_iter()
            .map(|(sensor, doubt)| (sensor.name().to_owned(), doubt.name().to_owned()))
            .collect(),
        since_unix_seconds: entry.since.map(|since| since.as_secs_f64()),
    };
    let dir = Dir::make(state_dir(path))?.make_within(DIRECTORY)?;
    let name = name(path);
    finish_in(&dir, name, |text| parse(text).is_ok())?;
    set_aside_unreadable(&dir, path)?;
    replace_in(&dir, name, &serde_json::to_vec_pretty(&record)?, None)
}

/// What this guard can't understand isn't overwritten: a newer one can, or a person. What it can't
/// even read isn't, either: it may say something else than this guard believes.
fn set_aside_unreadable(dir: &Dir, path: &Path) -> io::Result<()> {
    match Texts::read(dir, name(path)).newest(parse) {
        Err(Unread::Not(_)) => {
            let aside = path.with_extension("json.unreadable");
            dir.rename(name(path), name(&aside))
        }
        Err(Unread::Io(error)) => Err(error),
        Ok(_) => Ok(()),
    }
}

fn read(path: &Path) -> Result<Option<Entry>, JournalError> {
    let its = path.to_owned();
    let texts = patiently(path, READ_PATIENCE, move || texts(&its));
    understood(path, texts.flatten())
}

fn texts(path: &Path) -> io::Result<Texts> {
    Ok(Texts::read(&gpus(path)?, name(path)))
}

fn understood(path: &Path, texts: io::Result<Texts>) -> Result<Option<Entry>, JournalError> {
    let newest = match texts {
        Ok(texts) => texts.newest(parse),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    };
    newest.map_err(|error| match error {
        Unread::Io(source) => JournalError::Io {
            path: path.to_owned(),
            source,
        },
        Unread::Not(reason) => JournalError::Unreadable {
            path: path.to_owned(),
            reason,
        },
    })
}

/// Why there is no entry, but for the path.
enum Unread {
    Io(io::Error),
    Not(String),
}

impl From<io::Error> for Unread {
    /// A pipe, a link or a file without an end is no journal, however often one looks.
    fn from(error: io::Error) -> Self {
        let is_none = NotAFile::is_why(&error) || error.kind() == io::ErrorKind::InvalidData;
        if is_none {
            Self::Not(error.to_string())
        } else {
            Self::Io(error)
        }
    }
}

fn parse(text: &[u8]) -> Result<Entry, Unread> {
    let record: Record =
        serde_json::from_slice(text).map_err(|error| Unread::Not(error.to_string()))?;
    if record.version != VERSION {
        return Err(Unread::Not(format!(
            "version {}, this guard knows {VERSION}",
            record.version
        )));
    }
    let limit = record.limit.map(|limit| LimitClaim {
        original: Watts::from_milliwatts(limit.original_milliwatts),
        previous: Watts::from_milliwatts(limit.previous_milliwatts),
        next: Watts::from_milliwatts(limit.next_milliwatts),
    });
    let claim = Claim {
        limit,
        gpu_clock: record.gpu_clock_locked,
        memory_clock: record.memory_clock_locked,
    };
    Ok(Entry {
        uuid: Uuid::new(&record.uuid),
        claim,
        boot_id: record.boot_id,
        energy_millijoules: record.energy_millijoules,
        locked: [
            record.gpu_clock_lock_megahertz.map(range),
            record.memory_clock_lock_megahertz.map(range),
        ],
        confirmed: record.confirmed,
        reason: reason(&record.state, &record.doubts),
        since: record
            .since_unix_seconds
            .and_then(|since| Duration::try_from_secs_f64(since).ok()),
    })
}

fn ends(lock: ClockRange) -> [u32; 2] {
    [lock.min.megahertz(), lock.max.megahertz()]
}

fn range([min, max]: [u32; 2]) -> ClockRange {
    ClockRange {
        min: Megahertz::new(min),
        max: Megahertz::new(max),
    }
}

/// A doubt of a newer guard that this one has no word for is one all the same.
fn reason(state: &str, doubts: &BTreeMap<String, String>) -> Reason {
    let state = State::ALL.into_iter().find(|known| known.name() == state);
    Reason {
        state: state.map_or("", State::name),
        doubted: BySensor::of(|sensor| {
            let doubt = doubts.get(sensor.name())?;
            Some(Doubt::named(doubt).unwrap_or(Doubt::Missing))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::tests::put;

    fn entry(next: u32) -> Entry {
        let mut claim = Claim {
            gpu_clock: true,
            ..Claim::default()
        };
        claim.writing(Watts::from_milliwatts(399_999), Watts::from_watts(next));
        Entry {
            uuid: Uuid::new("GPU-1"),
            claim,
            boot_id: boot_id(),
            energy_millijoules: Some(5),
            locked: [None; 2],
            confirmed: true,
            reason: Reason::default(),
            since: None,
        }
    }

    #[test]
    fn what_is_recorded_is_loaded_and_an_empty_claim_leaves_no_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        let uuid = Uuid::new("GPU-1");
        let journal = Journal::open(dir.path(), &uuid);
        put(&journal, &entry(300));
        put(&journal, &entry(250));
        assert_eq!(load(dir.path(), &uuid).expect("readable"), Some(entry(250)));
        assert_eq!(load_all(dir.path()).0, [entry(250)]);
        let claim = Claim::default();
        put(&journal, &Entry { claim, ..entry(1) });
        assert_eq!(load(dir.path(), &uuid).expect("readable"), None);
    }

    #[test]
    fn why_and_since_when_it_holds_is_kept() {
        let dir = tempfile::tempdir().expect("tempdir");
        let uuid = Uuid::new("GPU-1");
        let mut doubted = BySensor::default();
        doubted[Sensor::Core] = Some(Doubt::Frozen);
        doubted[Sensor::Memory] = Some(Doubt::Missing);
        let held = Entry {
            confirmed: false,
            reason: Reason {
                state: State::Blind.name(),
                doubted,
            },
            since: Some(Duration::from_millis(1_790_000_000_250)),
            ..entry(300)
        };
        put(&Journal::open(dir.path(), &uuid), &held);
        let loaded = load(dir.path(), &uuid).expect("readable").expect("there");
        assert_eq!(loaded, held);
        let doubts = [
            (Sensor::Core, Doubt::Frozen),
            (Sensor::Memory, Doubt::Missing),
        ];
        assert_eq!(loaded.reason.doubts(), doubts);
    }

    #[test]
    fn a_journal_of_an_older_guard_is_readable_and_a_doubt_without_a_word_is_one() {
        let old = r#"{ "version": 1, "uuid": "GPU-1", "boot_id": "b", "energy_millijoules": 5,
            "limit": { "original_milliwatts": 400000, "previous_milliwatts": 400000, "next_milliwatts": 300000 },
            "gpu_clock_locked": true, "memory_clock_locked": false }"#;
        let Ok(entry) = parse(old.as_bytes()) else {
            panic!("readable");
        };
        assert!(entry.claim.limit.is_some() && entry.claim.gpu_clock);
        assert!(entry.confirmed, "as it was taken to be then");
        assert_eq!((entry.reason, entry.since), (Reason::default(), None));
        let newer = old.replace(
            r#""version": 1,"#,
            r#""version": 1, "doubts": { "core": "haunted", "soul": "missing" },"#,
        );
        let Ok(entry) = parse(newer.as_bytes()) else {
            panic!("readable");
        };
        assert_eq!(entry.reason.doubts(), [(Sensor::Core, Doubt::Missing)]);
    }

    #[test]
    fn what_the_card_made_of_an_unconfirmed_write_is_ours_and_of_a_confirmed_one_is_not() {
        let reads = |watts| Reading {
            limit: Ok(Watts::from_watts(watts)),
            ..Reading::missing(
                crate::units::Moment::START,
                crate::device::Missing::NotSupported,
            )
        };
        let ours = |confirmed, watts| {
            let left = Entry {
                confirmed,
                ..entry(283)
            };
            let claim = left.still_there(&reads(watts)).expect("this boot");
            assert!(claim.gpu_clock, "which can't be read");
            claim.limit.is_some()
        };
        // Rounded down or up, or clamped on its way.
        for watts in [280, 285, 350] {
            assert!(ours(false, watts), "{watts} W");
            assert!(!ours(true, watts), "{watts} W");
        }
        assert!(ours(true, 283) && ours(false, 283), "as it was asked");
        assert!(!ours(false, 200), "far under it is somebody else's");
    }

    #[test]
    fn a_torn_or_empty_file_is_an_error_not_a_claim() {
        let dir = tempfile::tempdir().expect("tempdir");
        let uuid = Uuid::new("GPU-1");
        put(&Journal::open(dir.path(), &uuid), &entry(300));
        let path = path_of(dir.path(), &uuid);
        let whole = fs::read(&path).expect("file");
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).expect("torn");
            assert!(load(dir.path(), &uuid).is_err(), "{length}");
        }
    }

    /// A guard that was killed between the two may have written to the card already.
    #[test]
    fn what_was_written_whole_counts_before_it_has_its_name_and_torn_does_not() {
        let dir = tempfile::tempdir().expect("tempdir");
        let uuid = Uuid::new("GPU-1");
        let journal = Journal::open(dir.path(), &uuid);
        put(&journal, &entry(300));
        let unnamed = dir.path().join("gpus/.GPU-1.json.thermal-guard");
        fs::rename(path_of(dir.path(), &uuid), &unnamed).expect("renamed");
        assert_eq!(load(dir.path(), &uuid).expect("readable"), Some(entry(300)));
        assert_eq!(load_all(dir.path()).0, [entry(300)]);

        let newer = fs::read(&unnamed).expect("file");
        put(&journal, &entry(250));
        assert!(!unnamed.exists(), "replaced");
        fs::write(&unnamed, &newer[..newer.len() - 1]).expect("torn");
        assert_eq!(load(dir.path(), &uuid).expect("readable"), Some(entry(250)));
        assert_eq!(load_all(dir.path()).0, [entry(250)]);

        fs::write(&unnamed, &newer).expect("whole");
        let claim = Claim::default();
        let nothing = Entry { claim, ..entry(1) };
        put(&journal, &nothing);
        assert_eq!(load(dir.path(), &uuid).expect("readable"), None, "neither");
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_said() {
        let dir = tempfile::tempdir().expect("tempdir");
        fs::write(dir.path().join("gpus"), "in the way").expect("file");
        let result = Journal::open(dir.path(), &Uuid::new("GPU-1")).record(entry(300));
        assert!(matches!(result, Err(JournalError::Io { .. })), "{result:?}");
    }

    /// Which the hand takes as it takes a full disk: what slows goes ahead, a raise waits.
    #[test]
    fn a_journal_without_its_thread_says_so_and_forgets_nothing() {
        let no_threads = Arc::new(io::Error::from(io::ErrorKind::WouldBlock));
        let journal = Journal {
            writer: Writer::Failed(no_threads),
            latest: Arc::default(),
            unread: Arc::default(),
        };
        let result = journal.record(entry(300));
        assert!(
            matches!(result, Err(JournalError::NoWriter(_))),
            "{result:?}"
        );
        assert_eq!(journal.latest(), Some(entry(300)));
    }

    #[test]
    fn a_hostile_uuid_stays_in_its_directory() {
        let path = path_of(Path::new("/state"), &Uuid::new("../../etc/passwd"));
        assert_eq!(path, Path::new("/state/gpus/______etc_passwd.json"));
    }
}
