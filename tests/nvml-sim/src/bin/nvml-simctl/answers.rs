//! What calls are told to answer.

use anyhow::{Context as _, ensure};
use clap::Args;
use nvidia_ml::layout::Bench;
use serde_json::{Value, json};
use thermal_guard::sim::faults::{Answer, Answers, Call};

use crate::{Which, commands};

/// Makes a call answer a code, or a value: always, so many times, or from some call on.
#[derive(Debug, Args)]
pub(crate) struct Answering {
    #[command(flatten)]
    which: Which,
    /// The call, by its name here; a wrong one is answered with all of them.
    #[arg(value_parser = call, required_unless_present = "clear")]
    call: Option<Call>,
    /// NVML's return code; 0 is success.
    #[arg(required_unless_present = "clear", conflicts_with = "clear")]
    code: Option<u32>,
    /// With success: the raw number in the call's own unit, FIRST:SECOND of a call with two. Left
    /// out, the truth.
    #[arg(value_parser = number, allow_hyphen_values = true)]
    value: Option<i64>,
    /// Only so many times.
    #[arg(long)]
    times: Option<u32>,
    /// Only from the call after so many on.
    #[arg(long, default_value_t = 0)]
    after: u32,
    /// When the answers it was given before are used up, instead of in their place.
    #[arg(long)]
    then: bool,
    /// The truth again, of this call or of all.
    #[arg(long)]
    clear: bool,
}

fn call(name: &str) -> Result<Call, String> {
    Call::named(name).ok_or_else(|| format!("there are {}", Call::names().join(", ")))
}

/// `92`, `-1`, `0x40`, `150000:300000`
pub(crate) fn number(text: &str) -> Result<i64, String> {
    let whole = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).map(u64::cast_signed),
        None => text.parse(),
    };
    let number = match text.split_once(':') {
        None => whole(text),
        Some((first, second)) => whole(first).and_then(|first| {
            let second = whole(second)?;
            Ok(second << 32 | first & 0xffff_ffff)
        }),
    };
    number.map_err(|_| "a whole number is wanted, or two with a colon".to_owned())
}

impl Answering {
    fn answer(&self) -> Answer {
        let code = Answer::code(self.code.unwrap_or(0));
        let answer = self.value.map_or(code, |value| Answer {
            code: code.code,
            ..Answer::value(value)
        });
        let times = self.times.unwrap_or(Answer::FOR_EVER);
        answer.times(times).after(self.after)
    }

    fn tell<const N: usize>(&self, answers: &mut Answers<N>) -> anyhow::Result<()> {
        let Some(call) = self.call else {
            answers.clear_all();
            return Ok(());
        };
        if self.clear {
            answers.clear(call);
            return Ok(());
        }
        let has_room = if self.then {
            answers.then(call, self.answer())
        } else {
            answers.set(call, self.answer())
        };
        ensure!(has_room, "at most {N} answers can be told at once");
        Ok(())
    }
}

pub(crate) fn tell(bench: &mut Bench, told: &Answering) -> anyhow::Result<()> {
    if let Some(call) = told.call.filter(|call| call.is_machine_wide()) {
        ensure!(
            told.which.gpu.is_none(),
            "{} is about the machine, not a GPU",
            call.name()
        );
        return told.tell(&mut bench.answers);
    }
    if told.call.is_none() && told.which.gpu.is_none() {
        bench.answers.clear_all();
    }
    commands::each(bench, told.which, |card| {
        let name = told.call.map(Call::name).unwrap_or_default();
        told.tell(&mut card.faults.answers).with_context(|| name)
    })
}

/// Those told, and how often each was given.
pub(crate) fn json<const N: usize>(answers: &Answers<N>) -> Value {
    let told = answers.iter().map(|entry| {
        let answer = &entry.answer;
        json!({
            "call": Call::numbered(entry.call).map(Call::name),
            "code": answer.code,
            "value": (answer.has_value != 0).then_some(answer.value),
            "after": answer.after,
            "left": (answer.left != Answer::FOR_EVER).then_some(answer.left),
            "used": entry.used,
        })
    });
    told.collect()
}
