//! Nodes and paths, as they are said and where they go.

use tempfile::TempDir;

use super::{generate, written, yaml};

use crate::common::process::{run, stderr, stdout};

#[test]
fn each_node_can_have_a_token_of_its_own_and_a_path_is_what_it_says() {
    let text = generate(&[
        "alertmanager",
        "--node=a,b:1",
        "--token-file=/etc/am/it's {host}.token",
    ]);
    let receivers = &yaml(&text)["receivers"];
    for (index, path) in [(2, "/etc/am/it's a.token"), (3, "/etc/am/it's b.token")] {
        let hook = &receivers[index]["webhook_configs"][0];
        let file = &hook["http_config"]["authorization"]["credentials_file"];
        assert_eq!(file, path);
    }
    for wrong in [
        &["--token-file=token"][..],
        &["--token-file=/etc/a\nb"],
        &["--token-file=/etc/{host}", "--for-version=0.31"],
    ] {
        let output = run(&[&["generate", "alertmanager"], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn nodes_come_from_a_file_as_well_and_a_bad_one_is_named_with_its_line() {
    let dir = TempDir::new().unwrap();
    let list = written(&dir, "nodes", "# rack 1\nb\n[fd00::1]:443  # odd one\n");
    let flag = format!("--nodes-file={}", list.display());
    let text = generate(&["prometheus", "--node=a", &flag]);
    let targets = &yaml(&text)["scrape_configs"][0]["static_configs"][0]["targets"];
    assert_eq!(
        targets,
        &serde_json::json!(["a:10835", "b:10835", "[fd00::1]:443"])
    );

    for (list, said) in [
        ("a\nb c\n", "line 2: bad node \"b c\""),
        ("a\na:10835\n", "a:10835 is there twice"),
        ("# none\n", "no node"),
    ] {
        let path = written(&dir, "nodes", list);
        let output = run(&["generate", "rules", "--nodes-file", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{list:?}");
        assert!(stderr(&output).contains(said), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn a_bad_node_exits_2_and_prints_nothing_that_could_be_taken_for_a_configuration() {
    for node in [
        "http://n1:10835",
        "n1:0",
        "n1:x",
        "n 1",
        "n1'",
        "{{evil}}",
        "10.0.0.300",
        "",
    ] {
        for what in ["alertmanager", "prometheus", "rules"] {
            let output = run(&["generate", what, "--node", node]);
            assert_eq!(output.status.code(), Some(2), "{what} {node:?}");
            assert_eq!(stdout(&output), "");
            assert!(stderr(&output).contains("node"), "{}", stderr(&output));
        }
    }
    assert_eq!(run(&["generate"]).status.code(), Some(2), "what?");
    assert_eq!(run(&["generate", "tea"]).status.code(), Some(2));
}

/// Rules depend on the number of nodes only.
#[test]
fn without_a_node_it_is_said_what_the_output_is_for() {
    for (what, said) in [
        ("rules", "so this is for up to 49 nodes"),
        ("prometheus", "so this is for n1.example:10835, an example"),
        ("targets", "so this is for n1.example:10835, an example"),
    ] {
        let output = run(&["generate", what]);
        let told = stderr(&output);
        assert!(told.contains(said), "{what}: {told}");
    }
}
