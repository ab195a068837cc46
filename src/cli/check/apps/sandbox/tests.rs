//! What the service may write, as systemd would tell it.

use super::*;

/// As the shipped unit is, with these lines besides.
fn shipped(more: &str) -> Sandbox {
    let text = format!(
        "LoadState=loaded\nProtectSystem=strict\nProtectHome=yes\nPrivateTmp=yes\nStateDirectory=thermal-guard\nRuntimeDirectory=thermal-guard\n{more}"
    );
    Sandbox::parse(&text).unwrap()
}

#[track_caller]
fn refusal(sandbox: &Sandbox, path: &str) -> String {
    let (why, remedy) = sandbox.refuses(Path::new(path)).expect(path);
    format!("{why}; {remedy}")
}

#[test]
fn the_shipped_sandbox_refuses_what_it_was_not_opened_for() {
    let shut = shipped("ReadWritePaths=\n");
    let said = refusal(&shut, "/srv/app/run.env");
    assert!(said.contains("ProtectSystem=strict"), "{said}");
    assert!(said.contains("ReadWritePaths=/srv/app,"), "{said}");
    assert!(!said.contains("ProtectHome"), "{said}");
    let home = refusal(&shut, "/home/a/run.env");
    assert!(home.contains("(ProtectHome=yes)"), "{home}");
    assert!(home.contains("ProtectHome=no and ReadWritePaths=/home/a"));
    assert!(refusal(&shut, "/tmp/x/run.env").contains("PrivateTmp=no and"));
    let own = Path::new("/var/lib/thermal-guard/x.env");
    assert!(shut.refuses(own).is_none());
}

#[test]
fn the_longest_path_decides() {
    let open = shipped("ReadWritePaths=-/opt \"/srv/my app\" /srv/x\nReadOnlyPaths=/opt/ro\n");
    for (path, is_open) in [
        ("/opt/run.env", true),
        ("/opt/ro/run.env", false),
        ("/srv/my app/run.env", true),
        ("/srv/xy/run.env", false),
        ("/srv/run.env", false),
    ] {
        assert_eq!(open.refuses(Path::new(path)).is_none(), is_open, "{path}");
    }
    // What is hidden isn't opened by that.
    let home = shipped("ReadWritePaths=/home/a\n");
    assert!(home.refuses(Path::new("/home/a/run.env")).is_some());
    let bound = shipped("BindPaths=/home/a:/home/a:rbind\n");
    assert!(bound.refuses(Path::new("/home/a/run.env")).is_none());
}

#[test]
fn an_open_service_refuses_nothing_and_an_absent_one_is_none() {
    let text = "LoadState=loaded\nProtectSystem=no\nProtectHome=no\nPrivateTmp=no\n";
    let open = Sandbox::parse(text).unwrap();
    for path in ["/home/a/run.env", "/tmp/run.env", "/etc/run.env", "/x"] {
        assert!(open.refuses(Path::new(path)).is_none(), "{path}");
    }
    let full = Sandbox::parse("LoadState=loaded\nProtectSystem=full\nProtectHome=read-only\n");
    let full = full.unwrap();
    assert!(full.refuses(Path::new("/etc/run.env")).is_some());
    assert!(full.refuses(Path::new("/srv/run.env")).is_none());
    let home = refusal(&full, "/home/a/run.env");
    assert!(home.contains("(ProtectHome=read-only)"), "{home}");
    assert!(Sandbox::parse("LoadState=not-found\nProtectSystem=no\n").is_none());
    assert!(Sandbox::parse("").is_none());
}
