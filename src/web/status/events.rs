//! What is shown, as server-sent events: a new view after new ticks, at most one a second. The
//! status document is one such view, the page's is another.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::units::Moment;
use crate::web::exposition::Exposition;
use crate::web::listen::Peer;
use crate::web::snapshot::Snapshot;

use super::document::Status;
use super::seats::{Seat, Seats};

/// Open streams at a time, so that idle browsers can't pile up. The next one is turned away, or
/// takes the place of somebody who has more than one.
pub const STREAMS: usize = 32;

/// Between two views.
const PACE: Duration = Duration::from_secs(1);

/// Without a new tick a view comes nevertheless, every so many paces: ages grow.
const PACES_WITHOUT_NEWS: u32 = 5;

/// A proxy cuts what is silent; most wait a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a viewer is shown of a moment.
type Show = fn(&Snapshot) -> Event;

/// What the handlers of all streams share.
#[derive(Clone)]
pub struct Streams {
    exposition: Arc<Exposition>,
    closing: watch::Receiver<bool>,
    seats: Arc<Seats>,
}

impl Streams {
    /// They end when `closing` turns true.
    pub fn new(exposition: Arc<Exposition>, closing: watch::Receiver<bool>) -> Self {
        Self {
            exposition,
            closing,
            seats: Seats::new(STREAMS),
        }
    }

    pub(in crate::web) fn open(self, peer: Option<&Peer>, show: Show) -> Response {
        // Only a test asks without a connection.
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it| it.address.ip());
        let Some(seat) = self.seats.take(address) else {
            let full = "too many event streams\n";
            return (StatusCode::SERVICE_UNAVAILABLE, full).into_response();
        };
        let viewer = Viewer {
            exposition: self.exposition,
            closing: self.closing,
            show,
            shown: None,
            seat,
        };
        Sse::new(viewer.views())
            .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
            .into_response()
    }
}

pub(super) async fn documents(
    State(streams): State<Streams>,
    peer: Option<Extension<Peer>>,
) -> Response {
    streams.open(peer.as_deref(), |snapshot| {
        let document = Event::default().json_data(Status::of(snapshot));
        document.unwrap_or_default()
    })
}

/// Somebody who watches.
struct Viewer {
    exposition: Arc<Exposition>,
    closing: watch::Receiver<bool>,
    show: Show,
    /// When each GPU of the last view had ticked.
    shown: Option<Vec<Option<Moment>>>,
    seat: Seat,
}

impl Viewer {
    fn views(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, async |mut viewer| {
            let snapshot = viewer.next().await?;
            viewer.shown = Some(ticked(&snapshot));
            Some((Ok((viewer.show)(&snapshot)), viewer))
        })
    }

    /// What to show next; `None` at the end of the service, or when the seat is somebody else's.
    async fn next(&mut self) -> Option<Snapshot> {
        if self.shown.is_none() && !*self.closing.borrow() {
            return Some(self.exposition.look());
        }
        for pace in 1.. {
            tokio::select! {
                // A sender that is gone closes as well.
                _ = self.closing.wait_for(|closing| *closing) => return None,
                () = self.seat.given_up() => return None,
                () = sleep(PACE) => {}
            }
            let snapshot = self.exposition.look();
            let news = self.shown.as_ref() != Some(&ticked(&snapshot));
            if news || pace >= PACES_WITHOUT_NEWS {
                return Some(snapshot);
            }
        }
        None
    }
}

fn ticked(snapshot: &Snapshot) -> Vec<Option<Moment>> {
    let ticks = snapshot.gpus.iter().map(|gpu| gpu.tick.as_ref());
    ticks.map(|tick| tick.map(|tick| tick.at)).collect()
}
