//! What the handlers that actuate share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::alerts::Desk;
use crate::web::access::actuators::{Actuators, RefusedLog};
use crate::web::actuate::counters::HookCounters;

/// Reads the configuration again, or says what is wrong with it. May block.
pub type Reload = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Deliveries in hand at a time. Alertmanager has one per group under way.
const HOOK_ROOM: usize = 16;

pub struct App {
    pub desk: Arc<Desk>,
    pub hook_counters: HookCounters,
    pub(crate) actuators: Arc<Actuators>,
    pub(crate) reload: Reload,
    pub(crate) hook_room: Semaphore,
    pub(crate) refused: RefusedLog,
}

impl App {
    pub fn new(desk: Arc<Desk>, actuators: Arc<Actuators>, reload: Reload) -> Self {
        Self {
            desk,
            hook_counters: HookCounters::default(),
            actuators,
            reload,
            hook_room: Semaphore::new(HOOK_ROOM),
            refused: RefusedLog::default(),
        }
    }
}
