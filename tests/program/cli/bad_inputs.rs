//! Bad inputs on the command line and in the files beside the configuration: what is given, the
//! exit code, and the flag, the file and the remedy that the message must name.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panic, and start programs"
)]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use thermal_guard::apps::envfile;
use thermal_guard::config::EnvFileConfig;
use thermal_guard::units::Moment;
use thermal_guard::web::access::actuators::Tokens;

use crate::common::process::{run, stderr, stdout};

/// For people, past the test harness.
fn counted(rows: &[String], of: &str) {
    let different: BTreeSet<_> = rows.iter().collect();
    assert_eq!(different.len(), rows.len(), "the same twice");
    let _ = writeln!(
        std::io::stdout(),
        "measured: {} bad inputs ({of})",
        rows.len()
    );
}

#[expect(clippy::too_many_lines, reason = "a table, one row per mistake")]
#[test]
fn a_bad_flag_is_named_with_what_it_wants() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let dir = TempDir::new().unwrap();
    let dir = dir.path().to_str().unwrap();
    let state = format!("--state.dir={dir}");
    let in_use = format!("--web.listen-address={taken}");
    let actuate = format!("--web.actuate.listen-address={taken}");
    let folder = format!("--config.file={dir}");
    let web_folder = format!("--web.config.file={dir}");
    let for_ = "duration over 0 and up to 24h, such as 10m";
    let node = "wanted: HOST[:PORT]";
    let listen = "--web.listen-address";
    let bad_inputs: [(&[&str], i32, [&str; 2]); 48] = [
        (
            &["serve", "--no-such-flag"],
            2,
            ["--no-such-flag", "--help"],
        ),
        (
            &["serve", "--config.fiel=x"],
            2,
            ["--config.fiel", "--config.file"],
        ),
        (&["statsu"], 2, ["statsu", "status"]),
        (
            &["serve", &state, "--config.file=/none/x.yml"],
            78,
            ["/none/x.yml", "--config.file needs a file"],
        ),
        (
            &["serve", &state, &folder],
            78,
            [dir, "--config.file needs a file"],
        ),
        (
            &[
                "serve",
                "--simulate",
                &state,
                "--web.listen-address=127.0.0.1:0",
                "--web.config.file=/none/w.yml",
            ],
            78,
            ["/none/w.yml", "--web.config.file"],
        ),
        (
            &[
                "serve",
                "--simulate",
                &state,
                "--web.listen-address=127.0.0.1:0",
                &web_folder,
            ],
            78,
            [dir, "--web.config.file"],
        ),
        (
            &["check", "--simulate", &state, "--config.file=/none/x.yml"],
            1,
            ["/none/x.yml", "--config.file needs a file"],
        ),
        (
            &["serve", "--simulate", &state, &in_use],
            1,
            [listen, "choose another port"],
        ),
        (
            &[
                "serve",
                "--simulate",
                &state,
                "--web.listen-address=127.0.0.1:0",
                &actuate,
            ],
            1,
            ["--web.actuate.listen-address", "choose another port"],
        ),
        (
            &["serve", "--simulate", &state, "--web.listen-address=10835"],
            1,
            [listen, "wanted: HOST:PORT"],
        ),
        (
            &[
                "serve",
                "--simulate",
                &state,
                "--web.listen-address=localhost",
            ],
            1,
            [listen, "wanted: HOST:PORT"],
        ),
        (
            &["serve", "--simulate", &state, "--web.listen-address=:99999"],
            1,
            [listen, "wanted: HOST:PORT"],
        ),
        (
            &[
                "serve",
                "--simulate",
                &state,
                "--web.listen-address=192.0.2.1:0",
            ],
            1,
            [listen, "no such address"],
        ),
        (
            &["serve", "--web.telemetry-path=metrics"],
            2,
            ["--web.telemetry-path", "such as /metrics"],
        ),
        (
            &["serve", "--web.telemetry-path=/hook"],
            2,
            ["--web.telemetry-path", "such as /metrics"],
        ),
        (
            &["serve", "--web.telemetry-path=/"],
            2,
            ["--web.telemetry-path", "such as /metrics"],
        ),
        (
            &["serve", "--web.telemetry-path=/m{x}"],
            2,
            ["--web.telemetry-path", "such as /metrics"],
        ),
        (
            &["serve", "--log.level=loud"],
            2,
            ["--log.level", "debug, info, warn, error"],
        ),
        (
            &["serve", "--log.format=xml"],
            2,
            ["--log.format", "logfmt, json"],
        ),
        (&["serve", "--mode=dry"], 2, ["--mode", "enforce, observe"]),
        (
            &["serve", "--debug.time-scale=0"],
            2,
            ["--debug.time-scale", "from 0.1 to 1000"],
        ),
        (
            &["throttle", "--gpu=0", "--level=gradual"],
            2,
            ["--for", "Usage"],
        ),
        (
            &["throttle", "--gpu=0", "--level=gentle", "--for=10m"],
            2,
            ["--level", "gradual, emergency"],
        ),
        (
            &["throttle", "--gpu=0", "--level=gradual", "--for", "-5m"],
            2,
            ["--for", for_],
        ),
        (
            &["throttle", "--gpu=0", "--level=gradual", "--for=0s"],
            2,
            ["--for", for_],
        ),
        (&["pause", "--gpu=0", "--for=soon"], 2, ["--for", for_]),
        (&["pause", "--gpu=0", "--for=25h"], 2, ["--for", for_]),
        (
            &["restore", "--wait=long"],
            2,
            ["--wait", "up to 24h, such as 20s"],
        ),
        (
            &["restore", "--wait", "-1s"],
            2,
            ["--wait", "up to 24h, such as 20s"],
        ),
        (
            &["report", "--last=week"],
            2,
            ["--last", "such as 24h or 7d"],
        ),
        (
            &["report", "--last", "-7d"],
            2,
            ["--last", "such as 24h or 7d"],
        ),
        (
            &["report", "--state.dir=/none"],
            1,
            ["/none", "--state.dir"],
        ),
        (
            &["status", "--url=ftp://localhost"],
            1,
            ["--url", "http://host:port"],
        ),
        (
            &["status", "--url=http://127.0.0.1:1"],
            1,
            ["http://127.0.0.1:1", "--url says where"],
        ),
        (
            &["status", "--ca-file=/none/ca.pem"],
            1,
            ["--ca-file", "/none/ca.pem"],
        ),
        (
            &["detach", "--token-file=/none/token"],
            1,
            ["/none/token", "--token-file"],
        ),
        (
            &["generate", "alertmanager", "--token-file=relative"],
            2,
            ["--token-file=relative", "a path from the root"],
        ),
        (
            &["generate", "prometheus", "--ca-file=ca.pem"],
            2,
            ["--ca-file=ca.pem", "a path from the root"],
        ),
        (
            &["generate", "rules", "--node=http://n1"],
            2,
            ["--node", "without http://"],
        ),
        (&["generate", "rules", "--node=n1:0"], 2, ["--node", node]),
        (
            &["generate", "rules", "--nodes-file=/none"],
            2,
            ["--nodes-file=/none", "No such file"],
        ),
        (
            &["generate", "rules", "--node=gpu[3-1]"],
            2,
            ["--node", "3 is over 1"],
        ),
        (
            &["generate", "alertmanager", "--for-version=0.1"],
            2,
            ["--for-version", "a version from 0.25 on"],
        ),
        (&["simulate", "hot-inlett"], 2, ["hot-inlett", "hot-inlet"]),
        (
            &["simulate", "--plot=plot.png"],
            2,
            ["--plot", "a name that ends with .svg"],
        ),
        (&["simulate", "--window=20m"], 2, ["--plot", "--window"]),
        (
            &["validate", "/none/x.yml"],
            78,
            ["/none/x.yml", "a file that the guard can read"],
        ),
    ];
    for (args, code, words) in bad_inputs {
        let output = run(args);
        let said = stderr(&output) + &stdout(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        for word in words {
            assert!(said.contains(word), "{args:?}: no {word:?} in {said}");
        }
        if args[0] == "generate" {
            assert_eq!(
                stdout(&output),
                "",
                "nothing that could be taken for a configuration"
            );
        }
    }
    counted(&bad_inputs.map(|(args, ..)| args.join(" ")), "flags");
}

#[tokio::test]
async fn a_bad_token_file_is_named_and_the_tokens_before_it_stay_valid() {
    const GOOD: &str = "0123456789abcdef0123456789abcdef";
    let wanted = "openssl rand -hex 32";
    let bad_inputs: [(&str, String, u32, &str); 9] = [
        ("nothing", String::new(), 0o600, "is empty: put a token"),
        (
            "blank lines",
            " \n\n".into(),
            0o600,
            "is empty: put a token",
        ),
        ("short", "short".into(), 0o600, wanted),
        (
            "a short second",
            format!("{GOOD}\n{}", &GOOD[1..]),
            0o600,
            "token 2",
        ),
        ("a space in it", format!("{GOOD} {GOOD}"), 0o600, wanted),
        ("no ASCII", "ä".repeat(32), 0o600, wanted),
        ("too long", "f".repeat(513), 0o600, wanted),
        (
            "three",
            format!("{GOOD}\n{GOOD}\n{GOOD}"),
            0o600,
            "one token, or two for rotation",
        ),
        ("everybody's", "f".repeat(32), 0o666, "chmod o-w"),
    ];
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("tokens");
    fs::write(&path, GOOD).unwrap();
    let tokens = Arc::new(Tokens::from_file(path.clone()).unwrap());
    for (n, (what, content, mode, remedy)) in (1..).zip(&bad_inputs) {
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
        let error = Tokens::from_file(path.clone()).err().unwrap().to_string();
        assert!(
            error.contains("tokens") && error.contains(remedy),
            "{what}: {error}"
        );
        assert!(!error.contains(&GOOD[..8]), "{what}: {error}");
        tokens
            .follow(Moment::from_secs_f64(f64::from(n) * 10.0))
            .await;
        assert!(tokens.accepts(GOOD.as_bytes()), "{what}");
        assert!(!tokens.accepts(content.as_bytes()), "{what}");
    }
    let missing = Tokens::from_file(dir.path().join("none")).err().unwrap();
    assert!(
        missing.to_string().contains("none can't be read"),
        "{missing}"
    );
    counted(&bad_inputs.map(|row| row.0.to_owned()), "token files");
}

fn set(path: &Path) -> Result<bool, envfile::EnvFileError> {
    let config = EnvFileConfig {
        path: path.to_owned(),
        key: "SIZE".to_owned(),
        normal: "4".to_owned(),
        gradual: "1".to_owned(),
        emergency: "1".to_owned(),
    };
    let (edit, _) = envfile::take(&config, "1", None)?;
    Ok(edit.carry_out()?.written)
}

/// The thing at the path of an environment file.
type Plant = fn(&Path);

const ENVIRONMENT_FILES: [(&str, Plant, &str); 11] = [
    ("nothing", |_| {}, "doesn't exist"),
    (
        "several words",
        |path| fs::write(path, "A=1\nSIZE=four hunter2\n").unwrap(),
        "line 2: SIZE can't be set there: more words follow",
    ),
    (
        "a command",
        |path| fs::write(path, "SIZE=$(cat hunter2)\n").unwrap(),
        "write it plainly",
    ),
    (
        "glued to another",
        |path| fs::write(path, "A=hunter2;SIZE=4\n").unwrap(),
        "a line of its own",
    ),
    (
        "a last line that goes on",
        |path| fs::write(path, "A=hunter2\\\n").unwrap(),
        "not finished",
    ),
    (
        "a directory",
        |path| fs::create_dir(path).unwrap(),
        "not a regular file",
    ),
    (
        "too large",
        |path| fs::write(path, "#".repeat((1 << 20) + 1)).unwrap(),
        "at most 1 MiB",
    ),
    (
        "an open quote",
        |path| fs::write(path, "SIZE=\"4\n5\"\n").unwrap(),
        "several lines",
    ),
    (
        "an open single quote",
        |path| fs::write(path, "export SIZE='4\n5'\n").unwrap(),
        "several lines",
    ),
    (
        "a socket",
        |path| drop(UnixListener::bind(path).unwrap()),
        "not a regular file",
    ),
    (
        "a link to nothing",
        |path| std::os::unix::fs::symlink("/none/app.env", path).unwrap(),
        "doesn't exist",
    ),
];

#[test]
fn a_bad_environment_file_is_named_and_stays_as_it_is() {
    for (what, plant, says) in ENVIRONMENT_FILES {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("app.env");
        plant(&path);
        let before = fs::read(&path).ok();
        let error = set(&path).unwrap_err().to_string();
        assert!(error.contains(says), "{what}: {error}");
        assert!(error.contains("app.env"), "{what}: {error}");
        assert_eq!(fs::read(&path).ok(), before, "{what}");
        let config = dir.path().join("guard.yml");
        let app = "{ name: a, env_file: { path: app.env, key: SIZE, normal: 4, gradual: 1 } }";
        fs::write(&config, format!("apps: [{app}]")).unwrap();
        let state = format!("--state.dir={}", dir.path().display());
        let flag = format!("--config.file={}", config.display());
        let said = stdout(&run(&["check", "--simulate", &state, &flag]));
        let line = said.lines().find(|line| line.contains("app.env"));
        assert!(line.is_some(), "{what}: {said}");
        assert!(
            !(said + &error).contains("hunter2"),
            "{what}: not its content"
        );
    }
    counted(
        &ENVIRONMENT_FILES.map(|row| row.0.to_owned()),
        "environment files",
    );
}
