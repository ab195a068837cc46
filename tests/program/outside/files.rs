//! Environment files of others: every byte but the value, and back again.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::applications::{SCALE, config, reload, restore, throttle, until};
use crate::common::guard::Guard;
use crate::common::needs::skipped;
use crate::common::nvml_sim::Machine;
use crate::common::wait::{PATIENCE, wait_until};

/// Files as people have them, and their contents in an emergency.
const FILES: [(&str, &str); 9] = [
    (
        "BATCH=8; export BATCH\nNEXT=1\n",
        "BATCH=1; export BATCH\nNEXT=1\n",
    ),
    (
        "BATCH=8 PRECISION=fp16\nNEXT=1\n",
        "BATCH=1 PRECISION=fp16\nNEXT=1\n",
    ),
    ("BATCH=8\\\n6\nNEXT=1\n", "BATCH=1\nNEXT=1\n"),
    ("BATCH: 8\nNEXT: 1\n", "BATCH: 1\nNEXT: 1\n"),
    (
        "BATCH=8\nA=1\nexport BATCH='16'\n",
        "BATCH=1\nA=1\nexport BATCH='1'\n",
    ),
    ("# none yet\nA=1", "# none yet\nA=1\nBATCH=1"),
    (
        "\u{feff}# x\r\nBATCH = \"8\" # eight\r\n",
        "\u{feff}# x\r\nBATCH = \"1\" # eight\r\n",
    ),
    ("P=fp16 BATCH=8\n", "P=fp16 BATCH=1\n"),
    ("BATCH=8\\\n6 \\\n  A=2", "BATCH=1 \\\n  A=2"),
];

fn entry(name: &str, file: &str) -> String {
    format!(
        "  - {{ name: {name}, env_file: {{ path: {file}, key: BATCH, normal: 8, gradual: 2, emergency: 1 }} }}\n"
    )
}

fn guard(files: &[(&str, &[u8])]) -> Guard {
    let machine = Machine::create(&["a100-80gb"], &[]);
    let apps: String = (0..)
        .zip(files)
        .map(|(n, (name, _))| entry(&format!("app{n}"), name))
        .collect();
    let mut guard = Guard::new(machine, SCALE, &config(&apps));
    for (name, text) in files {
        fs::write(guard.path(name), text).unwrap();
    }
    guard.start();
    guard
}

fn release(guard: &Guard) {
    let output = guard.run("release", &["--gpu=0", &format!("--url={}", guard.url(""))]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn every_byte_but_the_value_stays_and_comes_back() {
    let names: Vec<_> = (0..FILES.len()).map(|n| format!("{n}.env")).collect();
    let files: Vec<_> = names
        .iter()
        .zip(FILES)
        .map(|(name, (text, _))| (name.as_str(), text.as_bytes()))
        .collect();
    for by_kill in [false, true] {
        let mut guard = guard(&files);
        let read = |guard: &Guard, name: &str| fs::read_to_string(guard.path(name)).unwrap();
        throttle(&guard, "emergency");
        for (name, (_, slow)) in names.iter().zip(FILES) {
            until(&guard, slow, || read(&guard, name) == slow);
        }
        if by_kill {
            guard.kill();
            // Not even the configuration is needed.
            guard.configure(&config("  []\n"));
            restore(&guard);
        } else {
            release(&guard);
        }
        for (name, (original, _)) in names.iter().zip(FILES) {
            until(&guard, original, || read(&guard, name) == original);
        }
    }
}

#[test]
fn what_somebody_else_wrote_meanwhile_stays() {
    let guard = guard(&[("app.env", b"BATCH=8\n")]);
    let file = guard.path("app.env");
    throttle(&guard, "emergency");
    until(&guard, "told", || fs::read(&file).unwrap() == b"BATCH=1\n");
    fs::write(&file, "# mine\nBATCH=6\n").unwrap();
    release(&guard);
    guard.wait_state(0, "normal");
    assert_eq!(fs::read(&file).unwrap(), b"# mine\nBATCH=6\n");
}

#[test]
fn what_cannot_be_edited_safely_is_refused_with_a_reason_and_without_its_content() {
    let text = b"A=1\nBATCH=$(cat hunter2)\n";
    let guard = guard(&[("app.env", text)]);
    throttle(&guard, "emergency");
    let name = "thermal_guard_app_notifications_total";
    guard.wait("counted", |metrics| {
        metrics.get(name, &[("result", "failed")]) > Some(0.0)
    });
    let lines = guard.logged(&["app.env", "line 2", "BATCH", "write it plainly"]);
    assert!(!lines.is_empty(), "{}", guard.log());
    assert!(!guard.log().contains("hunter2"));
    assert_eq!(fs::read(guard.path("app.env")).unwrap(), text);
}

#[test]
fn a_value_that_is_the_slow_one_already_and_a_line_that_was_added_go_back_exactly() {
    let guard = guard(&[("same.env", b"BATCH=1\n"), ("none.env", b"A=1\n")]);
    let (same, none) = (guard.path("same.env"), guard.path("none.env"));
    let read = |file: &Path| fs::read_to_string(file).unwrap();
    throttle(&guard, "emergency");
    until(&guard, "added", || read(&none) == "A=1\nBATCH=1\n");
    fs::write(&none, read(&none) + "C=3\n").unwrap();
    release(&guard);
    until(&guard, "taken out", || read(&none) == "A=1\nC=3\n");
    guard.wait_state(0, "normal");
    assert_eq!(read(&same), "BATCH=1\n");
}

#[test]
fn what_a_shell_wont_have_set_twice_and_what_is_no_ascii_is_refused() {
    let wide = [b"\xff\xfe".as_slice(), b"A\0=\x001\0\n\0"].concat();
    let files: [(&str, &[u8]); 4] = [
        ("readonly.env", b"readonly BATCH=8\n"),
        ("declare.env", b"A=1; declare -rx BATCH=8\n"),
        ("typeset.env", b"typeset BATCH=8\n"),
        ("wide.env", &wide),
    ];
    let guard = guard(&files);
    throttle(&guard, "emergency");
    for (name, text) in files {
        until(&guard, name, || {
            !guard.logged(&[name, "line 1", "be set there"]).is_empty()
        });
        assert_eq!(fs::read(guard.path(name)).unwrap(), text, "{name}");
    }
    assert!(!guard.logged(&["save it as UTF-8"]).is_empty());
    assert!(!guard.logged(&["write a plain assignment"]).is_empty());
}

/// A shell with mounts of its own, in which the file alone is mounted, as in a container.
struct Container(Child);

impl Container {
    /// `None`: not allowed here.
    fn start(file: &Path, inside: &Path) -> Option<Self> {
        let allowed = Command::new("unshare")
            .args(["-m", "true"])
            .stderr(Stdio::null())
            .status();
        if !allowed.is_ok_and(|status| status.success()) {
            skipped("this user can't mount a file");
            return None;
        }
        fs::write(inside, "").unwrap();
        let ready = inside.with_extension("ready");
        let script =
            "mount --make-rprivate / && mount --bind \"$1\" \"$2\" && : > \"$3\" && exec sleep 300";
        let mut shell = Command::new("unshare");
        shell
            .args(["-m", "sh", "-c", script, "sh"])
            .args([file, inside, &ready]);
        let container = Self(shell.spawn().unwrap());
        assert!(wait_until(PATIENCE, || ready.exists()));
        Some(container)
    }

    /// The file as it sees it.
    fn reads(&self, inside: &Path) -> String {
        let path = format!("/proc/{}/root{}", self.0.id(), inside.display());
        fs::read_to_string(path).unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_file_that_a_container_has_mounted_alone_reaches_it() {
    let before = "BATCH=16; export BATCH\n";
    let mut guard = guard(&[("app.env", before.as_bytes())]);
    let (file, inside) = (guard.path("app.env"), guard.path("inside.env"));
    let Some(container) = Container::start(&file, &inside) else {
        return;
    };
    throttle(&guard, "emergency");
    let slow = "BATCH=1; export BATCH\n";
    until(&guard, "seen inside", || container.reads(&inside) == slow);
    assert_eq!(fs::read_to_string(&file).unwrap(), slow);
    until(&guard, "said", || {
        !guard
            .logged(&["mounted by itself", "mount its directory instead"])
            .is_empty()
    });
    let check = guard.run("check", &[]);
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(said.contains("mount the directory instead"), "{said}");
    release(&guard);
    until(&guard, "given back inside", || {
        container.reads(&inside) == before
    });
    assert_eq!(fs::read_to_string(&file).unwrap(), before);

    // Somebody replaces it: nothing reaches the container any more, and that is said and counted.
    fs::write(guard.path("new.env"), before).unwrap();
    fs::rename(guard.path("new.env"), &file).unwrap();
    throttle(&guard, "emergency");
    until(&guard, "said", || {
        !guard
            .logged(&["former file", "restart that container"])
            .is_empty()
    });
    let failed = [("app", "app0"), ("result", "failed")];
    let name = "thermal_guard_app_notifications_total";
    guard.wait("counted", |metrics| metrics.get(name, &failed) > Some(0.0));
    assert_eq!(
        fs::read_to_string(&file).unwrap(),
        slow,
        "for everybody else"
    );
    reload(&guard, &entry("app0", "app.env"));
    guard.kill();
    restore(&guard);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}
