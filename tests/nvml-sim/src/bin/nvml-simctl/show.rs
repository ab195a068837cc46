//! The truth about the machine, which its own sensors round, freeze or deny.

use std::fmt::Write as _;

use nvidia_ml::fault::{Fault, Feature};
use nvidia_ml::layout::{Bench, Card, Lock};
use serde_json::{Value, json};
use thermal_guard::device::SlowdownReason;
use thermal_guard::sim::plant::Flow;

use crate::{answers, fans, misbehave, nonsense};

pub(crate) fn json(bench: &Bench) -> Value {
    json!({
        "driver_version": bench.driver_version.as_str(),
        "driver": bench.driver().name(),
        "generation": bench.generation,
        "time_scale": bench.time_scale,
        "elapsed_seconds": bench.elapsed,
        "xids": bench.xid_count,
        "answers": answers::json(&bench.answers),
        "order": bench.counted().collect::<Vec<_>>(),
        "gpus": bench.cards().iter().enumerate().map(|(index, card)| gpu(index, card)).collect::<Vec<_>>(),
    })
}

fn gpu(index: usize, card: &Card) -> Value {
    let (profile, state, flow) = (card.profile(), &card.state, card.flow());
    let mut value = json!({
        "index": index,
        "uuid": card.uuid.as_str(),
        "profile": profile.key,
        "name": profile.name,
        "die": state.die,
        "sink": state.sink,
        "hbm": profile.hbm.map(|_| state.hbm),
        "margin": state.margin(&card.physical()).degrees(),
        "draw_watts": flow.draw.as_f64(),
        "speed": flow.speed,
        "throughput": flow.throughput,
        "thermal_speed": state.thermal_speed,
        "gpu_clock_mhz": flow.gpu_clock.megahertz(),
        "events": event_names(flow),
        "event_seconds": SlowdownReason::TIMED.iter().zip(state.slowdown_seconds)
            .map(|(reason, seconds)| (reason.name().to_owned(), seconds.into()))
            .collect::<serde_json::Map<String, Value>>(),
        "energy_joules": state.energy_joules,
        "work_done": state.work_done,
        "work_asked": state.work_asked,
    });
    let settings = json!({
        "limit_watts": f64::from(card.limit) / 1000.0,
        "enforced_limit_watts": card.enforced_limit().as_f64(),
        "default_limit_watts": f64::from(card.faults.told.default_limit(profile)) / 1000.0,
        "sm_lock_mhz": lock(card.sm_lock),
        "memory_lock_mhz": lock(card.memory_lock),
        "persistence": card.persistence != 0,
        "limit_writes": card.limit_writes,
        "lock_writes": card.lock_writes,
        "refused_writes": card.refused_writes,
        "load": card.load.power,
        "compute": card.load.compute_bound,
        "inlet": card.inlet + card.inlet_rise,
        "airflow": card.airflow_resistance,
        "hbm_resistance": card.hbm_resistance,
        "fault": Fault::names(card.fault),
        "unsupported": Feature::names(card.unsupported),
        "latency_microseconds": card.latency_microseconds,
        "reported_latencies": card.reported_latencies != 0,
        "calls": card.calls,
        "answers": answers::json(&card.faults.answers),
        "setters": misbehave::setters(card),
        "sensors": misbehave::sensors(card),
        "fans": fans::json(card),
        "facts": nonsense::json(card),
        "stuck_events": [card.faults.events.on, card.faults.events.off],
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut value, settings) {
        all.extend(more);
    }
    value
}

fn lock(lock: Lock) -> Option<[u32; 2]> {
    (lock != Lock::NONE).then_some([lock.min, lock.max])
}

fn event_names(flow: Flow) -> Vec<&'static str> {
    let reasons = flow.slowdown_reasons.iter();
    reasons.map(SlowdownReason::name).collect()
}

pub(crate) fn text(bench: &Bench) -> String {
    let mut text = format!(
        "driver {} {}, {:.1} s simulated, time scale {}\n",
        bench.driver_version.as_str(),
        bench.driver().name(),
        bench.elapsed,
        bench.time_scale
    );
    for (index, card) in bench.cards().iter().enumerate() {
        let (state, flow) = (&card.state, card.flow());
        let hbm = card
            .profile()
            .hbm
            .map_or(String::new(), |_| format!(", HBM {:.1}", state.hbm));
        // Writing to a String can't fail.
        let _ = writeln!(
            text,
            "{index} {} die {:.1} °C, sink {:.1}{hbm}, {} of {}, {}, speed {:.2}, {}; fault {}",
            card.profile().name,
            state.die,
            state.sink,
            flow.draw,
            card.enforced_limit(),
            flow.gpu_clock,
            flow.speed,
            event_names(flow).join("+"),
            Fault::names(card.fault),
        );
    }
    text
}
