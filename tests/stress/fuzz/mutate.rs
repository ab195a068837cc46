//! Mutants of bytes, without knowledge of coverage. The same seed makes the same mutants.

/// Words of the formats under test, and the numbers at which arithmetic breaks.
const WORDS: [&[u8]; 28] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b":",
    b",",
    b"\n",
    b"\r\n",
    b"#",
    b"'",
    b"\\",
    b"&a",
    b"*a",
    b"null",
    b"true",
    b"-1",
    b"0",
    b"NaN",
    b"1e308",
    b"18446744073709551615",
    b"18446744073709551616",
    b"1.8446744073709550e19",
    b"9999-12-31T23:59:59Z",
    b"\xff",
    b"\0",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x94\xa5",
];

/// A longer input finds nothing that a shorter doesn't.
const LONGEST: usize = 16 * 1024;

pub(crate) struct Mutator(u64);

impl Mutator {
    pub(crate) const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let below = self.next() % u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(below).unwrap_or(0)
    }

    /// One of `corpus`, changed in one to eight places.
    pub(crate) fn mutant(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(8) {
            let other = &corpus[self.below(corpus.len())];
            self.change(&mut bytes, other);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len() + 1);
        let end = (at + 1 + self.below(16)).min(bytes.len());
        match self.below(6) {
            0 => drop(bytes.drain(at..end)),
            1 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            2 => {
                let from = self.below(other.len() + 1);
                let until = (from + self.below(64)).min(other.len());
                bytes.splice(at..end, other[from..until].iter().copied());
            }
            3 => {
                let word = WORDS[self.below(WORDS.len())];
                bytes.splice(at..end, word.iter().copied());
            }
            4 => {
                let word = WORDS[self.below(WORDS.len())];
                bytes.splice(at..at, word.iter().copied());
            }
            _ => {
                let random = self.next().to_le_bytes()[0];
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = random;
                }
            }
        }
    }
}
