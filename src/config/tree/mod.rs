//! Reads a tree of keys and values so that one pass finds every mistake in it: [`section`] is a mapping
//! and collects the mistakes, [`value`] parses one value, [`shown`] decides how much of the file a
//! message may repeat, `hint` tells what was probably meant, [`error`] has the mistakes.

pub(crate) mod error;
pub(crate) mod hint;
pub(crate) mod section;
pub(crate) mod shown;
pub(crate) mod value;
