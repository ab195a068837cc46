//! Bytes of an answer as they arrive, one after the other.

use std::io::{self, Read};

const BUFFER: usize = 64 * 1024;

/// Why an answer can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Torn {
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("it ends in the middle")]
    End,
    #[error("byte {at} isn't JSON as Prometheus writes it")]
    Syntax { at: u64 },
}

pub(super) struct Bytes<R> {
    from: R,
    buffer: Box<[u8]>,
    next: usize,
    filled: usize,
    /// Bytes before the buffer.
    before: u64,
}

impl<R: Read> Bytes<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            next: 0,
            filled: 0,
            before: 0,
        }
    }

    #[cold]
    fn fill(&mut self) -> Result<(), Torn> {
        self.before += self.filled as u64;
        self.next = 0;
        self.filled = loop {
            match self.from.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        if self.filled == 0 {
            return Err(Torn::End);
        }
        Ok(())
    }

    /// The next byte, which stays.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, Torn> {
        if self.next == self.filled {
            self.fill()?;
        }
        Ok(self.buffer[self.next])
    }

    #[inline]
    pub(super) fn take(&mut self) -> Result<u8, Torn> {
        let byte = self.peek()?;
        self.next += 1;
        Ok(byte)
    }

    pub(super) fn syntax(&self) -> Torn {
        Torn::Syntax {
            at: self.before + self.next as u64,
        }
    }

    /// The next byte that isn't blank, which stays.
    #[inline]
    pub(super) fn peek_token(&mut self) -> Result<u8, Torn> {
        loop {
            match self.peek()? {
                b' ' | b'\n' | b'\r' | b'\t' => self.next += 1,
                other => return Ok(other),
            }
        }
    }

    /// Blanks, and then this byte.
    #[inline]
    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), Torn> {
        if self.peek_token()? != wanted {
            return Err(self.syntax());
        }
        self.next += 1;
        Ok(())
    }

    /// Blanks, and then this byte if it is there.
    pub(super) fn accept(&mut self, wanted: u8) -> Result<bool, Torn> {
        let there = self.peek_token()? == wanted;
        self.next += usize::from(there);
        Ok(there)
    }
}
