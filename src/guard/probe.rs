//! The sensors beside one card's own, read at its tick. A thread for each, because files hang, too:
//! a file that doesn't answer costs its thread and, once, [`PATIENCE`]. It is never asked a second
//! time before it has answered.

#[cfg(test)]
mod tests;

use std::mem;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::config::SensorConfig;
use crate::device::{FileSensorError, Identity};
use crate::policy::Probe;
use crate::units::{Celsius, Moment};

/// How long a tick waits for all files together. They take microseconds, a slow bus some
/// milliseconds.
const PATIENCE: Duration = Duration::from_millis(100);

/// An answer counts for so many polls: a slow file is one tick behind, and one that hangs is missing
/// after two.
const HOLDS_POLLS: u32 = 2;

type Answer = Result<Celsius, FileSensorError>;

/// The sensors of one GPU, in the configuration's order.
#[derive(Default)]
pub struct Probes(Vec<Watch>);

impl Probes {
    /// As configured for `gpu`. One that was there before goes on with what it knows.
    pub fn choose(&mut self, sensors: &[SensorConfig], gpu: &Identity) {
        let mut old = mem::take(&mut self.0);
        for config in sensors.iter().filter(|config| config.gpus.matches(gpu)) {
            let known = old.iter().position(|watch| watch.config == *config);
            let known = known.map(|at| old.swap_remove(at));
            self.0.push(known.unwrap_or_else(|| Watch::of(config)));
        }
    }

    /// What they say now. `poll` is the time between two ticks, on `now`'s clock.
    pub fn read(&mut self, now: Moment, poll: Duration, gpu: &Identity) -> Vec<Probe> {
        let holds = poll * HOLDS_POLLS;
        // All are asked before any is waited for.
        let asked: Vec<bool> = self.0.iter_mut().map(|it| it.ask(now, holds)).collect();
        let mut patience = PATIENCE;
        for (watch, _) in self.0.iter_mut().zip(asked).filter(|(_, asked)| *asked) {
            watch.wait(now, &mut patience);
        }
        let watches = self.0.iter_mut();
        watches.map(|watch| watch.tell(now, holds, gpu)).collect()
    }
}

/// One file, and the thread that looks into it.
struct Watch {
    config: SensorConfig,
    /// `None`: there could be no thread.
    reader: Option<Reader>,
    /// When the question was put that isn't answered yet.
    asked: Option<Moment>,
    /// The last temperature, and when it was asked for.
    last: Option<(Moment, Celsius)>,
    /// Why there is none now.
    error: Option<String>,
    /// That was logged.
    complained: bool,
}

struct Reader {
    questions: SyncSender<()>,
    answers: Receiver<Answer>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn spawn(look: impl Fn() -> Answer + Send + 'static) -> Option<Self> {
        let (questions, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let thread = thread::Builder::new().name("sensor".to_owned());
        let thread = thread.spawn(
            move || {
                while asked.recv().is_ok() && answer.send(look()).is_ok() {}
            },
        );
        let thread = thread.ok()?;
        Some(Self {
            questions,
            answers,
            thread,
        })
    }
}

impl Watch {
    fn of(config: &SensorConfig) -> Self {
        let file = config.file.clone();
        Self::new(config, Reader::spawn(move || file.read()))
    }

    fn new(config: &SensorConfig, reader: Option<Reader>) -> Self {
        Self {
            error: reader.is_none().then(|| "no thread to read it".to_owned()),
            config: config.clone(),
            reader,
            asked: None,
            last: None,
            complained: false,
        }
    }

    /// Takes a late answer, and puts the next question. True: there is something to wait for.
    fn ask(&mut self, now: Moment, holds: Duration) -> bool {
        let Some(reader) = &self.reader else {
            return false;
        };
        let mut late = false;
        if let Some(at) = self.asked {
            let in_time = now.since(at) <= holds;
            match reader.answers.try_recv() {
                Ok(answer) if in_time => {
                    self.take(at, answer);
                    late = true;
                }
                // Of a file that hung: nobody knows how old it is.
                Ok(_) => {}
                Err(TryRecvError::Empty) if in_time => return false,
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => {
                    self.error = Some("no answer".to_owned());
                    return false;
                }
            }
        }
        let reader = self.reader.as_ref();
        self.asked = reader.and_then(|it| it.questions.try_send(()).is_ok().then_some(now));
        // Whoever was late will be again: its answer is taken on the next tick.
        !late
    }

    fn wait(&mut self, now: Moment, patience: &mut Duration) {
        let Some(reader) = &self.reader else {
            return;
        };
        match reader.answers.recv_timeout(*patience) {
            Ok(answer) => {
                self.asked = None;
                self.take(now, answer);
            }
            // The others were asked at the same time, and have had theirs.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                *patience = Duration::ZERO;
            }
        }
    }

    fn take(&mut self, at: Moment, answer: Answer) {
        match answer {
            Ok(celsius) => {
                self.last = Some((at, celsius));
                self.error = None;
            }
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    fn tell(&mut self, now: Moment, holds: Duration, gpu: &Identity) -> Probe {
        let last = self.last.filter(|_| self.error.is_none());
        let fresh = last.filter(|(at, _)| now.since(*at) <= holds);
        self.log(gpu, fresh.is_some());
        Probe {
            name: self.config.name.as_str().into(),
            trips: self.config.trips,
            now: fresh.map(|(_, celsius)| celsius),
            last: self.last.map(|(_, celsius)| celsius),
        }
    }

    /// Once when it goes, once when it is back.
    fn log(&mut self, gpu: &Identity, there: bool) {
        let (gpu, sensor) = (gpu.index, self.config.name.as_str());
        let file = self.config.file.path.display();
        match &self.error {
            Some(error) if !self.complained => {
                tracing::error!(gpu, sensor, %file, error, "sensor lost: the GPU is guarded by its others; mend the file, or leave the sensor out of `sensors`");
                self.complained = true;
            }
            None if there && self.complained => {
                tracing::info!(gpu, sensor, %file, "sensor is back");
                self.complained = false;
            }
            _ => {}
        }
    }
}

/// The thread ends with its questions. One inside a hung read is left behind.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            drop(reader.questions);
            if self.asked.is_none() {
                // It has nothing to say that could be done about.
                let _ = reader.thread.join();
            }
        }
    }
}
