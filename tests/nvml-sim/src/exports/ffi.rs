//! The C side's pointers, made safe to hold: everything unsafe about the calls is in this file.

use std::ffi::{CStr, c_char};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use crate::code::{Code, Outcome, SUCCESS};
use crate::fault::Fault;
use crate::session::{self, Asked, Handle, Seen};
use crate::wild::{Whim, whim};

/// An out parameter. NULL is `None`, and writing there is never reading what was there.
pub type Out<'a, T> = Option<&'a mut MaybeUninit<T>>;

/// Stores a result where the caller wants it.
pub fn put<T>(out: Out<'_, T>, value: T) -> Outcome {
    out.ok_or(Code::InvalidArgument)?.write(value);
    Ok(())
}

/// What a call returns. A panic stops here: it must not unwind into C.
pub fn answer(call: impl FnOnce() -> Outcome) -> u32 {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(())) => SUCCESS,
        Ok(Err(code)) => code.number(),
        Err(_) => Code::Unknown.number(),
    }
}

/// A getter of one value of a card.
pub fn get<T>(
    handle: Handle,
    asked: impl Into<Asked>,
    out: Out<'_, T>,
    value: impl FnOnce(&Seen<'_>) -> Outcome<T>,
) -> u32 {
    let mut wild = None;
    let code = answer(|| {
        let out = out.ok_or(Code::InvalidArgument)?;
        let value = session::with_card(handle, asked, |seen| {
            wild = seen.card.has(Fault::AnyAnswer).then(whim);
            value(&seen)
        })?;
        match wild {
            Some(Whim::Bytes(bytes)) => scribble(out, bytes),
            Some(Whim::Code(_)) => {}
            Some(Whim::True) | None => drop(out.write(value)),
        }
        Ok(())
    });
    match wild {
        Some(Whim::Code(code)) => code,
        _ => code,
    }
}

/// Fills an out parameter with `bytes`, over and over. All that [`get`] gives out is numbers, and
/// structs of them, for which any bytes are a value.
fn scribble<T>(out: &mut MaybeUninit<T>, bytes: [u8; 8]) {
    let to = out.as_mut_ptr().cast::<u8>();
    for (at, byte) in (0..size_of::<T>()).zip(bytes.iter().cycle()) {
        // SAFETY: `at` is within the `T` that `out` has room for.
        unsafe { to.add(at).write(*byte) };
    }
}

/// A text from the caller.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct TextIn(*const c_char);

impl TextIn {
    pub fn read(self) -> Outcome<String> {
        if self.0.is_null() {
            return Err(Code::InvalidArgument);
        }
        // SAFETY: not NULL, and NVML's contract is a text that ends with a zero.
        let text = unsafe { CStr::from_ptr(self.0) };
        Ok(text.to_string_lossy().into_owned())
    }
}

/// A buffer of the caller's for a text.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct TextOut(*mut c_char);

impl TextOut {
    /// Writes `text` and a zero if they fit into `length` bytes.
    pub fn write(self, length: u32, text: &str) -> Outcome {
        if self.0.is_null() {
            return Err(Code::InvalidArgument);
        }
        if text.len() >= length as usize {
            return Err(Code::InsufficientSize);
        }
        // SAFETY: not NULL, NVML's contract is `length` bytes, and text and zero fit.
        unsafe {
            self.0
                .copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
            self.0.add(text.len()).write(0);
        }
        Ok(())
    }
}

/// An array of the caller's.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Array<T>(*mut T);

impl<T: Copy> Array<T> {
    /// The `count` elements, which the caller has initialised.
    pub fn elements<'a>(self, count: usize) -> Outcome<&'a mut [T]> {
        if self.0.is_null() {
            return Err(Code::InvalidArgument);
        }
        // SAFETY: not NULL, and NVML's contract is that many elements, nobody else's for the call.
        Ok(unsafe { slice::from_raw_parts_mut(self.0, count) })
    }

    /// NVML's way with lists: `count` is room on the way in and length on the way out; too little
    /// room is an error that says how much it takes.
    pub fn fill(self, count: Option<&mut u32>, items: &[T]) -> Outcome {
        let count = count.ok_or(Code::InvalidArgument)?;
        let room = *count as usize;
        *count = u32::try_from(items.len()).unwrap_or(u32::MAX);
        if room < items.len() {
            return Err(Code::InsufficientSize);
        }
        if items.is_empty() {
            return Ok(());
        }
        if self.0.is_null() {
            return Err(Code::InvalidArgument);
        }
        // SAFETY: not NULL, there is room, and the caller's array can't overlap ours.
        unsafe { self.0.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
        Ok(())
    }
}

/// `NVML_STRUCT_VERSION`: what a versioned struct says of itself.
pub const fn struct_version<T>(version: usize) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a struct's size and a small number"
    )]
    let tag = (size_of::<T>() | version << 24) as u32;
    tag
}

/// Refuses a struct of another version.
pub fn check_version<T>(given: u32, version: usize) -> Outcome {
    if given == struct_version::<T>(version) {
        Ok(())
    } else {
        Err(Code::ArgumentVersionMismatch)
    }
}

/// A fixed array of C characters with that text, cut if need be.
pub fn characters<const N: usize>(text: &str) -> [c_char; N] {
    let mut characters = [0; N];
    for (to, from) in characters.iter_mut().zip(text.bytes()).take(N - 1) {
        *to = c_char::from_ne_bytes([from]);
    }
    characters
}
