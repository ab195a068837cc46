//! Bad inputs: the file's text, the key that the message names, and its remedy. Each text also replaces a
//! good file while requests are served: closed paths stay closed, and the corrected file counts again.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use tower::ServiceExt as _;

use super::*;
use crate::clock::Clock;
use crate::config::tests::counted;
use crate::web::access::live_config::LiveWebConfig;
use crate::web::access::readers::guarded;

/// "alice:secret"
const RIGHT: &str = "Basic YWxpY2U6c2VjcmV0";

async fn code(app: &Router, credential: &str) -> u16 {
    let request = Request::get("/").header("Authorization", credential);
    let answer = app
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await;
    answer.unwrap().status().as_u16()
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table, one row per mistake")]
async fn each_mistake_names_its_key_and_remedy_and_opens_nothing() {
    let ca = "client_ca_file: ca.pem";
    let bad_inputs = [
        (
            "tls_config: {}",
            "tls_config",
            "tls_server_config, http_server_config",
        ),
        ("tls_server_config: on", "tls_server_config", "a mapping"),
        (
            "tls_server_config: { cert_file: c, key_file: null }",
            "tls_server_config.key_file",
            "a path, or the PEM inline",
        ),
        (
            "tls_server_config: { cert_file: c.pem }",
            "tls_server_config.key_file",
            "a path, or the PEM inline",
        ),
        (
            "tls_server_config: { key_file: k.pem }",
            "tls_server_config.cert_file",
            "a path, or the PEM inline",
        ),
        (
            "tls_server_config: { cert_file: 7, key_file: k }",
            "tls_server_config.cert_file",
            "a path",
        ),
        (
            "tls_server_config: { cert: c.pem, key_file: k }",
            "tls_server_config.cert",
            "-----BEGIN",
        ),
        (
            &tls("cert: \"-----BEGIN CERTIFICATE-----\""),
            "tls_server_config.cert_file",
            "one of them",
        ),
        (
            &tls("ciphers: []"),
            "tls_server_config.ciphers",
            "cipher_suites",
        ),
        (
            &tls(ca),
            "tls_server_config.client_auth_type",
            "VerifyClientCertIfGiven or RequireAndVerifyClientCert",
        ),
        (
            &tls("client_allowed_sans: [a]"),
            "tls_server_config.client_auth_type",
            "VerifyClientCertIfGiven or RequireAndVerifyClientCert",
        ),
        (
            &tls("client_auth_type: RequireAndVerifyClientCert"),
            "tls_server_config.client_ca_file",
            "a path",
        ),
        (
            &tls("client_auth_type: RequireAnyClientCert"),
            "tls_server_config.client_auth_type",
            "VerifyClientCertIfGiven, RequireAndVerifyClientCert",
        ),
        (
            &tls("client_auth_type: RequestClientCert"),
            "tls_server_config.client_auth_type",
            "VerifyClientCertIfGiven, RequireAndVerifyClientCert",
        ),
        (
            &tls("client_auth_type: Sometimes"),
            "tls_server_config.client_auth_type",
            "VerifyClientCertIfGiven, RequireAndVerifyClientCert",
        ),
        (
            &tls("client_allowed_sans: a"),
            "tls_server_config.client_allowed_sans",
            "a list",
        ),
        (
            &tls("min_version: SSL30"),
            "tls_server_config.min_version",
            "TLS12, TLS13",
        ),
        (
            &tls("min_version: 1.2"),
            "tls_server_config.min_version",
            "TLS12, TLS13",
        ),
        (
            &tls("max_version: TLS11"),
            "tls_server_config.max_version",
            "TLS12, TLS13",
        ),
        (
            &tls("min_version: TLS13, max_version: TLS12"),
            "tls_server_config.min_version",
            "at most max_version",
        ),
        (
            &tls("cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]"),
            "tls_server_config.cipher_suites",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        ),
        (
            &tls("cipher_suites: []"),
            "tls_server_config.cipher_suites",
            "at least one",
        ),
        (
            &tls("curve_preferences: [CurveP521]"),
            "tls_server_config.curve_preferences",
            "CurveP256, CurveP384, X25519",
        ),
        (
            &tls("prefer_server_cipher_suites: 1"),
            "tls_server_config.prefer_server_cipher_suites",
            "true or false",
        ),
        (
            "http_server_config: { http3: true }",
            "http_server_config.http3",
            "did you mean http2?",
        ),
        (
            "http_server_config: { http2: maybe }",
            "http_server_config.http2",
            "true or false",
        ),
        (
            "http_server_config: { headers: { Server: x } }",
            "http_server_config.headers.Server",
            "X-Frame-Options",
        ),
        (
            "http_server_config: { headers: { X-Frame-Options: allow } }",
            "http_server_config.headers.X-Frame-Options",
            "deny, sameorigin",
        ),
        (
            "http_server_config: { headers: { Content-Security-Policy: \"a\\r\\nb\" } }",
            "http_server_config.headers.Content-Security-Policy",
            "visible characters",
        ),
        (
            "basic_auth_users: { alice: secret }",
            "basic_auth_users.alice",
            "of cost 4 to 16",
        ),
        (
            "basic_auth_users: { alice: 7 }",
            "basic_auth_users.alice",
            "of cost 4 to 16",
        ),
        (
            "basic_auth_users: { \"a:b\": x }",
            "basic_auth_users.a:b",
            "a name without colon",
        ),
        (
            &format!(
                "basic_auth_users: {{ a: \"{}\" }}",
                HASH.replace("10", "31")
            ),
            "basic_auth_users.a",
            "of cost 4 to 16",
        ),
        (
            &format!("basic_auth_users: {{ a: \"{}\" }}", &HASH[..50]),
            "basic_auth_users.a",
            "of cost 4 to 16",
        ),
        (
            &format!(
                "basic_auth_users: {{ a: \"{}\" }}",
                HASH.replace("QOa", "!!!")
            ),
            "basic_auth_users.a",
            "of cost 4 to 16",
        ),
        (
            "rate_limit: { burst: 1 }",
            "rate_limit.interval",
            "from 0s to 1h",
        ),
        (
            "rate_limit: { interval: 5 }",
            "rate_limit.interval",
            "from 0s to 1h",
        ),
        (
            "rate_limit: { interval: 1s, burst: 0 }",
            "rate_limit.burst",
            "1 to 1000000",
        ),
        (
            "rate_limit: { interval: 1s, burst: -1 }",
            "rate_limit.burst",
            "from 0 to 1000000",
        ),
        ("basic_auth_users: { a: x, a: y }", "", "keep one of them"),
        (
            "tls_server_config: { cert_file: \"\", key_file: k }",
            "tls_server_config.cert_file",
            "a path",
        ),
        (
            "tls_server_config: { cert_file: c, key_file: \"\" }",
            "tls_server_config.key_file",
            "a path",
        ),
        (
            &tls("curve_preferences: [Curve25519x]"),
            "tls_server_config.curve_preferences",
            "CurveP256, CurveP384, X25519",
        ),
        (
            &tls("cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA]"),
            "tls_server_config.cipher_suites",
            "TLS_AES_128_GCM_SHA256",
        ),
        (
            "http_server_config: { headers: { X-Content-Type-Options: sniff } }",
            "http_server_config.headers.X-Content-Type-Options",
            "nosniff",
        ),
        ("basic_auth_users: [alice]", "basic_auth_users", "a mapping"),
        ("rate_limit: 5", "rate_limit", "a mapping"),
        ("burst: 5", "burst", "accepted: tls_server_config"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("web.yml");
    let good = format!(
        "basic_auth_users: {{ alice: \"{}\" }}",
        bcrypt::hash("secret", 4).unwrap()
    );
    std::fs::write(&file, &good).unwrap();
    let security = LiveWebConfig::load(Some(&file), Clock::start(1.0)).unwrap();
    let app = Router::new().route("/", get(async || "open"));
    let app = guarded(app, Arc::new(security));
    for (yaml, path, remedy) in bad_inputs {
        let errors = read(yaml).expect_err(yaml).0;
        let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, [path], "{yaml}\n{}", ConfigErrors(errors.clone()));
        let said = errors[0].to_string();
        // Of a bad key, no more than its beginning.
        let known = path.rsplit_once('.').map_or("", |(section, _)| section);
        assert!(
            said.starts_with(known) && said.contains(remedy),
            "{yaml}\n{said}"
        );
        std::fs::write(&file, yaml).unwrap();
        let spoiled = [code(&app, RIGHT).await, code(&app, "Basic eDp5").await];
        assert_eq!(spoiled, [500, 500], "{yaml}");
        std::fs::write(&file, &good).unwrap();
        let mended = [code(&app, RIGHT).await, code(&app, "Basic eDp5").await];
        assert_eq!(mended, [200, 401], "{yaml}");
    }
    counted(&bad_inputs.map(|(yaml, ..)| yaml), "web config");
}
