//! An Alertmanager behind TLS and a password, as its own web configuration makes it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command};

use rcgen::SanType;
use serde_json::json;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::common::certificates::Ca;
use crate::common::chain::free_ports;
use crate::common::delivery::uuid;
use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::needs::needs;
use crate::common::nvml_sim::Machine;
use crate::common::wait::{PATIENCE, wait_until};

/// "guard:open sesame"
const AUTHORIZATION: &str = "Basic Z3VhcmQ6b3BlbiBzZXNhbWU=";

struct Secured {
    url: String,
    agent: Agent,
    child: Child,
}

impl Secured {
    fn start(dir: &Path, ca: &Ca) -> Self {
        let [port] = free_ports();
        let [cert, key] = ca.issue(SanType::IpAddress([127, 0, 0, 1].into()));
        let password = bcrypt::hash("open sesame", 4).unwrap();
        let web = format!(
            "tls_server_config: {{ cert_file: cert.pem, key_file: key.pem }}\nbasic_auth_users: {{ guard: '{password}' }}\n"
        );
        let config = "route: { receiver: people }\nreceivers: [{ name: people }]\n";
        for (name, text) in [
            ("cert.pem", &*cert),
            ("key.pem", &*key),
            ("ca.pem", &*ca.pem),
            ("am-web.yml", &*web),
            ("am.yml", config),
        ] {
            fs::write(dir.join(name), text).unwrap();
        }
        let log = File::create(dir.join("am.log")).unwrap();
        let child = Command::new("prometheus-alertmanager")
            .current_dir(dir)
            .args(["--config.file=am.yml", "--web.config.file=am-web.yml"])
            .args(["--storage.path=am", "--cluster.listen-address="])
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stderr(log)
            .spawn()
            .unwrap();
        let root = Certificate::from_pem(ca.pem.as_bytes()).unwrap();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[root]));
        let secured = Self {
            url: format!("https://127.0.0.1:{port}"),
            agent: Agent::config_builder()
                .tls_config(tls.build())
                .build()
                .into(),
            child,
        };
        assert!(wait_until(PATIENCE, || secured.posts(0)), "not ready");
        secured
    }

    /// A heartbeat evaluated at `eval_ts`, and an emergency.
    fn posts(&self, eval_ts: u32) -> bool {
        let alerts = json!([
            {"labels": {"alertname": "Beat", "guard_action": "heartbeat"},
             "annotations": {"eval_ts": eval_ts.to_string()}},
            {"labels": {"alertname": "Leak", "guard_action": "emergency", "uuid": uuid(0)}},
        ]);
        self.agent
            .post(format!("{}/api/v2/alerts", self.url))
            .header("Authorization", AUTHORIZATION)
            .send_json(alerts)
            .is_ok()
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The output of `check` about it, and its exit code.
fn checked(guard: &Guard) -> (Option<i32>, String) {
    let output = guard.run("check", &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    let line = said.lines().find(|line| line.contains(" alertmanager "));
    (output.status.code(), line.unwrap_or_default().to_owned())
}

#[test]
fn a_password_and_an_authority_of_its_own_open_alertmanager() {
    needs!("prometheus-alertmanager", "promtool");
    let mut guard = Guard::new(Machine::warm(&["l40s"], &["load=0.3"]), 1, "");
    let alertmanager = Secured::start(guard.dir.path(), &Ca::new());
    let url = &alertmanager.url;
    let config =
        |rest: &str| format!("alertmanager: {{ url: \"{url}\", pull_interval: 1s, {rest} }}");
    let basic = "basic_auth: { username: guard, password_file: password }";
    let password = |text: &str| fs::write(guard.path("password"), text).unwrap();

    password("open sesame\n");
    guard.configure(&config(basic));
    let (_, line) = checked(&guard);
    assert!(
        line.starts_with("warn") && line.contains("certificate"),
        "{line}"
    );
    guard.configure(&config(&format!("{basic}, ca_file: nowhere.pem")));
    let (code, line) = checked(&guard);
    assert!(code == Some(1) && line.contains("nowhere.pem"), "{line}");
    guard.configure(&config(&format!("{basic}, ca_file: ca.pem")));
    password("open barley\n");
    let (code, line) = checked(&guard);
    assert!(code == Some(1) && line.contains("401"), "{line}");
    tell(&line);
    password("open sesame\n");
    let (code, line) = checked(&guard);
    assert_eq!(code, Some(0));
    assert!(
        line.starts_with("ok")
            && line.contains("2 active alerts")
            && line.contains("(of all nodes): 1,"),
        "{line}"
    );
    tell(&line);

    guard.start();
    guard.wait_state(0, "emergency");
    let metrics = guard.wait("chain ok", |metrics| metrics.chain() == Some("ok"));
    assert_eq!(metrics.throttles(0, "alert"), 1.0);
    let scrape = guard.path("metrics.txt");
    fs::write(&scrape, guard.get("/metrics").unwrap()).unwrap();
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(File::open(&scrape).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&promtool.stderr);
    assert!(promtool.status.success() && said.is_empty(), "{said}");
    // Changed while it runs, back and forth.
    fs::write(guard.path("password"), "open barley\n").unwrap();
    guard.wait("refused", |metrics| {
        let name = "thermal_guard_alertmanager_pull_requests_total";
        metrics.get(name, &[("result", "refused")]) >= Some(1.0)
    });
    fs::write(guard.path("password"), "open sesame\n").unwrap();
    guard.wait("up again", |metrics| {
        metrics.get("thermal_guard_alertmanager_pull_up", &[]) == Some(1.0)
    });
    let log = guard.log();
    assert!(!log.contains("sesame") && !log.contains("barley"), "{log}");
    assert_eq!(guard.stop(), Some(0));
    guard.assert_given_back();
}
