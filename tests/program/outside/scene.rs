//! What these tests share.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

/// For commands that must not hang: much longer than they take, and shorter than the hang.
pub(crate) const IN_TIME: Duration = Duration::from_secs(30);

/// An A100 that gets hot.
pub(crate) fn hot() -> Machine {
    let machine = Machine::create(&["a100-80gb"], &[]);
    machine.ctl(&["set", "load=1", "inlet=38", "airflow=1.6"]);
    machine
}

pub(crate) fn uuid(machine: &Machine) -> String {
    machine.gpu(0)["uuid"].as_str().unwrap().to_owned()
}

pub(crate) fn pipe_at(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = std::fs::remove_file(path);
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

/// The exit code and output of a command. `None`: it didn't end in time.
pub(crate) fn ran(command: &mut Command) -> (Option<i32>, String) {
    let said = tempfile::NamedTempFile::new().unwrap();
    let file = || said.reopen().unwrap();
    let append = std::fs::File::options().append(true).open(said.path());
    let append = append.unwrap();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(append.try_clone().unwrap())
        .stderr(append)
        .spawn()
        .unwrap();
    let began = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if began.elapsed() > IN_TIME {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let mut text = String::new();
    file().read_to_string(&mut text).unwrap();
    (code, text)
}

/// Code and body of the answer to `POST path` with the right token. `None`: no answer in time.
pub(crate) fn post(guard: &Guard, path: &str, token: &str) -> Option<(u16, String)> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(IN_TIME))
        .build()
        .into();
    let request = agent.post(guard.url(path));
    let request = request.header("Authorization", format!("Bearer {token}"));
    let mut answer = request.send_empty().ok()?;
    let body = answer.body_mut().read_to_string().ok()?;
    Some((answer.status().as_u16(), body))
}
