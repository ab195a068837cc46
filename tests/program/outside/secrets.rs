//! Files with a mistake and a secret in them: the message names the mistake and never shows the secret.

use std::fs;

use super::scene::ran;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

const HASH: &str = "$2b$04$abcdefghijklmnopqrstuuKOuIKO492mCb.6IhaeeUschZwMNLabc";
const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c";
const PASSWORD: &str = "pa55w0rd-0f-n0b0dy";

#[track_caller]
fn tells_nothing(said: &str) {
    for secret in [HASH, TOKEN, PASSWORD, "MIIhushhush"] {
        for at in 0..=secret.len() - 6 {
            let piece = &secret[at..at + 6];
            assert!(!said.contains(piece), "{piece:?} in: {said}");
        }
    }
}

fn guard() -> Guard {
    Guard::new(Machine::create(&["a100-80gb"], &[]), 1, "")
}

/// The message about `*0` once said "more than any configuration"; without a blank behind the colon
/// the log showed user, cost, salt and most of the hash.
#[test]
fn a_web_config_is_complained_of_in_words_and_without_a_piece_of_a_hash() {
    let guard = guard();
    let web = guard.path("web.yml");
    let flag = format!("--web.config.file={}", web.display());
    for (text, words) in [
        ("basic_auth_users:\n  alice: *0\n".to_owned(), "quotes"),
        (format!("basic_auth_users:\n  alice:{HASH}\n"), "a mapping"),
        (format!("basic_auth_users:\n  ~: {HASH}\n"), "a name"),
        (
            format!("basic_auth_users:\n  {HASH}: alice\n"),
            "bcrypt hash",
        ),
        (format!("alice: {HASH}\n  bob: {HASH}\n"), "line 2"),
    ] {
        fs::write(&web, &text).unwrap();
        for (command, wanted) in [("serve", 78), ("check", 1)] {
            let mut command = guard.command(command);
            let (code, said) = ran(command.args([&flag, "--web.listen-address=127.0.0.1:0"]));
            assert_eq!(code, Some(wanted), "{text}\n{said}");
            tells_nothing(&said);
            assert!(
                said.contains(words) && said.contains("web.yml"),
                "{text}\n{said}"
            );
        }
    }
}

/// This once ended with "no items found" and exit code 1.
#[test]
fn an_encrypted_key_is_called_one_and_is_a_bad_configuration() {
    let guard = guard();
    let web = guard.path("web.yml");
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(["guard".to_owned()]).unwrap();
    let certificate = parameters.self_signed(&key).unwrap().pem();
    fs::write(guard.path("server.crt"), certificate).unwrap();
    let files = "tls_server_config: { cert_file: server.crt, key_file: server.key }\n";
    fs::write(&web, files).unwrap();
    let pem = |name: &str, head: &str| {
        format!("-----BEGIN {name}-----\n{head}MIIhushhush\n-----END {name}-----\n")
    };
    for encrypted in [
        pem("ENCRYPTED PRIVATE KEY", ""),
        pem(
            "RSA PRIVATE KEY",
            "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n",
        ),
    ] {
        fs::write(guard.path("server.key"), encrypted).unwrap();
        let mut command = guard.command("serve");
        let flag = format!("--web.config.file={}", web.display());
        let (code, said) = ran(command.args([&flag, "--web.listen-address=127.0.0.1:0"]));
        assert_eq!(code, Some(78), "{said}");
        assert!(
            said.contains("server.key") && said.contains("encrypted"),
            "{said}"
        );
        tells_nothing(&said);
    }
}

/// A token where its file should be, a password in a URL, a hash in the wrong place.
#[test]
fn a_configuration_is_complained_of_without_a_piece_of_a_secret() {
    let guard = guard();
    for text in [
        format!("hook: {{ bearer_token_file: {TOKEN} }}\n"),
        format!("hook: {{ bearer_token: {TOKEN} }}\n{TOKEN}: x\n"),
        format!("alertmanager: {{ url: \"http://user:{PASSWORD}@am:9093\" }}\n"),
        format!("alertmanager: {{ url: \"user:{PASSWORD}@am:9093\" }}\n"),
        format!("alertmanager:\n  url: http://user: {PASSWORD}@am:9093\n"),
        format!("alertmanager: {{ url: http://am, bearer_token_file: {TOKEN} }}\n"),
        format!("apps: [{{ name: a, http: {{ url: \"htp://u:{PASSWORD}/{{mode}}\" }} }}]\n"),
        format!("mode: {HASH}\n"),
        format!("gpus: [{TOKEN}]\npoll_interval: {TOKEN}\n"),
    ] {
        guard.configure(&text);
        for (command, wanted) in [("serve", 78), ("check", 1)] {
            let mut command = guard.command(command);
            let (code, said) = ran(command.arg("--web.listen-address=127.0.0.1:0"));
            assert_eq!(code, Some(wanted), "{text}\n{said}");
            tells_nothing(&said);
            assert!(said.contains("config.yml"), "{text}\n{said}");
        }
    }
    for url in [
        format!("http://user:{PASSWORD}@127.0.0.1:9"),
        format!("user:{PASSWORD}@127.0.0.1:9"),
    ] {
        let (code, said) = ran(guard.command("status").arg(format!("--url={url}")));
        assert_eq!(code, Some(1), "{said}");
        tells_nothing(&said);
    }
}
