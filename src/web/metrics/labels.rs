//! Labels as they stand between the braces of a series.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use crate::web::snapshot::GpuView;

/// A name, which is ours, and a value, which may be somebody else's: it is escaped.
pub(super) type Label<'a> = (&'static str, Cow<'a, str>);

/// For families whose series differ in how many labels they have.
pub(super) type Labels<'a> = Vec<Label<'a>>;

/// What tells a series from the others of its family.
pub(super) trait LabelSet {
    fn write(&self, text: &mut String) -> fmt::Result;
}

impl<const N: usize> LabelSet for [Label<'_>; N] {
    fn write(&self, text: &mut String) -> fmt::Result {
        write_all(self, text)
    }
}

impl LabelSet for Labels<'_> {
    fn write(&self, text: &mut String) -> fmt::Result {
        write_all(self, text)
    }
}

/// The labels of one of a GPU's series: first what all of them carry, then its own.
pub(super) struct OfGpu<'a, L>(pub(super) &'a str, pub(super) L);

impl<L: LabelSet> LabelSet for OfGpu<'_, L> {
    fn write(&self, text: &mut String) -> fmt::Result {
        text.push_str(self.0);
        let before = text.len();
        text.push(',');
        self.1.write(text)?;
        if text.len() == before + 1 {
            text.truncate(before);
        }
        Ok(())
    }
}

/// Instead of an index that another card has got: two cards under one number would be one to readers.
const GONE: &str = "gone";

/// What every series of `gpu` carries, as it is written.
pub(super) fn of_gpu(gpu: &GpuView) -> Result<String, fmt::Error> {
    let index = gpu
        .index
        .map_or_else(|| GONE.to_owned(), |it| it.to_string());
    let uuid = gpu.identity.uuid.as_str();
    let mut text = String::with_capacity(64);
    [("gpu", index.into()), ("uuid", uuid.into())].write(&mut text)?;
    Ok(text)
}

fn write_all(labels: &[Label<'_>], text: &mut String) -> fmt::Result {
    for (number, (name, value)) in labels.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        write!(text, "{comma}{name}=\"")?;
        escape(value, text);
        text.push('"');
    }
    Ok(())
}

/// Both formats escape the same three characters.
fn escape(value: &str, text: &mut String) {
    for piece in value.split_inclusive(['\\', '"', '\n']) {
        let plain = piece.strip_suffix(['\\', '"', '\n']);
        text.push_str(plain.unwrap_or(piece));
        if plain.is_some() {
            text.push_str(match piece.as_bytes().last() {
                Some(b'\\') => r"\\",
                Some(b'"') => r#"\""#,
                _ => r"\n",
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(labels: &impl LabelSet) -> String {
        let mut text = String::new();
        assert!(labels.write(&mut text).is_ok());
        text
    }

    #[test]
    fn commas_stand_between_labels_only() {
        let no: [Label<'_>; 0] = [];
        let two = [("a", "1".into()), ("b", "2".into())];
        let table = [
            (written(&no), ""),
            (written(&two), r#"a="1",b="2""#),
            (written(&OfGpu(r#"gpu="0""#, no)), r#"gpu="0""#),
            (written(&OfGpu(r#"gpu="0""#, two)), r#"gpu="0",a="1",b="2""#),
        ];
        for (text, expected) in table {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn a_value_can_t_end_its_quotes_or_its_line() {
        let table = [
            ("", ""),
            ("plain ü", "plain ü"),
            ("\"", r#"\""#),
            ("\\\"\n", r#"\\\"\n"#),
            ("a\nb\\c\"d", r#"a\nb\\c\"d"#),
            ("\\\\", r"\\\\"),
        ];
        for (value, expected) in table {
            let labels = [("x", value.into())];
            assert_eq!(written(&labels), format!("x=\"{expected}\""));
        }
    }
}
