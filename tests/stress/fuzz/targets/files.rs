//! Contents of files: the operator's, the guard's own after a crash, and other people's.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use thermal_guard::apps::{Apps, envfile};
use thermal_guard::config::{AppConfig, Config, EnvFileConfig};
use thermal_guard::device::file_sensor::{FileSensor, SensorUnit};
use thermal_guard::device::{Missing, Reading};
use thermal_guard::events::history;
use thermal_guard::fuzzing;
use thermal_guard::guard::actuate::journal;
use thermal_guard::guard::actuate::journal::JournalDirs;
use thermal_guard::units::Moment;
use thermal_guard::web::access::webconfig::{Pem, WebConfig};
use thermal_guard::web::http::tls::TlsServer;
use tokio::runtime::{Builder, Runtime};

use super::{input::Input, readings, scratch, written};

/// `--config.file`. A refusal says why, and accepted values are in range.
pub(super) fn config(bytes: &[u8]) {
    match Config::load(&written("config.yml", bytes)) {
        Err(error) => assert!(error.to_string().len() > "config.yml".len()),
        Ok(config) => {
            let seconds = config.poll_interval.as_secs_f64();
            assert!((0.1..=10.0).contains(&seconds), "{seconds}");
            let settings = config.policy_settings();
            assert!(settings.gradual_floor < settings.lease_ceiling);
            assert!(settings.max_hold <= Duration::from_secs(3600));
        }
    }
}

/// `--web.config.file`, and the certificates in it. Files that it names aren't looked at: they
/// could be anything of this machine.
pub(super) fn webconfig(bytes: &[u8]) {
    let Ok(config) = WebConfig::load(&written("web.yml", bytes)) else {
        return;
    };
    let is_inline = |pem: &Pem| matches!(pem, Pem::Inline(_));
    if let Some(tls) = config.tls
        && is_inline(&tls.cert)
        && is_inline(&tls.key)
        && tls.client_ca.as_ref().is_none_or(is_inline)
    {
        let _ = TlsServer::new(tls);
    }
}

/// A GPU's journal entry: read whole or refused; and a guard that takes it over obeys the card.
pub(super) fn journal(bytes: &[u8]) {
    let file = written("gpus/GPU-1.json", bytes);
    let state = file.ancestors().nth(2).expect("the state directory");
    let (entries, errors) = journal::load_all(&JournalDirs::only(state));
    assert_eq!(entries.len() + errors.len(), 1);
    for entry in entries {
        let unread = Reading::missing(Moment::START, Missing::Lost);
        let _ = entry.still_there(&unread);
        readings::takes_over(entry);
    }
}

/// The event log, and the report that is made of it.
pub(super) fn events(bytes: &[u8]) {
    let file = written("events.jsonl", bytes);
    let state = file.parent().expect("the state directory");
    let history = history(state).expect("a file in memory can be read");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(history.events.len() + history.unreadable <= lines);
    for event in &history.events {
        let _ = event.to_string();
    }
    let (page, json) = fuzzing::report(&history, Duration::from_secs(7 * 24 * 3600));
    assert!(!page.is_empty());
    assert!(
        serde_json::from_str::<serde_json::Value>(&json).is_ok(),
        "{json}"
    );
}

/// The applications that a dead guard left throttled. An unreadable journal means all of them.
pub(super) fn app_journal(bytes: &[u8]) {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
    }
    let file = written(Apps::JOURNAL, bytes);
    let state = file.parent().expect("the state directory");
    RUNTIME.with(|runtime| {
        let apps = Apps::spawn(
            Vec::<AppConfig>::new(),
            Some(state),
            false,
            runtime.handle(),
        );
        // The rest is still to be given back, and never more than was found.
        let lines = bytes.split(|byte| *byte == b'{').count();
        assert!(apps.snapshot().len() <= lines);
        drop(apps);
        // Its tasks have ended without having begun: nothing was sent anywhere.
        runtime.block_on(tokio::task::yield_now());
    });
}

fn batch(path: PathBuf) -> EnvFileConfig {
    EnvFileConfig {
        path,
        key: "BATCH".to_owned(),
        normal: "4".to_owned(),
        gradual: "22".to_owned(),
        emergency: "1".to_owned(),
    }
}

/// Another program's environment file: the value is set, and after giving back each byte is as before.
pub(super) fn envfile(bytes: &[u8]) {
    let config = batch(written("app.env", bytes));
    let read = || fs::read(&config.path).expect("still there");
    let Ok((edit, taken)) = envfile::take(&config, "1", None) else {
        assert_eq!(read(), bytes);
        return;
    };
    let done = edit.carry_out().expect("nobody else is here");
    assert_eq!(done.written, read() != bytes);
    let edit = envfile::give_back(&config, &taken).expect("it was read before");
    edit.carry_out().expect("nobody else is here");
    assert_given_back(&read(), bytes);
}

/// The same in memory, with several levels in a row: no trace of them is left.
pub(super) fn envtext(bytes: &[u8]) {
    let config = batch(PathBuf::from("app.env"));
    let Some((first, mut held)) = fuzzing::slowed(bytes, &config, "1", None) else {
        return;
    };
    let mut now = first.clone();
    for value in ["1", "22", "a b", "", "1"] {
        // Quotes that another value needs may close one that was open before.
        match fuzzing::slowed(&now, &config, value, Some(&held)) {
            Some((next, taken)) => (now, held) = (next, taken),
            None => assert!(value.is_empty() || value == "a b", "{value}"),
        }
    }
    assert_eq!(now, first);
    let back = fuzzing::given_back(&now, &config, &held).expect("it was read before");
    assert_given_back(&back, bytes);
}

/// Byte for byte. The exception: a file with throttled values only, left by a guard that lost its journal.
fn assert_given_back(now: &[u8], before: &[u8]) {
    let has = |value: &[u8]| before.windows(value.len()).any(|part| part == value);
    let is_left = has(b"22") || has(b"1");
    assert!(now == before || is_left, "{}", now.escape_ascii());
}

/// A temperature in a file: the first two bytes pick unit and field.
pub(super) fn sensor(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (unit, field) = (input.u8(), input.u8());
    let sensor = FileSensor {
        path: written("temp1_input", bytes.get(2..).unwrap_or_default()),
        unit: [SensorUnit::Celsius, SensorUnit::Millicelsius][usize::from(unit & 1)],
        field: usize::from(field),
    };
    if let Ok(read) = sensor.read() {
        assert!((-40.0..=150.0).contains(&read.degrees()), "{read}");
    }
    debug_assert!(Path::new(&scratch("temp1_input")).exists());
}
