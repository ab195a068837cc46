//! Every relative link of every document leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders without documents of this project.
const FOREIGN: [&str; 4] = ["target", "node_modules", ".git", "venv"];

fn documents(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            if !FOREIGN.contains(&name.as_str()) {
                documents(&path, into);
            }
        } else if path.extension().is_some_and(|end| end == "md") {
            into.push(path);
        }
    }
}

/// Targets of links and pictures, in Markdown and in HTML. Not those inside code.
fn targets(text: &str) -> Vec<String> {
    let mut prose = String::new();
    for (n, part) in text.split("```").enumerate() {
        if n % 2 == 0 {
            prose.push_str(part);
        }
    }
    let prose: String = prose.split('`').step_by(2).collect();
    let ends = [
        ("](", ')'),
        ("src=\"", '"'),
        ("srcset=\"", '"'),
        ("href=\"", '"'),
    ];
    let found = ends.iter().flat_map(|(begin, end)| {
        let parts = prose.split(begin).skip(1);
        parts
            .filter_map(|part| part.split(*end).next())
            .map(str::to_owned)
    });
    found.collect()
}

/// The anchors of a document, as GitHub makes them of its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let words = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    words
        .map(|heading| {
            let kept = heading
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

fn broken(document: &Path) -> Vec<String> {
    let text = fs::read_to_string(document).unwrap();
    let leads = |target: &String| {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = match file {
            "" => document.to_owned(),
            file => document.parent().unwrap().join(file),
        };
        let is_document = path.extension().is_some_and(|end| end == "md");
        let known = |text: String| anchors(&text).contains(anchor);
        path.exists()
            && (anchor.is_empty() || !is_document || fs::read_to_string(&path).is_ok_and(known))
    };
    let relative = |target: &String| !target.contains("://") && !target.starts_with("mailto:");
    let targets = targets(&text).into_iter().filter(relative);
    targets.filter(|target| !leads(target)).collect()
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut all = Vec::new();
    documents(Path::new("."), &mut all);
    assert!(all.len() > 10, "{all:?}");
    let broken: Vec<_> = all
        .iter()
        .map(|path| (path, broken(path)))
        .filter(|(_, links)| !links.is_empty())
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_link_to_nowhere_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let document = dir.path().join("a.md");
    fs::write(&document, "# One two\n[a](b.md) [c](#one-two) [d](#three) ![e](e.png) `[f](f.md)` [g](https://g) <img src=\"h.png\">\n").unwrap();
    assert_eq!(broken(&document), ["b.md", "#three", "e.png", "h.png"]);
}
