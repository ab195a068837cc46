//! Reads an app's answer at its health URL: whether it is well, and perhaps its mode.

use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::handle::Order;
use super::task::Channel;

impl Channel {
    /// Asks the health URL, if the app was told something since its last answer.
    pub(crate) async fn is_well(&mut self, order: &Order) -> bool {
        if !self.progress.borrow().awaits_health {
            return true;
        }
        let error = self.ask(order).await.err();
        let was_ill = self.progress.borrow().health_error.is_some();
        let well = error.is_none();
        log(order, error.as_deref(), was_ill);
        // An app that answers again may have restarted and forgotten everything.
        let anew = well && was_ill && self.known.is_throttled();
        self.known.again |= anew;
        self.progress.send_modify(|now| {
            now.awaits_health = !well || anew;
            now.health_error = error;
        });
        well && !anew
    }

    /// Asks a throttled app between two messages.
    pub(crate) async fn look_after(&mut self, order: &Order) {
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
                // Once only: an app that keeps saying so means something else.
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
