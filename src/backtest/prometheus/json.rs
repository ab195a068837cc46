//! The pieces of JSON: objects, lists, strings and numbers, each read from bytes as they arrive.

use std::io::Read;

use super::bytes::{Bytes, Torn};

/// Short decimals are computed here: the library's reader takes three times as long. All others go to it.
#[inline]
pub(super) fn number<R: Read>(bytes: &mut Bytes<R>) -> Result<f64, Torn> {
    const LONGEST: usize = 32;
    const EXACT: usize = 15;
    let mut text = [0_u8; LONGEST];
    let (mut length, mut digits, mut decimals) = (0, 0_u64, None::<usize>);
    let mut count = 0;
    let mut plain = true;
    loop {
        let byte = bytes.peek()?;
        match byte {
            b'0'..=b'9' => {
                count += 1;
                digits = digits.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                decimals = decimals.map(|it| it + 1);
            }
            b'.' if decimals.is_none() => decimals = Some(0),
            b'+' | b'-' | b'.' | b'a'..=b'z' | b'A'..=b'Z' => plain = false,
            _ => break,
        }
        if length == LONGEST {
            return Err(bytes.syntax());
        }
        text[length] = byte;
        length += 1;
        bytes.take()?;
    }
    if plain && count > 0 && count <= EXACT {
        const TENS: [f64; 16] = [
            1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
        ];
        return Ok(digits as f64 / TENS[decimals.unwrap_or(0)]);
    }
    let text = std::str::from_utf8(&text[..length]).ok();
    let parsed = text.and_then(|text| text.parse().ok());
    parsed.ok_or_else(|| bytes.syntax())
}

/// `{"key": …, …}`: `member` reads each value.
pub(super) fn members<R: Read>(
    bytes: &mut Bytes<R>,
    mut member: impl FnMut(&mut Bytes<R>, &str) -> Result<(), Torn>,
) -> Result<(), Torn> {
    bytes.expect(b'{')?;
    if bytes.accept(b'}')? {
        return Ok(());
    }
    loop {
        let key = string(bytes)?;
        bytes.expect(b':')?;
        member(bytes, &key)?;
        if !bytes.accept(b',')? {
            return bytes.expect(b'}');
        }
    }
}

/// `[…, …]`: `element` reads each one.
#[inline]
pub(super) fn elements<R: Read>(
    bytes: &mut Bytes<R>,
    mut element: impl FnMut(&mut Bytes<R>) -> Result<(), Torn>,
) -> Result<(), Torn> {
    bytes.expect(b'[')?;
    if bytes.accept(b']')? {
        return Ok(());
    }
    loop {
        element(bytes)?;
        if !bytes.accept(b',')? {
            return bytes.expect(b']');
        }
    }
}

/// No label or message is longer.
const LONGEST_STRING: usize = 64 * 1024;

pub(super) fn string<R: Read>(bytes: &mut Bytes<R>) -> Result<String, Torn> {
    bytes.expect(b'"')?;
    let mut raw = vec![b'"'];
    loop {
        let byte = bytes.take()?;
        raw.push(byte);
        match byte {
            b'"' => break,
            b'\\' => raw.push(bytes.take()?),
            _ if raw.len() > LONGEST_STRING => return Err(bytes.syntax()),
            _ => {}
        }
    }
    serde_json::from_slice(&raw).map_err(|_| bytes.syntax())
}

/// Deeper values aren't Prometheus'.
const DEEPEST: u32 = 32;

pub(super) fn skip<R: Read>(bytes: &mut Bytes<R>) -> Result<(), Torn> {
    skip_at(bytes, 0)
}

fn skip_at<R: Read>(bytes: &mut Bytes<R>, depth: u32) -> Result<(), Torn> {
    if depth == DEEPEST {
        return Err(bytes.syntax());
    }
    match bytes.peek_token()? {
        b'"' => string(bytes).map(drop),
        b'{' => {
            bytes.expect(b'{')?;
            if bytes.accept(b'}')? {
                return Ok(());
            }
            loop {
                string(bytes)?;
                bytes.expect(b':')?;
                skip_at(bytes, depth + 1)?;
                if !bytes.accept(b',')? {
                    return bytes.expect(b'}');
                }
            }
        }
        b'[' => {
            bytes.expect(b'[')?;
            if bytes.accept(b']')? {
                return Ok(());
            }
            loop {
                skip_at(bytes, depth + 1)?;
                if !bytes.accept(b',')? {
                    return bytes.expect(b']');
                }
            }
        }
        _ => number_or_word(bytes),
    }
}

fn number_or_word<R: Read>(bytes: &mut Bytes<R>) -> Result<(), Torn> {
    let mut length = 0;
    while bytes.peek()?.is_ascii_alphanumeric() || b"+-.".contains(&bytes.peek()?) {
        bytes.take()?;
        length += 1;
    }
    if length == 0 {
        return Err(bytes.syntax());
    }
    Ok(())
}
