//! Raw numbers as they pass through NVML's layer, and its codes for a faulty setter.

/// NVML's codes that a faulty setter returns.
pub const INVALID_ARGUMENT: u32 = 2;
pub const NOT_SUPPORTED: u32 = 3;

/// The low 32 bits of a number: what fits into NVML's `unsigned int`.
pub fn bits(number: i64) -> u32 {
    u32::try_from(number & 0xffff_ffff).unwrap_or_default()
}

/// A temperature from an `unsigned int`, as the NVML driver reads it: 4294967295 is −1.
pub fn degrees(number: i64) -> f64 {
    f64::from(bits(number).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Celsius;

    #[test]
    fn a_raw_number_is_read_as_the_driver_layer_does() {
        assert_eq!([bits(-1), bits(1 << 33), bits(92)], [u32::MAX, 0, 92]);
        let read = [4_294_967_295, -20].map(degrees).map(Celsius::new);
        assert_eq!(read, [-1.0, -20.0].map(Celsius::new));
    }
}
