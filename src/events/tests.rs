//! The log on disk: what survives, what it may cost, what it refuses. And that the events say what
//! the metrics count.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use tempfile::TempDir;

use super::log::{NAME_BEFORE, path};
use super::*;
use crate::device::ByKnob;
use crate::guard::Tick;
use crate::policy::{Level, Settings, State, Trigger};
use crate::sim::card::{Conditions, Fault};
use crate::sim::faults::{Answer, Call, NOT_SUPPORTED, Setter};
use crate::sim::node::{AT_REST, Node};
use crate::sim::profile::A100_80GB;
use crate::units::Celsius;

fn xid(xid: u64) -> What {
    What::Xid { xid, count: 1 }
}

/// Notes and waits until it is on disk. How many were written, and how many dropped.
fn write(dir: &TempDir, whats: impl IntoIterator<Item = What>) -> (u64, u64) {
    let events = Events::new();
    events.write_to(dir.path());
    for what in whats {
        events.note(None, what);
    }
    let log = lock(&events.log).take().unwrap();
    log.close().unwrap().join().unwrap();
    let counters = &events.log_counters;
    (counters.written.get(), counters.dropped.get())
}

fn read(dir: &TempDir) -> (Vec<What>, usize) {
    let history = history(dir.path()).unwrap();
    let whats = history.events.into_iter().map(|event| event.what);
    (whats.collect(), history.unreadable)
}

#[test]
fn what_was_noted_is_there_after_a_restart_and_for_the_group_only() {
    let dir = TempDir::new().unwrap();
    assert!(!history(dir.path()).unwrap().found);
    write(&dir, [xid(1), xid(2)]);
    let counts = write(&dir, [xid(3)]);
    assert_eq!(read(&dir), (vec![xid(1), xid(2), xid(3)], 0));
    assert_eq!(counts, (1, 0));
    let mode = fs::metadata(path(dir.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777 & !0o640, 0, "{mode:o}");
}

#[test]
fn a_start_is_told_with_the_first_event_or_when_it_is_sure_and_never_if_it_was_refused() {
    let (start, other) = (|| xid(1), || xid(2));
    let told = |act: &dyn Fn(&Events)| -> Vec<What> {
        let events = Events::new();
        events.starting(start());
        act(&events);
        let recent = events.recent();
        recent.iter().map(|event| event.what.clone()).collect()
    };
    assert_eq!(told(&|_| {}), []);
    assert_eq!(told(&|events| events.started()), [start()]);
    let twice = |events: &Events| {
        events.note(None, other());
        events.started();
    };
    assert_eq!(told(&twice), [start(), other()]);
    let refused = |events: &Events| {
        assert!(events.withdraw_start());
        assert!(!events.withdraw_start());
        events.started();
        events.note(None, other());
    };
    assert_eq!(told(&refused), [other()]);
}

#[test]
fn a_torn_line_costs_itself_and_nothing_after_it() {
    let dir = TempDir::new().unwrap();
    write(&dir, [xid(1), xid(2)]);
    let whole = fs::read(path(dir.path())).unwrap();
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    for length in first + 1..whole.len() - 1 {
        fs::write(path(dir.path()), &whole[..length]).unwrap();
        assert_eq!(read(&dir), (vec![xid(1)], 1), "{length}");
        write(&dir, [xid(3)]);
        assert_eq!(read(&dir), (vec![xid(1), xid(3)], 1), "{length}");
    }
}

#[test]
fn the_log_stays_within_its_size_and_keeps_the_newest() {
    let dir = TempDir::new().unwrap();
    let long = || What::Chain {
        from: Word::Newer("x".repeat(1000)),
        to: ChainState::Ok.into(),
    };
    for batch in 0..30 {
        let events = (0..400).map(|_| long()).chain([xid(batch)]);
        assert_eq!(write(&dir, events).1, 0);
    }
    for path in [path(dir.path()), dir.path().join(NAME_BEFORE)] {
        let size = fs::metadata(path).unwrap().len();
        assert!(size <= MAX_BYTES, "{size}");
    }
    let (whats, unreadable) = read(&dir);
    assert_eq!(unreadable, 0);
    assert_eq!(whats.last(), Some(&xid(29)));
    // 30 batches of 400 kB don't fit into two generations: the oldest are gone, and a whole one
    // always stays.
    assert!(!whats.contains(&xid(0)) && whats.contains(&xid(20)));
}

#[test]
fn a_link_is_not_followed_neither_to_write_nor_to_read() {
    let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let target = elsewhere.path().join("passwd");
    fs::write(&target, "precious\n").unwrap();
    symlink(&target, path(dir.path())).unwrap();
    assert_eq!(write(&dir, [xid(1)]), (0, 1));
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
    let error = history(dir.path()).unwrap_err();
    let why = std::error::Error::source(&error).unwrap().to_string();
    assert!(why.contains("symbolic link"), "{why}");
    // One that leads nowhere isn't filled either.
    fs::remove_file(&target).unwrap();
    assert_eq!(write(&dir, [xid(1)]), (0, 1));
    assert!(!target.exists());
    // Rotation replaces a link instead of writing through it.
    fs::remove_file(path(dir.path())).unwrap();
    fs::write(&target, "precious\n").unwrap();
    symlink(&target, dir.path().join(NAME_BEFORE)).unwrap();
    fs::write(
        path(dir.path()),
        vec![b'\n'; usize::try_from(MAX_BYTES).unwrap()],
    )
    .unwrap();
    assert_eq!(write(&dir, [xid(2)]).1, 0);
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious\n");
    assert_eq!(read(&dir).0, [xid(2)]);
}

#[test]
fn a_pipe_in_its_place_does_not_hang_the_guard() {
    let dir = TempDir::new().unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "only a program makes a pipe with a name"
    )]
    let made = std::process::Command::new("mkfifo")
        .arg(path(dir.path()))
        .status();
    assert!(made.unwrap().success());
    assert_eq!(write(&dir, [xid(1)]), (0, 1));
    assert!(history(dir.path()).is_err());
}

#[test]
fn what_could_not_be_written_leaves_a_hole_that_says_its_size() {
    let dir = TempDir::new().unwrap();
    let events = Events::new();
    // A directory in its place: nothing can be written until it is gone.
    fs::create_dir_all(path(dir.path()).join("in-the-way")).unwrap();
    events.write_to(dir.path());
    for code in 0..3 {
        events.note(None, xid(code));
    }
    let clock = Clock::start(1.0);
    while events.log_counters.dropped.get() < 3 {
        assert!(clock.wall() < Moment::from_secs_f64(20.0));
        thread::sleep(Duration::from_millis(2));
    }
    fs::remove_dir_all(path(dir.path())).unwrap();
    events.note(None, xid(3));
    events.close();
    let hole = What::Unrecorded { count: 3 };
    assert_eq!(read(&dir), (vec![hole, xid(3)], 0));
}

#[test]
fn a_hung_disk_costs_events_and_no_time() {
    // Nothing takes from the queue, as if its thread were inside a write.
    let (queue, _unread) = std::sync::mpsc::sync_channel(2);
    let events = Events::new();
    *lock(&events.log) = Some(Log::over(queue, events.log_counters.clone()));
    let clock = Clock::start(1.0);
    for code in 0..10_000 {
        events.note(None, xid(code));
    }
    assert!(clock.wall() < Moment::from_secs_f64(2.0), "never waits");
    assert_eq!(events.log_counters.dropped.get(), 10_000 - 2);
    assert_eq!(events.recent().len(), RECENT);
    assert_eq!(events.recent()[RECENT - 1].what, xid(9_999));
}

fn whats(node: &Node) -> Vec<What> {
    let recent = node.shared.events.recent();
    recent.iter().map(|event| event.what.clone()).collect()
}

fn names(node: &Node) -> Vec<String> {
    let json = |what: What| serde_json::to_value(what).unwrap()["event"].clone();
    let names = whats(node).into_iter().map(json);
    names
        .map(|name| name.as_str().unwrap().to_owned())
        .collect()
}

const HOT: Conditions = Conditions::full_load(Celsius::new(40.0));

/// Hot, held, cool again: until the card is as it was.
fn heat_wave(node: &mut Node) -> Tick {
    node.set(0, HOT);
    node.run(600);
    node.set(0, AT_REST);
    let mut tick = node.run(60).remove(0);
    for _ in 0..600 {
        if tick.decision.state == State::Normal {
            break;
        }
        tick = node.step().remove(0);
    }
    tick
}

#[test]
fn a_throttle_and_its_recovery_are_told_as_the_metrics_count_them() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    let tick = heat_wave(&mut node);
    assert_eq!(names(&node), ["throttled", "recovering", "recovered"]);
    assert_eq!(
        (tick.counters.throttle_events(), tick.counters.recoveries),
        (1, 1)
    );
    let whats = whats(&node);
    let What::Throttled(throttle) = &whats[0] else {
        panic!("{whats:?}")
    };
    assert!(throttle.level == Level::Gradual && throttle.why == Why::SetPoint);
    assert_eq!(throttle.trigger, Some(Trigger::Local.into()));
    // An A100's alert is 78 °C, and the loop acts from 1 °C under it on.
    assert!(
        throttle
            .seen
            .temperature_celsius
            .is_some_and(|it| it >= 76.5)
    );
    let What::Recovered(outcome) = whats[2] else {
        panic!("{whats:?}")
    };
    let [gradual, emergency] = tick.counters.throttled.map(|it| it.as_secs_f64());
    let level_time = outcome.seconds - outcome.recovery_seconds;
    assert!(
        (level_time - gradual - emergency).abs() <= 2.0,
        "{outcome:?}"
    );
    assert!(
        outcome
            .hottest_celsius
            .is_some_and(|it| (76.5..82.0).contains(&it))
    );
}

#[test]
fn leases_pauses_and_the_chain_are_told_once_each() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    node.run(3);
    node.shared.name_alert(0xfeed, "GpuHot");
    node.fire(0, 0xfeed, Level::Gradual, Duration::from_secs(5));
    node.run(3);
    node.fire(0, 0xfeed, Level::Gradual, Duration::from_secs(5));
    node.fire(0, 0xbeef, Level::Gradual, Duration::from_secs(5));
    node.run(10);
    let until = node.now() + Duration::from_secs(5);
    node.shared.pause(&node.uuid(0), until);
    node.run(10);
    let texts: Vec<_> = node
        .shared
        .events
        .recent()
        .iter()
        .map(ToString::to_string)
        .collect();
    let expected = [
        "GPU 0: alert lease (gradual) began, alert GpuHot (000000000000feed)",
        "GPU 0: alert lease (gradual) expired, alert GpuHot (000000000000feed)",
        "GPU 0: alert lease (gradual) began, alert 000000000000beef",
        "GPU 0: paused for 4s: only critical acts",
        "GPU 0: pause over",
    ];
    for text in expected {
        let count = texts.iter().filter(|it| *it == text).count();
        assert_eq!(count, 1, "{text}: {texts:#?}");
    }
}

#[test]
fn a_card_that_vanishes_is_lost_and_back_and_found_throttled_after_a_crash() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    node.set(0, HOT);
    node.run(300);
    node.restart(0);
    node.run(5);
    node.fault(0, Fault::Lost);
    node.run(5);
    node.fault(0, Fault::None);
    node.run(30);
    let whats = whats(&node);
    let found = |what: &What| matches!(what, What::Throttled(it) if it.trigger.is_none());
    assert_eq!(
        whats.iter().filter(|what| found(what)).count(),
        1,
        "{whats:#?}"
    );
    // A card that is gone has no sensors to doubt; one that is back must prove them.
    let of_a_sensor = |what: &What| matches!(what, What::TroubleBegan { trouble, .. } if *trouble == Trouble::SensorDoubt || *trouble == Trouble::SensorFault);
    let back = whats.iter().position(
        |what| matches!(what, What::TroubleEnded { trouble, .. } if *trouble == Trouble::GpuLost),
    );
    assert!(
        !whats[..back.unwrap()].iter().any(of_a_sensor),
        "{whats:#?}"
    );
    assert_eq!(
        troubles(&whats, Trouble::Unguarded),
        ["+not_open", "-not_open"]
    );
    let lost = |what: &What| match what {
        What::TroubleBegan { trouble, .. } => *trouble == Trouble::GpuLost,
        _ => false,
    };
    let back = |what: &What| match what {
        What::TroubleEnded { trouble, .. } => *trouble == Trouble::GpuLost,
        _ => false,
    };
    assert_eq!(
        whats.iter().filter(|what| lost(what)).count(),
        1,
        "{whats:#?}"
    );
    assert_eq!(
        whats.iter().filter(|what| back(what)).count(),
        1,
        "{whats:#?}"
    );
}

/// What began (`+`) and what ended (`-`) of one trouble.
fn troubles(whats: &[What], wanted: Trouble) -> Vec<String> {
    let told = |sign, detail: &Option<Text>| format!("{sign}{}", detail.as_deref().unwrap_or(""));
    let of = |what: &What| match what {
        What::TroubleBegan { trouble, detail } if *trouble == wanted => Some(told('+', detail)),
        What::TroubleEnded {
            trouble, detail, ..
        } if *trouble == wanted => Some(told('-', detail)),
        _ => None,
    };
    whats.iter().filter_map(of).collect()
}

/// The log's lines meanwhile.
fn logged(act: impl FnOnce()) -> String {
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            lock(&self.0).extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = lock(&lines.0).clone();
    String::from_utf8(bytes).unwrap()
}

fn count(text: &str, line: &str) -> usize {
    text.lines().filter(|it| it.contains(line)).count()
}

#[test]
fn a_sensor_that_fails_is_told_once_with_its_code_and_once_when_it_is_back() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    let log = logged(|| {
        node.run(5);
        let fails = |code| {
            let answers = &mut node.rack.card(0).faults.answers;
            answers.set(Call::MemoryTemperature, Answer::code(code));
        };
        fails(999);
        node.run(20);
        let works = Call::MemoryTemperature;
        node.rack.card(0).faults.answers.clear(works);
        node.run(60);
    });
    let told = troubles(&whats(&node), Trouble::SensorFault);
    assert_eq!(told.first().unwrap(), "+memory: failing", "{told:?}");
    assert!(told.last().unwrap().starts_with("-memory"), "{told:?}");
    let failing = told.iter().filter(|it| *it == "+memory: failing").count();
    assert_eq!(failing, 1, "{told:?}");
    assert_eq!(
        count(&log, "the memory sensor fails with NVML code 999"),
        1,
        "{log}"
    );
    assert_eq!(
        count(&log, "the memory sensor is no longer at fault"),
        1,
        "{log}"
    );
    let line = log.lines().find(|it| it.contains("NVML code 999")).unwrap();
    for told in [
        "WARN",
        "gpu=0",
        "uuid=GPU-",
        "sensor=\"memory\"",
        "remedy=\"compare nvidia-smi",
    ] {
        assert!(line.contains(told), "{told} in {line}");
    }
}

#[test]
fn a_knob_that_is_refused_is_told_once_and_once_when_it_takes_again() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    let log = logged(|| {
        node.rack.card(0).faults.power_limit = Setter::refuse(NOT_SUPPORTED);
        node.set(0, HOT);
        node.run(300);
        node.rack.card(0).faults.power_limit = Setter::NONE;
        node.run(400);
    });
    let told = troubles(&whats(&node), Trouble::KnobFault);
    assert_eq!(told, ["+power_limit: refused", "-power_limit: refused"]);
    assert_eq!(
        count(&log, "power_limit is refused, whatever the value"),
        1,
        "{log}"
    );
    assert_eq!(
        count(&log, "power_limit is part of the plan again"),
        1,
        "{log}"
    );
}

#[test]
fn a_card_that_nothing_can_be_done_for_is_told_once_with_the_reason() {
    let settings = Settings {
        enabled: ByKnob::default(),
        ..Settings::default()
    };
    let mut node = Node::new(&[&A100_80GB], &settings);
    let log = logged(|| drop(node.run(120)));
    let events = node.shared.events.recent();
    assert_eq!(
        troubles(&whats(&node), Trouble::Unguarded),
        ["+nothing_to_turn"]
    );
    let sentence = events[0].to_string();
    assert_eq!(
        sentence,
        "GPU 0: unguarded, nothing can be done for it (nothing_to_turn)"
    );
    assert_eq!(events[0].weight(), Weight::Error);
    assert_eq!(
        count(&log, "unguarded: nothing can be done for this GPU"),
        1
    );
    assert_eq!(count(&log, "configure one under `apps`"), 1, "{log}");
}

#[test]
fn a_card_that_does_all_it_should_has_no_trouble() {
    let mut node = Node::new(&[&A100_80GB], &Settings::default());
    let log = logged(|| drop(heat_wave(&mut node)));
    for trouble in [Trouble::SensorFault, Trouble::KnobFault, Trouble::Unguarded] {
        assert_eq!(troubles(&whats(&node), trouble), [""; 0]);
    }
    assert_eq!(count(&log, "remedy="), 0, "{log}");
}

/// A worker that hung in the driver brings the state of long ago.
#[test]
fn a_late_tick_does_not_tell_the_chain_anew() {
    let events = Events::new();
    let at = |second| Moment::from_start(Duration::from_secs(second));
    for (second, state) in [
        (1, ChainState::Ok),
        (16, ChainState::Down),
        (14, ChainState::Ok),
        (17, ChainState::Down),
    ] {
        events.note_chain(at(second), state);
    }
    let recent = events.recent();
    let changes = recent
        .iter()
        .filter(|it| matches!(it.what, What::Chain { .. }));
    assert_eq!(changes.count(), 1, "{recent:#?}");
}
