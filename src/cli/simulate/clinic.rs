//! The article's table, as far as physics can answer it, beside what the article claims.

use std::fmt::Write;

use super::table::label;
use crate::cli::table::aligned;
use crate::sim::scenarios::clinic::workload::{Served, Workload};
use crate::sim::scenarios::jobs::StoryResult;
use crate::sim::scenarios::policy::Policy;
use crate::sim::scenarios::run::RunResult;

/// A row of the article's table, with its figures without and with the script.
struct Row {
    name: &'static str,
    without: &'static str,
    with: &'static str,
    answer: fn(&Workload, &[Served]) -> String,
}

const ROWS: [Row; 9] = [
    Row {
        name: "mean temperature, °C",
        without: "81.3",
        with: "69.7",
        answer: |workload, _| {
            format!(
                "{:.1}",
                workload.days.core_sum / workload.days.seconds.max(1) as f64
            )
        },
    },
    Row {
        name: "hottest, °C",
        without: "",
        with: "",
        answer: |workload, _| format!("{:.1}", workload.days.hottest),
    },
    Row {
        name: "time over 78 °C",
        without: "",
        with: "",
        answer: |workload, _| share(workload.days.over_78, workload.days.seconds),
    },
    Row {
        name: "time over 85 °C",
        without: "",
        with: "",
        answer: |workload, _| share(workload.days.over_85, workload.days.seconds),
    },
    Row {
        name: "longest run under 85 °C, hours",
        without: "11.2",
        with: "24.0",
        answer: |workload, _| format!("{:.1}", workload.days.longest_run as f64 / 3600.0),
    },
    Row {
        name: "throttles, from trigger to full recovery",
        without: "",
        with: "",
        answer: |workload, _| workload.days.recoveries.to_string(),
    },
    Row {
        name: "their mean length, seconds",
        without: "",
        with: "47",
        answer: |workload, _| match workload.days.recoveries {
            0 => "-".to_owned(),
            count => format!("{:.0}", workload.days.recovering as f64 / count as f64),
        },
    },
    Row {
        name: "response time while throttled",
        without: "",
        with: "+18 %",
        answer: |workload, free| penalty(workload, free, |served| served.throttled),
    },
    Row {
        name: "response time while over 78 °C",
        without: "+32 %",
        with: "",
        answer: |workload, free| penalty(workload, free, |served| served.hot),
    },
];

const NOTES: &str = "
Longest run: the article counts until somebody had to step in; here until a card reached 85 °C, where
the driver takes clock away. Response times are against the same X-rays on cards that nothing slows.
Can't be simulated: inference failures (2.1 -> 0.0 %), report consistency (86.7 -> 94.2 %) and manual
interventions (4.3 -> 0 a day): no thermal model knows what a hot card computes.
";

/// Empty for other scenarios.
pub(crate) fn rows(result: &StoryResult) -> String {
    let seconds = result.story.seconds;
    let wards: Vec<(&RunResult, &Workload)> = result
        .played
        .iter()
        .filter_map(|played| Some((played, played.workload.as_ref()?)))
        .collect();
    if wards.is_empty() {
        return String::new();
    }
    let mut free = Workload::unlimited(seconds);
    free.sort_by_key(|served| served.job);
    let mut head = vec![String::new(), "ARTICLE".to_owned()];
    let (without, with): (Vec<_>, Vec<_>) = wards
        .iter()
        .partition(|(played, _)| played.policy == Policy::None);
    head.extend(without.iter().map(|(played, _)| label(played.policy)));
    head.push("ARTICLE".to_owned());
    head.extend(with.iter().map(|(played, _)| label(played.policy)));
    let mut cells = vec![head];
    for row in &ROWS {
        let answers = |wards: &[(&RunResult, &Workload)]| -> Vec<String> {
            let answer = |(_, workload): &(&RunResult, &Workload)| (row.answer)(workload, &free);
            wards.iter().map(answer).collect()
        };
        let mut line = vec![row.name.to_owned(), claim(row.without)];
        line.extend(answers(&without));
        line.push(claim(row.with));
        line.extend(answers(&with));
        cells.push(line);
    }
    let mut text = "\nThe article's table (without its script, then with):\n\n".to_owned();
    text.push_str(&aligned("    ", &cells));
    let busy = 100.0 * free.iter().map(|served| served.response).sum::<f64>()
        / (seconds.max(1) as f64 * result.story.cards() as f64);
    let _ = write!(
        text,
        "\n{} X-rays keep two cards busy for {busy:.0} % of the time: they alone can't heat them so. The rest is\n\
         chosen: other work always, and a room in which the unguarded cards have the published mean.\n{NOTES}",
        free.len(),
    );
    text
}

fn claim(claim: &str) -> String {
    if claim.is_empty() { "-" } else { claim }.to_owned()
}

fn share(seconds: u64, of: u64) -> String {
    format!("{:.1} %", 100.0 * seconds as f64 / of.max(1) as f64)
}

/// How much longer the chosen X-rays took than on cards without any throttle.
fn penalty(workload: &Workload, free: &[Served], chosen: impl Fn(&Served) -> bool) -> String {
    let (mut took, mut would) = (0.0, 0.0);
    for served in workload.served.iter().filter(|served| chosen(served)) {
        if let Ok(at) = free.binary_search_by_key(&served.job, |served| served.job) {
            took += served.response;
            would += free[at].response;
        }
    }
    if would > 0.0 {
        format!("{:+.0} %", 100.0 * (took / would - 1.0))
    } else {
        "-".to_owned()
    }
}
