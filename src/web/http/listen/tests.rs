//! The listener with real sockets and freshly made certificates.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::routing::get;
use hyper::body::Frame;
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, SanType,
};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, spawn_blocking};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::*;
use crate::clock::Clock;
use crate::web::access::live_config::SecurityError;

const LONG: Duration = Duration::from_secs(30);
const CONNECTIONS: usize = 16;

/// A certificate authority.
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key, both PEM.
struct Pair {
    cert: String,
    key: String,
}

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, pem }
    }

    fn issue(&self, sans: Vec<SanType>) -> Pair {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = sans;
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        let key = key.serialize_pem();
        Pair { cert, key }
    }

    /// For the address the tests connect to.
    fn issue_server(&self) -> Pair {
        self.issue(vec![SanType::IpAddress([127, 0, 0, 1].into())])
    }

    fn issue_client(&self, name: &str) -> Pair {
        let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
        let uri = SanType::URI("spiffe://example/am".try_into().unwrap());
        let mail = SanType::Rfc822Name("ops@example.org".try_into().unwrap());
        let address = SanType::IpAddress("2001:db8::1".parse().unwrap());
        self.issue(vec![dns(name), uri, mail, address])
    }
}

impl Pair {
    fn write(&self, dir: &Path) {
        fs::write(dir.join("key.pem"), &self.key).unwrap();
        fs::write(dir.join("cert.pem"), &self.cert).unwrap();
    }
}

/// A listener under test.
struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(security: Arc<LiveWebConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let endless = || async { Body::new(Endless) };
        // More than the kernel buffers for a client that doesn't read.
        let large = || async { vec![b'x'; 16 << 20] };
        let router = Router::new()
            .route("/peer", get(peer))
            .route("/endless", get(endless))
            .route("/large", get(large));
        let shutdown = async {
            let _ = stopped.await;
        };
        let task = tokio::spawn(serve(listener, CONNECTIONS, security, router, shutdown));
        Self {
            address,
            stop,
            task,
        }
    }

    /// Asks for the client's names, as a client that trusts `ca` and has `pair`.
    async fn ask(&self, ca: &Ca, pair: Option<&Pair>) -> Result<String, ureq::Error> {
        let url = format!("https://{}/peer", self.address);
        let root = Certificate::from_pem(ca.pem.as_bytes()).unwrap();
        let own = pair.map(|pair| {
            let cert = Certificate::from_pem(pair.cert.as_bytes()).unwrap();
            let key = PrivateKey::from_pem(pair.key.as_bytes()).unwrap();
            ClientCert::new_with_certs(&[cert], key)
        });
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[root]))
            .client_cert(own)
            .build();
        spawn_blocking(move || fetch(&url, tls)).await.unwrap()
    }
}

fn fetch(url: &str, tls: TlsConfig) -> Result<String, ureq::Error> {
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(LONG))
        .proxy(None)
        .build();
    config
        .new_agent()
        .get(url)
        .call()?
        .body_mut()
        .read_to_string()
}

async fn peer(Extension(peer): Extension<Peer>) -> String {
    let sans = peer
        .certificate
        .map(|certificate| certificate.sans.join(" "));
    format!("{} {}", peer.address.ip(), sans.unwrap_or_default())
        .trim()
        .to_owned()
}

/// Like an event stream on which nothing happens.
struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Pending
    }
}

/// The web config of a file with this text, in that directory.
fn tls(dir: &Path, rest: &str) -> Result<Arc<LiveWebConfig>, SecurityError> {
    let path = dir.join("web.yml");
    fs::write(&path, settings(rest)).unwrap();
    LiveWebConfig::load(Some(&path), Clock::start(1.0)).map(Arc::new)
}

fn settings(rest: &str) -> String {
    format!("tls_server_config: {{ cert_file: cert.pem, key_file: key.pem, {rest} }}")
}

fn plain() -> Arc<LiveWebConfig> {
    Arc::new(LiveWebConfig::load(None, Clock::start(1.0)).unwrap())
}

/// A directory with a server's pair and a client CA, and the authority of both.
fn certificates() -> (TempDir, Ca) {
    let (dir, ca) = (TempDir::new().unwrap(), Ca::new());
    ca.issue_server().write(dir.path());
    fs::write(dir.path().join("ca.pem"), &ca.pem).unwrap();
    (dir, ca)
}

const REQUIRED: &str = "client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert";
const IF_GIVEN: &str = "client_ca_file: ca.pem, client_auth_type: VerifyClientCertIfGiven";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_the_authority_is_served() {
    let (dir, ca) = certificates();
    let server = Server::start(tls(dir.path(), "").unwrap()).await;
    assert_eq!(server.ask(&ca, None).await.unwrap(), "127.0.0.1");
    assert!(
        server.ask(&Ca::new(), None).await.is_err(),
        "the client checks"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_choice_of_protocol_still_connects() {
    let (dir, ca) = certificates();
    for rest in [
        "max_version: TLS12",
        "min_version: TLS13",
        "max_version: TLS12, cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]",
        "curve_preferences: [CurveP384]",
    ] {
        let server = Server::start(tls(dir.path(), rest).unwrap()).await;
        assert!(server.ask(&ca, None).await.is_ok(), "{rest}");
    }
    let rsa_only = "max_version: TLS12, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]";
    let server = Server::start(tls(dir.path(), rsa_only).unwrap()).await;
    assert!(server.ask(&ca, None).await.is_err(), "the key is ECDSA");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_gets_nothing_from_a_tls_listener() {
    let (dir, _) = certificates();
    let server = Server::start(tls(dir.path(), "").unwrap()).await;
    let url = format!("http://{}/peer", server.address);
    let answer = spawn_blocking(move || fetch(&url, TlsConfig::default())).await;
    assert!(answer.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_listener_tells_the_peer() {
    let server = Server::start(plain()).await;
    let url = format!("http://{}/peer", server.address);
    let answer = spawn_blocking(move || fetch(&url, TlsConfig::default())).await;
    assert_eq!(answer.unwrap().unwrap(), "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_certificate_is_required_verified_and_named() {
    let (dir, ca) = certificates();
    let server = Server::start(tls(dir.path(), REQUIRED).unwrap()).await;
    let own = ca.issue_client("am.example");
    let named = "127.0.0.1 am.example spiffe://example/am ops@example.org 2001:db8::1";
    assert_eq!(server.ask(&ca, Some(&own)).await.unwrap(), named);
    assert!(server.ask(&ca, None).await.is_err());
    let foreign = Ca::new().issue_client("am.example");
    assert!(server.ask(&ca, Some(&foreign)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_need_not_be_given_must_be_right_if_it_is() {
    let (dir, ca) = certificates();
    let server = Server::start(tls(dir.path(), IF_GIVEN).unwrap()).await;
    assert_eq!(server.ask(&ca, None).await.unwrap(), "127.0.0.1");
    let foreign = Ca::new().issue_client("am.example");
    assert!(server.ask(&ca, Some(&foreign)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_names_are_admitted() {
    let (dir, ca) = certificates();
    let rest = format!("{REQUIRED}, client_allowed_sans: [am.example, 192.0.2.1]");
    let server = Server::start(tls(dir.path(), &rest).unwrap()).await;
    let (listed, other) = (
        ca.issue_client("am.example"),
        ca.issue_client("am.example.org"),
    );
    assert!(server.ask(&ca, Some(&listed)).await.is_ok());
    assert!(server.ask(&ca, Some(&other)).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_any_kind_admits_and_no_other_of_its_kind() {
    let (dir, ca) = certificates();
    let own = ca.issue_client("am.example");
    for (listed, other) in [
        ("am.example", "prometheus.example"),
        ("'spiffe://example/am'", "'spiffe://example/prometheus'"),
        ("ops@example.org", "dev@example.org"),
        ("'2001:db8::1'", "'2001:db8::2'"),
    ] {
        let server = async |san: &str| {
            let rest = format!("{REQUIRED}, client_allowed_sans: [{san}]");
            let server = Server::start(tls(dir.path(), &rest).unwrap()).await;
            server.ask(&ca, Some(&own)).await
        };
        assert!(server(listed).await.is_ok(), "{listed}");
        assert!(server(other).await.is_err(), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_may_stand_in_the_file_itself() {
    let (dir, ca) = (TempDir::new().unwrap(), Ca::new());
    let pair = ca.issue_server();
    let block = |pem: &str| pem.trim().replace('\n', "\n    ");
    let yaml = format!(
        "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n  cert: |\n    {}\n  key: |\n    {}\n  client_ca: |\n    {}\n",
        block(&pair.cert),
        block(&pair.key),
        block(&ca.pem)
    );
    let path = dir.path().join("web.yml");
    fs::write(&path, yaml).unwrap();
    let security = LiveWebConfig::load(Some(&path), Clock::start(1.0)).unwrap();
    let server = Server::start(Arc::new(security)).await;
    let own = ca.issue_client("am.example");
    assert!(server.ask(&ca, Some(&own)).await.is_ok());
    assert!(server.ask(&ca, None).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_connection_is_by_the_file_as_it_is_then_or_last_was_good() {
    let (dir, ca) = certificates();
    let server = Server::start(tls(dir.path(), "").unwrap()).await;
    let own = ca.issue_client("am.example");
    let change = |yaml: &str| fs::write(dir.path().join("web.yml"), yaml).unwrap();
    assert!(server.ask(&ca, None).await.is_ok());
    change(&settings(REQUIRED));
    assert!(server.ask(&ca, None).await.is_err(), "wanted from now on");
    assert!(server.ask(&ca, Some(&own)).await.is_ok());
    for spoiled in [
        "tls_server_config: { min_versoin: TLS13 }",
        "basic_auth_users: {}",
        &settings("client_ca_file: gone.pem, client_auth_type: VerifyClientCertIfGiven"),
    ] {
        change(spoiled);
        assert!(
            server.ask(&ca, None).await.is_err(),
            "not opened: {spoiled}"
        );
        assert!(server.ask(&ca, Some(&own)).await.is_ok(), "{spoiled}");
    }
    change(&settings(&format!(
        "{REQUIRED}, client_allowed_sans: [other.example]"
    )));
    assert!(server.ask(&ca, Some(&own)).await.is_err());
    change(&settings(""));
    assert!(server.ask(&ca, None).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificates_are_used_and_half_renewed_ones_are_not() {
    let (dir, old) = certificates();
    let server = Server::start(tls(dir.path(), "").unwrap()).await;
    assert!(server.ask(&old, None).await.is_ok());
    let new = Ca::new();
    let pair = new.issue_server();
    fs::write(dir.path().join("cert.pem"), &pair.cert).unwrap();
    assert!(
        server.ask(&old, None).await.is_ok(),
        "the key doesn't fit yet"
    );
    fs::write(dir.path().join("key.pem"), &pair.key).unwrap();
    assert!(server.ask(&new, None).await.is_ok());
    assert!(server.ask(&old, None).await.is_err());
}

#[test]
fn certificates_that_cannot_be_used_say_why() {
    let (dir, _) = certificates();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    let complaint = |rest: &str| {
        let error = tls(dir.path(), rest).err().expect("must be refused");
        let (file, what) = error
            .to_string()
            .split_once(": tls_server_config: ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        assert!(file.ends_with("web.yml"), "{file}");
        what
    };
    write("ca.pem", "no PEM");
    let error = complaint(REQUIRED);
    assert!(error.starts_with("client CA: "), "{error}");
    fs::remove_file(dir.path().join("ca.pem")).unwrap();
    let error = complaint(REQUIRED);
    assert!(
        error.starts_with("client CA: ") && error.contains("ca.pem"),
        "{error}"
    );

    let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    write("key.pem", &other.serialize_pem());
    let error = complaint("");
    assert!(
        error.starts_with("certificate, key or protocol: "),
        "{error}"
    );
    write("key.pem", "");
    let error = complaint("");
    assert!(
        error.starts_with("key: /") && error.contains("key.pem: no usable PEM"),
        "{error}"
    );
    for encrypted in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIhush\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A\n\nMIIhush\n-----END RSA PRIVATE KEY-----\n",
    ] {
        write("key.pem", encrypted);
        let error = complaint("");
        assert!(
            error.contains("it is encrypted") && error.contains("openssl pkey"),
            "{error}"
        );
        assert!(!error.contains("hush"), "{error}");
    }
    write(
        "cert.pem",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    let error = complaint("");
    assert!(error.contains("cert.pem: no usable PEM"), "{error}");
    write("cert.pem", "");
    let error = complaint("");
    assert!(error.contains("cert.pem: it has none"), "{error}");
    fs::remove_file(dir.path().join("cert.pem")).unwrap();
    let error = complaint("");
    assert!(
        error.starts_with("certificate: ") && error.contains("cert.pem"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_finishes_its_request_is_disconnected() {
    let (dir, _) = certificates();
    for security in [plain(), tls(dir.path(), "").unwrap()] {
        let server = Server::start(security).await;
        let answer = spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(server.address).unwrap();
            stream.set_read_timeout(Some(LONG)).unwrap();
            stream.write_all(b"\x16").unwrap();
            stream.read_to_end(&mut Vec::new())
        });
        // An end or a reset, not this test's timeout.
        let kind = answer.await.unwrap().err().map(|error| error.kind());
        assert_ne!(kind, Some(io::ErrorKind::WouldBlock));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_its_answer_is_disconnected() {
    let server = Server::start(plain()).await;
    let address = server.address;
    let answer = spawn_blocking(move || {
        let deaf = (0..CONNECTIONS).map(|_| {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")?;
            Ok(stream)
        });
        let deaf: Vec<_> = deaf.collect::<io::Result<_>>().unwrap();
        let answer = fetch(&format!("http://{address}/peer"), TlsConfig::default());
        drop(deaf);
        answer
    });
    assert_eq!(answer.await.unwrap().unwrap(), "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_no_stream() {
    let server = Server::start(plain()).await;
    let address = server.address;
    let asked = spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.write_all(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")?;
        let mut head = [0; 15];
        stream.read_exact(&mut head).map(|()| (head, stream))
    });
    let (head, _open) = asked.await.unwrap().unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    server.stop.send(()).unwrap();
    timeout(LONG, server.task).await.unwrap().unwrap();
}
