//! The command line, as an operator meets it: the real binary over the simulated NVML library.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "test code: starts the program under test and fails by panicking"
)]

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use common::nvml_sim::{Machine, library};

const ALL_PROFILES: [&str; 8] = [
    "a100-80gb",
    "a100-40gb",
    "v100-32gb",
    "rtx-6000-ada",
    "h100",
    "h200",
    "l40s",
    "rtx-4090",
];

/// What an operator had set before the guard came: not the default, not whole watts.
const ORIGINAL_WATTS: f64 = 387.654;

/// Much longer than anything here takes, on a loaded machine, too.
const PATIENCE: Duration = Duration::from_secs(60);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_thermal-guard"))
}

/// Runs the program without a machine, hence without a driver.
fn run(args: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(args).env_remove("THERMAL_GUARD_NVML_LIBRARY");
    command.output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A node with simulated GPUs, and a state and a lock directory.
struct Node {
    machine: Machine,
    directory: TempDir,
}

impl Node {
    fn new(profiles: &[&str]) -> Self {
        Self {
            machine: Machine::create(profiles, &["--time-scale", "20"]),
            directory: TempDir::new().unwrap(),
        }
    }

    fn state_dir(&self) -> PathBuf {
        self.directory.path().join("state")
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.machine.command(program());
        command.args(args);
        command.arg("--nvml.library").arg(library());
        command.arg("--state.dir").arg(self.state_dir());
        command
            .arg("--lock.dir")
            .arg(self.directory.path().join("lock"));
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn serve(&self) -> Guard {
        let mut command = self.command(&["serve", "--web.listen-address=127.0.0.1:0"]);
        command.args(["--debug.time-scale=20", "--log.level=warn"]);
        Guard(command.stderr(Stdio::null()).spawn().unwrap())
    }

    fn limit(&self) -> f64 {
        self.machine.gpu(0)["limit_watts"].as_f64().unwrap()
    }

    fn is_locked(&self) -> bool {
        !self.machine.gpu(0)["sm_lock_mhz"].is_null()
    }

    fn journals(&self) -> usize {
        fs::read_dir(self.state_dir().join("gpus"))
            .into_iter()
            .flatten()
            .count()
    }

    /// In air that is over critical by itself, so that no throttling brings it under safe.
    fn heat(&self) {
        self.machine.ctl(&["set", "load=1", "inlet=90"]);
    }

    fn cool(&self) {
        self.machine.ctl(&["set", "load=0", "inlet=20"]);
        self.machine.ctl(&["advance", "1000"]);
    }

    /// A guard throttled to the utmost and was killed; the GPU is still hot.
    fn with_a_dead_guards_remains() -> Self {
        let node = Self::new(&["a100-80gb"]);
        node.machine.ctl(&["limit", &ORIGINAL_WATTS.to_string()]);
        let guard = node.serve();
        node.heat();
        wait_until("throttled", || {
            node.limit() < ORIGINAL_WATTS && node.is_locked()
        });
        drop(guard);
        assert!(node.limit() < ORIGINAL_WATTS && node.is_locked());
        assert_eq!(node.journals(), 1);
        node
    }
}

/// A running guard; killed when dropped, as by `kill -9`.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn no_subcommand_prints_the_help_and_the_help_names_every_command() {
    let nothing = run(&[]);
    let nothing = stdout(&nothing) + &stderr(&nothing);
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let help = stdout(&help);
    for command in [
        "serve", "check", "status", "throttle", "release", "pause", "resume", "detach", "attach",
        "restore",
    ] {
        for text in [&help, &nothing] {
            let listed = text.lines().any(|line| {
                line.strip_prefix("  ")
                    .is_some_and(|line| line.starts_with(command))
            });
            assert!(listed, "{command}: {text}");
        }
    }
}

#[test]
fn a_usage_error_exits_2() {
    for args in [
        vec!["serve", "--no-such-flag"],
        vec!["throttle", "--gpu", "0", "--level", "gradual"],
        vec!["throttle", "--gpu=0", "--level=gentle", "--for=10m"],
        vec!["pause", "--gpu", "0", "--for", "soon"],
        vec!["pause", "--gpu", "0", "--for", "25h"],
        vec!["restore", "--wait", "long"],
    ] {
        assert_eq!(run(&args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_bad_configuration_exits_78_and_says_every_mistake() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(
        &file,
        "poll_intervall: 1s\nmode: maybe\nthresholds: { alert: hot }\n",
    )
    .unwrap();
    let flag = format!("--config.file={}", file.display());
    let serve = run(&["serve", "--simulate", &flag]);
    assert_eq!(serve.status.code(), Some(78));
    let check = run(&["check", "--simulate", &flag]);
    assert_eq!(check.status.code(), Some(1));
    for mistake in ["poll_intervall", "mode", "thresholds.alert"] {
        assert!(stderr(&serve).contains(mistake), "{}", stderr(&serve));
        let failed = stdout(&check).lines().any(|line| {
            line.starts_with("fail  configuration") && line.contains(&format!("{mistake}: "))
        });
        assert!(failed, "{mistake}: {}", stdout(&check));
    }
}

#[test]
fn a_check_without_a_driver_names_the_remedies() {
    let directory = TempDir::new().unwrap();
    let state = format!("--state.dir={}", directory.path().display());
    let lock = format!("--lock.dir={}", directory.path().display());
    let library = "--nvml.library=/nonexistent/libnvidia-ml.so.1";
    let output = run(&["check", library, &state, &lock]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let line = text.lines().find(|line| line.starts_with("fail")).unwrap();
    for remedy in [
        "install the NVIDIA driver",
        "--nvml.library",
        "NVIDIA_DRIVER_CAPABILITIES=utility",
        "serve --simulate",
    ] {
        assert!(line.contains(remedy), "{remedy}: {text}");
    }
}

#[test]
fn a_check_of_every_card_passes_shows_its_thresholds_and_writes_nothing() {
    let node = Node::new(&ALL_PROFILES);
    let output = node.run(&["check"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains("gpu 0 thresholds") && text.contains("alert 78 °C, critical 85 °C, safe 72"),
        "{text}"
    );
    // Its fans let a GeForce get to 83 °C, where its guard would act at 77.
    let geforce = text.lines().find(|line| line.contains("gpu 7 thresholds"));
    assert!(geforce.unwrap().starts_with("warn"), "{text}");

    let json = node.run(&["check", "--json"]);
    let findings: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    for index in 0..ALL_PROFILES.len() {
        let of_gpu = |finding: &&Value| finding["gpu"] == json!(index);
        assert_eq!(findings.iter().filter(of_gpu).count(), 4, "{index}");
    }
    for gpu in node.machine.show()["gpus"].as_array().unwrap() {
        for writes in ["limit_writes", "lock_writes", "refused_writes"] {
            assert_eq!(gpu[writes], json!(0), "{writes}");
        }
    }
}

#[test]
fn a_check_warns_of_what_will_surprise() {
    let node = Node::new(&["a100-80gb"]);
    let config = node.directory.path().join("config.yaml");
    let app = node.directory.path().join("app.env");
    fs::write(&app, "OTHER=1\n").unwrap();
    let yaml = "thresholds: { alert: 60, critical: 70, safe: 50 }\n\
        apps: [{ name: app, env_file: { path: app.env, key: SIZE, normal: 4, gradual: 1 } }]\n";
    fs::write(&config, yaml).unwrap();
    node.machine.ctl(&["limit", "300"]);
    let flag = format!("--config.file={}", config.display());
    let output = node.run(&["check", &flag]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for (what, why) in [
        ("gpu 0 thresholds", "will throttle in normal use"),
        ("gpu 0 power limit", "given back exactly"),
        ("app ", "doesn't set SIZE"),
    ] {
        let warned = |line: &str| line.starts_with(&format!("warn  {what}")) && line.contains(why);
        assert!(text.lines().any(warned), "{what}: {text}");
    }
    fs::remove_file(&app).unwrap();
    let output = node.run(&["check", &flag]);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
}

#[test]
fn a_check_sees_a_running_guard_and_what_a_dead_one_left() {
    let node = Node::with_a_dead_guards_remains();
    let output = node.run(&["check"]);
    assert!(stdout(&output).contains("restore"), "{}", stdout(&output));
    let guard = node.serve();
    let pid = format!("pid {}", guard.0.id());
    wait_until("the check names the guard", || {
        let text = stdout(&node.run(&["check"]));
        text.contains(&pid) && !text.contains("a dead guard")
    });
}

#[test]
fn nothing_left_is_success_even_without_a_driver_or_a_valid_configuration() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("config.yaml");
    fs::write(&file, "nonsense: 1\n").unwrap();
    let state = format!("--state.dir={}", directory.path().display());
    let lock = format!("--lock.dir={}", directory.path().display());
    let config = format!("--config.file={}", file.display());
    let library = "--nvml.library=/nonexistent/libnvidia-ml.so.1";
    let output = run(&["restore", library, &state, &lock, &config]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn a_hot_gpu_keeps_its_cap_and_a_cool_one_gets_everything_back() {
    let node = Node::with_a_dead_guards_remains();
    let capped = node.limit();
    let hot = node.run(&["restore", "--wait=1s"]);
    assert_eq!(hot.status.code(), Some(1), "{}", stdout(&hot));
    assert!(stdout(&hot).contains("above safe"), "{}", stdout(&hot));
    assert!((node.limit() - capped).abs() < f64::EPSILON && node.is_locked());
    assert_eq!(node.journals(), 1);

    node.cool();
    let watched = node.run(&["restore", "--dry-run"]);
    assert_eq!(watched.status.code(), Some(1), "{}", stdout(&watched));
    assert!((node.limit() - capped).abs() < f64::EPSILON && node.is_locked());

    let cool = node.run(&["restore", "--wait=1s"]);
    assert_eq!(cool.status.code(), Some(0), "{}", stdout(&cool));
    assert!((node.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON);
    assert!(!node.is_locked());
    assert_eq!(node.journals(), 0);
}

#[test]
fn a_restore_waits_for_the_gpu_to_cool_down() {
    let node = Node::with_a_dead_guards_remains();
    let mut restore = node.command(&["restore", "--wait=60s"]);
    let restore = restore.stdout(Stdio::null()).spawn().unwrap();
    node.cool();
    let mut restore = Guard(restore);
    wait_until("restored", || restore.0.try_wait().unwrap().is_some());
    assert!(restore.0.wait().unwrap().success());
    assert!((node.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON && !node.is_locked());
}

#[test]
fn force_gives_back_in_the_heat() {
    let node = Node::with_a_dead_guards_remains();
    let output = node.run(&["restore", "--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!((node.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON && !node.is_locked());
}

#[test]
fn an_unreadable_gpu_keeps_its_cap() {
    let node = Node::with_a_dead_guards_remains();
    node.cool();
    for fault in ["failing-reads", "lost", "no-permission"] {
        node.machine.ctl(&["fault", fault]);
        let output = node.run(&["restore", "--wait=1s"]);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{fault}: {}",
            stdout(&output)
        );
        assert!(node.limit() < ORIGINAL_WATTS, "{fault}");
        assert_eq!(node.journals(), 1, "{fault}");
    }
    node.machine.ctl(&["fault", "none"]);
    assert!(node.run(&["restore"]).status.success());
    assert!((node.limit() - ORIGINAL_WATTS).abs() < f64::EPSILON);
}

#[test]
fn somebody_elses_limit_is_left_alone_and_our_lock_is_not() {
    let node = Node::with_a_dead_guards_remains();
    node.cool();
    node.machine.ctl(&["limit", "222"]);
    let output = node.run(&["restore"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(
        stdout(&output).contains("left alone"),
        "{}",
        stdout(&output)
    );
    assert!((node.limit() - 222.0).abs() < f64::EPSILON && !node.is_locked());
    assert_eq!(node.journals(), 0);
}

#[test]
fn a_reloaded_driver_has_nothing_to_give_back() {
    let node = Node::with_a_dead_guards_remains();
    node.machine.ctl(&["driver-reload"]);
    let output = node.run(&["restore", "--wait=1s"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("reloaded"), "{}", stdout(&output));
    assert!((node.limit() - 400.0).abs() < f64::EPSILON, "its default");
    assert_eq!(node.journals(), 0);
}

#[test]
fn a_torn_journal_is_reported_and_kept() {
    let node = Node::new(&["a100-80gb"]);
    let gpus = node.state_dir().join("gpus");
    fs::create_dir_all(&gpus).unwrap();
    fs::write(gpus.join("GPU-1.json"), "{\"version\":").unwrap();
    let output = node.run(&["restore", "--wait=1s"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("GPU-1.json"),
        "{}",
        stdout(&output)
    );
    assert_eq!(node.journals(), 1);
}

#[test]
fn a_restore_refuses_while_a_guard_runs() {
    let node = Node::with_a_dead_guards_remains();
    let capped = node.limit();
    let guard = node.serve();
    let pid = format!("pid {}", guard.0.id());
    wait_until("the guard has its lock", || {
        stdout(&node.run(&["check"])).contains(&pid)
    });
    let output = node.run(&["restore", "--force"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains(&pid), "{}", stdout(&output));
    assert!(node.limit() <= capped);
    assert_eq!(node.journals(), 1);
}

/// Answers one request with `status` and `body`; what was asked comes out of the receiver.
fn answering(status: &'static str, body: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("--url=http://{}", listener.local_addr().unwrap());
    let (asked, requests) = channel();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = Vec::new();
            while !is_whole(&request) {
                let mut more = [0; 4096];
                let count = connection.read(&mut more).unwrap();
                assert!(count > 0, "half a request");
                request.extend_from_slice(&more[..count]);
            }
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
            let answer = format!("{head}Connection: close\r\nLocation: /elsewhere\r\n\r\n{body}");
            connection.write_all(answer.as_bytes()).unwrap();
            let _ = asked.send(String::from_utf8(request).unwrap());
        }
    });
    (url, requests)
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn token_file(directory: &TempDir) -> String {
    let path = directory.path().join("token");
    fs::write(&path, "secret\n").unwrap();
    format!("--token-file={}", path.display())
}

#[test]
fn an_actuating_command_sends_what_it_was_told_with_the_token() {
    let directory = TempDir::new().unwrap();
    let token = token_file(&directory);
    let body = r#"{"gpus":[{"gpu":0,"uuid":"GPU-1","ended":true}]}"#;
    let table: [(&[&str], &str, &str); 6] = [
        (
            &["throttle", "--gpu=0", "--level=gradual", "--for=10m"],
            "POST /api/v1/leases",
            "held at gradual for 10m",
        ),
        (&["release", "--gpu=0"], "DELETE /api/v1/leases/0", "ended"),
        (
            &["pause", "--gpu=GPU-1", "--for=30m"],
            "POST /api/v1/pauses",
            "paused for 30m",
        ),
        (&["resume", "--gpu=0"], "DELETE /api/v1/pauses/0", "ended"),
        (&["detach"], "POST /-/detach", "detached"),
        (&["attach"], "POST /-/attach", "attached"),
    ];
    for (args, request, said) in table {
        let (url, requests) = answering("200 OK", body);
        let output = run(&[args, &[&url, &token]].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains(said), "{}", stdout(&output));
        assert_eq!(stdout(&output).lines().count(), 1);
        let asked = requests.recv_timeout(PATIENCE).unwrap();
        assert!(asked.starts_with(&format!("{request} ")), "{asked}");
        let asked = asked.to_ascii_lowercase();
        assert!(
            asked.contains("authorization: bearer secret\r\n"),
            "{asked}"
        );
    }
}

#[test]
fn a_refusal_is_explained() {
    let directory = TempDir::new().unwrap();
    let token = token_file(&directory);
    let table = [
        (
            "401 Unauthorized",
            r#"{"error":"wrong token"}"#,
            "token\" (401)",
        ),
        ("404 Not Found", r#"{"error":"no such GPU"}"#, "no such GPU"),
        ("302 Found", "", "302"),
        ("200 OK", "<html>", "not as a thermal-guard"),
    ];
    for (status, body, said) in table {
        let (url, _requests) = answering(status, body);
        let output = run(&["release", "--gpu=9", &url, &token]);
        assert_eq!(output.status.code(), Some(1), "{status}");
        let said = said.replace('"', "");
        assert!(stderr(&output).contains(&said), "{}", stderr(&output));
    }
}

#[test]
fn nobody_there_is_said_with_the_remedy() {
    // Bound and let go of: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
    let url = format!("--url=http://{}", address.unwrap());
    let output = run(&["status", &url]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("thermal-guard serve"),
        "{}",
        stderr(&output)
    );
    let output = run(&["detach", &url, "--token-file=/nonexistent/token"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("/nonexistent/token"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn the_status_needs_no_token() {
    let body = r#"{"version":"0.1.0","mode":"observe","chain":{"state":"ok"},
        "gpus":[{"index":3,"name":"NVIDIA L40S","state":"normal","why":"9.0 °C under alert"}]}"#;
    let (url, requests) = answering("200 OK", body);
    let output = run(&["status", &url, "--token-file=/nonexistent/token"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(
        text.contains("mode observe") && text.contains("chain ok"),
        "{text}"
    );
    assert!(
        text.contains("NVIDIA L40S") && text.contains("9.0 °C under alert"),
        "{text}"
    );
    let asked = requests
        .recv_timeout(PATIENCE)
        .unwrap()
        .to_ascii_lowercase();
    assert!(!asked.contains("authorization"), "{asked}");

    let output = run(&["status", "--json", &url]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["gpus"][0]["index"], json!(3));
}
