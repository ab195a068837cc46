//! Reads the cards itself where no guard runs, judged as a guard judges them. Writes nothing.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::cli::flags::Flags;
use crate::cli::setup;
use crate::clock::Clock;
use crate::config::gpu_name::{GpuName, Listed};
use crate::config::{Config, GpuNames, GpuSelection, Mode};
use crate::device::{Cadence, Driver, Gpu, Identity};
use crate::guard::gpu::sensors::Probes;
use crate::guard::inventory::counted;
use crate::policy::{ExtraSensor, Judge, Judgement, View};
use crate::units::Celsius;

use super::below::Below;
use super::options::Options;
use super::source::{GpuHeat, Source};

/// The time between two looks, for sensors in files.
const POLL: Duration = Duration::from_secs(1);

pub(super) struct Cards {
    driver: Arc<dyn Driver>,
    clock: Clock,
    config: Config,
    wanted: GpuNames,
    below: Below,
    found: Vec<Card>,
    /// GPUs that should be there and aren't.
    missing: Option<String>,
}

struct Card {
    identity: Arc<Identity>,
    /// `None`: not open.
    open: Option<(Box<dyn Gpu>, Judge)>,
    probes: Probes,
}

impl Cards {
    pub(super) fn new(flags: &Flags, options: &Options, clock: Clock) -> anyhow::Result<Self> {
        let config = setup::configuration(flags)
            .map_err(|error| anyhow!("{error}"))
            .context(
                "no guard answers, and without its configuration it isn't known what is cool",
            )?;
        Ok(Self {
            driver: setup::driver(flags, Mode::Observe, clock),
            clock,
            config,
            wanted: options.gpu.clone(),
            below: options.below,
            found: Vec::new(),
            missing: None,
        })
    }

    /// The wanted cards, of those that the driver lists.
    fn find(&mut self) -> anyhow::Result<()> {
        let inventory = self.driver.inventory();
        let inventory = inventory
            .map_err(|error| anyhow!("no guard answers, and {error}: {}", error.remedy()))?;
        if inventory.is_empty() {
            bail!("no guard answers, and there is no GPU: see nvidia-smi and dmesg");
        }
        let chosen = match &self.wanted {
            GpuNames::All => {
                self.missing = self.absent(&inventory);
                let guarded = inventory.into_iter();
                guarded
                    .filter(|gpu| self.config.gpus.matches(gpu))
                    .collect()
            }
            GpuNames::Listed(names) => chosen(names, &inventory)?,
        };
        for identity in chosen {
            if !self
                .found
                .iter()
                .any(|card| card.identity.uuid == identity.uuid)
            {
                self.found.push(Card {
                    identity,
                    open: None,
                    probes: Probes::default(),
                });
            }
        }
        Ok(())
    }

    fn absent(&self, inventory: &[Arc<Identity>]) -> Option<String> {
        let here = match &self.config.gpus {
            GpuSelection::All => inventory.len(),
            selection @ GpuSelection::Listed(_) => {
                let those = inventory.iter().filter(|gpu| selection.matches(gpu));
                those.count()
            }
        };
        let expected = match &self.config.gpus {
            GpuSelection::All => counted(self.driver.as_ref(), here),
            GpuSelection::Listed(listed) => listed.len(),
        };
        (here < expected).then(|| format!("{here} of {expected} GPUs can be read"))
    }
}

fn chosen(names: &[GpuName], inventory: &[Arc<Identity>]) -> anyhow::Result<Vec<Arc<Identity>>> {
    let listed: Vec<_> = inventory
        .iter()
        .map(|gpu| Listed::from(gpu.as_ref()))
        .collect();
    let gpu = |name: &GpuName| Ok(inventory[name.find(&listed)?].clone());
    names.iter().map(gpu).collect()
}

impl Source for Cards {
    fn look(&mut self) -> anyhow::Result<Vec<GpuHeat>> {
        if self.found.is_empty() || self.missing.is_some() {
            self.find()?;
        }
        let (driver, clock) = (self.driver.as_ref(), self.clock);
        let (config, below) = (&self.config, self.below);
        let cards = self.found.iter_mut();
        let mut all: Vec<_> = cards
            .map(|card| card.look(driver, clock, config, below))
            .collect();
        all.extend(self.missing.clone().map(GpuHeat::unnamed));
        Ok(all)
    }

    fn asked(&self) -> String {
        "the driver, as no guard answers".to_owned()
    }
}

impl Card {
    fn look(
        &mut self,
        driver: &dyn Driver,
        clock: Clock,
        config: &Config,
        below: Below,
    ) -> GpuHeat {
        let (core, left) = match self.judged(driver, clock, config) {
            Ok((core, judged, extra)) => (core, known(&judged, &extra, core, below)),
            Err(why) => (None, Err(why)),
        };
        GpuHeat {
            uuid: self.identity.uuid.to_string(),
            index: Some(self.identity.index),
            core,
            left,
        }
    }

    /// Opens the card again if it was lost.
    fn judged(
        &mut self,
        driver: &dyn Driver,
        clock: Clock,
        config: &Config,
    ) -> Result<(Option<Celsius>, Judgement, Vec<ExtraSensor>), String> {
        if self.open.is_none() {
            let gpu = driver.open(&self.identity.uuid);
            let gpu = gpu.map_err(|error| error.to_string())?;
            let judge = Judge::new(config.thresholds, gpu.facts());
            self.probes.choose(&config.sensors, &self.identity);
            self.open = Some((gpu, judge));
        }
        let (gpu, judge) = self.open.as_mut().ok_or("it isn't open")?;
        let now = clock.now();
        let reading = gpu.read(now, Cadence::Full).plausible(gpu.facts());
        let extra = self.probes.read(now, POLL, &self.identity);
        let judged = judge.judge(now, &reading, gpu.facts(), &extra, true);
        if reading.is_lost() {
            self.open = None;
        }
        Ok((reading.core.ok(), judged, extra))
    }
}

/// As for giving back: what isn't seen, or is doubted, isn't known to be cool.
fn known(
    judged: &Judgement,
    extra: &[ExtraSensor],
    core: Option<Celsius>,
    below: Below,
) -> Result<Celsius, String> {
    if let Some(lost) = extra.iter().find(|sensor| sensor.now.is_none()) {
        return Err(format!("sensor {} can't be read", lost.name));
    }
    let heat = match (judged.view, judged.doubt) {
        (View::Clear(heat), None) => heat,
        (View::Clear(_), Some(doubt)) => {
            return Err(format!("its sensors are doubted: {}", doubt.name()));
        }
        (View::Never, _) => return Err("it offers no temperature".to_owned()),
        (View::Blink | View::Blind(_), _) => {
            return Err("its temperature can't be read, or isn't trusted".to_owned());
        }
    };
    let left = below.left(&heat, core);
    left.ok_or_else(|| "it has no core sensor".to_owned())
}
