//! Decides how much of a file a message repeats. Mistakes move secrets to unexpected places: after a
//! forgotten blank behind a colon, a password is part of a key; a token stands in place of a path. So
//! messages mark words that come from the file, and this module decides how much of each is shown.

use std::fmt::{self, Write as _};

/// Private-use characters that mark words; they are removed from the marked text.
const QUOTED: char = '\u{e000}';
const BARE: char = '\u{e001}';
const END: char = '\u{e002}';

/// Number of characters shown of a word that may be a secret: enough to find it, too few to use it.
const HEAD: usize = 5;

/// No setting is a longer word.
const LONGEST: usize = 40;

/// Shorter runs of letters or digits are harmless.
const SHORTEST_RUN: usize = 6;

/// How much a file's complaints may repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Manners {
    /// Words that look like a setting's.
    #[default]
    Plain,
    /// Of no word more than its head: the file has passwords' hashes and keys in it.
    Discreet,
}

/// Text of a file as part of a complaint, in quotes.
pub(crate) fn quoted(text: &str) -> String {
    marked(QUOTED, text)
}

/// The same without quotes: a number.
pub(crate) fn bare(text: &str) -> String {
    marked(BARE, text)
}

fn marked(mark: char, text: &str) -> String {
    let text = text.replace([QUOTED, BARE, END], "");
    format!("{mark}{text}{END}")
}

impl Manners {
    /// Writes a complaint, with as much of its marked words as may be.
    pub(super) fn write(self, to: &mut fmt::Formatter<'_>, complaint: &str) -> fmt::Result {
        let mut rest = complaint;
        while let Some(at) = rest.find([QUOTED, BARE]) {
            let (ours, marked) = rest.split_at(at);
            to.write_str(ours)?;
            let is_quoted = marked.starts_with(QUOTED);
            let marked = marked.trim_start_matches([QUOTED, BARE]);
            let (word, after) = marked.split_once(END).unwrap_or((marked, ""));
            if is_quoted {
                write!(to, "{:?}", self.shown(word))?;
            } else {
                to.write_str(&self.shown(word))?;
            }
            rest = after;
        }
        to.write_str(rest)
    }

    /// The part of an unknown key that may be shown: all of it, if it looks like a key of this
    /// configuration.
    pub(super) fn key(self, key: &str) -> String {
        let like_ours = |c: char| c.is_ascii_lowercase() || c == '_';
        if key.contains('_') && key.chars().all(like_ours) && key.len() <= LONGEST {
            return key.to_owned();
        }
        self.shown(key)
    }

    /// The part of a word that may be shown.
    fn shown(self, word: &str) -> String {
        let harmless = self == Self::Plain && is_harmless(word);
        if harmless || word.chars().count() <= HEAD {
            return word.to_owned();
        }
        let mut head: String = word.chars().take(HEAD).collect();
        // Writing to a String can't fail.
        let _ = head.write_char('…');
        head
    }
}

/// A word, a number, a duration, a name: nothing that a URL, a hash, a token or a PEM has.
pub(super) fn is_harmless(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.,%+*-\\".contains(c);
    let mut runs = word.split(|c: char| !c.is_ascii_alphanumeric());
    word.len() <= LONGEST && word.chars().all(plain) && !runs.any(is_random)
}

/// Letters and digits by turns, as in a token or a password. `30seconds` is none.
fn is_random(run: &str) -> bool {
    let kinds: Vec<_> = run.bytes().map(|b| b.is_ascii_digit()).collect();
    let turns = kinds.iter().zip(kinds.iter().skip(1));
    let turns = turns.filter(|(one, next)| one != next).count();
    run.len() >= SHORTEST_RUN && turns >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Written(Manners, String);

    impl fmt::Display for Written {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.write(f, &self.1)
        }
    }

    #[test]
    fn a_setting_is_shown_and_what_may_be_a_secret_is_not() {
        for word in [
            "maybe",
            "30seconds",
            "1.5",
            "two words",
            "poll-interval",
            "",
        ] {
            assert_eq!(Manners::Plain.shown(word), word);
        }
        for word in [
            "http://user:password@host",
            "alice:$2y$10$QOauhQNbBCu",
            "s3cr3tpa55",
            "5eedc0de5eedc0de",
            "-----BEGIN PRIVATE KEY-----\nMIG",
            "a-word-that-is-much-longer-than-any-of-the-settings",
            "pass\nword",
        ] {
            let shown = Manners::Plain.shown(word);
            assert_eq!(shown.chars().count(), HEAD + 1, "{shown}");
        }
        assert_eq!(Manners::Discreet.shown("password"), "passw…");
        assert_eq!(Manners::Discreet.shown("alice"), "alice");
    }

    #[test]
    fn only_what_is_marked_is_cut() {
        let complaint = format!(
            "certificate is {}, {}, here",
            quoted("a\"long\"word"),
            bare("1234567")
        );
        let written = Written(Manners::Discreet, complaint).to_string();
        assert_eq!(written, "certificate is \"a\\\"lon…\", 12345…, here");
        let forged = Written(Manners::Discreet, quoted("ab\u{e002}secret\u{e000}")).to_string();
        assert_eq!(forged, "\"abses…\"".replace("ses", "sec"));
    }
}
