//! The control loops themselves feed systemd's watchdog, whatever the poll interval. A loop that stops
//! outside the driver is found within the deadline; a loop that only waits for its next tick isn't
//! mistaken for one.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::guard::Guard;
use crate::common::needs::needs;
use crate::common::nvml_sim::Machine;
use crate::common::wait::{PATIENCE, wait_until};

/// Shorter than a poll interval of ten seconds.
const DEADLINE: Duration = Duration::from_secs(3);

/// The program under a service manager's watchdog.
struct Watched {
    guard: Guard,
    socket: UnixDatagram,
    child: Child,
}

impl Watched {
    fn started(config: &str) -> Self {
        let guard = Guard::new(Machine::create(&["a100-80gb"], &[]), 1, config);
        let path = guard.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = guard.command("serve");
        let child = command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", DEADLINE.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let watched = Self {
            guard,
            socket,
            child,
        };
        while watched.told() != "READY=1" {}
        watched
    }

    fn told(&self) -> String {
        let mut buffer = [0; 512];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
    }

    /// How often it is fed during `time`, and the longest that it isn't.
    fn fed_for(&self, time: Duration) -> (u32, Duration) {
        let began = Instant::now();
        let (mut count, mut last, mut longest) = (0, began, Duration::ZERO);
        while began.elapsed() < time {
            let left = time.saturating_sub(began.elapsed());
            let left = left.max(Duration::from_millis(1));
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut buffer = [0; 512];
            let Ok(length) = self.socket.recv(&mut buffer) else {
                continue;
            };
            if buffer[..length].starts_with(b"WATCHDOG=1") {
                count += 1;
                longest = longest.max(last.elapsed());
                last = Instant::now();
            }
        }
        (count, longest.max(last.elapsed()))
    }

    /// The thread of the GPU's loop.
    fn thread(&self) -> String {
        let mut tasks = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of_gpu = tasks.find_map(|task| {
            let path = task.unwrap().path();
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            let id = path.file_name().unwrap().to_string_lossy().into_owned();
            (name.trim() == "gpu-0").then_some(id)
        });
        of_gpu.expect("a thread for the GPU")
    }

    /// The loop stops at its next wait, outside the driver; all other threads go on.
    fn stop_loop(&self) -> Child {
        let thread = self.thread();
        let strace = Command::new("strace")
            .args(["-qq", "-o", "/dev/null", "-e", "trace=futex"])
            .args(["-e", "inject=futex:delay_enter=600000000", "-p", &thread])
            .stderr(Stdio::null())
            .spawn()
            .expect("strace");
        let status = format!("/proc/{}/task/{thread}/status", self.child.id());
        let traced = || {
            let status = fs::read_to_string(&status).unwrap_or_default();
            !status.contains("TracerPid:\t0\n")
        };
        assert!(wait_until(PATIENCE, traced), "strace doesn't attach");
        strace
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loop that polls every ten seconds was once believed for ten seconds after it had stopped.
#[test]
fn a_loop_that_stopped_starves_the_watchdog_within_the_deadline_at_any_poll_interval() {
    needs!("strace");
    for poll in ["100ms", "10s"] {
        let watched = Watched::started(&format!("poll_interval: {poll}\n"));
        let (count, longest) = watched.fed_for(DEADLINE * 2);
        assert!(count >= 2 && longest < DEADLINE, "{poll}: {longest:?}");
        let mut tracer = watched.stop_loop();
        // Notifications on their way, and one that was just being sent.
        watched.fed_for(DEADLINE / 2);
        let (count, _) = watched.fed_for(DEADLINE * 2);
        let _ = tracer.kill();
        let _ = tracer.wait();
        assert_eq!(count, 0, "{poll}: fed by somebody else");
    }
}

#[test]
fn a_loop_inside_a_hung_driver_or_none_at_all_feeds_the_watchdog() {
    let watched = Watched::started("poll_interval: 10s\n");
    watched.guard.machine.ctl(&["fault", "--gpu", "0", "hang"]);
    // The loop is in its next reading by then.
    watched.fed_for(Duration::from_secs(11));
    let (count, longest) = watched.fed_for(DEADLINE * 2);
    assert!(count >= 2 && longest < DEADLINE, "{longest:?}");
    watched.guard.machine.ctl(&["fault", "--gpu", "0", "none"]);
}
