//! The cards of a node as a driver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::device::nvml::{code, no_such_gpu, refusal, unusable};
use crate::device::{
    Actuator, ActuatorError, Cadence, ClockDomain, ClockRange, Driver, DriverError, Facts,
    FanSetting, Gpu, Identity, Reading, Sensor, Uuid,
};
use crate::sim::faults::{Answers, Call, Fault, MACHINE_ANSWERS, Said, bits};
use crate::units::{Moment, Watts};

use super::reading::Handle;
use super::truth::Card;

/// The cards of a node. Clones share them.
#[derive(Clone)]
pub struct Rack {
    cards: Arc<[Mutex<Card>]>,
    machine: Arc<Mutex<Machine>>,
    clock: Arc<dyn Fn() -> Moment + Send + Sync>,
}

/// The faults of the node, not of a card.
#[derive(Default)]
struct Machine {
    answers: Answers<MACHINE_ANSWERS>,
    /// The cards that are counted, in the order of their index; `None`: all, as they were made.
    order: Option<Vec<usize>>,
}

impl Rack {
    /// `clock`: the time of writes. Readings have their own time.
    pub fn new(cards: Vec<Card>, clock: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        Self {
            cards: cards.into_iter().map(Mutex::new).collect(),
            machine: Arc::default(),
            clock: Arc::new(clock),
        }
    }

    /// One card, to inspect or to change, by its position in `new`.
    pub fn card(&self, index: usize) -> MutexGuard<'_, Card> {
        self.cards[index]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what calls about the machine answer.
    pub fn answers<T>(&self, change: impl FnOnce(&mut Answers<MACHINE_ANSWERS>) -> T) -> T {
        change(&mut self.machine().answers)
    }

    /// From now on the driver lists these cards, in this order. A card that isn't in the list is
    /// gone, except for open handles.
    pub fn set_order(&self, order: &[usize]) {
        self.machine().order = Some(order.to_vec());
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The listed cards, each with its index.
    fn counted(&self) -> Vec<(Option<u32>, usize)> {
        match &self.machine().order {
            None => (0..self.cards.len()).map(|card| (None, card)).collect(),
            Some(order) => {
                let there = order.iter().filter(|card| **card < self.cards.len());
                (0..).map(Some).zip(there.copied()).collect()
            }
        }
    }

    fn said(&self, name: &'static str, call: Call) -> Result<Option<i64>, DriverError> {
        match self.machine().answers.ask(call) {
            Said::Truth => Ok(None),
            Said::Value(number) => Ok(Some(number)),
            Said::Code(code) => Err(unusable(name, code)),
        }
    }

    /// The identity of the card at a position.
    fn identity(&self, index: Option<u32>, card: usize) -> Result<Arc<Identity>, DriverError> {
        let mut card = self.card(card);
        if let Err(code) = card.constant(Call::Uuid, Some(0)) {
            return Err(unusable("nvmlDeviceGetUUID", code));
        }
        let mut identity = card.identity.clone();
        let index = index.unwrap_or(identity.index);
        if identity.index != index {
            Arc::make_mut(&mut identity).index = index;
        }
        for call in [Call::Name, Call::PciInfo] {
            let Err(code) = card.constant(call, Some(0)) else {
                continue;
            };
            match unusable("", code) {
                DriverError::Call { .. } if call == Call::Name => {
                    "NVIDIA GPU".clone_into(&mut Arc::make_mut(&mut identity).name);
                }
                DriverError::Call { .. } => Arc::make_mut(&mut identity).pci_bus_id.clear(),
                gone => return Err(gone),
            }
        }
        Ok(identity)
    }
}

impl Driver for Rack {
    fn inventory(&self) -> Result<Vec<Arc<Identity>>, DriverError> {
        self.said("nvmlInit_v2", Call::Init)?;
        let counted = self.counted();
        let count = self.said("nvmlDeviceGetCount_v2", Call::Count)?;
        let count = count.map_or(counted.len(), |count| bits(count) as usize);
        let mut identities = Vec::new();
        for (place, (index, card)) in (0..).zip(counted).take(count) {
            let handle = self.said("nvmlDeviceGetHandleByIndex_v2", Call::HandleByIndex(place));
            let identity = handle.and_then(|other| {
                let other = other.map(|other| bits(other) as usize);
                let card = other
                    .filter(|other| *other < self.cards.len())
                    .unwrap_or(card);
                self.identity(index, card)
            });
            match identity {
                Ok(identity) => identities.push(identity),
                // Without the driver, no other GPU will answer either.
                Err(
                    error @ (DriverError::DriverNotLoaded(_) | DriverError::VersionMismatch(_)),
                ) => {
                    return Err(error);
                }
                Err(_) => {}
            }
        }
        Ok(identities)
    }

    fn open(&self, uuid: &Uuid) -> Result<Box<dyn Gpu>, DriverError> {
        const BY_UUID: &str = "nvmlDeviceGetHandleByUUID";
        /// `NVML_ERROR_INVALID_ARGUMENT` and `NOT_FOUND`.
        const NOBODY: [u32; 2] = [2, 6];
        self.said("nvmlInit_v2", Call::Init)?;
        let nobody = || no_such_gpu(uuid);
        let other = self
            .said(BY_UUID, Call::HandleByUuid)
            .map_err(|error| match error {
                DriverError::Call { code, .. } if NOBODY.contains(&code.number()) => nobody(),
                error => error,
            })?;
        let mut counted = self.counted().into_iter();
        let (index, position) = match other {
            Some(other) => counted.nth(bits(other) as usize),
            None => counted.find(|&(_, card)| self.card(card).uuid() == uuid),
        }
        .ok_or_else(nobody)?;
        if self.card(position).fault == Fault::Lost {
            return Err(DriverError::GpuLost(code(15)));
        }
        let identity = self.identity(index, position)?;
        let mut card = self.card(position);
        let facts = Arc::new(card.facts()?);
        let fans = card.fans()?;
        drop(card);
        Ok(Box::new(SimGpu {
            rack: self.clone(),
            index: position,
            identity,
            handle: Handle {
                fans,
                tells_memory_limit: facts.tells_memory_limit(),
                ..Handle::default()
            },
            facts,
        }))
    }
}

struct SimGpu {
    rack: Rack,
    index: usize,
    identity: Arc<Identity>,
    facts: Arc<Facts>,
    handle: Handle,
}

impl SimGpu {
    /// The card at the moment of a write.
    fn card(&self) -> MutexGuard<'_, Card> {
        let mut card = self.rack.card(self.index);
        card.catch_up((self.rack.clock)());
        card
    }
}

impl Sensor for SimGpu {
    fn identity(&self) -> &Arc<Identity> {
        &self.identity
    }

    fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    fn read(&mut self, now: Moment, _: Cadence) -> Reading {
        self.rack.card(self.index).read(now, &mut self.handle)
    }
}

impl Actuator for SimGpu {
    fn power_limit(&mut self) -> Result<Watts, ActuatorError> {
        let mut card = self.card();
        if card.fault == Fault::Lost {
            Err(ActuatorError::Lost)
        } else {
            card.limit_told().map_err(refusal)
        }
    }

    fn set_power_limit(&mut self, limit: Watts) -> Result<(), ActuatorError> {
        self.card().set_limit(limit)
    }

    fn lock_clock(&mut self, domain: ClockDomain, range: ClockRange) -> Result<(), ActuatorError> {
        match domain {
            ClockDomain::Gpu => self.card().lock_gpu(range),
            ClockDomain::Memory => self.card().lock_memory(range),
        }
    }

    fn reset_clock(&mut self, domain: ClockDomain) -> Result<(), ActuatorError> {
        match domain {
            ClockDomain::Gpu => self.card().reset_gpu(),
            ClockDomain::Memory => self.card().reset_memory(),
        }
    }

    fn fan(&mut self, fan: usize) -> Result<FanSetting, ActuatorError> {
        self.card().fan_setting(fan)
    }

    fn set_fan(&mut self, fan: usize, setting: FanSetting) -> Result<(), ActuatorError> {
        self.card().set_fan(fan, setting)
    }
}
