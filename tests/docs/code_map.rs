//! ARCHITECTURE's code map: a table for each folder of `src`, from the first sentence of each file.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::derived;

/// The first sentence of a file's documentation, without link brackets.
fn first_sentence(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(str::trim).take_while(|line| !line.is_empty());
    let paragraph = lines.collect::<Vec<_>>().join(" ");
    let end = paragraph.find(". ").unwrap_or(paragraph.len());
    let sentence = paragraph[..end].trim_end_matches(['.', ':']);
    let sentence = without_links(sentence);
    sentence.replace('|', "\\|")
}

/// Links to items mean nothing in the document: their text stays.
fn without_links(sentence: &str) -> String {
    let mut plain = String::new();
    let mut rest = sentence;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let (text, after) = link.split_once(']').unwrap();
        plain.push_str(text);
        let target = after.strip_prefix('(').and_then(|it| it.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    plain + rest
}

/// What a folder's table lists: files, and folders that have files of their own kind beside tests.
fn entries(folder: &Path) -> BTreeSet<String> {
    let mut entries = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_room = path.join("mod.rs").exists();
        let is_file = path.extension().is_some_and(|kind| kind == "rs");
        let is_listed = !["mod.rs", "lib.rs", "tests.rs", "tests"].contains(&name.as_str());
        if is_listed && (is_file || is_room) {
            entries.insert(if is_room { name + "/" } else { name });
        }
    }
    entries
}

fn describe(folder: &Path, map: &mut String) {
    let entries = entries(folder);
    let root = folder.join("mod.rs");
    let root = if root.exists() {
        root
    } else {
        folder.join("lib.rs")
    };
    writeln!(map, "### `{}/`\n", folder.display()).unwrap();
    writeln!(map, "{}.\n\n| | |\n|---|---|", first_sentence(&root)).unwrap();
    for name in &entries {
        let path = folder.join(name);
        let doc = match name.strip_suffix('/') {
            Some(_) => path.join("mod.rs"),
            None => path,
        };
        let sentence = first_sentence(&doc);
        assert!(
            !sentence.is_empty(),
            "{} has no documentation",
            doc.display()
        );
        writeln!(map, "| `{name}` | {sentence} |").unwrap();
    }
    map.push('\n');
    for name in entries.iter().filter(|name| name.ends_with('/')) {
        describe(&folder.join(name.trim_end_matches('/')), map);
    }
}

#[test]
fn the_code_map_is_what_the_files_say_of_themselves() {
    let mut map = String::new();
    describe(Path::new("src"), &mut map);
    derived("ARCHITECTURE.md", "code-map", &map);
}
