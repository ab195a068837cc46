//! Reads a JSON body from a client that may be slow or send too much.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};

use super::refusal::Refusal;

/// Bytes; about 280 alerts of the usual size, which is 35 alerts on each of 8 GPUs.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// For the whole body. Senders are on the same network, and bodies are small.
const PATIENCE: Duration = Duration::from_secs(2);

/// 415 for anything but JSON: a form in a browser can't send JSON without being asked for permission
/// first. Compressed JSON has no bound once it is decompressed.
pub(crate) fn must_be_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let plain = |value: &[u8]| value.trim_ascii().eq_ignore_ascii_case(b"identity");
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    if !encodings.all(|value| value.is_empty() || plain(value.as_bytes())) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Content-Encoding: a compressed body can't be read; send it as it is",
        ));
    }
    let essence = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "Content-Type must be application/json",
    ))
}

/// The whole body, within [`MAX_BYTES`] and [`PATIENCE`].
///
/// A late body is answered 503: after that Alertmanager tries again at once, after any 4xx not before
/// the next group interval.
pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Refusal> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > MAX_BYTES as u64) {
        return Err(too_large());
    }
    match tokio::time::timeout(PATIENCE, collect(body)).await {
        Ok(collected) => collected,
        Err(_) => Err(Refusal::unavailable(format!(
            "the body didn't arrive within {PATIENCE:?}"
        ))),
    }
}

async fn collect(mut body: Body) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| Refusal::bad_request("the body broke off"))?;
        let Ok(data) = frame.into_data() else {
            continue; // trailers
        };
        if bytes.len() + data.len() > MAX_BYTES {
            return Err(too_large());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

fn too_large() -> Refusal {
    Refusal::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body may have at most {MAX_BYTES} bytes: group by fewer alerts"),
    )
}
