//! The program's notifications to systemd, over a real socket. The watchdog's tests are beside its code.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::common::guard::Guard;
use crate::common::nvml_sim::{Machine, WORKING};
use crate::common::wait::PATIENCE;

#[test]
fn systemd_hears_of_ready_reload_and_stop() {
    let guard = Guard::new(Machine::warm(&["a100-80gb"], &WORKING), 20, "");
    let path = guard.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    // Besides how it goes, which the next test is about.
    let told = || {
        let mut all = std::iter::repeat_with(|| heard(&socket));
        all.find(|told| !told.starts_with("STATUS=")).unwrap()
    };

    let mut command = guard.command("serve");
    command.env("NOTIFY_SOCKET", &path);
    command.arg("--web.listen-address=127.0.0.1:0");
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let signal = |name: &str| {
        let mut kill = std::process::Command::new("kill");
        let status = kill.args(["-s", name, &child.id().to_string()]).status();
        assert!(status.unwrap().success());
    };

    assert_eq!(told().trim(), "READY=1");
    signal("HUP");
    let reloading = told();
    assert!(reloading.starts_with("RELOADING=1\n"), "{reloading}");
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    assert_eq!(told().trim(), "READY=1");
    signal("TERM");
    assert_eq!(told().trim(), "STOPPING=1\nSTATUS=stopping");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // systemd shows the last one for as long as the service is down.
    assert_eq!(heard(&socket), "STATUS=stopped");

    // No WatchdogSec=, no watchdog.
    socket
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    assert!(socket.recv(&mut [0; 512]).is_err());
}

fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 512];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
}

/// A guard whose lines for `systemctl status` are heard.
struct Told {
    guard: Guard,
    socket: UnixDatagram,
    child: Child,
}

impl Told {
    fn serve(guard: Guard, flags: &[&str]) -> Self {
        let path = guard.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = guard.command("serve");
        command.env("NOTIFY_SOCKET", &path).args(flags);
        command.arg("--web.listen-address=127.0.0.1:0");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        Self {
            guard,
            socket,
            child,
        }
    }

    /// The lines, up to the one that is waited for.
    fn until(&self, line: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|last| last != line) {
            let told = heard(&self.socket);
            lines.extend(told.strip_prefix("STATUS=").map(str::to_owned));
        }
        lines
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemctl_status_says_how_the_gpus_are_and_only_when_that_changes() {
    let machine = Machine::warm(&["a100-80gb", "a100-80gb"], &WORKING);
    let told = Told::serve(Guard::new(machine, 20, ""), &[]);
    let mut lines = told.until("2 GPUs: 2 normal; alert chain standalone");
    told.guard
        .machine
        .ctl(&["set", "--gpu", "0", "inlet=38", "airflow=1.6"]);
    lines.extend(told.until("2 GPUs: 1 gradual, 1 normal; alert chain standalone"));
    // None is told twice in a row.
    assert!(lines.windows(2).all(|two| two[0] != two[1]), "{lines:?}");
}

#[test]
fn systemctl_status_says_why_nothing_is_protected() {
    let observed = Guard::new(Machine::warm(&["a100-80gb"], &WORKING), 20, "");
    Told::serve(observed, &["--mode=observe"])
        .until("observe: nothing is written; 1 GPU: 1 normal; alert chain standalone");

    let bare = Guard::new(Machine::without_driver(), 20, "");
    Told::serve(bare, &[]).until("no NVIDIA driver: looking again every 2 s");
}
