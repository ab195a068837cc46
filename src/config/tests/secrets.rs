//! Whatever is mistyped in a file with secrets in it, no complaint repeats one of them.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::*;

/// A piece as long is too much of a secret.
const PIECE: usize = 6;

const PASSWORD: &str = "pa55w0rd-0f-n0b0dy";
const TOKEN: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c";

pub(crate) fn config() -> ProptestConfig {
    let rng_seed = match std::env::var_os("CI") {
        Some(_) => RngSeed::Fixed(20_261_129),
        None => RngSeed::Random,
    };
    ProptestConfig {
        cases: 3000,
        rng_seed,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A slip of the pen: what it does, where (a share of the text), and with what.
#[derive(Clone, Debug)]
pub(crate) struct Slip {
    kind: u8,
    place: f64,
    inserted: &'static str,
}

pub(crate) fn slips() -> impl Strategy<Value = Vec<Slip>> {
    let inserted = prop::sample::select(vec![
        " ", ":", ": ", "\n", "\n  ", "\n- ", "\n    ", "\"", "'", "*", "&a ", "{", "}", "[", "]",
        "#", " #", "\t", "!", "|", "> ", "- ", "~", ",", "%", "@", "`", "\\", "? ", "---\n",
        "<<: ",
    ]);
    let slip = (0u8..6, 0.0..1.0f64, inserted);
    let slip = slip.prop_map(|(kind, place, inserted)| Slip {
        kind,
        place,
        inserted,
    });
    prop::collection::vec(slip, 1..4)
}

pub(crate) fn slipped(text: &str, slips: &[Slip]) -> String {
    slips
        .iter()
        .fold(text.to_owned(), |text, slip| slip.on(&text))
}

impl Slip {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a short text"
    )]
    fn on(&self, text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        let at = (self.place * chars.len() as f64) as usize;
        let (before, after) = chars.split_at(at);
        let before: String = before.iter().collect();
        let after: String = after.iter().collect();
        let mut lines: Vec<&str> = text.lines().collect();
        let line = (self.place * lines.len() as f64) as usize;
        match self.kind {
            0 => before + self.inserted + &after,
            // The next blank, colon or quote goes.
            1 => match after.split_once([' ', ':', '"', '\'']) {
                Some((left, right)) => before + left + right,
                None => before,
            },
            2 => before + after.chars().as_str().get(1..).unwrap_or_default(),
            3 if line < lines.len() => {
                lines.remove(line);
                lines.join("\n")
            }
            4 if line + 1 < lines.len() => {
                lines.swap(line, line + 1);
                lines.join("\n")
            }
            // Two lines become one.
            _ => match after.split_once('\n') {
                Some((left, right)) => before + left + right.trim_start(),
                None => before,
            },
        }
    }
}

#[track_caller]
pub(crate) fn tells_nothing(said: &str, secrets: &[&str]) {
    for secret in secrets {
        let chars: Vec<char> = secret.chars().collect();
        for piece in chars.windows(PIECE) {
            let piece: String = piece.iter().collect();
            assert!(!said.contains(&piece), "{piece:?} of a secret in: {said}");
        }
    }
}

fn file() -> String {
    format!(
        "mode: enforce\n\
         apps:\n\
         \x20 - name: medgemma\n\
         \x20   http:\n\
         \x20     url: http://user:{PASSWORD}@127.0.0.1:7860/api?mode={{mode}}\n\
         \x20     bearer_token_file: {TOKEN}\n\
         \x20   env_file: {{ path: a.env, key: API_KEY, normal: {TOKEN}, gradual: 1 }}\n\
         hook:\n\
         \x20 bearer_token_file: \"{TOKEN}\"\n\
         \x20 lease: 30s\n\
         alertmanager:\n\
         \x20 url: [ \"http://user:{PASSWORD}@am:9093\" ]\n\
         \x20 bearer_token: {TOKEN}\n\
         \x20 basic_auth: {{ username: u, password: {PASSWORD}, password_file: {TOKEN} }}\n"
    )
}

#[test]
fn the_file_itself_is_refused_and_tells_nothing() {
    let errors = Config::from_yaml(&file()).unwrap_err().to_string();
    tells_nothing(&errors, &[PASSWORD, TOKEN]);
    for key in [
        "apps[0].http.url",
        "hook.bearer_token_file",
        "alertmanager.url",
        "alertmanager.bearer_token",
        "alertmanager.basic_auth.password_file",
    ] {
        assert!(errors.contains(key), "{key}: {errors}");
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_slip_of_the_pen_tells_a_secret(slips in slips()) {
        let text = slipped(&file(), &slips);
        if let Err(errors) = Config::from_yaml(&text) {
            tells_nothing(&errors.to_string(), &[PASSWORD, TOKEN]);
        }
    }
}
