//! A temperature in a file: hwmon, a thermal zone, a driver's own `/proc` entry, or the output of a
//! script. Each read is bounded in size and strict about the content.
//!
//! A file can hang (a dead network mount, a bus behind a hwmon driver). So call
//! [`FileSensor::read`] only on a thread that may be lost.

use std::io::{self, Read};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use thiserror::Error;

use crate::disk;
use crate::disk::NotAFile;
use crate::units::Celsius;

/// The first line must end within this. The kernel's files have one page.
const MAX_BYTES: u64 = 4096;

/// Chosen: no room with a computer is colder, and every shutdown threshold is lower than the upper
/// end. The values of unplugged sensors (-128, -273, 255) lie outside.
const PLAUSIBLE: RangeInclusive<f64> = -40.0..=150.0;

/// The unit of the number in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SensorUnit {
    Celsius,
    /// hwmon and the kernel's thermal zones count in these.
    Millicelsius,
}

/// Where to find a temperature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSensor {
    pub path: PathBuf,
    pub unit: SensorUnit,
    /// The word of the first line, counted from 1.
    pub field: usize,
}

/// Why there is no temperature. No error repeats the content of the file: a mistyped path may lead
/// to a secret.
#[derive(Debug, Error)]
pub enum FileSensorError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Reading a pipe waits, and reading a device may have an effect.
    #[error("not a regular file")]
    NotAFile,
    #[error("its first line doesn't end within {MAX_BYTES} bytes, or is no text")]
    NoLine,
    #[error("its first line has no field {0}")]
    NoField(usize),
    #[error("field {0} of its first line is no number")]
    NoNumber(usize),
    #[error("{0}, which no sensor means")]
    Implausible(Celsius),
}

impl FileSensor {
    /// Reads the file once. It may block for as long as the file does.
    pub fn read(&self) -> Result<Celsius, FileSensorError> {
        let (file, _) = disk::open(&self.path).map_err(|error| {
            if NotAFile::is_why(&error) {
                FileSensorError::NotAFile
            } else {
                FileSensorError::Io(error)
            }
        })?;
        let mut text = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut text)?;
        self.parse(&text)
    }

    fn parse(&self, text: &[u8]) -> Result<Celsius, FileSensorError> {
        let line = first_line(text).ok_or(FileSensorError::NoLine)?;
        let word = line
            .split_ascii_whitespace()
            .nth(self.field.saturating_sub(1));
        let word = word.ok_or(FileSensorError::NoField(self.field))?;
        let number = number(word).ok_or(FileSensorError::NoNumber(self.field))?;
        let celsius = match self.unit {
            SensorUnit::Celsius => Celsius::new(number),
            SensorUnit::Millicelsius => Celsius::from_millidegrees(number),
        };
        if PLAUSIBLE.contains(&celsius.degrees()) {
            Ok(celsius)
        } else {
            Err(FileSensorError::Implausible(celsius))
        }
    }
}

/// `None`: the line was cut off. Half a number is a wrong number.
fn first_line(text: &[u8]) -> Option<&str> {
    let whole = text.len() < usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
    let end = text.iter().position(|byte| *byte == b'\n');
    let line = &text[..end.or(whole.then_some(text.len()))?];
    str::from_utf8(line).ok()
}

/// Accepts digits with a sign and a decimal point, and no other form that Rust takes for a number.
fn number(word: &str) -> Option<f64> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '+');
    word.chars().all(plain).then(|| word.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(unit: SensorUnit, field: usize) -> FileSensor {
        FileSensor {
            path: PathBuf::from("/nowhere"),
            unit,
            field,
        }
    }

    #[track_caller]
    fn reads(sensor: &FileSensor, text: &str, degrees: f64) {
        let read = sensor.parse(text.as_bytes()).map(Celsius::degrees);
        assert_eq!(read.ok(), Some(degrees), "{text:?}");
    }

    #[test]
    fn hwmon_counts_in_millidegrees() {
        let hwmon = sensor(SensorUnit::Millicelsius, 1);
        reads(&hwmon, "31500\n", 31.5);
        reads(&hwmon, "-2000\n", -2.0);
        reads(&hwmon, "31500", 31.5);
    }

    #[test]
    fn a_field_is_a_word_of_the_first_line() {
        let third = sensor(SensorUnit::Celsius, 3);
        reads(&third, "GPU 0: 78\n", 78.0);
        reads(&third, "  0\tcore   78.5 C\nGPU 1: 20\n", 78.5);
        let short = third.parse(b"GPU 0:\nGPU 1: 20\n");
        assert!(matches!(short, Err(FileSensorError::NoField(3))));
    }

    #[test]
    fn only_a_plain_number_is_a_temperature() {
        let plain = sensor(SensorUnit::Celsius, 1);
        for word in [
            "N/A", "78C", "1e2", "inf", "NaN", "0x4e", "7-8", "--7", ".", "+", "7,5", "٧٨", "78\0",
        ] {
            let read = plain.parse(word.as_bytes());
            assert!(matches!(read, Err(FileSensorError::NoNumber(1))), "{word}");
        }
        for empty in ["", "\n", "  \n42\n"] {
            let read = plain.parse(empty.as_bytes());
            assert!(
                matches!(read, Err(FileSensorError::NoField(1))),
                "{empty:?}"
            );
        }
        assert!(matches!(
            plain.parse(b"\xff\xfe"),
            Err(FileSensorError::NoLine)
        ));
    }

    #[test]
    fn an_implausible_number_is_refused() {
        let plain = sensor(SensorUnit::Celsius, 1);
        reads(&plain, "-40", -40.0);
        reads(&plain, "150", 150.0);
        for absurd in ["-40.1", "150.1", "-128", "255", "45000"] {
            let read = plain.parse(absurd.as_bytes());
            assert!(
                matches!(read, Err(FileSensorError::Implausible(_))),
                "{absurd}"
            );
        }
    }

    #[test]
    fn a_line_that_was_cut_off_is_none() {
        let plain = sensor(SensorUnit::Celsius, 1);
        let mut text = vec![b' '; 4095];
        text.push(b'4');
        assert!(matches!(plain.parse(&text), Err(FileSensorError::NoLine)));
        text[4094] = b'4';
        text[4095] = b'\n';
        assert_eq!(plain.parse(&text).ok(), Some(Celsius::new(4.0)));
    }

    #[test]
    fn only_a_regular_file_is_read() {
        let read = |path: &str| {
            let path = PathBuf::from(path);
            FileSensor {
                path,
                ..sensor(SensorUnit::Celsius, 1)
            }
            .read()
        };
        for path in ["/dev/zero", "/proc/self"] {
            assert!(
                matches!(read(path), Err(FileSensorError::NotAFile)),
                "{path}"
            );
        }
        assert!(matches!(read("/proc/no/such"), Err(FileSensorError::Io(_))));
        // A file of the kernel: regular, but without a length.
        let uptime = FileSensor {
            path: "/proc/loadavg".into(),
            ..sensor(SensorUnit::Celsius, 1)
        };
        assert!(uptime.read().is_ok());
    }
}
