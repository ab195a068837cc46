//! The status as JSON: what it tells, and who can read it.

use super::*;

fn document() -> Value {
    serde_json::to_value(Status::of(&fleet::snapshot())).unwrap()
}

#[test]
fn the_board_tells_what_an_operator_asks() {
    let status = document();
    assert_eq!(status["chain"]["state"], "ok");
    assert_eq!(status["chain"]["heartbeat_age_seconds"], 3.21);
    assert_eq!(status["mode"], "enforce");
    assert_eq!(status["node"], "n1.example");
    let configuration = &status["configuration"];
    assert_eq!(
        configuration["file"],
        "/etc/thermal-guard/thermal-guard.yml"
    );
    let age = status["time"].as_f64().unwrap() - configuration["read_time"].as_f64().unwrap();
    assert!((age - 600.0).abs() < 0.01, "{age}");
    assert_eq!(status["events"][0]["event"], "throttled");
    assert_eq!(status["apps"][0]["name"], "medgemma");

    let held = &status["gpus"][0];
    assert_eq!(held["temperature_celsius"], 77.0);
    assert_eq!(held["memory_temperature_celsius"], 84.0);
    assert_eq!(held["trips"]["alert_celsius"], 78.0);
    assert_eq!(held["hour"]["max_celsius"], 78.0);
    assert_eq!(held["limit"]["current"], 230.0);
    assert_eq!(held["limit"]["original"], 300.0);
    assert_eq!(held["why"], "throttled: an alert asked; 1.0 °C under alert");
    assert_eq!(held["asks"]["alert"], "gradual");
    assert_eq!(held["leases"][0]["holder"], "alert");
    assert_eq!(held["leases"][0]["alert"], "GpuHot");
    assert_eq!(held["leases"][0]["fingerprint"], "000000000000feed");
    assert_eq!(held["leases"][0]["expires_in_seconds"], 25.0);
    assert_eq!(held["throttle_events"], 4);
    assert_eq!(held["recoveries"], 3);
    assert_eq!(held["throttled_seconds"]["gradual"], 812.5);
    assert_eq!(held["clock_events"][0], "sw_power_cap");

    let easy = &status["gpus"][1];
    assert_eq!(easy["why"], "42.0 °C under alert; paused by an operator");
    assert_eq!(easy["paused_for_seconds"], 600.0);
    assert_eq!(easy["permission"], "denied");
    assert_eq!(easy["memory_temperature_celsius"], Value::Null);
    assert_eq!(easy["clock_events"][1], "unknown");
}

#[test]
fn a_gpu_that_is_gone_shows_why_and_no_reading() {
    let status = document();
    let lost = &status["gpus"][2];
    assert_eq!(lost["up"], false);
    assert_eq!(lost["state"], "blind");
    assert_eq!(lost["why"], "the GPU or its driver is gone");
    assert_eq!(lost.get("temperature_celsius"), None);
    assert_eq!(lost["throttle_events"], 1);
    let hung = &status["gpus"][3];
    assert_eq!(hung["why"], "its first reading hasn't come back");
}

#[test]
fn a_detached_guard_says_so_instead_of_showing_the_last_reading() {
    let mut snapshot = fleet::snapshot();
    snapshot.detached = true;
    let mut tick = fleet::bare(fleet::identity(0, "x"));
    tick.up = false;
    tick.reading.core = Err(Missing::Lost);
    let identity = tick.identity.clone();
    let poll = Duration::from_secs(1);
    let tick = Some(Arc::new(tick));
    snapshot.gpus = vec![GpuView::new(&identity, tick, fleet::now(), poll)];
    let status = Status::of(&snapshot);
    assert_eq!(status.gpus[0].why, "detached by an operator");
    snapshot.detached = false;
    let status = Status::of(&snapshot);
    assert_eq!(status.gpus[0].why, "the GPU or its driver is gone");
}

#[test]
fn the_client_reads_what_the_server_writes() {
    let status = Status::of(&fleet::snapshot());
    let text = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<Status>(&text).unwrap(), status);
    let newer = "{\"version\":\"9\",\"gpus\":[{\"uuid\":\"x\",\"added_later\":1}]}";
    assert_eq!(
        serde_json::from_str::<Status>(newer).unwrap().gpus[0].uuid,
        "x"
    );
}

#[tokio::test]
async fn the_status_is_json_that_nobody_caches() {
    let service = service("a");
    let response = service.get("/api/v1/status").await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let status: Status = serde_json::from_str(&service.text("/api/v1/status").await).unwrap();
    assert!(status.gpus[0].up);
}
