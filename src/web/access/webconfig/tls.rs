//! `tls_server_config`: certificates, who may connect, and the accepted protocols.

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio_rustls::rustls::crypto::SupportedKxGroup;
use tokio_rustls::rustls::crypto::ring::{cipher_suite, kx_group};
use tokio_rustls::rustls::{SupportedCipherSuite, SupportedProtocolVersion, version};

use crate::config::tree::section::Section;
use crate::config::tree::shown::quoted;
use crate::config::tree::value::{Wrong, boolean, choice, list, secret_file, text};

/// How connections are secured.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsSettings {
    pub cert: Pem,
    pub key: Pem,
    pub client_ca: Option<Pem>,
    pub client_auth: ClientAuth,
    /// A client's certificate needs one of these names; empty: any name will do.
    pub client_allowed_sans: Vec<String>,
    pub versions: Vec<&'static SupportedProtocolVersion>,
    /// `None`: all of rustls's.
    pub cipher_suites: Option<Vec<SupportedCipherSuite>>,
    pub prefer_server_cipher_suites: bool,
    /// Go's names, most preferred first; `None`: all of rustls's.
    pub curves: Option<Vec<Curve>>,
}

/// PEM text, in the file itself or in another one.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    Inline(String),
    /// Read again when it changes.
    File(PathBuf),
}

/// Keeps an inline key out of logs.
impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(_) => f.write_str("Inline(..)"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Which certificates clients must show. The guard never asks for a certificate without verifying it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClientAuth {
    #[default]
    None,
    VerifyIfGiven,
    Require,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Curve {
    P256,
    P384,
    X25519,
}

impl Curve {
    pub(crate) fn group(self) -> &'static dyn SupportedKxGroup {
        match self {
            Self::P256 => kx_group::SECP256R1,
            Self::P384 => kx_group::SECP384R1,
            Self::X25519 => kx_group::X25519,
        }
    }
}

/// `None`: incomplete, which is reported; or an empty section, which means no TLS.
pub(crate) fn read(
    section: &mut Section<'_>,
    dir: &Path,
    warnings: &mut Vec<String>,
) -> Option<TlsSettings> {
    if section.is_empty() {
        return None;
    }
    let cert = pem(section, ["cert", "cert_file"], dir);
    let key = pem(section, ["key", "key_file"], dir);
    // A wrong value is reported already. A null value counts as missing: it must not mean plain HTTP.
    for [inline, file] in [["cert", "cert_file"], ["key", "key_file"]] {
        if !section.took(inline) && !section.took(file) {
            section.wrong(file, Wrong::new("is missing", "a path, or the PEM inline"));
        }
    }
    let client_ca = pem(section, ["client_ca", "client_ca_file"], dir);
    let client_auth = section.take("client_auth_type", client_auth);
    let allowed = |value: &Value| match value {
        Value::Array(names) if names.is_empty() => Ok(Vec::new()),
        names => list(text)(names),
    };
    let client_allowed_sans = section.nullable("client_allowed_sans", allowed);
    let settings = TlsSettings {
        client_ca,
        client_auth: client_auth.unwrap_or_default(),
        client_allowed_sans: client_allowed_sans.unwrap_or_default(),
        versions: versions(section, warnings),
        cipher_suites: cipher_suites(section),
        prefer_server_cipher_suites: section
            .take("prefer_server_cipher_suites", boolean)
            .unwrap_or(true),
        curves: section.nullable("curve_preferences", list(curve)),
        cert: cert?,
        key: key?,
    };
    if client_auth.is_some() || !section.took("client_auth_type") {
        check_client_auth(section, &settings);
    }
    Some(settings)
}

/// Inline or in a file, but not both. Errors never repeat inline PEM.
fn pem(section: &mut Section<'_>, keys: [&'static str; 2], dir: &Path) -> Option<Pem> {
    let inline = section.nullable(keys[0], |value| match value {
        Value::String(pem) if pem.contains("-----BEGIN ") => Ok(Pem::Inline(pem.clone())),
        Value::String(_) => Err(Wrong::new("isn't PEM text", "-----BEGIN ...")),
        other => Err(Wrong::of(other, "PEM text")),
    });
    let file = section.nullable(keys[1], secret_file(dir)).map(Pem::File);
    if inline.is_some() && file.is_some() {
        let problem = format!("is given beside {}", keys[0]);
        section.wrong(keys[1], Wrong::new(problem, "one of them"));
    }
    inline.or(file)
}

fn client_auth(value: &Value) -> Result<ClientAuth, Wrong> {
    let unverified = matches!(
        value.as_str(),
        Some("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert")
    );
    let known = [
        ("NoClientCert", ClientAuth::None),
        ("VerifyClientCertIfGiven", ClientAuth::VerifyIfGiven),
        ("RequireAndVerifyClientCert", ClientAuth::Require),
    ];
    choice(&known)(value).map_err(|wrong| {
        if unverified {
            let problem = "takes certificates without verifying them, which is not supported";
            Wrong::new(problem, wrong.accepted)
        } else {
            wrong
        }
    })
}

fn check_client_auth(section: &Section<'_>, settings: &TlsSettings) {
    let verifies = settings.client_auth != ClientAuth::None;
    let needs = "VerifyClientCertIfGiven or RequireAndVerifyClientCert";
    match (&settings.client_ca, verifies) {
        (Some(_), false) => {
            let problem = "is needed with a client CA, which would do nothing";
            section.wrong("client_auth_type", Wrong::new(problem, needs));
        }
        (None, true) => {
            let problem = "is missing: there is nothing to verify certificates by";
            section.wrong("client_ca_file", Wrong::new(problem, "a path"));
        }
        (None, false) if !settings.client_allowed_sans.is_empty() => {
            let problem = "is needed with client_allowed_sans, which would do nothing";
            section.wrong("client_auth_type", Wrong::new(problem, needs));
        }
        _ => {}
    }
}

/// rustls begins with TLS 1.2. An older minimum is read as 1.2; an older maximum leaves no version.
fn versions(
    section: &mut Section<'_>,
    warnings: &mut Vec<String>,
) -> Vec<&'static SupportedProtocolVersion> {
    let names = [("TLS10", 10), ("TLS11", 11), ("TLS12", 12), ("TLS13", 13)];
    let min = section.take("min_version", choice(&names)).unwrap_or(12);
    let max = section.take("max_version", choice(&names)).unwrap_or(13);
    if min < 12 {
        warnings.push("tls_server_config.min_version: TLS 1.2 is the oldest spoken".to_owned());
    }
    if max < 12 {
        let problem = "is older than TLS 1.2, the oldest spoken";
        section.wrong("max_version", Wrong::new(problem, "TLS12, TLS13"));
    } else if min > max {
        let accepted = "min_version at most max_version";
        section.wrong("min_version", Wrong::new("is over max_version", accepted));
    }
    let all = [(12, &version::TLS12), (13, &version::TLS13)];
    let spoken = all.into_iter().filter(|(n, _)| (min..=max).contains(n));
    spoken.map(|(_, version)| version).collect()
}

/// By Go's names. As in Go, suites of TLS 1.3 may be named, but are always on.
fn cipher_suites(section: &mut Section<'_>) -> Option<Vec<SupportedCipherSuite>> {
    let suite = |value: &Value| {
        let name = text(value)?;
        let found = GO_SUITES.iter().find(|(go, _)| *go == name);
        found.map(|(_, suite)| *suite).ok_or_else(|| {
            let names: Vec<_> = GO_SUITES.iter().map(|(go, _)| *go).collect();
            Wrong::new(
                format!("has {}, which isn't offered", quoted(&name)),
                names.join(", "),
            )
        })
    };
    let mut suites = section.nullable("cipher_suites", list(suite))?;
    for (_, suite) in GO_SUITES {
        if suite.tls13().is_some() && !suites.contains(suite) {
            suites.push(*suite);
        }
    }
    Some(suites)
}

const GO_SUITES: &[(&str, SupportedCipherSuite)] = &[
    (
        "TLS_AES_128_GCM_SHA256",
        cipher_suite::TLS13_AES_128_GCM_SHA256,
    ),
    (
        "TLS_AES_256_GCM_SHA384",
        cipher_suite::TLS13_AES_256_GCM_SHA384,
    ),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

fn curve(value: &Value) -> Result<Curve, Wrong> {
    let curves = [
        ("CurveP256", Curve::P256),
        ("CurveP384", Curve::P384),
        ("X25519", Curve::X25519),
    ];
    choice(&curves)(value).map_err(|wrong| match value.as_str() {
        Some(name) => {
            let problem = format!("has {}, which isn't offered", quoted(name));
            Wrong::new(problem, wrong.accepted)
        }
        None => wrong,
    })
}
