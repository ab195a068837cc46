//! Claims about configuration files, good and bad.

mod bad_inputs;
pub(crate) mod secrets;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::tree::hint::SECTIONS;
use super::*;
use crate::device::{ByKnob, Identity, Knob, Uuid};
use crate::policy::ask::chain::Expected;
use crate::policy::{Level, TripRule};
use crate::units::{Celsius, Megahertz, Ratio};

/// Each of them once; how many there are is for people, past the test harness.
pub(crate) fn counted(bad_inputs: &[&str], of: &str) {
    let different: BTreeSet<_> = bad_inputs.iter().collect();
    assert_eq!(different.len(), bad_inputs.len(), "the same twice");
    let _ = writeln!(
        std::io::stdout(),
        "measured: {} bad inputs ({of})",
        different.len()
    );
}

fn good(yaml: &str) -> Config {
    Config::from_yaml(yaml).unwrap_or_else(|errors| panic!("{yaml}\n{errors}"))
}

fn lines(yaml: &str) -> Vec<String> {
    let errors = Config::from_yaml(yaml).expect_err(yaml);
    errors.to_string().lines().map(str::to_owned).collect()
}

fn app(rest: &str) -> String {
    format!("apps: [{{ name: a, {rest} }}]")
}

fn env(fields: &str) -> String {
    app(&format!("env_file: {{ {fields} }}"))
}

fn http(fields: &str) -> String {
    app(&format!("http: {{ {fields} }}"))
}

fn gpu(index: u32, uuid: &str, pci: &str) -> Identity {
    Identity {
        uuid: Uuid::new(uuid),
        index,
        name: String::new(),
        pci_bus_id: pci.to_owned(),
        serial: None,
        vbios_version: None,
        driver_version: None,
        architecture: None,
        brand: None,
        instance_uuids: Vec::new(),
    }
}

#[test]
fn an_empty_file_is_all_defaults() {
    for empty in ["", "# nothing\n", "---\n", "{}", "hook:\npolicy:\n"] {
        assert_eq!(good(empty), Config::default(), "{empty:?}");
    }
}

/// Prose is `# like this`; a setting has no space behind its `#`, or two and more.
fn uncommented(example: &str) -> String {
    let prose = |line: &str| line.starts_with("# ") && !line.starts_with("#  ");
    let lines = example.lines().filter(|line| !prose(line));
    let settings = lines.map(|line| line.strip_prefix('#').unwrap_or(line));
    settings.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_file_says_the_defaults() {
    let file = include_str!("../../../deploy/thermal-guard.example.yml");
    assert_eq!(good(file), Config::default(), "it changes nothing as it is");
    let mut example = good(&uncommented(file));
    assert_eq!((example.apps.len(), example.sensors.len()), (1, 1));
    example.apps.clear();
    example.sensors.clear();
    assert_eq!(example, Config::default());
}

#[test]
fn a_word_for_all_thresholds_is_a_rule() {
    for (word, rule) in [
        ("auto", TripRule::Auto),
        ("before_firmware", TripRule::BeforeFirmware),
    ] {
        let trips = good(&format!("thresholds: {word}")).thresholds;
        assert!(trips.is_auto(), "{word}");
        assert_eq!(trips.rule, rule, "{word}");
    }
}

#[test]
fn every_key_arrives() {
    let config = good(
        r#"
mode: observe
gpus: [GPU-2A0f-77, "0000:65:00.0", 3]
poll_interval: 250ms
thresholds: { alert: 75, critical: 82.5, safe: auto }
policy: { name: ladder, recovery_delay: 1m 30s }
actuators:
  power_limit: { enabled: false, gradual_floor: 0.5, lease_ceiling: 1 }
  gpu_clock: { enabled: false, gradual_floor: 0.6, restore: [210, 1410] }
  memory_clock: { enabled: true }
apps:
  - name: one
    gpus: [0]
    env_file: { path: /srv/one.env, key: BATCH, normal: 4, gradual: "1", emergency: "" }
  - name: three
    http: { url: "https://host/y", method: PATCH, bodies: { normal: { n: 8 }, gradual: { n: [2, "x"] } } }
  - name: two
    http: { url: "https://host/x?m={mode}", method: PUT, modes: { gradual: eco }, health_url: "http://h/" }
hook:
  bearer_token_file: /etc/token
  client_allowed_sans: [alertmanager.example]
  lease: 1m
  max_hold: 0s
  severity_map: { critical: emergency, warning: gradual, info: none }
alertmanager: { expected: false, heartbeat_timeout: 2s, url: "http://am:9093/" }
notify: { url_file: /etc/hook, format: slack, min_severity: error }
on_exit: keep
"#,
    );
    assert_eq!(config.mode, Mode::Observe);
    assert!(matches!(&config.gpus, GpuSelection::Listed(gpus) if gpus.len() == 3));
    assert_eq!(config.poll_interval, Duration::from_millis(250));
    assert_eq!(config.on_exit, OnExit::Keep);
    let settings = config.policy_settings();
    assert_eq!(settings.trips.critical, Some(Celsius::new(82.5)));
    assert_eq!(settings.trips.safe, None);
    assert_eq!(settings.recovery_delay, Duration::from_secs(90));
    assert_eq!(settings.max_hold, Duration::ZERO);
    assert_eq!(settings.clock_floor, Ratio::new(0.6));
    assert!(settings.enabled == ByKnob::only(Knob::MemoryClock, true));
    let restore = config.actuators.gpu_clock_restore.unwrap();
    assert_eq!(restore.max, Megahertz::new(1410));
    let file = config.apps[0].env_file.as_ref().unwrap();
    assert_eq!((file.normal.as_str(), file.emergency.as_str()), ("4", ""));
    let http = config.apps[1].http.as_ref().unwrap();
    assert_eq!(http.method, Method::Patch);
    assert_eq!(http.bodies["emergency"], r#"{"n":[2,"x"]}"#);
    let notify = config.notify.as_ref().unwrap();
    assert_eq!(notify.target, NotifyTarget::File("/etc/hook".into()));
    assert_eq!(notify.min_severity, Weight::Error);
    let http = config.apps[2].http.as_ref().unwrap();
    assert_eq!(http.method, Method::Put);
    assert_eq!(
        (http.modes.normal.as_str(), http.modes.gradual.as_str()),
        ("normal", "eco")
    );
    assert_eq!(config.hook.severity_map["info"], Level::None);
    assert_eq!(config.alertmanager.expected(), Expected::No);
}

#[test]
fn true_is_true_quoted_or_not_and_a_url_is_a_promise() {
    for yaml in ["true", "\"true\""] {
        let config = good(&format!("alertmanager: {{ expected: {yaml} }}"));
        assert_eq!(config.alertmanager.expected(), Expected::Yes);
    }
    let config = good("alertmanager: { url: http://am:9093 }");
    assert_eq!(config.alertmanager.expected(), Expected::Yes);
    assert_eq!(
        Config::default().alertmanager.expected(),
        Expected::Auto,
        "nobody is missed who was never heard of"
    );
}

#[test]
fn a_url_or_several_are_pulled_from() {
    assert_eq!(
        good("alertmanager: { url: null, filter: [], ca_file: null }")
            .alertmanager
            .pull,
        None
    );
    let one = good("alertmanager: { url: http://am:9093 }").alertmanager;
    let one = one.pull.unwrap();
    assert_eq!(
        (one.urls.len(), one.interval, &one.credential),
        (1, None, &Login::None)
    );
    let yaml = "
hook: { lease: 1m }
alertmanager:
  url: [http://a:9093, https://b/prefix/]
  pull_interval: 30s
  filter: ['instance=\"{hostname}:10835\"']
  basic_auth: { username: guard, password_file: pw }
  ca_file: /ca.pem
";
    let all = good(yaml).alertmanager.pull.unwrap();
    assert_eq!(all.urls, ["http://a:9093", "https://b/prefix/"]);
    assert_eq!(all.interval, Some(Duration::from_secs(30)));
    assert_eq!(all.filter, ["instance=\"{hostname}:10835\""]);
    assert_eq!(all.ca_file.as_deref(), Some(Path::new("/ca.pem")));
    let basic = Login::Basic {
        username: "guard".to_owned(),
        password_file: "pw".into(),
    };
    assert_eq!(all.credential, basic);
}

#[test]
fn an_apps_word_stays_a_word() {
    let config = good(&env("path: f, key: POWER_SAVING, normal: off, gradual: on"));
    let file = config.apps[0].env_file.as_ref().unwrap();
    let values = [&file.normal, &file.gradual, &file.emergency];
    assert_eq!(values, ["off", "on", "on"], "emergency is at least gradual");
}

#[test]
fn relative_paths_count_from_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("guard.yml");
    let yaml = env("path: sub/x.env, key: K, normal: 1, gradual: 2");
    std::fs::write(&path, format!("{yaml}\nhook: {{ bearer_token_file: /t }}")).unwrap();
    let config = Config::load(&path).unwrap();
    let file = config.apps[0].env_file.as_ref().unwrap();
    assert_eq!(file.path, dir.path().join("sub/x.env"));
    assert_eq!(
        config.hook.bearer_token_file.as_deref(),
        Some(Path::new("/t"))
    );
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let error = Config::load(Path::new("/nowhere/guard.yml")).unwrap_err();
    assert!(
        error.to_string().starts_with("/nowhere/guard.yml: "),
        "{error}"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("guard.yml");
    std::fs::write(&path, "mod: observe").unwrap();
    let error = Config::load(&path).unwrap_err().to_string();
    assert!(error.contains("guard.yml is not valid:\nmod: unknown key; did you mean mode?"));
}

#[test]
fn several_mistakes_are_told_at_once() {
    let yaml = "
mode: enforced
pol_interval: 1s
thresholds: { alert: 78, safe: 80 }
policy: { recovery_delay: 30 }
apps:
  - env_file: { path: f, key: 9K, normal: 1, gradual: 2 }
  - name: b
hook: { lease: 1h, leese: 1m }
webhook: {}
";
    let lines = lines(yaml);
    let starts = [
        "mode: is \"enforced\"; accepted: enforce, observe",
        "thresholds.safe: 80.0 °C is not under alert, 78.0 °C",
        "policy.recovery_delay: is 30 without a unit",
        "apps[0].name: is missing",
        "apps[0].env_file.key: is \"9K\"",
        "apps[1].env_file: is missing, and so is http",
        "hook.lease: is \"1h\"; accepted: a duration from 1s to 15m",
        "hook.leese: unknown key; did you mean lease?",
        "pol_interval: unknown key; did you mean poll_interval?",
        "webhook: unknown key; accepted: mode, gpus,",
    ];
    assert_eq!(lines.len(), starts.len(), "{lines:#?}");
    for (line, start) in lines.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}\n{start}");
    }
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    for url in [
        "http://u:hunter2@h/",
        "htp://u:hunter2@h",
        "http://u:hunter2 @h",
        "u:hunter2@h",
    ] {
        let text = lines(&http(&format!("url: \"{url}\""))).join("\n");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_small_file_stays_small() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..9 {
        let previous = format!("*a{}, ", n - 1).repeat(10);
        laughs.push_str(&[&format!("a{n}: &a{n} ["), &previous, "]\n"].concat());
    }
    assert_eq!(lines(&laughs).len(), 1);
    assert_eq!(lines(&"[".repeat(100_000)).len(), 1);
    assert_eq!(
        lines(&"# much\n".repeat(200_000)),
        ["the file is larger than 1 MiB"]
    );
}

#[test]
fn a_gpu_is_found_however_it_is_written() {
    let card = gpu(1, "GPU-2a0f1b6c-AAAA", "00000000:65:00.0");
    let foreign = gpu(2, "GPU-ffffffff-0000", "00000001:65:00.0");
    let chosen = |text: &str| good(&format!("gpus: [{text}]")).gpus;
    for text in [
        "1",
        "\"1\"",
        "gpu-2A0F1B6C-aaaa",
        "65:00.0",
        "0000:65:00.0",
        "65:00",
    ] {
        assert!(chosen(text).matches(&card), "{text}");
        assert!(!chosen(text).matches(&foreign), "{text}");
    }
    assert!(chosen("0, 00000001:65:00.0").matches(&foreign));
    assert!(GpuSelection::All.matches(&foreign));
}

/// What a message shows for a section is a configuration that the guard takes.
#[test]
fn the_examples_of_sections_are_good() {
    for (place, example) in SECTIONS {
        let (outer, inner) = place.split_once('.').unwrap_or((place, ""));
        let mut text = match (outer, inner) {
            ("apps" | "sensors", "") => format!("[{example}]"),
            (_, "") => example.to_owned(),
            ("apps", "http.modes") => format!(
                "[{{ name: a, http: {{ url: 'http://h/?m={{mode}}', modes: {example} }} }}]"
            ),
            ("apps", "http.bodies") => format!(
                "[{{ name: a, http: {{ url: http://h, method: POST, bodies: {example} }} }}]"
            ),
            ("apps", inner) => format!("[{{ name: a, {inner}: {example} }}]"),
            ("alertmanager", inner) => format!("{{ url: http://h, {inner}: {example} }}"),
            (_, inner) => format!("{{ {inner}: {example} }}"),
        };
        text.insert_str(0, &format!("{outer}: "));
        good(&text);
    }
}
