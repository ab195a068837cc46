//! The program's notifications to systemd, over a real socket. The watchdog's tests are beside its code.

use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
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
    let told = || {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
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
    assert_eq!(told().trim(), "STOPPING=1");
    assert_eq!(child.wait().unwrap().code(), Some(0));

    // No WatchdogSec=, no watchdog.
    socket
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    assert!(socket.recv(&mut [0; 512]).is_err());
}
