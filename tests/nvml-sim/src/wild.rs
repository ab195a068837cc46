//! Answers that no sane driver gives: any code, any value. The same in each process that makes the
//! same calls, so that what they break can be broken again.

use std::sync::atomic::{AtomicU64, Ordering};

/// Calls answered so far in this process.
static DRAWN: AtomicU64 = AtomicU64::new(0);

/// What becomes of a call to a wild card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whim {
    /// What is true.
    True,
    /// A code, and nothing written.
    Code(u32),
    /// Success, and these bytes over and over.
    Bytes([u8; 8]),
}

/// The next number of `SplitMix64`.
pub fn number() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut z = DRAWN
        .fetch_add(1, Ordering::Relaxed)
        .wrapping_add(1)
        .wrapping_mul(STEP);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub fn whim() -> Whim {
    let drawn = number();
    let small = (drawn >> 32) % 128;
    match drawn % 16 {
        // One for each code of the header and some that it doesn't have; mostly a card stays there.
        0 => Whim::Code(u32::try_from(1 + small % 32).unwrap_or(1)),
        1 => Whim::Code(u32::try_from(number() >> 32).unwrap_or(1).max(1)),
        2 => Whim::Bytes(number().to_le_bytes()),
        3 => Whim::Bytes([0; 8]),
        4 => Whim::Bytes([0xff; 8]),
        5 => Whim::Bytes(small.to_le_bytes()),
        _ => Whim::True,
    }
}
