//! All views of a snapshot as one collector.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use crate::web::snapshot::Snapshot;

use super::collect::Collect;
use super::views::families::Families;
use super::views::per_gpu::PerGpu;
use super::views::{actions, cooling, device_events, evidence, fans, gpu, guard, process, service};

#[derive(Debug)]
pub(crate) struct Views {
    pub(crate) snapshot: Snapshot,
    pub(crate) collect: Collect,
}

impl Collector for Views {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let snapshot = &self.snapshot;
        let mut gpus = PerGpu::new(Families(encoder), &snapshot.gpus);
        service::basics(&mut gpus.families, snapshot)?;
        guard::up(&mut gpus)?;
        if self.collect.gpu {
            gpu::encode(&mut gpus)?;
            fans::encode(&mut gpus)?;
            device_events::encode(&mut gpus)?;
        }
        if self.collect.guard {
            guard::encode(&mut gpus)?;
            evidence::encode(&mut gpus)?;
            fans::suspects(&mut gpus)?;
            actions::encode(&mut gpus)?;
            cooling::encode(&mut gpus)?;
            guard::leases(&mut gpus, snapshot)?;
            service::encode(&mut gpus.families, snapshot)?;
        }
        if self.collect.process {
            process::encode(&mut gpus.families)?;
        }
        Ok(())
    }
}
