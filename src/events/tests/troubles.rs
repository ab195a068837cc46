//! Troubles of sensors and knobs: told once with their reason, and once when they end.

use super::*;
use crate::device::ByKnob;
use crate::sim::faults::{Answer, Call, NOT_SUPPORTED, Setter};

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
