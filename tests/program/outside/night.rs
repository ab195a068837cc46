//! `check` and the other commands as a tired operator types them. They find the service without being
//! told where it is, and never advise something harmful or something that doesn't apply.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use serde_json::Value;

use super::scene::{hot, ran, uuid};
use crate::common::guard::Guard;
use crate::common::needs::skipped;
use crate::common::nvml_sim::Machine;

/// The command as a person types it, without naming a file.
fn unnamed(guard: &Guard, name: &str) -> Command {
    let full = guard.command(name);
    let mut command = Command::new(full.get_program());
    let names_file = |arg: &&std::ffi::OsStr| arg.to_string_lossy().starts_with("--config.file=");
    command.args(full.get_args().filter(|arg| !names_file(arg)));
    let variables = full.get_envs();
    command.envs(variables.filter_map(|(key, value)| Some((key, value?))));
    command.env("THERMAL_GUARD_USUAL_CONFIG", guard.path("config.yml"));
    command
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn without_a_named_file_the_services_is_read_and_that_is_said_first() {
    let config = "thresholds: { alert: 71 }\nhook: { bearer_token_file: TOKEN }\n";
    let mut guard = Guard::new(Machine::create(&["a100-80gb"], &[]), 10, "");
    let token = guard.path("own-token");
    fs::write(&token, "a-token-long-enough-to-be-one-0123456789\n").unwrap();
    guard.configure(&config.replace("TOKEN", &token.display().to_string()));
    guard.start();
    let url = format!("--url={}", guard.url(""));
    let said_first = |errors: &str| {
        let first = errors.lines().next().unwrap_or_default();
        let file = guard.path("config.yml");
        assert_eq!(first, format!("thermal-guard: using {}", file.display()));
    };

    let (text, errors) = texts(&unnamed(&guard, "check").arg(&url).output().unwrap());
    said_first(&errors);
    assert!(
        text.lines().next().unwrap().contains("config.yml"),
        "{text}"
    );
    assert!(text.contains("alert 71 °C"), "{text}");
    let json = unnamed(&guard, "check").args([&url, "--json"]).output();
    let json = json.unwrap();
    assert!(serde_json::from_slice::<Vec<Value>>(&json.stdout).is_ok());
    said_first(&texts(&json).1);

    // The token is where that file says.
    let throttle = ["--gpu=0", "--level=gradual", "--for=1m"];
    let output = unnamed(&guard, "throttle")
        .args(throttle)
        .arg(&url)
        .output();
    let output = output.unwrap();
    let (text, errors) = texts(&output);
    assert!(output.status.success(), "{text}{errors}");
    said_first(&errors);
    let status = unnamed(&guard, "status").args([&url, "--json"]).output();
    let status = status.unwrap();
    assert!(serde_json::from_slice::<Value>(&status.stdout).is_ok());

    // None there: as before, and nothing is said.
    let none = guard.path("nothing.yml");
    let mut command = unnamed(&guard, "check");
    let output = command.env("THERMAL_GUARD_USUAL_CONFIG", none).output();
    let (text, errors) = texts(&output.unwrap());
    assert!(text.contains("no file: all defaults"), "{text}");
    assert_eq!(errors, "");
}

#[test]
fn a_restore_means_the_services_configuration_and_serve_wants_to_be_told() {
    let mut guard = Guard::started(hot(), 10, "");
    guard.wait_throttled(0);
    guard.kill();
    // Safe as the card has it, and not as the service has it.
    guard.machine.ctl(&["set", "load=0", "inlet=55"]);
    guard.machine.ctl(&["advance", "1000"]);
    guard.configure("thresholds: { alert: 50, critical: 60, safe: 40 }\n");
    let (code, said) = ran(unnamed(&guard, "restore").arg("--wait=0s"));
    assert!(said.contains("config.yml"), "{said}");
    assert_eq!(code, Some(1), "{said}");
    guard.configure("");
    let (code, said) = ran(unnamed(&guard, "restore").arg("--wait=0s"));
    assert_eq!(code, Some(0), "{said}");
    guard.configure("no_such_key: 1\n");
    let mut serve = unnamed(&guard, "serve");
    let serve = serve.arg("--web.listen-address=127.0.0.1:none");
    let (_, said) = ran(serve);
    assert!(!said.contains("config.yml"), "{said}");
}

#[test]
fn beside_its_own_healthy_service_a_check_says_so() {
    let guard = Guard::started(Machine::create(&["a100-80gb", "h100"], &[]), 10, "");
    let url = format!("--url={}", guard.url(""));
    let (code, said) = ran(guard.command("check").arg(&url));
    assert_eq!(code, Some(0), "{said}");
    let pid = format!("pid {}", guard.pid());
    let own = said.lines().find(|line| line.contains(&pid));
    assert!(own.is_some_and(|line| line.starts_with("ok")), "{said}");
    for harm in ["another guard", "stop the first"] {
        assert!(!said.contains(harm), "{said}");
    }
    // If it doesn't answer, the command says so, and still doesn't advise to stop it.
    let (code, said) = ran(guard.command("check").arg("--url=http://127.0.0.1:9"));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains(&pid) && !said.contains("stop the first"),
        "{said}"
    );
}

#[test]
fn beside_an_observing_service_nothing_is_asked_for_that_only_an_enforcing_one_needs() {
    let mut guard = Guard::new(Machine::create(&["a100-80gb"], &[]), 10, "");
    guard.flag("--mode=observe");
    guard.start();
    let url = format!("--url={}", guard.url(""));
    let mut plain = unnamed(&guard, "check");
    // As a person types it: only the unit or the pod has the mode.
    let arguments: Vec<_> = plain.get_args().map(ToOwned::to_owned).collect();
    let program = plain.get_program().to_owned();
    let environment = plain.get_envs();
    let environment: Vec<_> = environment
        .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
        .collect();
    plain = Command::new(program);
    plain.args(arguments.iter().filter(|arg| *arg != "--mode=observe"));
    plain.envs(environment);
    let (code, said) = ran(plain.arg(&url));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("observes"), "{said}");
    assert!(said.contains("none needed: observe mode"), "{said}");
    for beside_the_point in ["lock dir", "state dir", "CAP_SYS_ADMIN"] {
        assert!(!said.contains(beside_the_point), "{said}");
    }
    // Asked for the other, it is looked at as that.
    let (_, said) = ran(plain.arg("--mode=enforce"));
    assert!(said.contains("lock dir"), "{said}");
}

/// Only root can play another user.
#[test]
fn another_user_is_sent_to_root_and_nobody_is_told_to_remove_a_journal() {
    let mut guard = Guard::started(hot(), 10, "");
    guard.wait_throttled(0);
    guard.kill();
    fs::set_permissions(guard.dir.path(), Permissions::from_mode(0o755)).unwrap();
    let mut check = guard.command("check");
    check.uid(65_534).gid(65_534);
    if check.output().is_err() {
        skipped("this user can't become another one");
        return;
    }
    let (_, said) = ran(&mut check);
    let journal = said.lines().find(|line| line.contains("  journal"));
    let journal = journal.unwrap_or_else(|| panic!("{said}"));
    assert!(journal.contains("ermission denied"), "{journal}");
    assert!(journal.contains("root"), "{journal}");
    assert!(!said.contains("remove the file"), "{said}");

    // An unreadable journal is still the only record.
    let journal = guard
        .path("state/gpus")
        .join(format!("{}.json", uuid(&guard.machine)));
    fs::write(&journal, "{ torn").unwrap();
    let (_, said) = ran(&mut guard.command("check"));
    assert!(said.contains("keep a copy"), "{said}");
    assert!(!said.contains("remove the file"), "{said}");
    assert!(journal.exists());
}

/// The system's message once, and the remedy.
#[test]
fn another_user_who_asks_for_a_report_is_told_why_once() {
    let mut guard = Guard::started(Machine::create(&["a100-80gb"], &[]), 10, "");
    guard.stop();
    fs::set_permissions(guard.dir.path(), Permissions::from_mode(0o755)).unwrap();
    let mut report = guard.command("report");
    report.uid(65_534).gid(65_534);
    if report.output().is_err() {
        skipped("this user can't become another one");
        return;
    }
    let (code, said) = ran(&mut report);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.matches("ermission denied").count(), 1, "{said}");
    assert!(said.contains("run this as root"), "{said}");
}

/// An ordinary user who forgot `sudo`: each command says so, and none says that the token isn't there.
#[test]
fn a_command_that_wants_root_says_so_to_an_ordinary_user() {
    let mut guard = Guard::started(hot(), 10, "");
    guard.wait_throttled(0);
    fs::set_permissions(guard.dir.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(guard.path("state"), Permissions::from_mode(0o700)).unwrap();
    let as_nobody = |words: &[&str]| {
        let mut command = guard.command(words[0]);
        command.args(&words[1..]).uid(65_534).gid(65_534);
        command
    };
    if as_nobody(&["detach"]).output().is_err() {
        skipped("this user can't become another one");
        return;
    }
    for words in [
        &["throttle", "--gpu=0", "--level=gradual", "--for=1m"][..],
        &["release", "--gpu=0"],
        &["pause", "--gpu=0", "--for=1m"],
        &["resume", "--gpu=0"],
        &["detach"],
        &["attach"],
    ] {
        let (code, said) = ran(&mut as_nobody(words));
        assert_eq!(code, Some(1), "{words:?}: {said}");
        assert!(said.contains("can't be read by this user"), "{said}");
        assert!(said.contains("run this as root (sudo"), "{said}");
        assert!(!said.contains("no token"), "{said}");
    }
    // A file that isn't there is no matter of rights.
    let none = guard.path("none");
    let mut absent = guard.command("detach");
    absent.arg(format!("--token-file={}", none.display()));
    let (code, said) = ran(&mut absent);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no token in"), "{said}");

    guard.kill();
    let mut restore = guard.command("restore");
    restore.uid(65_534).gid(65_534);
    let (code, said) = ran(&mut restore);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("ermission denied"), "{said}");
    assert!(said.contains("run this as root"), "{said}");
    assert!(!said.contains("can't be told"), "{said}");
}

/// An observing guard holds nothing, and doesn't say that it does.
#[test]
fn an_observing_guard_does_not_say_that_it_throttles() {
    let mut guard = Guard::new(hot(), 10, "");
    guard.flag("--mode=observe");
    guard.start();
    guard.wait("would", |metrics| {
        matches!(metrics.state(0), Some("gradual" | "emergency"))
    });
    assert!(
        guard.logged(&["message=throttling"]).is_empty(),
        "{}",
        guard.log()
    );
    assert!(!guard.logged(&["observing", "would=throttle"]).is_empty());
}
