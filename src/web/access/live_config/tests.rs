//! The rules for readers with a real file, through the router.

use std::fs;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Request, header};
use axum::routing::{get, post};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::web::access::readers::guarded;

/// "alice:secret", "alice:other", "bob:secret"
const ALICE: &str = "Basic YWxpY2U6c2VjcmV0";
const ALICE_OTHER: &str = "Basic YWxpY2U6b3RoZXI=";
const BOB: &str = "Basic Ym9iOnNlY3JldA==";

struct Bench {
    dir: TempDir,
    security: Arc<LiveWebConfig>,
    app: Router,
}

impl Bench {
    fn with(yaml: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("web.yml"), yaml).unwrap();
        let path = dir.path().join("web.yml");
        let security = Arc::new(LiveWebConfig::load(Some(&path), Clock::start(1.0)).unwrap());
        let own = [(header::CONTENT_SECURITY_POLICY, "default-src 'none'")];
        let app = Router::new()
            .route("/metrics", get(async || "metrics"))
            .route("/page", get(async move || (own, "page")))
            .route("/-/healthy", get(async || "healthy"))
            .route("/hook", post(async || "taken"));
        let app = guarded(app, security.clone());
        Self { dir, security, app }
    }

    fn write(&self, yaml: &str) {
        fs::write(self.dir.path().join("web.yml"), yaml).unwrap();
    }

    async fn ask(&self, path: &str, credential: Option<&str>) -> (u16, HeaderMap) {
        let method = if path == "/hook" { "POST" } else { "GET" };
        let mut request = Request::builder().method(method).uri(path);
        if let Some(credential) = credential {
            request = request.header(header::AUTHORIZATION, credential);
        }
        let answer = self
            .app
            .clone()
            .oneshot(request.body(Body::empty()).unwrap());
        let answer = answer.await.unwrap();
        (answer.status().as_u16(), answer.headers().clone())
    }

    async fn code(&self, path: &str, credential: Option<&str>) -> u16 {
        self.ask(path, credential).await.0
    }
}

fn users(password: &str) -> String {
    let hash = bcrypt::hash(password, 4).unwrap();
    format!("basic_auth_users: {{ alice: \"{hash}\" }}\n")
}

#[tokio::test]
async fn a_password_is_asked_of_readers_without_tls_as_well() {
    let bench = Bench::with(&users("secret"));
    assert_eq!(bench.code("/metrics", Some(ALICE)).await, 200);
    for wrong in [None, Some(ALICE_OTHER), Some(BOB), Some("Bearer x")] {
        let (code, headers) = bench.ask("/metrics", wrong).await;
        assert_eq!(code, 401, "{wrong:?}");
        assert_eq!(headers[header::WWW_AUTHENTICATE], "Basic");
    }
    for path in ["/-/healthy", "/hook"] {
        assert_eq!(bench.code(path, None).await, 200, "{path} has no such gate");
    }
}

#[tokio::test]
async fn a_changed_file_counts_from_the_next_request() {
    let bench = Bench::with(&users("secret"));
    assert_eq!(bench.code("/metrics", Some(ALICE)).await, 200);
    bench.write(&users("other"));
    assert_eq!(
        bench.code("/metrics", Some(ALICE)).await,
        401,
        "not from memory"
    );
    assert_eq!(bench.code("/metrics", Some(ALICE_OTHER)).await, 200);
    bench.write("http_server_config: { headers: { X-Frame-Options: deny } }");
    let (code, headers) = bench.ask("/metrics", None).await;
    assert_eq!(
        (code, &headers[header::X_FRAME_OPTIONS]),
        (200, &HeaderValue::from_static("deny"))
    );
    bench.write("");
    let (code, headers) = bench.ask("/metrics", None).await;
    assert_eq!((code, headers.get(header::X_FRAME_OPTIONS)), (200, None));
}

#[tokio::test]
async fn a_spoiled_file_stops_readers_only_and_until_it_is_mended() {
    let good = users("secret");
    let bench = Bench::with(&good);
    let spoil: [&dyn Fn(); 5] = [
        &|| bench.write("basic_auth_user: {}"),
        &|| bench.write("basic_auth_users: { alice: secret }"),
        &|| bench.write("tls_server_config: { cert_file: c.pem, key_file: k.pem }"),
        &|| fs::write(bench.dir.path().join("web.yml"), b"\xff").unwrap(),
        &|| fs::remove_file(bench.dir.path().join("web.yml")).unwrap(),
    ];
    for (n, spoil) in spoil.iter().enumerate() {
        spoil();
        for credential in [None, Some(ALICE), Some(ALICE_OTHER)] {
            assert_eq!(bench.code("/metrics", credential).await, 500, "{n}");
        }
        for path in ["/-/healthy", "/hook"] {
            assert_eq!(bench.code(path, None).await, 200, "{n}: {path}");
        }
        bench.write(&good);
        assert_eq!(bench.code("/metrics", Some(ALICE)).await, 200, "{n}");
        assert_eq!(bench.code("/metrics", None).await, 401, "{n}");
    }
}

#[tokio::test]
async fn headers_stand_on_every_answer_and_displace_none_of_its_own() {
    let headers = "http_server_config: { headers: { X-Frame-Options: deny, Content-Security-Policy: \"default-src 'self'\" } }\n";
    let bench = Bench::with(&format!(
        "{}{headers}rate_limit: {{ interval: 1h, burst: 3 }}",
        users("secret")
    ));
    let answers = [
        ("/metrics", Some(ALICE), 200),
        ("/metrics", None, 401),
        ("/page", Some(ALICE), 200),
        ("/metrics", Some(ALICE), 429),
        ("/-/healthy", None, 200),
        ("/hook", None, 200),
    ];
    for (path, credential, wanted) in answers {
        let (code, headers) = bench.ask(path, credential).await;
        assert_eq!(code, wanted, "{path}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "deny", "{path}");
        let policy = if path == "/page" {
            "default-src 'none'"
        } else {
            "default-src 'self'"
        };
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], policy, "{path}");
    }
}

#[tokio::test]
async fn without_a_web_config_nothing_is_asked_or_looked_at() {
    let security = Arc::new(LiveWebConfig::load(None, Clock::start(1.0)).unwrap());
    let app = Router::new().route("/metrics", get(async || "metrics"));
    let app = guarded(app, security.clone());
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), 200);
    assert!(security.tls().await.is_none());
}

#[tokio::test]
async fn a_complaint_names_file_and_key_and_is_made_once() {
    let bench = Bench::with("");
    bench.write("\nbasic_auth_user: {}");
    for _ in 0..3 {
        assert_eq!(bench.code("/metrics", None).await, 500);
        let complaint = bench.security.seen.lock().complaint.clone().unwrap();
        assert!(complaint.contains("web.yml is not valid"), "{complaint}");
        assert!(
            complaint.contains("did you mean basic_auth_users? (line 2)"),
            "{complaint}"
        );
    }
}
