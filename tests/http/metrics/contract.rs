//! Every metric of the contract exists, with its labels.

use super::*;

/// The contract's list and what the shipped alert rules use, with the labels each must carry; all
/// of these carry `gpu` and `uuid` as well.
const GPU: [&str; 27] = [
    "temperature_celsius",
    "memory_temperature_celsius",
    "temperature_margin_celsius",
    "temperature_threshold_celsius{threshold}",
    "temperature_tlimit_offset_celsius{threshold}",
    "power_draw_watts",
    "power_limit_watts",
    "power_limit_enforced_watts",
    "power_limit_default_watts",
    "power_limit_min_watts",
    "power_limit_max_watts",
    "energy_joules_total",
    "clock_hertz{domain}",
    "clock_event_active{reason}",
    "clock_event_seconds_total{reason}",
    "utilization_ratio",
    "memory_used_bytes",
    "memory_total_bytes",
    "fan_speed_ratio{fan}",
    "fan_speed_rpm{fan}",
    "fan_target_speed_ratio{fan}",
    "fan_policy{fan,policy}",
    "xid_errors_total{xid}",
    "up",
    "info",
    "xid_last_timestamp_seconds{xid}",
    "reopened_total",
];
/// The same.
const PER_GPU: [&str; 31] = [
    "sensor_celsius{sensor}",
    "sensor_up{sensor}",
    "state{state}",
    "sensor_state{sensor,state}",
    "knob_state{knob,state}",
    "fan_suspect{fan}",
    "throttle_level{source}",
    "trip_celsius{trip}",
    "throttle_events_total{level,trigger}",
    "recoveries_total",
    "throttled_seconds_total{level}",
    "actions_total{action,result}",
    "action_power_limit_target_watts",
    "leases{level}",
    "lease_age_seconds",
    "poll_last_success_timestamp_seconds",
    "poll_duration_seconds",
    "margin_to_alert_celsius",
    "margin_to_critical_celsius",
    "cannot_actuate",
    "infeasible",
    "contested",
    "overheld",
    "paused",
    "foreign_limits_total",
    "journal_failures_total",
    "level",
    "last_transition_timestamp_seconds",
    "action_active{action}",
    "action_gpu_clock_target_hertz",
    "poll_failures_total",
];

/// Of the whole service.
const SERVICE: [&str; 24] = [
    "gpus",
    "gpus_expected",
    "detached",
    "build_info",
    "nvml_up",
    "chain_state{state}",
    "fallback_active",
    "heartbeat_last_timestamp_seconds",
    "heartbeat_eval_age_seconds",
    "hook_requests_total{code}",
    "hook_alerts_total{status,action,result}",
    "hook_auth_failures_total{reason}",
    "hook_truncated_alerts_total",
    "hook_request_duration_seconds_bucket{le}",
    "hook_body_bytes_bucket{le}",
    "hook_last_success_timestamp_seconds",
    "lease_expirations_total{reason}",
    "config_last_reload_successful",
    "config_last_reload_success_timestamp_seconds",
    "mode{mode}",
    "simulated",
    "app_notifications_total{app,result}",
    "app_mode{app,mode}",
    "last_scrape_timestamp_seconds",
];

#[test]
fn every_metric_of_the_contract_exists() {
    let text = render(
        String::new(),
        with_margin(),
        &fleet::counters(),
        Collect::ALL,
        Format::Classic,
    )
    .unwrap();
    let expect = |name: &str, fixed: &[&str]| {
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let own = labels.trim_end_matches('}').split(',');
        let labels: Vec<_> = fixed.iter().copied().chain(own).collect();
        let found = text.lines().filter(|line| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(['{', ' ']))
        });
        let found: Vec<_> = found.collect();
        assert!(!found.is_empty(), "no {name}");
        for label in labels.iter().filter(|label| !label.is_empty()) {
            let with = format!("{label}=\"");
            assert!(
                found.iter().all(|line| line.contains(&with)),
                "{name}: {label}"
            );
        }
    };
    for name in GPU {
        expect(&format!("thermal_guard_gpu_{name}"), &["gpu", "uuid"]);
    }
    for name in PER_GPU {
        expect(&format!("thermal_guard_{name}"), &["gpu", "uuid"]);
    }
    for name in SERVICE {
        expect(&format!("thermal_guard_{name}"), &[]);
    }
    for name in [
        "cpu_seconds_total",
        "resident_memory_bytes",
        "virtual_memory_bytes",
    ] {
        expect(&format!("process_{name}"), &[]);
    }
    for name in ["open_fds", "max_fds", "start_time_seconds"] {
        expect(&format!("process_{name}"), &[]);
    }
}

/// The fleet, with one card more that reports a margin.
fn with_margin() -> Snapshot {
    let mut snapshot = fleet::snapshot();
    let mut tick = fleet::bare(fleet::identity(4, "NVIDIA H100 80GB HBM3"));
    tick.reading.margin = Ok(thermal_guard::units::Celsius::new(26.0));
    let mut facts = thermal_guard::device::Facts::default();
    facts.margin_offsets.slowdown = Some(thermal_guard::units::Celsius::new(-2.0));
    tick.facts = Arc::new(facts);
    let identity = tick.identity.clone();
    let poll = Duration::from_secs(1);
    let view = GpuView::new(&identity, Some(Arc::new(tick)), fleet::now(), poll);
    snapshot.gpus.push(view);
    snapshot
}

#[test]
fn every_per_gpu_series_begins_with_gpu_and_uuid_and_no_family_is_torn() {
    let text = open(fleet::snapshot());
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines() {
        if line.contains("uuid=") {
            let labels = line.split_once('{').unwrap().1;
            assert!(labels.starts_with("gpu=\""), "{line}");
            assert!(
                labels.split(',').nth(1).unwrap().starts_with("uuid="),
                "{line}"
            );
        }
        if let Some(family) = line.strip_prefix("# TYPE ") {
            assert!(seen.insert(family.to_owned()), "{family} twice");
        }
    }
    assert!(text.ends_with("# EOF\n"));
}
