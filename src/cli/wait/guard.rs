//! Asks a running guard, which knows more than one look at the card: its doubts about the sensors, and
//! its sensors in files.

use std::time::Duration;

use anyhow::Context;

use crate::cli::client::Client;
use crate::cli::flags::Flags;
use crate::config::GpuNames;
use crate::config::gpu_name::{GpuName, Listed};
use crate::policy::State;
use crate::units::Celsius;
use crate::web::status::{Gpu, Status};

use super::below::Below;
use super::options::Options;
use super::source::{GpuHeat, Source};

/// The guard answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Guard {
    client: Client,
    url: String,
    wanted: GpuNames,
    below: Below,
}

impl Guard {
    pub(super) fn new(flags: &Flags, options: &Options) -> anyhow::Result<Self> {
        Ok(Self {
            client: Client::with_patience(flags, PATIENCE)?.reading_as(&options.reader),
            url: flags.url.clone(),
            wanted: options.gpu.clone(),
            below: options.below,
        })
    }

    pub(super) fn document(&self) -> anyhow::Result<Status> {
        let status = self.client.read("/api/v1/status")?;
        serde_json::from_value(status)
            .with_context(|| format!("the status of the guard at {} is of a form unknown here: use the thermal-guard of its version", self.url))
    }

    fn all(&self, document: &Status) -> Vec<GpuHeat> {
        let gpus = document.gpus.iter();
        let mut all: Vec<_> = gpus.map(|gpu| self.heat(gpu)).collect();
        let (here, expected) = (all.len(), document.gpus_expected);
        if all.is_empty() || here < expected {
            let why = format!("{here} of {expected} GPUs under guard");
            all.push(GpuHeat::unnamed(why));
        }
        all
    }

    fn listed(&self, document: &Status, wanted: &[GpuName]) -> anyhow::Result<Vec<GpuHeat>> {
        let complete = !document.gpus.is_empty() && document.gpus.len() >= document.gpus_expected;
        let mut all = Vec::new();
        let there: Vec<_> = document.gpus.iter().map(listed).collect();
        for name in wanted {
            match name.find(&there) {
                Ok(place) => all.push(self.heat(&document.gpus[place])),
                Err(wrong) if complete || wrong.is_ambiguous() => {
                    return Err(wrong).context(format!("the guard at {}", self.url));
                }
                Err(_) => {
                    let why = format!("GPU {name} is not under guard yet");
                    all.push(GpuHeat::unnamed(why));
                }
            }
        }
        Ok(all)
    }

    fn heat(&self, gpu: &Gpu) -> GpuHeat {
        GpuHeat {
            uuid: gpu.uuid.clone(),
            index: gpu.index,
            core: gpu.now.temperature_celsius.map(Celsius::new),
            left: left(gpu, self.below),
        }
    }
}

/// As the guard's own `is_cool`: what it doubts isn't known to be cool.
fn left(gpu: &Gpu, below: Below) -> Result<Celsius, String> {
    let now = &gpu.now;
    if !gpu.up || gpu.state == State::Blind || gpu.doubt.is_some() {
        return Err(gpu.why.clone());
    }
    let left = match below {
        Below::Safe => now.margin_to_safe_celsius,
        Below::Alert => now.margin_to_alert_celsius,
        Below::Degrees(bound) => now
            .margin_to_safe_celsius
            .and(now.temperature_celsius)
            .map(|core| bound.degrees() - core),
    };
    left.map(Celsius::new)
        .ok_or_else(|| format!("its temperature isn't known: {}", gpu.why))
}

fn listed(gpu: &Gpu) -> Listed<'_> {
    Listed {
        index: gpu.index,
        uuid: &gpu.uuid,
        pci_bus_id: &gpu.pci_bus_id,
        product: &gpu.name,
    }
}

impl Source for Guard {
    fn look(&mut self) -> anyhow::Result<Vec<GpuHeat>> {
        let document = self.document()?;
        match &self.wanted {
            GpuNames::All => Ok(self.all(&document)),
            GpuNames::Listed(wanted) => self.listed(&document, wanted),
        }
    }

    fn asked(&self) -> String {
        format!("the guard at {}", self.url)
    }
}
