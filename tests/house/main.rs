//! The order of the source: arrows between folders point down, no files form a circle, no folder is
//! crowded. ARCHITECTURE.md describes the folders.
//!
//! An arrow goes from a file to the file that defines the item it names, through re-exports. Tests
//! beside the code don't count.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panic")]

mod reader;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use reader::{inline_paths, plain, uses, without_tests};

/// From the bottom up: files and folders of `src`. Each may use what is below it.
const FLOORS: [&str; 20] = [
    "units",
    "thermal_fit",
    "clock",
    "log_limit",
    "registry",
    "device",
    "policy",
    "disk",
    "http_client",
    "recording",
    "config",
    "events",
    "apps",
    "guard",
    "alerts",
    "sim",
    "backtest",
    "web",
    "cli",
    "fuzzing",
];

/// Arrows that may point up or close a circle: from, to, why.
const EXCUSED: &[(&str, &str, &str)] = &[(
    "device/file_sensor.rs",
    "disk/bounded_read.rs",
    "one opener for all files; of `device`, `disk` needs no more than a GPU's UUID",
)];

/// Entries of a folder, not counting `mod.rs` and tests.
const MOST_ENTRIES: usize = 12;

/// Folders that may have more, and why.
const CROWDED: &[(&str, &str)] = &[
    ("", "a folder or file for each floor"),
    ("cli", "one for each command"),
    (
        "sim/scenarios",
        "one for each part of a story and of its score",
    ),
];

/// A module's path below the crate, such as `["guard", "state"]`.
type Module = Vec<String>;

/// One file, as far as names go.
struct Source {
    /// Below `src`.
    path: String,
    /// Names that `use` brings in, and the full paths that they stand for.
    names: BTreeMap<String, Vec<String>>,
    /// Full paths that the file names, `use` included.
    paths: Vec<Vec<String>>,
}

struct House(BTreeMap<Module, Source>);

type Arrows = BTreeMap<String, BTreeSet<String>>;

#[test]
fn arrows_between_folders_point_down() {
    let floor = |path: &str| {
        let name = path.split('/').next().unwrap_or_default();
        let name = name.strip_suffix(".rs").unwrap_or(name);
        let place = FLOORS.iter().position(|floor| *floor == name);
        place.unwrap_or_else(|| panic!("src/{name} has no place in FLOORS"))
    };
    let up = House::read().arrows().into_iter().flat_map(|(from, all)| {
        let up = all.into_iter().filter(|to| floor(to) > floor(&from));
        up.map(|to| format!("{from} → {to}")).collect::<Vec<_>>()
    });
    let up: Vec<_> = up.collect();
    assert!(up.is_empty(), "upward:\n{}", up.join("\n"));
}

#[test]
fn no_files_form_a_circle() {
    let circles = circles(&House::read().arrows());
    assert!(circles.is_empty(), "circles:\n{}", circles.join("\n"));
}

#[test]
fn no_folder_is_crowded() {
    let mut crowded = Vec::new();
    for (folder, entries) in entries(Path::new("src")) {
        let excused = CROWDED.iter().any(|(name, _)| *name == folder);
        let over = entries.len() > MOST_ENTRIES;
        if over != excused {
            crowded.push(format!("src/{folder}: {} entries", entries.len()));
        }
    }
    assert!(
        crowded.is_empty(),
        "over {MOST_ENTRIES} and not in CROWDED, or there for nothing:\n{}",
        crowded.join("\n")
    );
}

/// What the others would not see if the reader were blind.
#[test]
fn the_reader_sees_arrows_and_circles() {
    let arrows = House::read().arrows_with_excused();
    let has = |from: &str, to: &str| arrows.get(from).is_some_and(|all| all.contains(to));
    assert!(has("guard/state/shared.rs", "guard/watchdog.rs"), "by use");
    assert!(has("alerts/apply.rs", "policy/ask/lease.rs"), "re-exported");
    assert!(
        has("web/access/gate.rs", "web/access/actuators.rs"),
        "by path"
    );
    let text = "use a::{b, c::{self, D as E}};\n#[cfg(test)]\nmod tests { use x::Y; }";
    let trees: Vec<_> = uses(&without_tests(&plain(text))).0;
    let names: Vec<_> = trees.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["b", "c", "E"]);
    let arrow = |from: &str, to: &str| (from.to_owned(), BTreeSet::from([to.to_owned()]));
    let circle = Arrows::from([
        arrow("a", "b"),
        arrow("b", "c"),
        arrow("c", "a"),
        arrow("d", "a"),
    ]);
    assert_eq!(circles(&circle), ["a, b, c"]);
}

impl House {
    fn read() -> Self {
        let mut sources = BTreeMap::new();
        for file in rust_files(Path::new("src")) {
            let path = file
                .strip_prefix("src")
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path != "main.rs" {
                let text = fs::read_to_string(&file).unwrap();
                sources.insert(module(&path), Source::new(path, &text));
            }
        }
        assert!(sources.len() > 100, "{} files", sources.len());
        Self(sources)
    }

    fn arrows(&self) -> Arrows {
        let mut arrows = self.arrows_with_excused();
        for (from, to, why) in EXCUSED {
            let removed = arrows.get_mut(*from).is_some_and(|all| all.remove(*to));
            assert!(removed, "no longer there: {from} → {to} ({why})");
        }
        arrows
    }

    fn arrows_with_excused(&self) -> Arrows {
        let mut arrows = Arrows::new();
        for (module, source) in self.0.iter().filter(|(module, _)| !module.is_empty()) {
            let named = source
                .paths
                .iter()
                .filter_map(|path| self.file(module, path, 0));
            let others = named.filter(|path| *path != source.path);
            arrows.insert(source.path.clone(), others.map(str::to_owned).collect());
        }
        arrows
    }

    /// The file that defines what `path` means in `module`. `None`: another crate, or a whole module.
    fn file(&self, module: &[String], path: &[String], depth: usize) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        if depth > 8 {
            return None;
        }
        match first.as_str() {
            "crate" => self.walk(&[], rest, depth),
            "self" => self.walk(module, rest, depth),
            "super" => self.file_above(module, rest, depth),
            _ if self.0.contains_key(&child(module, first)) => self.walk(module, path, depth),
            name => {
                let meant = self.0.get(module)?.names.get(name)?;
                let meant: Vec<_> = meant.iter().chain(rest).cloned().collect();
                // A name that stands for itself is another crate's.
                (meant != path).then(|| self.file(module, &meant, depth + 1))?
            }
        }
    }

    fn file_above(&self, module: &[String], path: &[String], depth: usize) -> Option<&str> {
        let (_, above) = module.split_last()?;
        match path.split_first() {
            Some((first, rest)) if first == "super" => self.file_above(above, rest, depth),
            _ => self.walk(above, path, depth),
        }
    }

    /// Down from `module`.
    fn walk(&self, module: &[String], path: &[String], depth: usize) -> Option<&str> {
        let (first, rest) = path.split_first()?;
        let below = child(module, first);
        if self.0.contains_key(&below) {
            return self.walk(&below, rest, depth);
        }
        let source = self.0.get(module)?;
        match source.names.get(first) {
            Some(meant) => {
                let meant: Vec<_> = meant.iter().chain(rest).cloned().collect();
                (depth <= 8).then(|| self.file(module, &meant, depth + 1))?
            }
            None => Some(&source.path),
        }
    }
}

impl Source {
    fn new(path: String, text: &str) -> Self {
        let text = without_tests(&plain(text));
        let (names, rest) = uses(&text);
        let mut paths: Vec<_> = names.iter().map(|(_, path)| path.clone()).collect();
        paths.extend(inline_paths(&rest));
        Self {
            path,
            names: names.into_iter().collect(),
            paths,
        }
    }
}

fn child(module: &[String], name: &str) -> Module {
    let name = [name.to_owned()];
    module.iter().cloned().chain(name).collect()
}

/// `guard/state/mod.rs` is `guard::state`.
fn module(path: &str) -> Module {
    let path = path.strip_suffix(".rs").unwrap();
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let parts = path.split('/').filter(|part| *part != "lib");
    parts.map(str::to_owned).collect()
}

/// All but tests.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap();
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found
}

/// The entries of each folder below `root`. A file and its folder of the same name are one.
fn entries(root: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in rust_files(root) {
        let path = file.strip_prefix(root).unwrap();
        for below in path.ancestors() {
            let Some(folder) = below.parent() else {
                continue;
            };
            let stem = below.file_stem().unwrap().to_str().unwrap();
            let all = folders
                .entry(folder.to_str().unwrap().to_owned())
                .or_default();
            if stem != "mod" {
                all.insert(stem.to_owned());
            }
        }
    }
    folders
}

/// Files that reach each other, each group once.
fn circles(arrows: &Arrows) -> Vec<String> {
    let reached = |from: &str| {
        let mut seen = BTreeSet::new();
        let mut next = vec![from.to_owned()];
        while let Some(file) = next.pop() {
            for to in arrows.get(&file).into_iter().flatten() {
                if seen.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<_, _> = arrows.keys().map(|file| (file, reached(file))).collect();
    let circles = reach.iter().filter(|(file, all)| all.contains(**file));
    let groups = circles.map(|(file, all)| {
        let back = |other: &&String| reach.get(other).is_some_and(|all| all.contains(*file));
        let group: Vec<_> = all.iter().filter(back).map(String::as_str).collect();
        group.join(", ")
    });
    let groups: BTreeSet<_> = groups.collect();
    groups.into_iter().collect()
}
