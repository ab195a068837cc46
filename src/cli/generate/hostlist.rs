//! Several names in one word, as Slurm writes them: `gpu[01-03,07]` are gpu01, gpu02, gpu03 and gpu07.

use anyhow::{Context, bail, ensure};

/// Far more than one Prometheus can scrape.
pub(super) const MOST_NODES: usize = 10_000;

/// Each name of a text with several.
pub(super) fn names(text: &str) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for word in words(text) {
        names.extend(expanded(word.trim())?);
    }
    Ok(names)
}

/// Split at the commas that are in no brackets.
fn words(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let outside = move |c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    };
    text.split(outside).collect()
}

/// One name for each number in the brackets, the brackets of an IPv6 address aside.
fn expanded(word: &str) -> anyhow::Result<Vec<String>> {
    let numbers = |inside: &str| {
        !inside.is_empty()
            && inside
                .chars()
                .all(|c| c.is_ascii_digit() || "-,".contains(c))
    };
    let Some((before, rest)) = word.split_once('[') else {
        return Ok(vec![word.to_owned()]);
    };
    let Some((inside, after)) = rest.split_once(']').filter(|(inside, _)| numbers(inside)) else {
        return Ok(vec![word.to_owned()]);
    };
    let mut names = Vec::new();
    for part in inside.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| {
            let number = text.parse::<usize>();
            number.with_context(|| format!("bad node {word:?}, wanted: such as gpu[01-60]"))
        };
        let (first, last) = (number(from)?, number(to)?);
        if first > last {
            bail!("bad node {word:?}: {from} is over {to}");
        }
        ensure!(
            last - first < MOST_NODES,
            "bad node {word:?}: more than {MOST_NODES} nodes"
        );
        let digits = from.len();
        let tails = expanded(after)?;
        ensure!(
            names.len() + tails.len() * (last - first + 1) <= MOST_NODES,
            "bad node {word:?}: more than {MOST_NODES} nodes"
        );
        for tail in tails {
            names.extend((first..=last).map(|number| format!("{before}{number:0digits$}{tail}")));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_what_slurm_writes_or_words_with_commas() {
        let list = |text| names(text).unwrap();
        assert_eq!(list("a, b:9000"), ["a", "b:9000"]);
        assert_eq!(
            list("gpu[08-10,12].x:1,b"),
            ["gpu08.x:1", "gpu09.x:1", "gpu10.x:1", "gpu12.x:1", "b"]
        );
        assert_eq!(list("r[1-2]n[3-4]").len(), 4);
        // An address keeps its brackets; so does what is no range, for the node's reader to refuse.
        assert_eq!(
            list("[fd00::1],[fd00::2]:443"),
            ["[fd00::1]", "[fd00::2]:443"]
        );
        assert_eq!(list("gpu[],gpu[1-2"), ["gpu[]", "gpu[1-2"]);
    }

    #[test]
    fn a_range_that_is_none_says_so() {
        for wrong in [
            "gpu[3-1]",
            "gpu[1-]",
            "gpu[-]",
            "gpu[0-99999999]",
            "gpu[1-9999][1-9999]",
            "gpu[1-9999,1-9999]",
        ] {
            assert!(names(wrong).is_err(), "{wrong}");
        }
    }
}
