//! Server-sent events: a new view after new ticks, at most one a second. The status document is one
//! such view, the page's board is another.

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
use crate::web::http::peer::Peer;
use crate::web::snapshot::Snapshot;
use crate::web::snapshot::snapshots::Snapshots;

use super::document::Status;
use super::stream_limit::{StreamLimit, StreamPermit};

/// Open streams at a time, so that idle browsers can't pile up. One more is refused, or takes the
/// place of a client with more than one.
pub const STREAMS: usize = 32;

/// Time between two views.
const PACE: Duration = Duration::from_secs(1);

/// Without a new tick a view is sent all the same after so many paces, because ages grow.
const PACES_WITHOUT_NEWS: u32 = 5;

/// A proxy closes a silent connection, most after a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Makes the view of a snapshot.
type Show = fn(&Snapshot) -> Event;

/// Shared by the handlers of all streams.
#[derive(Clone)]
pub struct Streams {
    snapshots: Arc<Snapshots>,
    closing: watch::Receiver<bool>,
    stream_limit: Arc<StreamLimit>,
}

impl Streams {
    /// The streams end when `closing` turns true.
    pub fn new(snapshots: Arc<Snapshots>, closing: watch::Receiver<bool>) -> Self {
        Self {
            snapshots,
            closing,
            stream_limit: StreamLimit::new(STREAMS),
        }
    }

    pub(crate) fn open(self, peer: Option<&Peer>, show: Show) -> Response {
        // Only a test asks without a connection.
        let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |it| it.address.ip());
        let Some(permit) = self.stream_limit.take(address) else {
            let full = "too many event streams\n";
            return (StatusCode::SERVICE_UNAVAILABLE, full).into_response();
        };
        let viewer = Viewer {
            snapshots: self.snapshots,
            closing: self.closing,
            show,
            shown: None,
            permit,
        };
        Sse::new(viewer.views())
            .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
            .into_response()
    }
}

pub(crate) async fn documents(
    State(streams): State<Streams>,
    peer: Option<Extension<Peer>>,
) -> Response {
    streams.open(peer.as_deref(), |snapshot| {
        let document = Event::default().json_data(Status::of(snapshot));
        document.unwrap_or_default()
    })
}

/// One open stream.
struct Viewer {
    snapshots: Arc<Snapshots>,
    closing: watch::Receiver<bool>,
    show: Show,
    /// The time of each GPU's tick in the last view.
    shown: Option<Vec<Option<Moment>>>,
    permit: StreamPermit,
}

impl Viewer {
    fn views(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, async |mut viewer| {
            let snapshot = viewer.next().await?;
            viewer.shown = Some(ticked(&snapshot));
            Some((Ok((viewer.show)(&snapshot)), viewer))
        })
    }

    /// The next snapshot to show; `None` at the end of the service, or when another client has the
    /// permit.
    async fn next(&mut self) -> Option<Snapshot> {
        if self.shown.is_none() && !*self.closing.borrow() {
            return Some(self.snapshots.take());
        }
        for pace in 1.. {
            tokio::select! {
                // A sender that is gone closes the streams as well.
                _ = self.closing.wait_for(|closing| *closing) => return None,
                () = self.permit.revoked() => return None,
                () = sleep(PACE) => {}
            }
            let snapshot = self.snapshots.take();
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
