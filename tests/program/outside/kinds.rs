//! Something else in place of a file: a pipe without a writer, a link, a directory. The guard still
//! protects its GPUs, and its commands end.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::logs::assert_logfmt;
use super::scene::{hot, pipe_at, ran, uuid};
use crate::common::guard::Guard;

const APP: &str = "apps: [{ name: a, env_file: { path: a.env, key: K, normal: 4, gradual: 1 } }]\n";

/// The guard's own files, each a pipe.
fn piped() -> (Guard, Vec<PathBuf>) {
    let machine = hot();
    let journal = format!("state/gpus/{}.json", uuid(&machine));
    let guard = Guard::new(machine, 10, APP);
    fs::write(guard.path("a.env"), "K=4\n").unwrap();
    let names = ["state/hook-token", "state/apps.json", "state/events.jsonl"];
    let names = names.iter().copied().chain([journal.as_str()]);
    let paths: Vec<_> = names.map(|name| guard.path(name)).collect();
    for path in &paths {
        pipe_at(path);
    }
    (guard, paths)
}

/// A pipe in place of the token or of the applications' journal once kept a guard from starting; in
/// place of a GPU's journal it kept the guard from opening that GPU.
#[test]
fn a_pipe_in_place_of_any_file_of_ours_keeps_no_gpu_unguarded() {
    let (mut guard, paths) = piped();
    guard.start();
    guard.wait_throttled(0);
    for path in &paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let said = guard.logged(&["named pipe"]);
        let names_it = said.iter().any(|line| line.contains(name));
        let is_apps = name == "apps.json" && said.iter().any(|line| line.contains("app journal"));
        let is_log = name == "events.jsonl" && guard.log().contains("events.jsonl");
        assert!(names_it || is_apps || is_log, "{name}: {said:#?}");
    }
    let aside = paths[3].with_extension("json.unreadable");
    assert!(aside.exists(), "what isn't understood is set aside");
    assert_logfmt(&guard.log());
    guard.cool(0);
    assert!(guard.stop().is_some());
}

/// systemd runs `restore` after each stop, and waits for it.
#[test]
fn a_pipe_in_place_of_any_file_of_ours_holds_up_no_command() {
    let (guard, paths) = piped();
    for (name, arguments) in [
        ("restore", &["--wait=0s"][..]),
        ("check", &[]),
        ("report", &[]),
        ("release", &["--gpu=0", "--url=http://127.0.0.1:9"]),
    ] {
        let (code, said) = ran(guard.command(name).args(arguments));
        assert!(code.is_some(), "{name} hangs: {said}");
        assert!(
            said.contains("pipe") || said.contains("apps"),
            "{name}: {said}"
        );
    }
    drop(paths);
}

/// Whatever the operator names, the answer comes at once and says what kind of thing it is.
#[test]
fn what_an_operator_names_is_looked_at_before_it_is_read() {
    let guard = Guard::new(hot(), 1, "");
    let pipe = guard.path("pipe");
    pipe_at(&pipe);
    let link = guard.path("link");
    symlink(&pipe, &link).unwrap();
    let endless = PathBuf::from("/dev/zero");
    for (path, kind) in [
        (&pipe, "named pipe"),
        (&link, "named pipe"),
        (&endless, "device"),
        (&guard.dir.path().to_owned(), "directory"),
    ] {
        let path = path.display();
        let yaml = |key: &str| format!("{key}: \"{path}\"\n");
        let cases = [
            (format!("--config.file={path}"), String::new(), 78),
            (format!("--web.config.file={path}"), String::new(), 78),
            (
                "--mode=enforce".to_owned(),
                format!("hook:\n  {}", yaml("bearer_token_file")),
                1,
            ),
            (
                "--mode=enforce".to_owned(),
                format!(
                    "alertmanager:\n  url: http://127.0.0.1:9\n  {}",
                    yaml("ca_file")
                ),
                1,
            ),
        ];
        for (flag, config, wanted) in cases {
            guard.configure(&config);
            // A flag may be there once.
            let mut command = if flag.starts_with("--config.file") {
                plain(&guard, &flag)
            } else {
                let mut command = guard.command("serve");
                command.arg(&flag);
                command
            };
            let (code, said) = ran(command.arg("--web.listen-address=127.0.0.1:0"));
            assert_eq!(code, Some(wanted), "{flag} {config}: {said}");
            assert!(said.contains(kind), "{flag} {config}: {said}");
        }
    }
}

fn plain(guard: &Guard, flag: &str) -> std::process::Command {
    let mut command = guard
        .machine
        .command(guard.command("serve").get_program().as_ref());
    let state = format!("--state.dir={}", guard.path("state").display());
    command.args(["serve", flag, &state]);
    command
}

/// A certificate may be a link, as in Kubernetes and under certbot; so may a configuration.
#[test]
fn an_operators_links_are_followed() {
    let mut guard = Guard::new(hot(), 1, "mode: enforce\n");
    let config = guard.path("config.yml");
    fs::rename(&config, guard.path("..data.yml")).unwrap();
    symlink("..data.yml", &config).unwrap();
    let token = "0123456789abcdef0123456789abcdef\n";
    fs::write(guard.path("token"), token).unwrap();
    symlink("token", guard.path("token-link")).unwrap();
    guard.configure("hook: { bearer_token_file: token-link }\n");
    assert!(fs::symlink_metadata(&config).unwrap().is_symlink());
    guard.start();
    let body = serde_json::json!({});
    let code = guard.post(
        "/-/reload",
        Some(&format!("Bearer {}", token.trim())),
        &body,
    );
    assert_eq!(code, 200);
}

#[test]
fn a_pipe_where_a_report_should_go_holds_up_no_command() {
    let guard = Guard::new(hot(), 1, "");
    let pipe = guard.path("report.svg");
    pipe_at(&pipe);
    let recorded = guard.path("card.csv");
    fs::write(&recorded, "s,core_c,power_w\n0,50,100\n1,50,100\n").unwrap();
    let (csv, place) = (format!("--csv={}", recorded.display()), pipe.display());
    for arguments in [
        ["backtest", &csv, &format!("--html={place}")],
        ["simulate", "hot-inlet", &format!("--plot={place}")],
    ] {
        let program = guard.command("serve");
        let mut command = std::process::Command::new(program.get_program());
        let (code, said) = ran(command.args(arguments));
        assert!(matches!(code, Some(1 | 2)), "{arguments:?}: {said}");
        assert!(said.contains("named pipe"), "{arguments:?}: {said}");
    }
}
