//! What the simulated library writes down of each card: when it jumped to another temperature, and
//! when somebody told it something. Stamped by the monotonic clock, which all processes share.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Between two looks; what is measured is the stamps, so a look may come late.
const LOOK: Duration = Duration::from_millis(5);

/// Now, by the same clock.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC);
    time.expect("the monotonic clock").into()
}

/// One thing that was done to a card.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(crate) at: Duration,
    pub(crate) gpu: usize,
    what: String,
    /// The limit requested from then on.
    pub(crate) watts: f64,
}

impl Deed {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let at = Duration::from_nanos(words.next()?.parse().ok()?);
        let gpu = words.next()?.parse().ok()?;
        let what = words.next()?.to_owned();
        let _code = words.next()?;
        let milliwatts: f64 = words.next()?.parse().ok()?;
        Some(Self {
            at,
            gpu,
            what,
            watts: milliwatts / 1000.0,
        })
    }

    /// Long idling in other air: the temperature jumped.
    pub(crate) fn is_jump(&self) -> bool {
        self.what == "rest"
    }

    /// By NVML, or as a shell script has it done.
    pub(crate) fn is_limit(&self) -> bool {
        self.what == "power-limit" || self.what == "limit"
    }
}

/// The trace of one machine.
pub(crate) struct Trace(Mutex<(BufReader<File>, Vec<Deed>)>);

impl Trace {
    pub(crate) fn follow(path: &Path) -> Self {
        let file = File::open(path).expect("a trace");
        Self(Mutex::new((BufReader::new(file), Vec::new())))
    }

    /// What was done since `since` to this card and `is` so, if it ever is.
    pub(crate) fn first(
        &self,
        gpu: usize,
        since: Duration,
        is: impl Fn(&Deed) -> bool,
    ) -> Option<Deed> {
        let mut trace = self.0.lock().expect("nobody fails in here");
        let (file, deeds) = &mut *trace;
        let mut line = String::new();
        while file.read_line(&mut line).expect("a trace") > 0 {
            deeds.push(Deed::parse(&line).expect("a line of a trace"));
            line.clear();
        }
        let begin = deeds.len()
            - deeds
                .iter()
                .rev()
                .take_while(|deed| deed.at >= since)
                .count();
        let mut later = deeds[begin..].iter();
        later.find(|deed| deed.gpu == gpu && is(deed)).cloned()
    }

    /// The same, waited for.
    pub(crate) fn wait(
        &self,
        gpu: usize,
        since: Duration,
        patience: Duration,
        is: impl Fn(&Deed) -> bool,
    ) -> Option<Deed> {
        let began = Instant::now();
        loop {
            let deed = self.first(gpu, since, &is);
            if deed.is_some() || began.elapsed() > patience {
                return deed;
            }
            thread::sleep(LOOK);
        }
    }
}
