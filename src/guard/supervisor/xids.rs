//! Waits for the Xid events of all GPUs.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::scan::Supervisor;

impl Supervisor {
    /// Xid events of all GPUs, on a thread of their own.
    pub(super) fn listen(&self) -> Option<JoinHandle<()>> {
        let source = self.plan.driver.critical_errors().ok().flatten()?;
        let shared = self.shared.clone();
        let holding = shared.hold_driver();
        let thread = thread::Builder::new().name("events".to_owned());
        let listening = thread.spawn(move || {
            // Dropped in reverse order: first the source, then the mark that it is held.
            let _holding = holding;
            let mut source = source;
            while !shared.is_stopping() && !shared.is_detached() {
                match source.wait(Duration::from_secs(1)) {
                    Ok(None) => {}
                    Ok(Some(xid)) => {
                        tracing::error!(gpu = shared.index(&xid.uuid), uuid = %xid.uuid, xid = xid.code, "Xid: critical GPU error; look its code up in NVIDIA's list of Xid errors, and see dmesg");
                        shared.report_xid(&xid);
                    }
                    Err(_) => return,
                }
            }
        });
        listening.ok()
    }
}
