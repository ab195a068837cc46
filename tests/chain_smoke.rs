//! The harness of the end-to-end tests, by itself: nothing answers where the guard should be.

mod common;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use common::chain::{Chain, Timing, free_ports, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

#[test]
fn prometheus_and_alertmanager_run_on_the_shipped_rules_and_routes() {
    let [port] = free_ports();
    let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut chain = Chain::start(nobody, Path::new("/nonexistent"), Timing::FIVE_TIMES);

    let heartbeat = "ALERTS{alertname='ThermalGuardHeartbeat'}";
    let beats = wait_until(LIMIT, || chain.query(heartbeat).len() == 1);
    assert!(beats, "the heartbeat fires although the scrape fails");
    let instance = &chain.query(heartbeat)[0].labels["instance"];
    assert_eq!(instance, &nobody.to_string());

    let arrived = || {
        let url = format!("{}/api/v2/alerts?receiver=guard-n1", chain.alertmanager.url);
        let body = ureq::get(url)
            .call()
            .and_then(|mut r| r.body_mut().read_to_string());
        body.is_ok_and(|alerts| alerts.contains("ThermalGuardHeartbeat"))
    };
    assert!(wait_until(LIMIT, arrived), "routed to the guard's receiver");

    chain.alertmanager.kill();
    chain.alertmanager.start();
    chain.prometheus.stop();
    chain.prometheus.start();
    assert!(wait_until(LIMIT, || chain.query(heartbeat).len() == 1));
}
