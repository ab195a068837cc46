//! Words, blanks and names in the text of an environment file. It works on bytes: a file may have any
//! encoding that includes ASCII.

use std::ops::Range;

/// How a word is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As it reads; a `\` at the end of the line continues it.
    Plain,
    /// In one pair of quotes.
    Quoted,
    /// In quotes over several lines.
    Several,
    /// Composed of parts, computed by a shell, or with an escape.
    Odd,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) shape: Shape,
}

impl Word {
    pub(crate) const fn nothing(at: usize) -> Self {
        let (start, end) = (at, at);
        Self {
            start,
            end,
            shape: Shape::Plain,
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Lexer<'a>(pub(super) &'a [u8]);

impl Lexer<'_> {
    pub(crate) fn at(&self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }

    fn slice(&self, range: Range<usize>) -> &[u8] {
        self.0.get(range).unwrap_or_default()
    }

    pub(crate) fn is(&self, name: &Range<usize>, wanted: &[u8]) -> bool {
        self.slice(name.clone()) == wanted
    }

    /// The line feed, or the end.
    pub(crate) fn line_end(&self, at: usize) -> usize {
        let rest = self.slice(at..self.0.len());
        let feed = rest.iter().position(|byte| *byte == b'\n');
        feed.map_or(self.0.len(), |feed| at + feed)
    }

    pub(crate) fn blank_byte(&self, at: usize) -> bool {
        matches!(self.at(at), Some(b' ' | b'\t'))
    }

    /// The length of a separator here: a blank, a CR at the end of a line, or a continued line.
    pub(crate) fn blank(&self, at: usize) -> usize {
        match (self.at(at), self.at(at + 1)) {
            (Some(b' ' | b'\t'), _) | (Some(b'\r'), None | Some(b'\n')) => 1,
            (Some(b'\\'), Some(b'\n')) => 2,
            _ => 0,
        }
    }

    pub(crate) fn skip_blanks(&self, mut at: usize) -> usize {
        while self.blank(at) > 0 {
            at += self.blank(at);
        }
        at
    }

    /// Whether this command has ended. `at` is after blanks.
    pub(crate) fn ends_command(&self, at: usize) -> bool {
        let at = self.at(at);
        matches!(at, None | Some(b'\n' | b'#' | b';' | b'&' | b'|'))
    }

    /// A variable's name, or nothing.
    pub(crate) fn name(&self, at: usize) -> Range<usize> {
        let rest = self.slice(at..self.0.len());
        let named = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'_';
        at..at + rest.iter().take_while(named).count()
    }

    pub(crate) fn begins_assignment(&self, at: usize) -> bool {
        let name = self.name(at);
        !name.is_empty() && self.at(name.end) == Some(b'=')
    }

    /// Only with text after it; otherwise it belongs to the word.
    pub(crate) fn is_colon(&self, at: usize) -> bool {
        let ends = matches!(self.at(at + 1), None | Some(b' ' | b'\t' | b'\r' | b'\n'));
        self.at(at) == Some(b':') && ends
    }

    /// Whether `key` is assigned right after a `;` at the end of this word, without a blank: another
    /// variable for a shell, but part of the value for other readers.
    pub(crate) fn glues(&self, word: &Word, key: &[u8]) -> bool {
        let name = self.name(word.end + 1);
        self.at(word.end) == Some(b';') && self.is(&name, key) && self.at(name.end) == Some(b'=')
    }

    /// The word that begins here; it ends before blanks, a `;` and the end of the line.
    pub(crate) fn word(&self, start: usize) -> Word {
        let mut at = start;
        let mut shape = Shape::Plain;
        if let Some(end) = self.closing_quote(start) {
            at = end + 1;
            let lines = self.slice(start..end).contains(&b'\n');
            shape = if lines { Shape::Several } else { Shape::Quoted };
            if self.computes(start..end) {
                shape = Shape::Odd;
            }
        }
        while let Some(byte) = self.at(at) {
            let (length, odd) = match byte {
                b' ' | b'\t' | b'\n' | b';' => break,
                b'\r' if self.blank(at) > 0 => break,
                b'\\' if self.blank(at) > 0 => (2, false),
                b'\\' => (2, true),
                b'\'' | b'"' | b'`' => (self.same_line(at, byte), true),
                b'(' => (self.same_line(at, b')'), true),
                b'$' if self.at(at + 1) == Some(b'{') => (self.same_line(at, b'}'), false),
                b'&' | b'|' | b'<' | b'>' | b')' => (1, true),
                _ => (1, false),
            };
            at += length;
            if odd || shape != Shape::Plain {
                shape = Shape::Odd;
            }
        }
        Word {
            start,
            end: at.min(self.0.len()),
            shape,
        }
    }

    /// Up to and including this byte, if it follows on the same line; else one byte.
    fn same_line(&self, at: usize, close: u8) -> usize {
        let rest = self.slice(at + 1..self.line_end(at));
        let found = rest.iter().position(|byte| *byte == close);
        found.map_or(1, |found| found + 2)
    }

    /// Whether a shell replaces this by something else.
    fn computes(&self, quoted: Range<usize>) -> bool {
        let text = self.slice(quoted);
        let substitutes = text.windows(2).any(|pair| pair == b"$(") || text.contains(&b'`');
        text.first() == Some(&b'"') && substitutes
    }

    /// The end of the quoted word that starts here, possibly lines below; `None` if it has no end.
    fn closing_quote(&self, start: usize) -> Option<usize> {
        let quote = self.at(start).filter(|byte| matches!(byte, b'"' | b'\''))?;
        let mut at = start + 1;
        while let Some(byte) = self.at(at) {
            match byte {
                b'\\' if quote == b'"' => at += 1,
                byte if byte == quote => return Some(at),
                _ => {}
            }
            at += 1;
        }
        None
    }
}
