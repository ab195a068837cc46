//! Bad inputs: what stands in the file, the key that is blamed, and what the message says of the
//! remedy. Each is read by itself, and nothing but that one key is blamed.

use super::*;

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one row per mistake")]
fn each_mistake_names_its_key_and_remedy_and_nothing_else_is_blamed() {
    let bad_inputs = [
        ("mode: dry", "mode", "enforce, observe"),
        ("mode: [enforce]", "mode", "enforce, observe"),
        ("mode:", "mode", "enforce, observe"),
        ("gpus: some", "gpus", "or a list of UUIDs"),
        ("gpus: []", "gpus", "or a list of UUIDs"),
        ("gpus: 0", "gpus", "or a list of UUIDs"),
        ("gpus: [-1]", "gpus", "or a list of UUIDs"),
        ("gpus: [0, 0]", "gpus", "each GPU once"),
        ("gpus: [0, \"00\"]", "gpus", "each GPU once"),
        (
            "gpus: [\"65:00.0\", \"00000000:65:00.0\"]",
            "gpus",
            "each GPU once",
        ),
        ("gpus: [MIG-1234]", "gpus", "or a list of UUIDs"),
        ("gpus: [\"65:00.9\"]", "gpus", "or a list of UUIDs"),
        ("gpus: [1.5]", "gpus", "or a list of UUIDs"),
        ("poll_interval: 1", "poll_interval", "from 100ms to 10s"),
        ("poll_interval: 0.5", "poll_interval", "from 100ms to 10s"),
        ("poll_interval: 99ms", "poll_interval", "from 100ms to 10s"),
        ("poll_interval: 11s", "poll_interval", "from 100ms to 10s"),
        ("poll_interval: fast", "poll_interval", "from 100ms to 10s"),
        ("poll_interval: true", "poll_interval", "from 100ms to 10s"),
        (
            "thresholds: hot",
            "thresholds",
            "auto, before_firmware, or { alert: 78, critical: 85, safe: 72 }",
        ),
        (
            "thresholds: 78",
            "thresholds",
            "for one number: { alert: 78 }",
        ),
        (
            "thresholds:\n\talert: 78\n",
            "",
            "a tab at the beginning of line 2",
        ),
        (
            "thresholds:\n  alert: 78\n\tcritical: 85\n",
            "",
            "line 3: YAML indents with spaces",
        ),
        (
            "actuators: { fan: on }",
            "actuators.fan",
            "such as { enabled: true }",
        ),
        (
            "hook: { severity_map: emergency }",
            "hook.severity_map",
            "{ critical: emergency }",
        ),
        (
            "apps: medgemma",
            "apps",
            "a list of mappings, such as [{ name: medgemma",
        ),
        (
            "alertmanager: { url: \"alertmanager:9093\" }",
            "alertmanager.url",
            "URL: write http:// in front",
        ),
        (
            "alertmanager: { url: alertmanager }",
            "alertmanager.url",
            "write http:// in front",
        ),
        (
            "notify: { url: ntfy.sh/gpus }",
            "notify.url",
            "write http:// in front",
        ),
        (
            &http("url: \"127.0.0.1:7860/x\""),
            "apps[0].http.url",
            "write http:// in front",
        ),
        (
            "thresholds: { alert: \"78\" }",
            "thresholds.alert",
            "auto, or a number of °C from 20 to 110",
        ),
        (
            "thresholds: { alert: 178 }",
            "thresholds.alert",
            "auto, or a number of °C from 20 to 110",
        ),
        (
            "thresholds: { critical: -1 }",
            "thresholds.critical",
            "from 20 to 110",
        ),
        ("thresholds: { critical: .nan }", "", "write a plain one"),
        (
            "thresholds: { alert: 85, critical: 85 }",
            "thresholds.alert",
            "safe < alert < critical",
        ),
        (
            "thresholds: { safe: 78, alert: 78 }",
            "thresholds.safe",
            "safe < alert < critical",
        ),
        (
            "thresholds: { safe: 80, critical: 85 }",
            "thresholds.safe",
            "safe < alert < critical",
        ),
        (
            "thresholds: { sfe: 72 }",
            "thresholds.sfe",
            "did you mean safe?",
        ),
        ("policy: governor", "policy", "a mapping"),
        ("policy: { name: pid }", "policy.name", "governor, ladder"),
        (
            "policy: { recovery_delay: 61m }",
            "policy.recovery_delay",
            "from 0s to 1h",
        ),
        (
            "actuators: { power_limit: true }",
            "actuators.power_limit",
            "a mapping",
        ),
        (
            "actuators: { power_limit: { enabled: yes } }",
            "actuators.power_limit.enabled",
            "true or false",
        ),
        (
            "actuators: { power_limit: { enabled: 1 } }",
            "actuators.power_limit.enabled",
            "true or false",
        ),
        (
            "actuators: { gpu_clock: { gradual_floor: 0 } }",
            "actuators.gpu_clock.gradual_floor",
            "a fraction over 0, at most 1",
        ),
        (
            "actuators: { gpu_clock: { gradual_floor: 1.2 } }",
            "actuators.gpu_clock.gradual_floor",
            "a fraction over 0, at most 1",
        ),
        (
            "actuators: { power_limit: { gradual_floor: 0 } }",
            "actuators.power_limit.gradual_floor",
            "a fraction over 0, at most 1",
        ),
        (
            "actuators: { power_limit: { gradual_floor: 0.9 } }",
            "actuators.power_limit.gradual_floor",
            "gradual_floor < lease_ceiling",
        ),
        (
            "actuators: { power_limit: { lease_ceiling: 0.3 } }",
            "actuators.power_limit.gradual_floor",
            "gradual_floor < lease_ceiling",
        ),
        (
            "actuators: { power_limit: { lease_ceiling: 85 } }",
            "actuators.power_limit.lease_ceiling",
            "a fraction over 0, at most 1",
        ),
        (
            "actuators: { gpu_clock: { restore: [1410, 210] } }",
            "actuators.gpu_clock.restore",
            "[min, max] in MHz",
        ),
        (
            "actuators: { gpu_clock: { restore: [210] } }",
            "actuators.gpu_clock.restore",
            "[min, max] in MHz",
        ),
        (
            "actuators: { gpu_clock: { restore: 1410 } }",
            "actuators.gpu_clock.restore",
            "[min, max] in MHz",
        ),
        (
            "actuators: { gpu_clock: { restore: [0, 1410] } }",
            "actuators.gpu_clock.restore",
            "[min, max] in MHz",
        ),
        (
            "actuators: { memory_clock: { restore: null } }",
            "actuators.memory_clock.restore",
            "did you mean actuators.gpu_clock.restore?",
        ),
        (
            "actuators: { fan: { enabled: 2 } }",
            "actuators.fan.enabled",
            "true or false",
        ),
        ("apps: {}", "apps", "a list of mappings"),
        ("apps: [medgemma]", "apps[0]", "a mapping"),
        (
            "apps: [{ name: \"a b\", http: { url: http://h, method: POST } }]",
            "apps[0].name",
            "1 to 64 of",
        ),
        (
            "apps: [{ name: a, http: { url: http://h, bodies: { normal: { n: 1 } } } }]",
            "apps[0].http.bodies.gradual",
            "a mapping, sent as JSON",
        ),
        (
            "apps: [{ name: a, http: { url: http://h, bodies: { normal: { n: 1 }, gradual: 3 } } }]",
            "apps[0].http.bodies.gradual",
            "a mapping, sent as JSON",
        ),
        (
            "apps: [{ name: a, http: { url: \"http://h/{mode}\", method: GET, bodies: { normal: {}, gradual: {} } } }]",
            "apps[0].http.bodies",
            "POST, PUT or PATCH",
        ),
        (
            "apps: [{ name: a, http: { url: http://h, modes: { gradual: eco, emergency: eco }, bodies: { normal: { n: 8 }, gradual: { n: 2 }, emergency: { n: 1 } } } }]",
            "apps[0].http.bodies.emergency",
            "a name of its own in modes",
        ),
        (
            "apps: [{ name: a, http: { url: http://h } }, { name: a, http: { url: http://h } }]",
            "apps[1].name",
            "unique names",
        ),
        (
            "apps: [{ name: a, http: { url: http://h } }, { name: b, http: { url: \"http://H:80/\", bodies: { normal: {}, gradual: { n: 1 } } } }]",
            "apps[1].http.bodies",
            "a URL of its own",
        ),
        (
            "apps: [{ name: a, http: { url: http://h } }, { name: b, http: { url: http://h, method: PUT } }]",
            "apps[1].http.method",
            "a URL of its own",
        ),
        (
            &app("gpus: none, http: { url: http://h }"),
            "apps[0].gpus",
            "or a list of UUIDs",
        ),
        (
            &app("http: null"),
            "apps[0].env_file",
            "at least one of them",
        ),
        (
            &env("key: K, normal: 1, gradual: 2"),
            "apps[0].env_file.path",
            "a path",
        ),
        (
            &env("path: \"\", key: K, normal: 1, gradual: 2"),
            "apps[0].env_file.path",
            "a path",
        ),
        (
            &env("path: f, key: A=B, normal: 1, gradual: 2"),
            "apps[0].env_file.key",
            "A-Z a-z 0-9 _",
        ),
        (
            &env("path: f, key: K, gradual: 2"),
            "apps[0].env_file.normal",
            "a whole number, or at most 256 characters",
        ),
        (
            &env("path: f, key: K, normal: true, gradual: 2"),
            "apps[0].env_file.normal",
            "a whole number, or at most 256 characters",
        ),
        (
            &env("path: f, key: K, normal: 1, gradual: 0.5"),
            "apps[0].env_file.gradual",
            "a whole number, or at most 256 characters",
        ),
        (
            &env("path: f, key: K, normal: 1, gradual: \"a\\nb\""),
            "apps[0].env_file.gradual",
            "a whole number, or at most 256 characters",
        ),
        (
            &env("path: f, key: K, normal: 1, gradual: $(id)"),
            "apps[0].env_file.gradual",
            "a whole number, or at most 256 characters",
        ),
        (
            &env("path: f, key: K, normal: 1, gradual: 2, emergency: [3]"),
            "apps[0].env_file.emergency",
            "a whole number, or at most 256 characters",
        ),
        (
            &http("method: POST"),
            "apps[0].http.url",
            "an http:// or https:// URL",
        ),
        (
            &http("url: ftp://h/x"),
            "apps[0].http.url",
            "an http:// or https:// URL",
        ),
        (
            &http("url: file:///etc/passwd"),
            "apps[0].http.url",
            "an http:// or https:// URL",
        ),
        (
            &http("url: \"http://user:secret@h/{mode}\""),
            "apps[0].http.url",
            "a URL without them",
        ),
        (
            &http("url: \"http://{mode}.h/\""),
            "apps[0].http.url",
            "only in the path or the query",
        ),
        (
            &http("url: \"http://\""),
            "apps[0].http.url",
            "an http:// or https:// URL",
        ),
        (
            &http("url: \"http://h/a b\""),
            "apps[0].http.url",
            "an http:// or https:// URL",
        ),
        (
            &http("url: http://h, method: GET"),
            "apps[0].http.url",
            "or POST",
        ),
        (
            &http("url: http://h, method: DELETE"),
            "apps[0].http.method",
            "GET, POST, PUT",
        ),
        (
            &http("url: http://h, modes: { gradual: \"eco&x=1\" }"),
            "apps[0].http.modes.gradual",
            "1 to 64 of",
        ),
        (
            &http("url: http://h, modes: { idle: eco }"),
            "apps[0].http.modes.idle",
            "normal, gradual, emergency",
        ),
        (
            &http("url: http://h, health_url: h"),
            "apps[0].http.health_url",
            "an http:// or https:// URL",
        ),
        (
            "hook: { bearer_token_file: 7 }",
            "hook.bearer_token_file",
            "a path",
        ),
        (
            "hook: { client_allowed_sans: all }",
            "hook.client_allowed_sans",
            "a list",
        ),
        ("hook: { lease: 500ms }", "hook.lease", "from 1s to 15m"),
        ("hook: { max_hold: 2h }", "hook.max_hold", "from 0s to 1h"),
        (
            "hook: { severity_map: { critical: panic } }",
            "hook.severity_map.critical",
            "gradual, emergency, none",
        ),
        (
            "hook: { severity_map: [critical] }",
            "hook.severity_map",
            "a mapping",
        ),
        (
            "hook: { severity_map: { \"a\\nb\": panic } }",
            "hook.severity_map.a\\nb",
            "gradual, emergency, none",
        ),
        ("hook: { token: abc }", "hook.token", "bearer_token_file"),
        ("node: gpu1", "node", "a mapping"),
        ("node: { names: gpu1 }", "node.names", "a list"),
        (
            "node: { names: [\"gpu 1\"] }",
            "node.names",
            "with or without its port",
        ),
        (
            "node: { names: [\"\"] }",
            "node.names",
            "with or without its port",
        ),
        (
            "node: { names: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] }",
            "node.names",
            "at most 16",
        ),
        (
            "alertmanager: { expected: maybe }",
            "alertmanager.expected",
            "auto, true, false",
        ),
        (
            "alertmanager: { heartbeat_timeout: 1s }",
            "alertmanager.heartbeat_timeout",
            "auto, or a duration from 2s to 10m",
        ),
        (
            "alertmanager: { heartbeat_timeout: 11m }",
            "alertmanager.heartbeat_timeout",
            "auto, or a duration from 2s to 10m",
        ),
        (
            "alertmanager: { url: am:9093 }",
            "alertmanager.url",
            "an http:// or https:// URL",
        ),
        (
            "alertmanager: { url: [] }",
            "alertmanager.url",
            "at least one entry",
        ),
        (
            "alertmanager: { url: [http://a, am:9093] }",
            "alertmanager.url",
            "an http:// or https:// URL",
        ),
        (
            "alertmanager: { url: [http://a, http://a] }",
            "alertmanager.url",
            "each once",
        ),
        (
            "alertmanager: { url: http://a/api/v2/alerts }",
            "alertmanager.url",
            "the base URL",
        ),
        (
            "alertmanager: { url: http://a/?x=1 }",
            "alertmanager.url",
            "the base URL",
        ),
        (
            "alertmanager: { url: http://a, pull_interval: 16s }",
            "alertmanager.pull_interval",
            "auto, or",
        ),
        (
            "alertmanager: { url: http://a, pull_interval: 100ms }",
            "alertmanager.pull_interval",
            "auto, or",
        ),
        (
            "alertmanager: { pull_interval: 5s }",
            "alertmanager.pull_interval",
            "with a url",
        ),
        (
            "alertmanager: { ca_file: /ca }",
            "alertmanager.ca_file",
            "with a url",
        ),
        (
            "alertmanager: { filter: [a] }",
            "alertmanager.filter",
            "with a url",
        ),
        (
            "alertmanager: { url: http://a, filter: a }",
            "alertmanager.filter",
            "a list",
        ),
        (
            "alertmanager: { url: http://a, basic_auth: { username: u } }",
            "alertmanager.basic_auth.password_file",
            "a path",
        ),
        (
            "alertmanager: { url: http://a, basic_auth: { username: \"u:\", password_file: p } }",
            "alertmanager.basic_auth.username",
            "a name without a colon",
        ),
        (
            "alertmanager: { url: http://a, basic_auth: { username: u, password: hunter2 , password_file: p } }",
            "alertmanager.basic_auth.password",
            "username, password_file",
        ),
        (
            "alertmanager: { url: http://a, bearer_token_file: t, basic_auth: { username: u, password_file: p } }",
            "alertmanager.basic_auth",
            "one of the two",
        ),
        ("notify: ntfy.sh", "notify", "a mapping"),
        ("notify: { url: ntfy.sh/x }", "notify.url", "http://"),
        (
            "notify: { format: slack }",
            "notify.format",
            "url or url_file",
        ),
        (
            "notify: { url: http://a, url_file: b }",
            "notify.url_file",
            "one of the two",
        ),
        (
            "notify: { url: http://a, format: irc }",
            "notify.format",
            "json, slack, ntfy",
        ),
        (
            "notify: { url: http://a, min_severity: page }",
            "notify.min_severity",
            "info, warn, error",
        ),
        ("on_exit: reset", "on_exit", "restore, keep"),
        ("\"on\\nexit\": keep", "on\\nexit", "did you mean on_exit?"),
        ("- mode: enforce", "", "such as `key: value`"),
        ("mode: enforce\nmode: observe", "", "keep one of them"),
        ("hook: { lease: 1s, lease: 2s }", "", "keep one of them"),
        (
            "mode: enforce\n---\nmode: observe",
            "",
            "leave out the `---`",
        ),
        ("mode: [", "", "line 1"),
        (
            "recovery_delay: 10s",
            "recovery_delay",
            "did you mean policy.recovery_delay?",
        ),
        ("lease: 10s", "lease", "did you mean hook.lease?"),
        (
            &http(
                "url: \"http://h:1/{mode}\", bearer_token_file: t, health_url: \"http://other:1/\"",
            ),
            "apps[0].http.health_url",
            "the scheme, host and port of url",
        ),
        (
            &http("url: \"http://h:1/{mode}\", bearer_token_file: t, health_url: \"http://h:2/\""),
            "apps[0].http.health_url",
            "the scheme, host and port of url",
        ),
        (
            &http("url: \"https://h/{mode}\", bearer_token_file: t, health_url: \"http://h/\""),
            "apps[0].http.health_url",
            "or no bearer_token_file",
        ),
        (
            "sensors: [{ name: s, file: f, unit: kelvin, critical: 45 }]",
            "sensors[0].unit",
            "celsius, millicelsius",
        ),
        (
            "sensors: [{ name: s, file: f, unit: celsius }]",
            "sensors[0].critical",
            "a number of °C from 0 to 150",
        ),
        (
            "sensors: [{ name: s, file: f, unit: celsius, critical: 45, field: 0 }]",
            "sensors[0].field",
            "from 1 to 64",
        ),
    ];
    for (yaml, path, remedy) in bad_inputs {
        let errors = Config::from_yaml(yaml).expect_err(yaml).0;
        let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, [path], "{yaml}\n{}", ConfigErrors(errors.clone()));
        let said = errors[0].to_string();
        assert!(
            said.starts_with(path) && said.contains(remedy),
            "{yaml}\n{said}"
        );
        assert!(!said.contains('\n'), "{yaml}");
    }
    counted(
        &bad_inputs.map(|(yaml, ..)| yaml),
        "configuration, application URLs in it",
    );
}
