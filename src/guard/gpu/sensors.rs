//! The extra sensors of one card, read on its tick. Each has a thread of its own, because files hang,
//! too. A file that doesn't answer costs its thread and, once, [`PATIENCE`]. The guard never asks it a
//! second time before it has answered.

#[cfg(test)]
mod tests;

use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::config::SensorConfig;
use crate::device::{FileSensorError, Identity};
use crate::policy::ExtraSensor;
use crate::units::{Celsius, Moment};

/// How long a tick waits for all files together. They take microseconds, a slow bus some
/// milliseconds.
const PATIENCE: Duration = Duration::from_millis(100);

/// An answer is valid for this many polls: a slow file is one tick behind, and a file that hangs is
/// missing after two.
const HOLDS_POLLS: u32 = 2;

type Answer = Result<Celsius, FileSensorError>;

/// The sensors of one GPU, in the configuration's order.
#[derive(Default)]
pub struct Probes(Vec<Watch>);

impl Probes {
    /// Takes the sensors that are configured for `gpu`. One that was there before keeps its state; one that
    /// is configured otherwise now, what it said last.
    pub fn choose(&mut self, sensors: &[SensorConfig], gpu: &Identity) {
        let mut old = mem::take(&mut self.0);
        for config in sensors.iter().filter(|config| config.gpus.matches(gpu)) {
            let known = old.iter().position(|watch| watch.config == *config);
            let known = known.map(|at| old.swap_remove(at));
            self.0.push(known.unwrap_or_else(|| {
                let before = old.iter().find(|watch| watch.config.name == config.name);
                Watch::of(config).after(before)
            }));
        }
    }

    /// A guard before this one held the GPU while these sensors were above safe.
    pub fn left_hot(&mut self, names: &[Arc<str>]) {
        for watch in &mut self.0 {
            let is_one = names.iter().any(|name| **name == *watch.config.name);
            watch.left_hot = is_one && watch.last.is_none();
        }
    }

    /// Reads all sensors. `poll` is the time between two ticks, on `now`'s clock.
    pub fn read(&mut self, now: Moment, poll: Duration, gpu: &Identity) -> Vec<ExtraSensor> {
        let holds = poll * HOLDS_POLLS;
        // Ask all of them before waiting for any.
        let asked: Vec<bool> = self.0.iter_mut().map(|it| it.ask(now, holds)).collect();
        let mut patience = PATIENCE;
        for (watch, _) in self.0.iter_mut().zip(asked).filter(|(_, asked)| *asked) {
            watch.wait(now, &mut patience);
        }
        let watches = self.0.iter_mut();
        watches.map(|watch| watch.tell(now, holds, gpu)).collect()
    }
}

/// One file, and the thread that reads it.
struct Watch {
    config: SensorConfig,
    /// `None`: its thread couldn't be started.
    reader: Option<Reader>,
    /// When the file was asked that hasn't answered yet.
    asked: Option<Moment>,
    /// The last temperature, and when it was asked for.
    last: Option<(Moment, Celsius)>,
    /// It was above safe before this guard, and hasn't been read since.
    left_hot: bool,
    /// Why there is no temperature now.
    error: Option<String>,
    /// The error was logged.
    complained: bool,
}

struct Reader {
    questions: SyncSender<()>,
    answers: Receiver<Answer>,
    thread: JoinHandle<()>,
}

impl Reader {
    fn spawn(read: impl Fn() -> Answer + Send + 'static) -> Option<Self> {
        let (questions, asked) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        let thread = thread::Builder::new().name("sensor".to_owned());
        let thread = thread.spawn(
            move || {
                while asked.recv().is_ok() && answer.send(read()).is_ok() {}
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
            left_hot: false,
            complained: false,
        }
    }

    /// With what the sensor of this name said before.
    fn after(mut self, before: Option<&Self>) -> Self {
        if let Some(before) = before {
            (self.last, self.left_hot) = (before.last, before.left_hot);
        }
        self
    }

    /// Takes a late answer, and asks again. True: an answer may come on this tick.
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
                // The file hung: the age of this answer is unknown.
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
        // A file that was late will be late again: the next tick takes its answer.
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
            // The others were asked at the same time, and have had the same time.
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                *patience = Duration::ZERO;
            }
        }
    }

    fn take(&mut self, at: Moment, answer: Answer) {
        match answer {
            Ok(celsius) => {
                self.last = Some((at, celsius));
                self.left_hot = false;
                self.error = None;
            }
            Err(error) => self.error = Some(error.to_string()),
        }
    }

    fn tell(&mut self, now: Moment, holds: Duration, gpu: &Identity) -> ExtraSensor {
        let last = self.last.filter(|_| self.error.is_none());
        let fresh = last.filter(|(at, _)| now.since(*at) <= holds);
        self.log(gpu, fresh.is_some());
        ExtraSensor {
            name: self.config.name.as_str().into(),
            trips: self.config.trips,
            now: fresh.map(|(_, celsius)| celsius),
            last: self.last.map(|(_, celsius)| celsius),
            left_hot: self.left_hot,
        }
    }

    /// Logs a loss once, and the return once.
    fn log(&mut self, gpu: &Identity, there: bool) {
        let (gpu, sensor) = (gpu.index, self.config.name.as_str());
        let file = self.config.file.path.display();
        match &self.error {
            Some(error) if !self.complained => {
                tracing::error!(gpu, sensor, %file, error, "sensor lost: the GPU is guarded by its other sensors; repair the file, or remove the sensor from `sensors`");
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

/// The thread ends when nothing can ask it any more. One inside a hung read is left behind.
impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take() {
            drop(reader.questions);
            if self.asked.is_none() {
                // A panic of this thread changes nothing any more.
                let _ = reader.thread.join();
            }
        }
    }
}
