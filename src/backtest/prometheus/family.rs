//! The exporters whose metrics are known, and what their values mean.

/// What a sample says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    Core,
    Memory,
    Draw,
    Clock,
    Fan,
    /// NVML's bits of the reasons for a low clock.
    ReasonBits,
    /// 1 while the card is slowed down by heat.
    SlowedNow,
    /// A counter of the time that it was.
    SlowedFor,
    /// A counter of the time that a guard throttled it.
    GuardedFor,
}

/// A value that hardly changes: the last one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    DefaultLimit,
    MinLimit,
    MaxOperating,
    Slowdown,
    Alert,
    Critical,
    /// Its label `name` is the model's.
    Model,
}

/// One metric: its name, the matcher that picks the wanted series, and the factor to our unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metric<T> {
    pub(super) name: &'static str,
    pub(super) only: &'static str,
    pub(super) means: T,
    pub(super) factor: f64,
}

const fn metric<T: Copy>(name: &'static str, means: T, factor: f64) -> Metric<T> {
    Metric {
        name,
        only: "",
        means,
        factor,
    }
}

const fn only<T: Copy>(name: &'static str, only: &'static str, means: T) -> Metric<T> {
    Metric {
        name,
        only,
        means,
        factor: 1.0,
    }
}

/// The metrics of one exporter.
#[derive(Debug)]
pub(super) struct Family {
    /// As people call it.
    pub(super) name: &'static str,
    /// Labels, the first one that is there counts.
    pub(super) uuid: &'static [&'static str],
    pub(super) host: &'static [&'static str],
    pub(super) samples: &'static [Metric<Meaning>],
    pub(super) facts: &'static [Metric<Fact>],
    /// What to switch on to learn how long cards slow themselves down.
    pub(super) how_to_see_slowdown: &'static str,
}

use Meaning::{Clock, Core, Draw, Fan, GuardedFor, Memory, ReasonBits, SlowedFor, SlowedNow};

/// In the order of preference for a GPU that several exporters tell of.
pub(super) static FAMILIES: [Family; 3] = [OWN, NVIDIA_GPU_EXPORTER, DCGM_EXPORTER];

const MHZ_PER_HZ: f64 = 1e-6;
const SECONDS_PER_NANOSECOND: f64 = 1e-9;

const OWN: Family = Family {
    name: "thermal-guard",
    uuid: &["uuid"],
    host: &["instance"],
    samples: &[
        metric("thermal_guard_gpu_temperature_celsius", Core, 1.0),
        metric("thermal_guard_gpu_memory_temperature_celsius", Memory, 1.0),
        metric("thermal_guard_gpu_power_draw_watts", Draw, 1.0),
        Metric {
            factor: MHZ_PER_HZ,
            ..only("thermal_guard_gpu_clock_hertz", r#"domain="sm""#, Clock)
        },
        only("thermal_guard_gpu_fan_speed_ratio", r#"fan="0""#, Fan),
        only(
            "thermal_guard_gpu_clock_event_active",
            r#"reason=~"(sw|hw)_thermal_slowdown""#,
            SlowedNow,
        ),
        only(
            "thermal_guard_gpu_clock_event_seconds_total",
            r#"reason=~"(sw|hw)_thermal_slowdown""#,
            SlowedFor,
        ),
        metric("thermal_guard_throttled_seconds_total", GuardedFor, 1.0),
    ],
    facts: &[
        metric(
            "thermal_guard_gpu_power_limit_default_watts",
            Fact::DefaultLimit,
            1.0,
        ),
        metric(
            "thermal_guard_gpu_power_limit_min_watts",
            Fact::MinLimit,
            1.0,
        ),
        only("thermal_guard_trip_celsius", r#"trip="alert""#, Fact::Alert),
        only(
            "thermal_guard_trip_celsius",
            r#"trip="critical""#,
            Fact::Critical,
        ),
        metric("thermal_guard_gpu_info", Fact::Model, 1.0),
    ],
    how_to_see_slowdown: "thermal_guard_gpu_clock_event_seconds_total isn't there: this card doesn't tell",
};

const NVIDIA_GPU_EXPORTER: Family = Family {
    name: "nvidia_gpu_exporter",
    uuid: &["uuid"],
    host: &["instance"],
    samples: &[
        metric("nvidia_smi_temperature_gpu", Core, 1.0),
        metric("nvidia_smi_temperature_memory", Memory, 1.0),
        metric("nvidia_smi_power_draw_watts", Draw, 1.0),
        metric("nvidia_smi_clocks_current_sm_clock_hz", Clock, MHZ_PER_HZ),
        metric("nvidia_smi_fan_speed_ratio", Fan, 1.0),
        metric(
            "nvidia_smi_clocks_event_reasons_hw_thermal_slowdown",
            SlowedNow,
            1.0,
        ),
        metric(
            "nvidia_smi_clocks_event_reasons_sw_thermal_slowdown",
            SlowedNow,
            1.0,
        ),
        metric(
            "nvidia_smi_clocks_throttle_reasons_hw_thermal_slowdown",
            SlowedNow,
            1.0,
        ),
        metric(
            "nvidia_smi_clocks_throttle_reasons_sw_thermal_slowdown",
            SlowedNow,
            1.0,
        ),
        metric(
            "nvidia_smi_clocks_event_reasons_counters_hw_thermal_slowdown_seconds",
            SlowedFor,
            1.0,
        ),
        metric(
            "nvidia_smi_clocks_event_reasons_counters_sw_thermal_slowdown_seconds",
            SlowedFor,
            1.0,
        ),
    ],
    facts: &[
        metric(
            "nvidia_smi_power_default_limit_watts",
            Fact::DefaultLimit,
            1.0,
        ),
        metric("nvidia_smi_power_min_limit_watts", Fact::MinLimit, 1.0),
        metric("nvidia_smi_gpu_info", Fact::Model, 1.0),
    ],
    how_to_see_slowdown: "add clocks_event_reasons.sw_thermal_slowdown and .hw_thermal_slowdown to --query-field-names",
};

const DCGM_EXPORTER: Family = Family {
    name: "dcgm-exporter",
    uuid: &["UUID", "uuid"],
    host: &["Hostname", "hostname", "instance"],
    samples: &[
        metric("DCGM_FI_DEV_GPU_TEMP", Core, 1.0),
        metric("DCGM_FI_DEV_MEMORY_TEMP", Memory, 1.0),
        metric("DCGM_FI_DEV_POWER_USAGE", Draw, 1.0),
        metric("DCGM_FI_DEV_SM_CLOCK", Clock, 1.0),
        metric("DCGM_FI_DEV_FAN_SPEED", Fan, 0.01),
        metric("DCGM_FI_DEV_CLOCKS_EVENT_REASONS", ReasonBits, 1.0),
        metric("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", ReasonBits, 1.0),
        metric(
            "DCGM_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN_NS",
            SlowedFor,
            SECONDS_PER_NANOSECOND,
        ),
        metric(
            "DCGM_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN_NS",
            SlowedFor,
            SECONDS_PER_NANOSECOND,
        ),
        // Its help says microseconds; the driver counts nanoseconds.
        metric(
            "DCGM_FI_DEV_THERMAL_VIOLATION",
            SlowedFor,
            SECONDS_PER_NANOSECOND,
        ),
    ],
    facts: &[
        metric("DCGM_FI_DEV_POWER_MGMT_LIMIT_DEF", Fact::DefaultLimit, 1.0),
        metric("DCGM_FI_DEV_POWER_MGMT_LIMIT_MIN", Fact::MinLimit, 1.0),
        metric("DCGM_FI_DEV_GPU_MAX_OP_TEMP", Fact::MaxOperating, 1.0),
        metric("DCGM_FI_DEV_SLOWDOWN_TEMP", Fact::Slowdown, 1.0),
    ],
    how_to_see_slowdown: "add DCGM_FI_DEV_CLOCKS_EVENT_REASONS and DCGM_FI_DEV_THERMAL_VIOLATION to its counters file",
};

impl Family {
    /// The metric without which a GPU isn't known.
    pub(super) fn temperature(&self) -> &'static str {
        self.samples[0].name
    }

    pub(super) fn of_temperature(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.temperature() == name)
    }

    pub(super) fn meaning(&self, name: &str) -> Option<&'static Metric<Meaning>> {
        self.samples.iter().find(|metric| metric.name == name)
    }
}

/// NVML's bits for slowdown by heat, by the driver and by the hardware.
pub(super) const THERMAL_BITS: u64 = 0x20 | 0x40;
