//! What an app says at its health URL: that it is well, and perhaps in which mode.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::{Channel, Order};

impl Channel {
    /// Asks its health URL, if it was told something since that last answered.
    pub(super) async fn is_well(&mut self, order: &Order) -> bool {
        if !self.progress.borrow().awaits_health {
            return true;
        }
        let error = self.ask(order).await.err();
        let was_ill = self.progress.borrow().health_error.is_some();
        let well = error.is_none();
        log(order, error.as_deref(), was_ill);
        // One that comes back may have been started anew, with everything forgotten.
        let anew = well && was_ill && self.known.is_throttled();
        self.known.again |= anew;
        self.progress.send_modify(|now| {
            now.awaits_health = !well || anew;
            now.health_error = error;
        });
        well && !anew
    }

    /// A throttled app, between two times it is told.
    pub(super) async fn look_after(&mut self, order: &Order) {
        let app = order.app.as_str();
        match self.ask(order).await {
            Err(error) => {
                log(order, Some(&error), false);
                self.progress.send_modify(|now| {
                    now.awaits_health = true;
                    now.health_error = Some(error);
                });
            }
            Ok(Some(word)) if order.means.knows(&word) && self.known.needs(&word) => {
                // Once: one that goes on saying so means something else by it.
                if !std::mem::replace(&mut self.known.contradicted, true) {
                    tracing::warn!(
                        app,
                        "application says that it is in another mode than it was told: told again"
                    );
                    self.known.again = true;
                }
            }
            Ok(_) => self.known.contradicted = false,
        }
    }

    async fn ask(&self, order: &Order) -> Result<Option<String>, String> {
        if self.observe {
            return Ok(None);
        }
        let means = Arc::clone(&order.means);
        let asked = spawn_blocking(move || means.ask_health()).await;
        asked.unwrap_or_else(|panic| Err(panic.to_string()))
    }
}

fn log(order: &Order, error: Option<&str>, was_ill: bool) {
    let app = order.app.as_str();
    match (error, was_ill) {
        (Some(error), false) => {
            tracing::warn!(
                app,
                error,
                "application isn't well since it was told its mode: look at it, or correct health_url"
            );
        }
        (None, true) => tracing::info!(app, "application is well again"),
        _ => {}
    }
}
