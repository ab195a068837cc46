//! Claims about web config files. Those about certificates are in `web::http::listen`.

mod bad_inputs;
mod secrets;

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
    let warnings = config.warnings.join(", ");
    assert!(
        warnings.contains("min_version: TLS 1.2 is the oldest"),
        "{warnings}"
    );
    assert!(warnings.contains("http2: only HTTP/1.1"), "{warnings}");
    assert_eq!(config.warnings.len(), 2, "{warnings}");
    assert_eq!(config.headers.len(), 3, "an empty one isn't sent");
    assert_eq!(config.users["alice"], HASH);
    let limit = config.rate_limit.unwrap();
    assert_eq!((limit.interval, limit.burst), (Duration::from_secs(1), 20));
    assert_eq!(good("rate_limit: { interval: 0 }").rate_limit, None);
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
