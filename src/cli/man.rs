//! Man pages for packages, from the definition of the command line and the pages of its help.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Command};
use clap_mangen::Man as Generated;
use clap_mangen::roff::{Roff, bold, roman};

use super::help::page::{self, ENVIRONMENT, FILES};

const NAME: &str = "thermal-guard";

/// As the packages install it: each key, its default, what it takes.
const CONFIGURATION: &str = include_str!("../../deploy/thermal-guard.example.yml");

#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Created if it doesn't exist.
    directory: PathBuf,
}

/// A page for the program, one for each command, and one for the configuration file.
pub(crate) fn man(wanted: &Man, mut command: Command) -> anyhow::Result<()> {
    let directory = &wanted.directory;
    command.build();
    fs::create_dir_all(directory)
        .and_then(|()| all(&command, "", directory))
        .and_then(|()| configuration(&directory.join("thermal-guard.yml.5")))
        .with_context(|| format!("no man pages in {}", directory.display()))
}

/// `name`: of the command, as it is typed behind the program's name.
fn all(command: &Command, name: &str, directory: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        let name = format!("{name} {}", below.get_name());
        all(below, name.trim_start(), directory)?;
    }
    // Of a command, the generator would take the name alone.
    let page = Generated::new(command.clone()).source(source());
    let mut file = File::create(directory.join(page.get_filename()))?;
    write(&page, command, name, &mut file)?;
    file.flush()
}

fn source() -> String {
    format!("{NAME} {}", env!("CARGO_PKG_VERSION"))
}

fn write(page: &Generated, command: &Command, name: &str, to: &mut File) -> io::Result<()> {
    page.render_title(to)?;
    page.render_name_section(to)?;
    page.render_synopsis_section(to)?;
    page.render_description_section(to)?;
    if command.get_arguments().any(|it| !it.is_hide_set()) {
        page.render_options_section(to)?;
    }
    if command.get_subcommands().any(|it| !it.is_hide_set()) {
        page.render_subcommands_section(to)?;
    }
    let mut own = Roff::new();
    if let Some(notes) = command.get_after_help() {
        section(&mut own, "NOTES");
        own.text([roman(notes.to_string())]);
    }
    if let Some(about) = page::of(name) {
        section(&mut own, "EXIT STATUS");
        listed(&mut own, about.exits);
    }
    section(&mut own, "ENVIRONMENT");
    listed(&mut own, ENVIRONMENT);
    section(&mut own, "FILES");
    listed(&mut own, FILES);
    if let Some(about) = page::of(name) {
        section(&mut own, "EXAMPLES");
        for (line, about) in about.examples {
            own.control("TP", []);
            own.text([bold(*line)]);
            own.text([roman(*about)]);
        }
    }
    section(&mut own, "SEE ALSO");
    if !name.is_empty() {
        own.text([bold(NAME), roman("(1), ")]);
    }
    own.text([bold("thermal-guard.yml"), roman("(5)")]);
    own.to_writer(to)
}

fn configuration(page: &Path) -> io::Result<()> {
    let mut own = Roff::new();
    own.control("TH", ["thermal-guard.yml", "5", "", &source()]);
    section(&mut own, "NAME");
    own.text([roman(
        "thermal-guard.yml - configuration of thermal-guard(1)",
    )]);
    section(&mut own, "DESCRIPTION");
    own.text([roman(
        "The service reads /etc/thermal-guard/thermal-guard.yml (YAML). This is the file as it is installed: \
         all keys, as comments. `thermal-guard check` and `thermal-guard validate FILE` report mistakes.",
    )]);
    own.control("nf", []);
    for line in CONFIGURATION.lines() {
        own.text([roman(line)]);
    }
    own.control("fi", []);
    section(&mut own, "FILES");
    listed(&mut own, FILES);
    section(&mut own, "SEE ALSO");
    own.text([bold(NAME), roman("(1)")]);
    let mut file = File::create(page)?;
    own.to_writer(&mut file)?;
    file.flush()
}

fn section(own: &mut Roff, name: &str) {
    own.control("SH", [name]);
}

fn listed(own: &mut Roff, entries: &[(&str, &str)]) {
    for (entry, about) in entries {
        own.control("TP", []);
        own.text([bold(*entry)]);
        own.text([roman(*about)]);
    }
}
