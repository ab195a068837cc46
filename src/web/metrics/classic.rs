//! OpenMetrics text to Prometheus' classic text 0.0.4. Labelled as the other, either one breaks a
//! scrape: classic has no `info`, no `# UNIT`, no `# EOF`, no exemplars, and names a counter's
//! family as its samples.

use std::fmt::Write as _;

/// Rewrites a whole exposition of our encoder.
pub(super) fn from_openmetrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            describe(&mut classic, rest, help.take());
        } else if !line.starts_with('#') {
            classic.push_str(without_exemplar(line));
            classic.push('\n');
        }
    }
    classic
}

/// HELP comes before TYPE, but the name in it depends on the type.
fn describe(classic: &mut String, typed: &str, help: Option<(&str, &str)>) {
    let Some((family, kind)) = typed.split_once(' ') else {
        return;
    };
    let (suffix, kind) = match kind {
        "counter" => ("_total", "counter"),
        "info" => ("_info", "gauge"),
        "unknown" => ("", "untyped"),
        other => ("", other),
    };
    // Writing to a String can't fail.
    if let Some((_, help)) = help.filter(|(name, _)| *name == family) {
        let _ = writeln!(classic, "# HELP {family}{suffix} {help}");
    }
    let _ = writeln!(classic, "# TYPE {family}{suffix} {kind}");
}

/// An exemplar follows the value after ` # `; the same characters may stand in a label's value.
fn without_exemplar(sample: &str) -> &str {
    let value = end_of_labels(sample);
    match sample[value..].find(" # ") {
        Some(at) => &sample[..value + at],
        None => sample,
    }
}

fn end_of_labels(sample: &str) -> usize {
    let Some(open) = sample.find(['{', ' ']) else {
        return 0;
    };
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in sample.bytes().enumerate().skip(open) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b'}' | b' ' if !quoted => return at,
            _ => {}
        }
    }
    sample.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_gets_its_classic_name() {
        let open = "# HELP a_seconds Time\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\na_seconds_total 1\n\
                    # HELP b Build\n# TYPE b info\nb_info{x=\"y\"} 1\n\
                    # HELP c What\n# TYPE c unknown\nc 3\n\
                    # HELP d Gauge\n# TYPE d gauge\nd 4\n# EOF\n";
        let classic = "# HELP a_seconds_total Time\n# TYPE a_seconds_total counter\na_seconds_total 1\n\
                       # HELP b_info Build\n# TYPE b_info gauge\nb_info{x=\"y\"} 1\n\
                       # HELP c What\n# TYPE c untyped\nc 3\n\
                       # HELP d Gauge\n# TYPE d gauge\nd 4\n";
        assert_eq!(from_openmetrics(open), classic);
    }

    #[test]
    fn exemplars_go_and_label_values_stay() {
        let table = [
            ("a_total 1 # {trace=\"x\"} 1.0 123", "a_total 1"),
            (
                "a_bucket{le=\"0.1\"} 1 # {trace=\"} #\"} 0.05",
                "a_bucket{le=\"0.1\"} 1",
            ),
            (
                r#"a{n="x} 1 # {y=\"z\"} 2"} 7"#,
                r#"a{n="x} 1 # {y=\"z\"} 2"} 7"#,
            ),
            ("a{n=\"back\\\\\"} 7 # {} 1", "a{n=\"back\\\\\"} 7"),
            ("a 1", "a 1"),
        ];
        for (open, classic) in table {
            assert_eq!(without_exemplar(open), classic);
        }
    }
}
