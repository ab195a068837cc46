//! Claims about web config files. The certificates' own claims are in `web::tls`.

use super::*;

const PAIR: &str = "cert_file: c.pem, key_file: k.pem";
const HASH: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

fn read(yaml: &str) -> Result<WebConfig, ConfigErrors> {
    WebConfig::from_yaml_in(yaml, Path::new("/etc/guard"))
}

fn good(yaml: &str) -> WebConfig {
    read(yaml).unwrap_or_else(|errors| panic!("{yaml}\n{errors}"))
}

fn tls(rest: &str) -> String {
    format!("tls_server_config: {{ {PAIR}, {rest} }}")
}

#[test]
fn an_empty_file_is_open_and_plain() {
    for empty in [
        "",
        "tls_server_config:\n",
        "tls_server_config: {}",
        "basic_auth_users: {}",
    ] {
        assert_eq!(good(empty), WebConfig::default(), "{empty}");
    }
}

#[test]
fn everything_of_the_toolkit_that_can_be_done_is_understood() {
    let config = good(&format!(
        r#"
tls_server_config:
  cert_file: c.pem
  key_file: /keys/k.pem
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example]
  min_version: TLS10
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256, X25519]
http_server_config:
  http2: true
  headers:
    X-Frame-Options: DENY
    X-XSS-Protection: 0
    Content-Security-Policy: ""
    Strict-Transport-Security: max-age=31536000
basic_auth_users: {{ alice: "{HASH}" }}
rate_limit: {{ interval: 1s, burst: 20 }}
"#
    ));
    let tls = config.tls.unwrap();
    assert_eq!(tls.cert, Pem::File("/etc/guard/c.pem".into()));
    assert_eq!(tls.key, Pem::File("/keys/k.pem".into()));
    assert_eq!(tls.client_auth, ClientAuth::Require);
    assert_eq!(tls.versions.len(), 2);
    assert_eq!(
        tls.cipher_suites.unwrap().len(),
        4,
        "TLS 1.3 is not configurable"
    );
    assert_eq!(
        config.warnings.len(),
        1,
        "TLS10 is not spoken, but is a minimum"
    );
    assert_eq!(config.headers.len(), 3, "an empty one isn't sent");
    assert_eq!(config.users["alice"], HASH);
    let limit = config.rate_limit.unwrap();
    assert_eq!((limit.interval, limit.burst), (Duration::from_secs(1), 20));
    assert_eq!(good("rate_limit: { interval: 0 }").rate_limit, None);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table, one line per mistake")]
fn each_mistake_names_its_key_and_nothing_else_is_blamed() {
    let ca = "client_ca_file: ca.pem";
    let table = [
        ("tls_config: {}", "tls_config"),
        ("tls_server_config: on", "tls_server_config"),
        (
            "tls_server_config: { cert_file: c, key_file: null }",
            "tls_server_config.key_file",
        ),
        (
            "tls_server_config: { cert_file: c.pem }",
            "tls_server_config.key_file",
        ),
        (
            "tls_server_config: { key_file: k.pem }",
            "tls_server_config.cert_file",
        ),
        (
            "tls_server_config: { cert_file: 7, key_file: k }",
            "tls_server_config.cert_file",
        ),
        (
            "tls_server_config: { cert: c.pem, key_file: k }",
            "tls_server_config.cert",
        ),
        (
            &tls("cert: \"-----BEGIN CERTIFICATE-----\""),
            "tls_server_config.cert_file",
        ),
        (&tls("ciphers: []"), "tls_server_config.ciphers"),
        (&tls(ca), "tls_server_config.client_auth_type"),
        (
            &tls("client_allowed_sans: [a]"),
            "tls_server_config.client_auth_type",
        ),
        (
            &tls("client_auth_type: RequireAndVerifyClientCert"),
            "tls_server_config.client_ca_file",
        ),
        (
            &tls("client_auth_type: RequireAnyClientCert"),
            "tls_server_config.client_auth_type",
        ),
        (
            &tls("client_auth_type: RequestClientCert"),
            "tls_server_config.client_auth_type",
        ),
        (
            &tls("client_auth_type: Sometimes"),
            "tls_server_config.client_auth_type",
        ),
        (
            &tls("client_allowed_sans: a"),
            "tls_server_config.client_allowed_sans",
        ),
        (&tls("min_version: SSL30"), "tls_server_config.min_version"),
        (&tls("min_version: 1.2"), "tls_server_config.min_version"),
        (&tls("max_version: TLS11"), "tls_server_config.max_version"),
        (
            &tls("min_version: TLS13, max_version: TLS12"),
            "tls_server_config.min_version",
        ),
        (
            &tls("cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]"),
            "tls_server_config.cipher_suites",
        ),
        (&tls("cipher_suites: []"), "tls_server_config.cipher_suites"),
        (
            &tls("curve_preferences: [CurveP521]"),
            "tls_server_config.curve_preferences",
        ),
        (
            &tls("prefer_server_cipher_suites: 1"),
            "tls_server_config.prefer_server_cipher_suites",
        ),
        (
            "http_server_config: { http3: true }",
            "http_server_config.http3",
        ),
        (
            "http_server_config: { http2: maybe }",
            "http_server_config.http2",
        ),
        (
            "http_server_config: { headers: { Server: x } }",
            "http_server_config.headers.Server",
        ),
        (
            "http_server_config: { headers: { X-Frame-Options: allow } }",
            "http_server_config.headers.X-Frame-Options",
        ),
        (
            "http_server_config: { headers: { Content-Security-Policy: \"a\\r\\nb\" } }",
            "http_server_config.headers.Content-Security-Policy",
        ),
        (
            "basic_auth_users: { alice: secret }",
            "basic_auth_users.alice",
        ),
        ("basic_auth_users: { alice: 7 }", "basic_auth_users.alice"),
        ("basic_auth_users: { \"a:b\": x }", "basic_auth_users.a:b"),
        (
            &format!(
                "basic_auth_users: {{ a: \"{}\" }}",
                HASH.replace("10", "31")
            ),
            "basic_auth_users.a",
        ),
        (
            &format!("basic_auth_users: {{ a: \"{}\" }}", &HASH[..50]),
            "basic_auth_users.a",
        ),
        (
            &format!(
                "basic_auth_users: {{ a: \"{}\" }}",
                HASH.replace("QOa", "!!!")
            ),
            "basic_auth_users.a",
        ),
        ("rate_limit: { burst: 1 }", "rate_limit.interval"),
        ("rate_limit: { interval: 5 }", "rate_limit.interval"),
        ("rate_limit: { interval: 1s, burst: 0 }", "rate_limit.burst"),
        (
            "rate_limit: { interval: 1s, burst: -1 }",
            "rate_limit.burst",
        ),
        ("basic_auth_users: { a: x, a: y }", ""),
    ];
    for (yaml, path) in table {
        let errors = read(yaml).expect_err(yaml).0;
        let paths: Vec<_> = errors.iter().map(|error| error.path.as_str()).collect();
        assert_eq!(paths, [path], "{yaml}\n{}", ConfigErrors(errors.clone()));
    }
}

#[test]
fn secrets_are_not_repeated() {
    let key = "tls_server_config: { cert_file: c, key: \"-----BEGIN PRIVATE KEY-----\\nMIIhush\" }";
    assert!(!format!("{:?}", good(key)).contains("hush"));
    for yaml in [
        "basic_auth_users: { a: hush }",
        "tls_server_config: { cert_file: c, key: hush }",
    ] {
        let errors = read(yaml).unwrap_err().to_string();
        assert!(!errors.contains("hush"), "{errors}");
    }
}
