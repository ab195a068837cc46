//! The client at the other end of a connection.

use std::net::{IpAddr, SocketAddr};

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The client of a connection; in the extensions of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// Verified, and admitted by the web config.
    pub certificate: Option<ClientCertificate>,
}

/// The verified certificate of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Its names: DNS, IP, e-mail and URI.
    pub sans: Vec<String>,
}

impl ClientCertificate {
    /// Without a name, if it can't be parsed.
    pub fn of(der: &CertificateDer<'_>) -> Self {
        let parsed = X509Certificate::from_der(der).ok();
        let names = parsed.as_ref().and_then(|(_, certificate)| {
            let extension = certificate.subject_alternative_name().ok()?;
            extension.map(|names| &names.value.general_names)
        });
        let sans = names.into_iter().flatten().filter_map(san).collect();
        Self { sans }
    }

    pub fn has_one_of(&self, allowed: &[String]) -> bool {
        self.sans.iter().any(|san| allowed.contains(san))
    }
}

fn san(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
            Some((*text).to_owned())
        }
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let v6 = || <[u8; 16]>::try_from(*bytes).map(IpAddr::from);
            v4.or_else(|_| v6()).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}
