//! Killed at each step of the journal and of giving back: the kernel itself kills the guard inside
//! the system call, which is where a crash hurts most. Needs `strace`.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::common::node::program;
use super::{Dice, Victim, measured};

/// What a journal entry and an app's file are made of: created, on disk, renamed, taken away.
const CALLS: [&str; 4] = ["fsync", "rename", "unlink", "fchmod"];

/// The first so many of each: a throttle, its escalation, and all of the recovery.
const TIMES: u32 = 6;

/// A life in which all of the calls happen: heat, then a recovery.
fn live(victim: &Victim, call: &str, time: u32) -> bool {
    let state = victim.node.state_dir();
    let guarded = victim.node.command(&[]);
    let environment = guarded
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)));
    let mut traced = Command::new("strace");
    traced
        .args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
        ])
        .args(["-e", &format!("inject={call}:signal=KILL:when={time}")])
        .arg(program())
        .arg("serve")
        .args(guarded.get_args())
        .args([
            "--web.listen-address=127.0.0.1:0",
            "--debug.time-scale=100",
            "--log.level=error",
        ])
        .arg(format!("--config.file={}", victim.config().display()))
        .envs(environment)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let mut child = traced.spawn().unwrap();
    let began = Instant::now();
    let mut hot = false;
    let killed = loop {
        if child.try_wait().unwrap().is_some() {
            break true;
        }
        // Hot until it is throttled, then cool until all is given back.
        if !hot && state.exists() {
            hot = true;
            victim.node.machine.ctl(&["set", "load=1", "inlet=90"]);
        } else if hot && victim.node.limit() < victim.original {
            victim.node.cool();
        }
        if began.elapsed() > Duration::from_secs(8) {
            break false;
        }
        thread::sleep(Duration::from_millis(10));
    };
    // Not the tracer alone: a guard that lost it would go on.
    let group = format!("-{}", child.id());
    let mut kill = Command::new("kill");
    let _ = kill
        .args(["-KILL", "--", &group])
        .stderr(Stdio::null())
        .status();
    let _ = child.wait();
    killed
}

#[test]
fn a_guard_killed_inside_any_step_of_its_journal_is_recovered_from() {
    let mut killed = 0;
    for (index, call) in CALLS.iter().enumerate() {
        for time in 1..=TIMES {
            let seed = u64::try_from(index).unwrap_or_default() * 100 + u64::from(time);
            let mut dice = Dice(seed);
            let victim = Victim::new(&mut dice);
            let story = format!("{call} number {time}");
            if !live(&victim, call, time) {
                break;
            }
            killed += 1;
            victim.assert_recoverable(&story);
            victim.recover(&story, dice.below(2) == 0);
        }
    }
    measured(&format!(
        "{killed} deaths inside a step of the journal, nothing left wrong"
    ));
    assert!(killed >= 8, "only {killed} of the calls were reached");
}
