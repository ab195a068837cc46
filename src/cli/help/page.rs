//! Examples and exit statuses of each command, for its help and its man page, and the files and variables
//! that the man pages tell of.

use std::fmt::Write as _;

/// Of one command.
pub(crate) struct Page {
    /// With its parent, if it has one.
    command: &'static str,
    /// A command line, and what it is for.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// A code, and when.
    pub(crate) exits: &'static [(&'static str, &'static str)],
}

const DONE: &[(&str, &str)] = &[("0", "done"), ("1", "not done, or no guard answers")];

const PAGES: &[Page] = &[
    Page {
        command: "serve",
        examples: &[
            ("thermal-guard serve --simulate", "without a GPU"),
            ("thermal-guard serve --mode=observe", "write nothing"),
        ],
        exits: &[
            ("0", "stopped"),
            ("1", "can't start or go on"),
            ("78", "a mistake in a file"),
        ],
    },
    Page {
        command: "check",
        examples: &[
            ("sudo thermal-guard check", "as the service sees it"),
            ("thermal-guard check --simulate --json", "for a program"),
        ],
        exits: &[("0", "ready, or only warnings"), ("1", "something fails")],
    },
    Page {
        command: "validate",
        examples: &[
            ("thermal-guard validate", "the service's file"),
            ("thermal-guard validate new.yml", "before it is installed"),
        ],
        exits: &[("0", "valid"), ("78", "a mistake, or not readable")],
    },
    Page {
        command: "status",
        examples: &[
            ("thermal-guard status --watch", "again every 2 s"),
            ("thermal-guard status --url node7", "another node's guard"),
        ],
        exits: &[("0", "shown"), ("1", "no guard answers")],
    },
    Page {
        command: "wait",
        examples: &[
            ("thermal-guard wait && ./train.sh", "start cool"),
            ("thermal-guard wait --gpu 0,2 --below 60", "two of the GPUs"),
        ],
        exits: &[
            ("0", "cool"),
            ("1", "nobody can be asked"),
            ("75", "timed out"),
        ],
    },
    Page {
        command: "throttle",
        examples: &[
            (
                "thermal-guard throttle --gpu 0,1 --level gradual --for 10m",
                "by index",
            ),
            (
                "thermal-guard throttle --gpu GPU-5e --level emergency --for 1m",
                "by UUID",
            ),
        ],
        exits: DONE,
    },
    Page {
        command: "release",
        examples: &[("thermal-guard release --gpu all", "end all throttles")],
        exits: DONE,
    },
    Page {
        command: "pause",
        examples: &[("thermal-guard pause --gpu 65:00.0 --for 30m", "by address")],
        exits: DONE,
    },
    Page {
        command: "resume",
        examples: &[("thermal-guard resume --gpu all", "end all pauses")],
        exits: DONE,
    },
    Page {
        command: "detach",
        examples: &[("thermal-guard detach", "before nvidia-smi --gpu-reset")],
        exits: DONE,
    },
    Page {
        command: "attach",
        examples: &[("thermal-guard attach", "after it")],
        exits: DONE,
    },
    Page {
        command: "reload",
        examples: &[("thermal-guard reload --pid 4711", "check, then reload")],
        exits: &[
            ("0", "reloaded, or asked for and nothing heard"),
            ("1", "refused, or no such process"),
            ("78", "a mistake in a file; nothing was sent"),
        ],
    },
    Page {
        command: "restore",
        examples: &[
            ("sudo thermal-guard restore", "after a guard died"),
            ("sudo thermal-guard restore --wait=5m", "let it cool first"),
        ],
        exits: &[("0", "nothing is left"), ("1", "something is kept")],
    },
    Page {
        command: "report",
        examples: &[
            ("thermal-guard report --last=30d", "a month"),
            ("thermal-guard report --json", "with all details"),
        ],
        exits: &[("0", "told"), ("1", "no log that can be read")],
    },
    Page {
        command: "backtest",
        examples: &[
            (
                "thermal-guard backtest --prometheus http://prom:9090",
                "a month",
            ),
            (
                "thermal-guard backtest --csv gpu.csv --html heat.html",
                "a file",
            ),
        ],
        exits: &[("0", "told"), ("1", "not read"), ("2", "wrong usage")],
    },
    Page {
        command: "simulate",
        examples: &[
            (
                "thermal-guard simulate hot-inlet --profile h100",
                "one scene",
            ),
            (
                "thermal-guard simulate bursty --plot bursty.svg",
                "with a drawing",
            ),
        ],
        exits: &[("0", "done"), ("2", "wrong usage")],
    },
    Page {
        command: "replay",
        examples: &[("thermal-guard replay gpu.csv --hold", "a recording")],
        exits: &[
            ("0", "nothing wrong"),
            ("1", "something is wrong"),
            ("2", "wrong usage"),
        ],
    },
    Page {
        command: "generate alertmanager",
        examples: &[
            (
                "thermal-guard generate alertmanager --nodes-file nodes.txt",
                "a fleet",
            ),
            (
                "thermal-guard generate alertmanager --node 'gpu[01-60]' --fragment",
                "to paste",
            ),
        ],
        exits: &[("0", "printed"), ("2", "a bad node or path")],
    },
    Page {
        command: "generate prometheus",
        examples: &[(
            "thermal-guard generate prometheus --node gpu1,gpu2",
            "two nodes",
        )],
        exits: &[("0", "printed"), ("2", "a bad node or path")],
    },
    Page {
        command: "generate targets",
        examples: &[(
            "thermal-guard generate targets --node 'gpu[01-60]'",
            "a fleet",
        )],
        exits: &[("0", "printed"), ("2", "a bad node or path")],
    },
    Page {
        command: "generate rules",
        examples: &[("thermal-guard generate rules", "for a node or a few")],
        exits: &[("0", "printed"), ("2", "a bad node or path")],
    },
];

/// Of the program as a whole: the first things to type, and what isn't listed among the commands.
const FIRST: &str = "\
Examples:
  thermal-guard serve --simulate      # try it without a GPU
  sudo thermal-guard check            # is this node ready?
  thermal-guard status --watch        # the GPUs of the running guard
  thermal-guard completions bash      # or zsh, fish";

/// Paths, and what is there.
pub(crate) const FILES: &[(&str, &str)] = &[
    (
        "/etc/thermal-guard/thermal-guard.yml",
        "configuration of the service; every key is optional",
    ),
    (
        "/etc/default/thermal-guard",
        "flags of the service, as ARGS=\"...\"",
    ),
    (
        "/var/lib/thermal-guard",
        "state: journal, hook token, event log",
    ),
    ("/run/thermal-guard", "one lock per GPU"),
];

/// Environment variables, and what they do.
pub(crate) const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "NO_COLOR",
        "set: no colours; there are none anyway where the output is no terminal",
    ),
    ("COLUMNS", "width of the output, instead of the terminal's"),
    ("TZ", "time zone of `report` and `status --watch`"),
    ("THERMAL_GUARD_NVML_LIBRARY", "as --nvml.library"),
    ("THERMAL_GUARD_NODE_NAME", "as --node.name"),
];

/// `command`: as a user types it, without the program's name.
pub(crate) fn of(command: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.command == command)
}

/// Under the flags of a command's help. The program's own name: what isn't about one command.
pub(super) fn below_help(command: &str) -> Option<String> {
    if command.is_empty() {
        return Some(FIRST.to_owned());
    }
    let page = of(command)?;
    let longest = page.examples.iter().map(|(line, _)| line.len()).max();
    let longest = longest.unwrap_or(0);
    let mut text = "Examples:\n".to_owned();
    for (line, about) in page.examples {
        // Writing to a String can't fail.
        let _ = writeln!(text, "  {line:<longest$}  # {about}");
    }
    let exits = page.exits.iter();
    let exits: Vec<_> = exits.map(|(code, when)| format!("{code} {when}")).collect();
    let _ = write!(text, "\nExit status: {}", exits.join("; "));
    Some(text)
}
