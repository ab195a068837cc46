//! The gate in front of every route that actuates.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::actuators;
use crate::web::app::App;
use crate::web::http::peer::Peer;

/// Lets through who may actuate; counts and logs who may not.
pub(crate) async fn require(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let now = app.desk.shared.clock.wall();
    let peer = request.extensions().get::<Peer>();
    app.actuators.follow_token_file(now).await;
    match app.actuators.judge(request.headers(), peer) {
        Ok(()) => next.run(request).await,
        Err(failure) => {
            app.hook_counters.count_auth_failure(failure);
            app.refused.report(now, failure, peer);
            actuators::refuse(failure)
        }
    }
}
