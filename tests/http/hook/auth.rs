//! Who may actuate, on every route that does.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use thermal_guard::units::Moment;
use thermal_guard::web::access::actuators::{AuthFailure, Tokens};
use thermal_guard::web::access::token_file;
use thermal_guard::web::http::peer::{ClientCertificate, Peer};
use thermal_guard::web::{self};

use crate::hook::bench::{Answer, Bench, GPU_0, TOKEN, alert, delivery, send};

const OTHER: &str = "ffffffffffffffffffffffffffffffff";

/// Every route of the contract that actuates, with a body that would.
fn actuating() -> Vec<(&'static str, String, String)> {
    let hook = delivery(&[alert("firing", "emergency")]).to_string();
    let lease = r#"{"gpu": "all", "level": "emergency", "for": "1h"}"#;
    let pause = r#"{"gpu": "all", "for": "1h"}"#;
    let path = str::to_owned;
    vec![
        ("POST", path("/hook"), hook),
        ("POST", path("/api/v1/leases"), lease.to_owned()),
        ("DELETE", format!("/api/v1/leases/{GPU_0}"), String::new()),
        ("POST", path("/api/v1/pauses"), pause.to_owned()),
        ("DELETE", format!("/api/v1/pauses/{GPU_0}"), String::new()),
        ("POST", path("/-/reload"), String::new()),
        ("POST", path("/-/detach"), String::new()),
        ("POST", path("/-/attach"), String::new()),
    ]
}

type Headers<'a> = &'a [(&'a str, &'a str)];

fn request(method: &str, path: &str, headers: Headers<'_>, body: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    let request = request.header(header::CONTENT_TYPE, "application/json");
    let add = |request: http::request::Builder, (name, value): &(&str, &str)| {
        request.header(*name, *value)
    };
    let request = headers.iter().fold(request, add);
    request.body(Body::from(body.to_owned())).unwrap()
}

fn peer(sans: Option<&[&str]>) -> Peer {
    Peer {
        address: "127.0.0.1:50000".parse().unwrap(),
        certificate: sans.map(|sans| ClientCertificate {
            sans: sans.iter().map(|&san| san.to_owned()).collect(),
        }),
    }
}

/// A heartbeat-free, lease-free request: what the gate says to it.
async fn attach(bench: &Bench, headers: Headers<'_>, peer: Option<Peer>) -> Answer {
    let mut request = request("POST", "/-/attach", headers, "");
    if let Some(peer) = peer {
        request.extensions_mut().insert(peer);
    }
    bench.send(request).await
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn without_a_right_credential_nothing_actuates_on_any_route() {
    let bench = Bench::allowing("alertmanager.example");
    let (wrong, right, close) = (bearer(OTHER), bearer(TOKEN), bearer(&TOKEN[..31]));
    let longer = bearer(&format!("{TOKEN}{TOKEN}"));
    let token_only = format!("Token {TOKEN}");
    let cases = [
        vec![],
        vec![("authorization", wrong.as_str())],
        vec![("authorization", &close)],
        vec![("authorization", &longer)],
        vec![("authorization", "Bearer ")],
        vec![("authorization", "Bearer")],
        vec![("authorization", TOKEN)],
        vec![("authorization", &token_only)],
        vec![("authorization", "Basic c2NyYXBlcjpwYXNzd29yZA==")],
        vec![("authorization", &right), ("authorization", &wrong)],
        vec![("proxy-authorization", &right)],
        vec![
            ("x-forwarded-for", "127.0.0.1"),
            ("forwarded", "for=127.0.0.1"),
        ],
        vec![("x-real-ip", "127.0.0.1"), ("x-forwarded-user", "root")],
        vec![("x-forwarded-authorization", &right), ("cookie", &right)],
        vec![("x-forwarded-client-cert", "DNS=alertmanager.example")],
        vec![
            ("x-http-method-override", "POST"),
            ("x-original-url", "/-/healthy"),
        ],
    ];
    for (method, path, body) in actuating() {
        for headers in &cases {
            let answer = bench.send(request(method, &path, headers, &body)).await;
            assert_eq!(answer.code, 401, "{method} {path} {headers:?}");
            assert_eq!(answer.headers[header::WWW_AUTHENTICATE], "Bearer");
            assert!(bench.is_untouched(), "{method} {path} {headers:?}");
        }
        for query in ["token", "access_token", "authorization"] {
            let path = format!("{path}?{query}={TOKEN}");
            let answer = bench.send(request(method, &path, &[], &body)).await;
            assert_eq!(answer.code, 401, "{method} {path}");
            assert!(bench.is_untouched(), "{method} {path}");
        }
        let mut scraper = request(method, &path, &[], &body);
        scraper
            .extensions_mut()
            .insert(peer(Some(&["prometheus.example"])));
        assert_eq!(bench.send(scraper).await.code, 403, "{method} {path}");
        assert!(bench.is_untouched(), "{method} {path}");
    }
}

#[tokio::test]
async fn the_right_token_actuates_on_every_route() {
    for (method, path, body) in actuating() {
        let bench = Bench::new();
        let right = bearer(TOKEN);
        let request = request(method, &path, &[("authorization", &right)], &body);
        // A detach waits for workers, and the bench has none: don't wait for it here.
        let answered = tokio::time::timeout(Duration::from_millis(300), bench.send(request)).await;
        let refused = answered.is_ok_and(|answer| !answer.code.is_success());
        assert!(!refused, "{method} {path}");
        let moves = !path.contains("GPU-") && path != "/-/attach";
        assert_eq!(bench.is_untouched(), !moves, "{method} {path}");
    }
}

#[tokio::test]
async fn a_certificate_actuates_by_an_allowed_name_only() {
    let bench = Bench::allowing_only("alertmanager.example");
    for (sans, code) in [
        (None, 401),
        (Some(&[][..]), 403),
        (Some(&["prometheus.example"]), 403),
        (Some(&["*.example"]), 403),
        (Some(&["alertmanager.example.evil"]), 403),
        (Some(&["prometheus.example", "Alertmanager.example"]), 200),
    ] {
        let answer = attach(&bench, &[], Some(peer(sans))).await;
        assert_eq!(answer.code.as_u16(), code, "{sans:?}");
    }
    let any_token = bearer(OTHER);
    let answer = attach(&bench, &[("authorization", &any_token)], None).await;
    assert_eq!(answer.code, 401, "there is no token at all");
}

#[tokio::test]
async fn a_certificate_alone_is_no_permission() {
    let bench = Bench::new();
    let answer = attach(&bench, &[], Some(peer(Some(&["alertmanager.example"])))).await;
    assert_eq!(answer.code, 403);
}

#[tokio::test]
async fn failures_are_counted_by_reason() {
    let bench = Bench::new();
    let wrong = bearer(OTHER);
    attach(&bench, &[], None).await;
    attach(&bench, &[("authorization", "Basic eDp5")], None).await;
    attach(&bench, &[("authorization", &wrong)], None).await;
    attach(&bench, &[], Some(peer(Some(&["x"])))).await;
    let counters = bench.counters();
    let counted = AuthFailure::ALL.map(|failure| {
        let reason = failure.name();
        counters.get(&format!("hook_auth_failures_total{{reason=\"{reason}\"}}"))
    });
    assert_eq!(counted, [1, 1, 1, 1, 0].map(Some));
}

#[tokio::test]
async fn two_tokens_are_right_while_one_replaces_the_other() {
    let bench = Bench::new();
    let file = bench.state.path().join("tokens");
    let (old, new) = (bearer(TOKEN), bearer(OTHER));
    let code = async |token: &str| attach(&bench, &[("authorization", token)], None).await.code;
    assert_eq!([code(&old).await, code(&new).await], [200, 401]);
    fs::write(&file, format!("{OTHER}\n{TOKEN}\n")).unwrap();
    until(async || code(&new).await == StatusCode::OK).await;
    assert_eq!(code(&old).await, 200);
    fs::write(&file, format!("{OTHER}\n")).unwrap();
    until(async || code(&old).await == StatusCode::UNAUTHORIZED).await;
    assert_eq!(code(&new).await, 200);
}

/// Within 10 s; the file is looked at once a second.
async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_bad_new_token_file_leaves_the_old_tokens_valid() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    fs::write(&path, TOKEN).unwrap();
    let tokens = Arc::new(Tokens::from_file(path.clone()).unwrap());
    let at = Moment::from_secs_f64;
    assert!(accepts(&tokens, TOKEN, at(0.0)).await);
    fs::write(&path, "short").unwrap();
    assert!(accepts(&tokens, TOKEN, at(2.0)).await);
    assert!(!accepts(&tokens, "short", at(4.0)).await);
    fs::remove_file(&path).unwrap();
    assert!(accepts(&tokens, TOKEN, at(6.0)).await);
    fs::write(&path, OTHER).unwrap();
    assert!(
        !accepts(&tokens, OTHER, at(6.9)).await,
        "looked at once a second"
    );
    assert!(accepts(&tokens, OTHER, at(7.1)).await);
    assert!(!accepts(&tokens, TOKEN, at(7.2)).await);
    for wrong in ["", &OTHER[1..], "f", &"f".repeat(33), &"f".repeat(10_000)] {
        assert!(!accepts(&tokens, wrong, at(8.0)).await, "{wrong}");
    }
}

/// As a request at that moment finds it.
async fn accepts(tokens: &Arc<Tokens>, token: &str, now: Moment) -> bool {
    tokens.follow(now).await;
    tokens.accepts(token.as_bytes())
}

#[tokio::test]
async fn the_first_start_makes_a_token_that_only_its_owner_can_read() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state");
    let bench = Bench::holding(Tokens::in_state_dir(&state));
    let file = state.join(token_file::FILE_NAME);
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = token_file::read(&file, token_file::Kept::ByTheGuard).unwrap();
    let right = bearer(&kept[0]);
    assert_eq!(
        attach(&bench, &[("authorization", &right)], None)
            .await
            .code,
        200
    );
    let again = Tokens::in_state_dir(&state);
    assert!(again.accepts(kept[0].as_bytes()));
    assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "no draft is left");
}

#[tokio::test]
async fn where_no_token_can_be_kept_nothing_actuates_and_the_answer_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("not-a-directory");
    fs::write(&file, "").unwrap();
    let bench = Bench::holding(Tokens::in_state_dir(&file));
    let right = bearer(TOKEN);
    for (method, path, body) in actuating() {
        let request = request(method, &path, &[("authorization", &right)], &body);
        let answer = bench.send(request).await;
        assert_eq!(answer.code, 403);
        assert!(
            answer.text.contains("hook.bearer_token_file"),
            "{}",
            answer.text
        );
        assert!(bench.is_untouched());
    }
}

#[tokio::test]
async fn with_two_listeners_only_the_one_actuates() {
    let bench = Bench::new();
    let shows = web::reading_router(bench.app.clone());
    let acts = web::router(bench.app.clone());
    let right = bearer(TOKEN);
    for (method, path, body) in actuating() {
        assert!(web::actuates(&path), "{path}");
        let request = || request(method, &path, &[("authorization", &right)], &body);
        let answer = send(&shows, request()).await;
        assert_eq!(answer.code, 403, "{method} {path}");
        assert!(answer.text.contains("--web.actuate.listen-address"));
        assert!(bench.is_untouched(), "{method} {path}");
    }
    for path in [
        "/",
        "/metrics",
        "/-/healthy",
        "/api/v1/status",
        "/hooks",
        "/api/v1/leasesx",
    ] {
        assert!(!web::actuates(path), "{path}");
    }
    let hook = &actuating()[0];
    let request = request(hook.0, &hook.1, &[("authorization", &right)], &hook.2);
    assert_eq!(send(&acts, request).await.count("accepted"), 1);
}
