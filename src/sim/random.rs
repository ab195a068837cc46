//! Random numbers that repeat with each run: xorshift64.

/// Uniform in 0..1. `seed` must not be 0.
pub(crate) fn uniform(seed: &mut u64) -> f64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    (*seed >> 11) as f64 / (1_u64 << 53) as f64
}

/// Uniform within ±1.
pub(crate) fn noise(seed: &mut u64) -> f64 {
    uniform(seed) * 2.0 - 1.0
}
