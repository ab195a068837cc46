//! Killed at each step of a write to disk: the kernel itself kills the guard when it begins the system
//! call, where a crash does the most harm. Needs `strace`.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{Dice, ENV_FILE, LANES, SCALE, Told, UNNAMED_ENV, Victim};
use crate::common::figures::tell;
use crate::common::needs::needs;
use crate::common::process::strace_arguments;
use crate::common::wait::wait_for;

/// The system calls on a file before it gets its name. The guard creates and renames it by the handle of
/// its directory, and strace knows those calls by the directory.
const WRITTEN: &[&str] = &["write", "fsync"];

/// Longer than a throttle and all of its recovery take.
const LONGEST_LIFE: Duration = Duration::from_secs(20);

/// System calls on one file; each is deadly the first so many times.
struct Step {
    file: PathBuf,
    calls: &'static [&'static str],
    times: u32,
}

fn gpu_journal(victim: &Victim) -> PathBuf {
    let uuid = victim.guard.machine.gpu(0)["uuid"].clone();
    let directory = victim.guard.state_dir().join("gpus");
    directory.join(format!("{}.json", uuid.as_str().unwrap()))
}

fn unnamed(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap().to_str().unwrap();
    file.with_file_name(format!(".{name}.thermal-guard"))
}

/// All files with something that must be undone later.
fn steps(victim: &Victim) -> Vec<Step> {
    let step = |file, calls, times| Step { file, calls, times };
    let journal = gpu_journal(victim);
    let directory = victim.guard.dir.path();
    let gpus = victim.guard.state_dir().join("gpus");
    let state = victim.guard.state_dir();
    let apps = unnamed(&state.join("apps.json"));
    vec![
        step(unnamed(&journal), WRITTEN, 3),
        step(gpus.clone(), &["openat"], 8),
        step(gpus.clone(), &["renameat"], 3),
        step(gpus.clone(), &["fsync"], 2),
        // One before each write, for the leftovers of a killed guard, and one at the end.
        step(gpus, &["unlinkat"], 8),
        step(apps, WRITTEN, 2),
        step(state.clone(), &["openat"], 6),
        step(state, &["renameat"], 4),
        step(directory.join(UNNAMED_ENV), WRITTEN, 2),
        step(directory.join(UNNAMED_ENV), &["fchmod"], 2),
        step(directory.to_owned(), &["openat"], 4),
        step(directory.to_owned(), &["renameat"], 2),
    ]
}

/// A guard under strace, which does `inject` to its calls on `file`.
fn traced(victim: &Victim, scale: u32, file: &Path, inject: &str) -> Child {
    let guarded = victim.guard.command_at(scale, "serve");
    let environment = guarded
        .get_envs()
        .filter_map(|(key, value)| Some((key, value?)));
    let mut traced = Command::new("strace");
    traced
        .args(strace_arguments(inject, &[file.to_owned()]))
        .arg(guarded.get_program())
        .args(guarded.get_args())
        .args(["--web.listen-address=127.0.0.1:0", "--log.level=error"])
        .envs(environment)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    traced.spawn().unwrap()
}

/// Kills the whole group: a guard without its tracer would go on.
fn kill(mut child: Child) {
    let group = format!("-{}", child.id());
    let mut kill = Command::new("kill");
    let _ = kill
        .args(["-KILL", "--", &group])
        .stderr(Stdio::null())
        .status();
    let _ = child.wait();
}

/// One life with all of these calls: heat, then a recovery. True: the guard was killed before its end.
fn live(victim: &Victim, mut child: Child) -> bool {
    let began = Instant::now();
    victim.guard.overheat();
    let mut is_cooling = false;
    let killed = loop {
        if child.try_wait().unwrap().is_some() {
            break true;
        }
        if !is_cooling && victim.guard.limit() < victim.original && victim.env() != ENV_FILE {
            is_cooling = true;
            victim.guard.cool_down();
        } else if is_cooling && victim.is_as_before() || began.elapsed() > LONGEST_LIFE {
            break false;
        }
        thread::sleep(Duration::from_millis(10));
    };
    kill(child);
    killed
}

/// The guard dies at that call for the `time`th time, and is recovered from. False: it didn't get there.
fn die(seed: u64, file: &Path, call: &str, time: u32, victim: &Victim) -> bool {
    let deadly = format!("{call}:signal=KILL:when={time}");
    let child = traced(victim, SCALE, file, &deadly);
    if !live(victim, child) {
        return false;
    }
    let name = file.file_name().unwrap().to_string_lossy();
    let story = format!("{call} number {time} of {name}");
    victim.assert_recoverable(&story);
    victim.recover(&story, seed.is_multiple_of(2), &Told::default());
    true
}

#[test]
fn a_guard_killed_at_any_step_of_a_write_to_disk_is_recovered_from() {
    needs!("strace");
    let killed = AtomicUsize::new(0);
    let victim = |seed| Victim::new(&mut Dice(seed));
    let plan = steps(&victim(0));
    let plan: Vec<_> = (0..plan.len())
        .flat_map(|step| (0..plan[step].calls.len()).map(move |call| (step, call)))
        .flat_map(|(step, call)| (1..=plan[step].times).map(move |time| (step, call, time)))
        .collect();
    let one = |number: usize| {
        let (step, call, time) = plan[number];
        let seed = number as u64;
        let victim = victim(seed);
        let step = &steps(&victim)[step];
        let reached = die(seed, &step.file, step.calls[call], time, &victim);
        killed.fetch_add(usize::from(reached), Ordering::Relaxed);
        let (file, call) = (step.file.display(), step.calls[call]);
        assert!(reached || time > 1, "no {call} of {file} was reached");
    };
    thread::scope(|scope| {
        for lane in 0..LANES {
            let lane = (lane..plan.len()).step_by(LANES);
            scope.spawn(move || lane.for_each(one));
        }
    });
    let killed = killed.into_inner();
    tell(&format!(
        "{killed} deaths at a step of a write to disk, nothing left wrong"
    ));
}

/// A throttle doesn't wait for a slow disk, so for a while the journal doesn't have its name.
const BEHIND: &str = "fsync:delay_enter=60000000";

#[test]
fn a_throttle_that_the_disk_is_behind_of_is_given_back() {
    needs!("strace");
    for by_restore in [true, false] {
        let victim = Victim::new(&mut Dice(u64::from(by_restore)));
        let journal = gpu_journal(&victim);
        let sets = |to: &[&str]| victim.guard.machine.ctl(to);
        // Warm at full power, and then hot. A tick a second, so that it is killed before the next.
        sets(&["time-scale", "5"]);
        sets(&["set", "load=1", "airflow=0.85", "inlet=25"]);
        sets(&["advance", "900"]);
        let guard = traced(&victim, 1, &unnamed(&journal), BEHIND);
        sets(&["set", "inlet=45"]);
        wait_for("throttled", || victim.guard.limit() < victim.original);
        kill(guard);
        assert!(!journal.exists(), "the disk was behind");
        victim.assert_recoverable("slow disk");
        sets(&["time-scale", "100"]);
        victim.recover("slow disk", by_restore, &Told::default());
    }
}

#[test]
fn an_application_that_the_disk_is_behind_of_is_told_normal() {
    needs!("strace");
    for by_restore in [true, false] {
        let victim = Victim::new(&mut Dice(u64::from(by_restore)));
        let journal = victim.guard.state_dir().join("apps.json");
        let guard = traced(&victim, SCALE, &unnamed(&journal), BEHIND);
        victim.guard.overheat();
        wait_for("told", || victim.env() != ENV_FILE);
        kill(guard);
        assert!(!journal.exists(), "the disk was behind");
        victim.assert_recoverable("slow disk");
        victim.recover("slow disk", by_restore, &Told::default());
    }
}
