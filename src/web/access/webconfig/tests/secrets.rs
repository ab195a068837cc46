//! Whatever is mistyped in a web config, no message repeats a piece of a hash or a key: neither messages
//! about the file nor about the certificates that it names.

use proptest::prelude::*;

use super::*;
use crate::config::tests::secrets::{config, slipped, slips, tells_nothing};
use crate::web::http::tls::TlsServer;

const SECRET: &str = "$2b$04$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
const KEY: [&str; 2] = [
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2",
    "OF2NxApJCzGCEDdfSp6VQO30hyhRANCAAQRWz6GxoXUJ3tyDlBdE6WKzZVgRjXv",
];

fn file() -> String {
    format!(
        "tls_server_config:\n\
         \x20 cert_file: server.crt\n\
         \x20 key: |\n\
         \x20   -----BEGIN PRIVATE KEY-----\n\
         \x20   {}\n\
         \x20   {}\n\
         \x20   -----END PRIVATE KEY-----\n\
         basic_auth_users:\n\
         \x20 alice: {SECRET}\n\
         \x20 prometheus: \"{SECRET}\"\n\
         rate_limit: {{ interval: 1s, burst: 20 }}\n",
        KEY[0], KEY[1]
    )
}

/// All messages about this text.
fn said(text: &str) -> String {
    match WebConfig::from_text(text, Path::new("/none/web.yml")) {
        Err(error) => error.to_string(),
        Ok(config) => {
            let warnings = config.warnings.join("\n");
            let tls = config.tls.map(TlsServer::new).transpose();
            format!(
                "{warnings}\n{}",
                tls.err().map_or_else(String::new, |it| it.to_string())
            )
        }
    }
}

fn is_silent(text: &str) {
    tells_nothing(&said(text), &[SECRET, KEY[0], KEY[1]]);
}

/// Each is a file that a script or an editor may produce.
#[test]
fn the_mistakes_that_people_make_are_named_and_tell_nothing() {
    for (text, remedy) in [
        ("basic_auth_users:\n  alice: *0\n".to_owned(), "into quotes"),
        (
            format!("basic_auth_users:\n  alice:{SECRET}\n"),
            "accepted: a mapping",
        ),
        (
            format!("basic_auth_users:\n  ~: {SECRET}\n"),
            "give it a name",
        ),
        (
            format!("basic_auth_users: {SECRET}\n"),
            "accepted: a mapping",
        ),
        (
            format!("basic_auth_users:\n  - alice: {SECRET}\n"),
            "accepted: a mapping",
        ),
        (
            format!("basic_auth_users:\n  alice: [{SECRET}]\n"),
            "isn't text",
        ),
        (
            format!("basic_auth_users:\n  {SECRET}: alice\n"),
            "isn't a bcrypt hash",
        ),
        (
            format!("basic_auth_users:\n  alice: {SECRET}x\n"),
            "isn't a bcrypt hash",
        ),
        (format!("{SECRET}\n"), "a mapping of keys"),
        (format!("{SECRET}: alice\n"), "unknown key"),
        (format!("alice: {SECRET}\nalice: {SECRET}\n"), "there twice"),
        (format!("{SECRET}: a\n{SECRET}: b\n"), "there twice"),
        (
            format!(
                "tls_server_config: {{ cert_file: c, key_file: {} }}",
                KEY[0]
            ),
            "./NAME",
        ),
        (
            format!("tls_server_config: {{ cert_file: c, min_version: \"{SECRET}\" }}"),
            "TLS12",
        ),
        (
            format!("tls_server_config: {{ cert_file: c, cipher_suites: [\"{SECRET}\"] }}"),
            "isn't offered",
        ),
        (
            format!("rate_limit: {{ interval: \"{SECRET}\" }}"),
            "a duration",
        ),
        (format!("\"basic_auth_users: {SECRET}"), "quotes"),
    ] {
        is_silent(&text);
        let said = said(&text);
        assert!(said.contains(remedy), "{text}\n{said}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_slip_of_the_pen_tells_a_secret(slips in slips()) {
        is_silent(&slipped(&file(), &slips));
    }
}
