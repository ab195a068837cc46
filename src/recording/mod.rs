//! Recordings of GPUs in CSV files: those that `nvidia-smi --query-gpu=… --format=csv` writes, and
//! plain tables of numbers. It reads the file ([`read`]), whose columns it knows by name
//! ([`column`]), into cards with samples ([`types`]), or says what is wrong with it ([`error`]). It
//! judges nothing.

mod cells;
mod column;
mod error;
mod read;
mod types;

pub use error::{RecordingError, Wrong};
pub use read::{parse, read};
pub use types::{Card, MOST_SAMPLES, Recording, Sample};
