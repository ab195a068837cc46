//! Which requests may actuate, with the running program: every path, and every wrong credential.

use std::fs;
use std::time::{Instant, SystemTime};

use rcgen::SanType;
use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Request;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::common::card::{limit, writes};
use crate::common::certificates::Ca;
use crate::common::delivery::delivery;
use crate::common::figures::measured;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::scrape::Metrics;
use crate::common::wait::{PATIENCE, wait_until};

/// Everything that actuates.
const PATHS: [(&str, &str); 8] = [
    ("POST", "/hook"),
    ("POST", "/api/v1/leases"),
    ("DELETE", "/api/v1/leases/0"),
    ("POST", "/api/v1/pauses"),
    ("DELETE", "/api/v1/pauses/0"),
    ("POST", "/-/reload"),
    ("POST", "/-/detach"),
    ("POST", "/-/attach"),
];

/// One way of asking.
#[derive(Default)]
struct Attempt {
    query: String,
    headers: Vec<(&'static str, String)>,
}

fn with<const N: usize>(headers: [(&'static str, &str); N]) -> Attempt {
    let owned = headers.map(|(name, value)| (name, value.to_owned()));
    Attempt {
        query: String::new(),
        headers: owned.to_vec(),
    }
}

/// A client, and the guard as it reaches it.
struct Client {
    agent: Agent,
    base: String,
}

impl Client {
    fn plain(guard: &Guard) -> Self {
        let config = Agent::config_builder().http_status_as_error(false);
        Self {
            agent: config.build().into(),
            base: guard.url(""),
        }
    }

    fn ask(&self, method: &str, path: &str, attempt: &Attempt) -> u16 {
        let body = match path {
            "/hook" => delivery("firing", "emergency", 0, SystemTime::now()),
            "/api/v1/leases" => json!({"gpu": "0", "level": "emergency", "for": "10m"}),
            "/api/v1/pauses" => json!({"gpu": "0", "for": "10m"}),
            _ => Value::Null,
        };
        let url = format!("{}{path}{}", self.base, attempt.query);
        let request = Request::builder().method(method).uri(url);
        let all = attempt.headers.iter();
        let request = all.fold(request, |request, (name, value)| {
            request.header(*name, value)
        });
        let response = if method == "POST" {
            let request = request.header("Content-Type", "application/json");
            self.agent.run(request.body(body.to_string()).unwrap())
        } else {
            self.agent.run(request.body(()).unwrap())
        };
        response.unwrap().status().as_u16()
    }

    fn metrics(&self, attempt: &Attempt) -> Option<Metrics> {
        let request = Request::builder().uri(format!("{}/metrics", self.base));
        let all = attempt.headers.iter();
        let request = all.fold(request, |request, (name, value)| {
            request.header(*name, value)
        });
        let mut response = self.agent.run(request.body(()).unwrap()).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status() == 200).then(|| Metrics::parse(&text))
    }
}

/// The state that an accepted request would change.
fn touched(guard: &Guard, metrics: &Metrics) -> impl PartialEq + std::fmt::Debug + use<> {
    let loaded = "thermal_guard_config_last_reload_success_timestamp_seconds";
    (
        writes(&guard.machine.gpu(0)),
        metrics.state(0).map(str::to_owned),
        metrics.of(0, "thermal_guard_leases", &[]),
        metrics.of(0, "thermal_guard_paused", &[]),
        metrics.of(0, "thermal_guard_gpu_up", &[]),
        metrics.get(loaded, &[]),
    )
}

/// Every way that some program somewhere takes for a credential, but this one.
fn wrong_ways(token: &str) -> Vec<(&'static str, Attempt)> {
    let bearer = format!("Bearer {token}");
    let cut = format!("Bearer {}", &token[..token.len() - 1]);
    let longer = format!("Bearer {token}0");
    let query = format!("?token={token}&access_token={token}&bearer={token}");
    let cookie = format!("token={token}");
    vec![
        ("no token", Attempt::default()),
        ("a wrong token", with([("Authorization", "Bearer wrong")])),
        ("an empty token", with([("Authorization", "Bearer ")])),
        ("most of the token", with([("Authorization", &cut)])),
        ("more than the token", with([("Authorization", &longer)])),
        ("no scheme", with([("Authorization", token)])),
        (
            "another scheme",
            with([("Authorization", "Basic c2NyYXBlcjpzY3JhcGVy")]),
        ),
        (
            "two of them",
            with([("Authorization", &bearer), ("Authorization", "Bearer x")]),
        ),
        (
            "the token in the query",
            Attempt {
                query,
                ..Attempt::default()
            },
        ),
        ("a cookie", with([("Cookie", &cookie)])),
        (
            "a header like it",
            with([
                ("X-Authorization", &bearer),
                ("Proxy-Authorization", &bearer),
            ]),
        ),
        (
            "forwarded",
            with([
                ("X-Forwarded-For", "127.0.0.1"),
                ("X-Real-IP", "127.0.0.1"),
                ("Forwarded", "for=127.0.0.1;host=localhost"),
                ("X-Forwarded-Client-Cert", "Subject=\"CN=alertmanager\""),
                ("X-SSL-Client-Verify", "SUCCESS"),
                ("X-Forwarded-User", "root"),
                ("X-Forwarded-Authorization", &bearer),
                ("X-Original-Authorization", &bearer),
            ]),
        ),
    ]
}

#[test]
fn nothing_actuates_without_the_token_and_everything_does_with_it() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    machine.ctl(&["limit", "273.5"]);
    let guard = Guard::started(machine, 20, "policy: { recovery_delay: 10s }");
    let client = Client::plain(&guard);
    let token = guard.token();
    let bearer = format!("Bearer {token}");
    let attempts = wrong_ways(&token);
    let before = touched(&guard, &guard.metrics());
    for (how, attempt) in &attempts {
        for (method, path) in PATHS {
            assert_eq!(
                client.ask(method, path, attempt),
                401,
                "{how}: {method} {path}"
            );
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(touched(&guard, &guard.metrics()), before);
    let failures = guard
        .metrics()
        .get("thermal_guard_hook_auth_failures_total", &[]);
    let refused = u32::try_from(attempts.len() * PATHS.len()).unwrap();
    assert_eq!(failures, Some(f64::from(refused)));
    assert!(!guard.log().contains(&token), "no token in the log");

    let right = with([("Authorization", &bearer)]);
    let posted = Instant::now();
    assert_eq!(client.ask("POST", "/hook", &right), 200);
    guard.wait_gpu(0, "held", |card| limit(card) == 100.0);
    measured(
        "emergency at the hook to limit on the GPU, 20 times as fast",
        posted,
    );
    for (method, path) in PATHS {
        let code = client.ask(method, path, &right);
        assert!((200..300).contains(&code), "{method} {path}: {code}");
    }
    let resolved = delivery("resolved", "emergency", 0, SystemTime::now());
    assert_eq!(guard.hook(&resolved), 200);
    assert!([200, 404].contains(&client.ask("DELETE", "/api/v1/leases/0", &right)));
    guard.assert_given_back();
}

/// A client that trusts `ca`; with a certificate in this name, or without one.
fn client(ca: &Ca, guard: &Guard, name: Option<&str>) -> Client {
    let root = Certificate::from_pem(ca.pem.as_bytes()).unwrap();
    let own = name.map(|name| {
        let [cert, key] = ca.issue(SanType::DnsName(name.try_into().unwrap()));
        let cert = Certificate::from_pem(cert.as_bytes()).unwrap();
        let key = PrivateKey::from_pem(key.as_bytes()).unwrap();
        ClientCert::new_with_certs(&[cert], key)
    });
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[root]))
        .client_cert(own)
        .build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .tls_config(tls);
    Client {
        agent: config.build().into(),
        base: format!("https://{}", guard.address()),
    }
}

/// TLS with client certificates of `ca`, and a password for readers.
fn speak_tls(guard: &mut Guard, ca: &Ca) {
    let [cert, key] = ca.issue(SanType::IpAddress([127, 0, 0, 1].into()));
    let password = bcrypt::hash("scraper", 4).unwrap();
    let web = format!(
        "tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_ca_file: ca.pem
  client_auth_type: VerifyClientCertIfGiven
basic_auth_users: {{ scraper: '{password}' }}
"
    );
    for (name, text) in [
        ("cert.pem", &cert),
        ("key.pem", &key),
        ("ca.pem", &ca.pem),
        ("web.yml", &web),
    ] {
        fs::write(guard.path(name), text).unwrap();
    }
    guard.flag(&format!(
        "--web.config.file={}",
        guard.path("web.yml").display()
    ));
}

#[test]
fn over_tls_the_scrapers_certificate_and_password_read_and_only_an_allowed_name_actuates() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    machine.ctl(&["limit", "273.5"]);
    let config = "
policy: { recovery_delay: 10s }
hook: { lease: 3s, client_allowed_sans: [alertmanager.example] }
";
    let mut guard = Guard::new(machine, 20, config);
    let ca = Ca::new();
    speak_tls(&mut guard, &ca);
    guard.launch();

    let scraper = client(&ca, &guard, Some("prometheus.example"));
    let nobody = client(&ca, &guard, None);
    let alertmanager = client(&ca, &guard, Some("alertmanager.example"));
    // "scraper:scraper"
    let password = &with([("Authorization", "Basic c2NyYXBlcjpzY3JhcGVy")]);
    let none = &Attempt::default();
    let ready = || {
        nobody
            .metrics(password)
            .is_some_and(|metrics| metrics.state(0).is_some())
    };
    assert!(
        wait_until(PATIENCE, ready),
        "ready, and the scraper can read"
    );
    assert!(nobody.metrics(none).is_none(), "nobody else can");

    let before = touched(&guard, &scraper.metrics(password).unwrap());
    for (method, path) in PATHS {
        let ask = |client: &Client, attempt: &Attempt| client.ask(method, path, attempt);
        let refused = [
            ask(&scraper, none),
            ask(&scraper, password),
            ask(&nobody, none),
            ask(&nobody, password),
        ];
        for code in refused {
            assert!([401, 403].contains(&code), "{method} {path}: {refused:?}");
        }
    }
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(touched(&guard, &scraper.metrics(password).unwrap()), before);

    assert_eq!(alertmanager.ask("POST", "/hook", none), 200);
    guard.wait_gpu(0, "held", |card| limit(card) == 100.0);
    // No `resolved`: the lease ends by itself.
    guard.wait_gpu(0, "given back", |card| {
        limit(card) == 273.5 && card["sm_lock_mhz"].is_null()
    });
    let normal = || scraper.metrics(password).unwrap().state(0) == Some("normal");
    assert!(wait_until(PATIENCE, normal));

    // Beside the certificates, the guard's own token goes on counting, and alone once none is allowed.
    let token = &with([("Authorization", &format!("Bearer {}", guard.token()))]);
    assert_eq!(nobody.ask("POST", "/hook", token), 200);
    guard.configure("hook: { lease: 3s, client_allowed_sans: [] }");
    assert_eq!(nobody.ask("POST", "/-/reload", token), 200);
    assert_eq!(alertmanager.ask("POST", "/hook", none), 403);
    assert_eq!(nobody.ask("POST", "/hook", token), 200);
    guard.wait_gpu(0, "given back", |card| limit(card) == 273.5);
    assert_eq!(guard.stop(), Some(0));
    guard.assert_given_back();
}

#[test]
fn the_web_config_is_followed_and_a_spoiled_one_shuts_out_readers_alone() {
    let machine = Machine::warm(&["a100-80gb"], &["load=0.3"]);
    let mut guard = Guard::new(machine, 20, "");
    let web = guard.path("web.yml");
    let user = |password: &str| {
        let hash = bcrypt::hash(password, 4).unwrap();
        format!("basic_auth_users: {{ scraper: '{hash}' }}\n")
    };
    fs::write(&web, "").unwrap();
    guard.flag(&format!("--web.config.file={}", web.display()));
    guard.start();
    let client = Client::plain(&guard);
    let bearer = with([("Authorization", &format!("Bearer {}", guard.token()))]);
    // "scraper:scraper"
    let password = with([("Authorization", "Basic c2NyYXBlcjpzY3JhcGVy")]);
    let none = Attempt::default();
    let codes = || {
        let read = |attempt| client.ask("GET", "/metrics", attempt);
        let health = client.ask("GET", "/-/healthy", &none);
        [
            read(&none),
            read(&password),
            health,
            client.ask("POST", "/hook", &bearer),
        ]
    };
    assert_eq!(
        codes(),
        [200, 200, 200, 200],
        "an empty file is open and plain"
    );
    fs::write(&web, user("scraper")).unwrap();
    assert_eq!(codes(), [401, 200, 200, 200]);
    fs::write(&web, user("another")).unwrap();
    assert_eq!(codes(), [401, 401, 200, 200]);
    fs::write(&web, "basic_auth_user: {}").unwrap();
    assert_eq!(codes(), [500, 500, 200, 200]);
    let said = guard.logged(&[
        "readers are answered 500 until it is corrected",
        "did you mean basic_auth_users?",
    ]);
    assert_eq!(said.len(), 1, "once: {}", guard.log());
    fs::write(&web, user("scraper")).unwrap();
    assert_eq!(codes(), [401, 200, 200, 200]);
    assert!(!guard.log().contains("$2b$"), "no hash in the log");
}
