//! Finds the assignments of a variable in the text of an environment file, as shells, systemd and
//! dotenv readers see them. Changes nothing and guesses nothing: it refuses text that readers
//! understand differently.

use std::ops::Range;

use thiserror::Error;

use super::words::{Lexer, Shape, Word};

/// One assignment: `export KEY = "value" # comment`, `KEY=value; export KEY`, `KEY: value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spot {
    /// The value with its quotes; empty, right after the sign, if there is none.
    pub(crate) value: Range<usize>,
    /// The whole value is in quotes.
    pub(crate) quoted: bool,
    /// There are blanks between the sign and the value.
    pub(crate) spaced: bool,
}

pub(crate) const BOM: &[u8] = b"\xef\xbb\xbf";

/// Why an assignment can't be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) why: Unclear,
    pub(crate) line: usize,
}

/// The reason why a file is unclear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unclear {
    #[error("the value continues over several lines; write it on one")]
    SeveralLines,
    #[error(
        "more words follow the value, which readers take differently; put it in quotes, on a line of its own"
    )]
    Words,
    #[error(
        "the value is put together or computed by a shell; write it plainly, or in one pair of quotes"
    )]
    Computed,
    #[error(
        "it is declared there, which a shell that reads the file may not let anybody set again; write a plain assignment, or `export`"
    )]
    Declared,
    #[error("the file is in UTF-16; save it as UTF-8")]
    Encoding,
    #[error("the assignment is glued to the one before by a `;`; give it a line of its own")]
    Glued,
    #[error(
        "the last line is not finished, so that none can be added; finish it, or add the assignment"
    )]
    Unfinished,
    #[error(
        "what is around the value would be read differently with another one; give it a line of its own, and look for a quote that is never closed"
    )]
    NotUndone,
}

/// All assignments of `key`, in order.
pub(crate) fn assignments(text: &[u8], key: &str) -> Result<Vec<Spot>, Refusal> {
    if is_wide(text) {
        return Err(refusal(text, Unclear::Encoding, 0));
    }
    let lexer = Lexer(text);
    let mut spots = Vec::new();
    let mut at = if text.starts_with(BOM) { BOM.len() } else { 0 };
    let mut begins_line = true;
    while let Some(byte) = lexer.at(at) {
        match byte {
            b'\n' => {
                at += 1;
                begins_line = true;
            }
            b'#' => at = lexer.line_end(at),
            // A comment for systemd, an error for shells.
            b';' if begins_line => at = lexer.line_end(at),
            b';' | b'&' | b'|' => {
                at += 1;
                begins_line = false;
            }
            _ if lexer.blank(at) > 0 => at += lexer.blank(at),
            _ => {
                let command = Command {
                    lexer,
                    key: key.as_bytes(),
                    found: Vec::new(),
                };
                at = command
                    .read(at, &mut spots)
                    .map_err(|(why, at)| refusal(text, why, at))?;
                begins_line = false;
            }
        }
    }
    Ok(spots)
}

/// Whether the text has two bytes per character: a value written into it would not be readable.
fn is_wide(text: &[u8]) -> bool {
    let zeros = |from: usize| text.iter().skip(from).step_by(2).filter(|byte| **byte == 0);
    let half = text.len() / 2;
    let is_marked = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
    // Without a byte order mark: most characters of such a file are ASCII.
    is_marked || half > 1 && (0..2).any(|from| zeros(from).count() * 4 > half * 3)
}

pub(crate) fn refusal(text: &[u8], why: Unclear, at: usize) -> Refusal {
    let feeds = text.iter().take(at).filter(|byte| **byte == b'\n');
    let line = 1 + feeds.count();
    Refusal { why, line }
}

/// The reason, with its place in the text.
type Refused = (Unclear, usize);

/// Shell commands that set a variable permanently or for a scope.
const DECLARES: [&[u8]; 5] = [b"readonly", b"declare", b"typeset", b"local", b"integer"];

/// The text between two separators.
struct Command<'a> {
    lexer: Lexer<'a>,
    key: &'a [u8],
    found: Vec<Spot>,
}

impl Command<'_> {
    /// Reads it from its first word; returns its end.
    fn read(mut self, start: usize, spots: &mut Vec<Spot>) -> Result<usize, Refused> {
        let lexer = self.lexer;
        let (mut at, mut is_first, mut is_exported) = (start, true, false);
        while !lexer.ends_command(at) {
            let name = lexer.name(at);
            let behind = lexer.skip_blanks(name.end);
            let is_spaced = is_first && lexer.at(behind) == Some(b'=');
            if lexer.at(name.end) == Some(b'=') && !name.is_empty() {
                at = self.assignment(&name, name.end + 1)?;
            } else if is_spaced && !name.is_empty() {
                at = self.assignment(&name, behind + 1)?;
            } else if is_first && !name.is_empty() && lexer.is_colon(name.end) {
                if let Some(spot) = self.colon(&name, name.end + 1)? {
                    spots.push(spot);
                }
                return Ok(lexer.line_end(name.end));
            } else if is_first && lexer.is(&name, b"export") && behind > name.end {
                at = behind;
                is_exported = true;
                continue;
            } else if self.found.is_empty() {
                let word = lexer.word(at);
                let mut declares = DECLARES.iter().any(|it| lexer.is(&name, it));
                at = lexer.skip_blanks(word.end);
                if !is_exported {
                    // Arguments: a `KEY=value` among them isn't an assignment of the file.
                    while !lexer.ends_command(at) {
                        if declares && self.names_key(at, spots.is_empty()) {
                            return Err((Unclear::Declared, at));
                        }
                        let name = lexer.name(at);
                        declares |= DECLARES.iter().any(|it| lexer.is(&name, it));
                        at = lexer.skip_blanks(lexer.word(at).end);
                    }
                }
            } else {
                return Err((Unclear::Words, at));
            }
            is_first = false;
        }
        spots.append(&mut self.found);
        Ok(at)
    }

    /// Reads on after the `=`; returns the beginning of the next word.
    fn assignment(&mut self, name: &Range<usize>, behind: usize) -> Result<usize, Refused> {
        let lexer = self.lexer;
        let next = lexer.skip_blanks(behind);
        let is_ours = lexer.is(name, self.key);
        let spaced = next > behind && lexer.blank_byte(behind);
        let is_empty = spaced && (lexer.ends_command(next) || lexer.begins_assignment(next));
        let word = if is_empty {
            Word::nothing(behind)
        } else {
            lexer.word(if spaced { next } else { behind })
        };
        if is_ours {
            self.found.push(spot(&word, spaced && !is_empty)?);
        } else if lexer.glues(&word, self.key) {
            return Err((Unclear::Glued, word.start));
        }
        Ok(lexer.skip_blanks(word.end))
    }

    /// Whether a word of a declaration sets the variable, quoted or not; or names it, if nothing has
    /// set it before.
    fn names_key(&self, at: usize, alone: bool) -> bool {
        let lexer = self.lexer;
        let quote = matches!(lexer.at(at), Some(b'"' | b'\''));
        let name = lexer.name(at + usize::from(quote));
        let behind = lexer.at(name.end);
        let sets = matches!(behind, Some(b'=' | b'+' | b'['));
        let begins = lexer.is(&name, self.key);
        begins && (sets || alone || matches!(behind, Some(b'"' | b'\'')))
    }

    /// `KEY: value`, which some dotenv readers accept: a line of its own.
    fn colon(&self, name: &Range<usize>, behind: usize) -> Result<Option<Spot>, Refused> {
        let lexer = self.lexer;
        if !lexer.is(name, self.key) {
            return Ok(None);
        }
        let start = lexer.skip_blanks(behind);
        let word = lexer.word(start);
        let rest = lexer.skip_blanks(word.end);
        let is_whole = matches!(lexer.at(rest), None | Some(b'\n' | b'#'));
        if lexer.ends_command(start) || matches!(lexer.at(start), Some(b'[' | b'{' | b'!' | b'*')) {
            return Err((Unclear::Computed, start));
        }
        if !is_whole {
            return Err((Unclear::Words, rest));
        }
        spot(&word, true).map(Some)
    }
}

fn spot(word: &Word, spaced: bool) -> Result<Spot, Refused> {
    let quoted = match word.shape {
        Shape::Plain => false,
        Shape::Quoted => true,
        Shape::Several => return Err((Unclear::SeveralLines, word.start)),
        Shape::Odd => return Err((Unclear::Computed, word.start)),
    };
    Ok(Spot {
        value: word.start..word.end,
        quoted,
        spaced,
    })
}
