//! Two applications at one place, applications without a GPU, and those whose health is bad.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::applications::{App, SCALE, config, guard, reload, stays, throttle, until};
use crate::common::guard::Guard;
use crate::common::http::Listener;
use crate::common::needs::needs;
use crate::common::nvml_sim::Machine;

fn file_entry(name: &str, gpu: usize, path: &str) -> String {
    format!(
        "  - {{ name: {name}, gpus: [{gpu}], env_file: {{ path: {path}, key: BATCH, normal: 4, gradual: 1, emergency: 1 }} }}\n"
    )
}

fn over_two(apps: &str) -> Guard {
    let machine = Machine::create(&["a100-80gb"; 2], &[]);
    Guard::new(machine, SCALE, &config(apps))
}

fn emergency(guard: &Guard, gpu: usize) {
    let body = json!({ "gpu": gpu.to_string(), "level": "emergency", "for": "20m" });
    let token = format!("Bearer {}", guard.token());
    assert_eq!(guard.post("/api/v1/leases", Some(&token), &body), 200);
}

fn release(guard: &Guard, gpu: usize) {
    let (gpu, url) = (format!("--gpu={gpu}"), format!("--url={}", guard.url("")));
    let output = guard.run("release", &[&gpu, &url]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_url_that_two_apps_share_stays_slow_while_one_of_their_gpus_is_hot() {
    let app = App::start();
    let entry = |name: &str, gpu: usize, url: &str| {
        app.entry(name)
            .replace("name: ", &format!("gpus: [{gpu}], name: "))
            .replace(&app.url(), url)
    };
    let other = app.url().replace("http:", "HTTP:");
    let guard = guard(2, &(entry("a", 0, &app.url()) + &entry("b", 1, &other)));
    emergency(&guard, 0);
    emergency(&guard, 1);
    until(&guard, "told", || app.mode() == "eco");
    release(&guard, 0);
    guard.wait_state(0, "normal");
    stays(&guard, 2.0, "eco for the other", || app.mode() == "eco");
    release(&guard, 1);
    until(&guard, "given back", || app.mode() == "normal");
}

#[test]
fn a_file_that_two_apps_reach_by_other_ways_keeps_its_original() {
    for other in ["link.env", "sub/../app.env"] {
        let mut guard = over_two(&(file_entry("a", 0, "app.env") + &file_entry("b", 1, other)));
        let file = guard.path("app.env");
        fs::create_dir(guard.path("sub")).unwrap();
        fs::write(&file, "BATCH=8\n").unwrap();
        symlink("app.env", guard.path("link.env")).unwrap();
        let read = || fs::read_to_string(&file).unwrap();
        guard.start();
        emergency(&guard, 0);
        emergency(&guard, 1);
        until(&guard, "slow", || read() == "BATCH=1\n");
        release(&guard, 0);
        guard.wait_state(0, "normal");
        stays(&guard, 2.0, "slow for the other", || read() == "BATCH=1\n");
        release(&guard, 1);
        until(&guard, "given back", || read() == "BATCH=8\n");
    }
}

#[test]
fn an_app_whose_health_url_fails_is_told_again_all_the_same() {
    let (app, sick) = (App::start(), App::start());
    sick.set_away(true);
    let health = format!(", health_url: '{}/health'", sick.url());
    let guard = guard(1, &app.entry_with("app", &health));
    throttle(&guard, "gradual");
    until(&guard, "told", || app.mode() == "eco");
    app.start_anew();
    until(&guard, "told again", || app.mode() == "eco");
    assert_eq!(app.told(), ["eco", "eco"], "and that is all that it cost");
}

#[test]
fn an_app_that_was_left_throttled_and_whose_gpu_is_gone_is_freed_with_a_word() {
    let app = App::start();
    let mut guard = over_two("  []\n");
    let uuid = guard.machine.gpu(1)["uuid"].as_str().unwrap().to_owned();
    let entry = app.entry("app");
    let entry = entry.replace("name: ", &format!("gpus: [{uuid}], name: "));
    guard.configure(&config(&entry));
    guard.start();
    emergency(&guard, 1);
    until(&guard, "told", || app.mode() == "eco");
    guard.kill();
    guard.machine.ctl(&["order", "0"]);
    guard.start();
    let shown = |guard: &Guard, mode: &str| {
        let labels = [("app", "app"), ("mode", mode)];
        guard.metrics().get("thermal_guard_app_mode", &labels) == Some(1.0)
    };
    assert!(!shown(&guard, "normal"), "it is as it was left");
    assert_eq!(app.mode(), "eco", "one look proves nothing");
    until(&guard, "freed", || app.mode() == "normal");
    until(&guard, "shown", || shown(&guard, "normal"));
    let said = guard.logged(&["none of its GPUs is there", "app=app", "nvidia-smi -L"]);
    assert_eq!(said.len(), 1, "{}", guard.log());
}

#[test]
fn an_app_with_two_gpus_is_not_freed_by_the_first_that_says_normal() {
    needs!("strace");
    let app = App::start();
    let mut guard = over_two(&app.entry("app"));
    guard.start();
    emergency(&guard, 1);
    until(&guard, "told", || app.mode() == "eco");
    guard.kill();
    let told = app.told().len();
    // The file of the second one is on a slow disk.
    let uuid = guard.machine.gpu(1)["uuid"].as_str().unwrap().to_owned();
    let file = guard.path(&format!("state/gpus/{uuid}.json"));
    assert!(file.exists());
    guard.strace("openat:delay_enter=3000000:when=1", &[file]);
    guard.start();
    stays(&guard, 6.0, "nobody says normal", || {
        !app.told()[told..].contains(&"normal".to_owned())
    });
}

/// An application with two doors, of which one takes its time.
fn door(said: &Arc<Mutex<Vec<String>>>, name: &'static str, takes: Duration) -> Listener {
    let said = Arc::clone(said);
    Listener::start(move |request| {
        if let Some((_, mode)) = request.split_once("?mode=") {
            std::thread::sleep(takes);
            let mode = mode.split(' ').next().unwrap();
            said.lock().unwrap().push(format!("{name} {mode}"));
        }
        Some(("text/plain", String::new()))
    })
}

#[test]
fn an_app_that_is_renamed_and_moved_at_once_hears_the_old_places_word_first() {
    let said = Arc::new(Mutex::new(Vec::new()));
    let slow = door(&said, "slow", Duration::from_millis(700));
    let quick = door(&said, "quick", Duration::ZERO);
    let entry = |name: &str, door: &Listener| {
        let url = format!("http://{}/set?mode={{mode}}", door.address);
        format!("  - {{ name: {name}, http: {{ url: '{url}', modes: {{ gradual: eco }} }} }}\n")
    };
    let guard = guard(1, &entry("old", &slow));
    let heard = || said.lock().unwrap().clone();
    throttle(&guard, "gradual");
    until(&guard, "told", || heard() == ["slow eco"]);
    reload(&guard, &entry("new", &quick));
    until(&guard, "both told", || heard().len() >= 3);
    assert_eq!(heard(), ["slow eco", "slow normal", "quick eco"]);
}

#[test]
fn what_stands_in_a_url_behind_its_host_is_not_in_the_log() {
    let app = App::start();
    app.set_away(true);
    let entry = app.entry("app").replace("/set?", "/hooks/hunter2?");
    let guard = guard(1, &entry);
    throttle(&guard, "gradual");
    let address = app.listener.address.to_string();
    until(&guard, "said", || {
        !guard.logged(&["be told its mode", &address]).is_empty()
    });
    assert!(!guard.log().contains("hunter2"), "{}", guard.log());
    assert!(!guard.status().to_string().contains("hunter2"));
}
