//! Who is asked: the running guard, or the driver itself if none runs.

use anyhow::bail;

use crate::cli::flags::{Flags, USUAL_URL};
use crate::cli::log;
use crate::cli::output::in_full;
use crate::clock::Clock;
use crate::disk::gpu_lock;

use super::cards::Cards;
use super::guard::Guard;
use super::options::Options;
use super::source::Source;

/// The guard at `--url`. If none answers at the usual place, the driver: reading harms no guard.
pub(super) fn choose(
    flags: &Flags,
    options: &Options,
    clock: Clock,
) -> anyhow::Result<Box<dyn Source>> {
    let guard = Guard::new(flags, options)?;
    match guard.document() {
        Ok(document) if document.simulated && !flags.simulate => bail!(
            "the guard at {} has simulated GPUs; give --simulate to wait for those",
            flags.url
        ),
        Ok(_) => Ok(Box::new(guard)),
        Err(error) if flags.url != USUAL_URL => Err(error),
        Err(error) => {
            let cards = Cards::new(flags, options, clock)?;
            // One that runs here should have answered.
            if !flags.simulate && !gpu_lock::held(&flags.lock_dir).is_empty() {
                log::remark(&format!(
                    "thermal-guard: {}; reading the driver instead",
                    in_full(&error)
                ));
            }
            Ok(Box::new(cards))
        }
    }
}
