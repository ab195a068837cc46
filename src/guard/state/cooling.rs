//! How well the cards of this node are cooled, for the comparison with each other and for the next
//! start.

use super::shared::Shared;
use crate::device::Identity;
use crate::guard::memory::{CardCooling, Coolings};
use crate::policy::cooling::{Cooling, median_ratio};
use crate::units::Ratio;

/// No node has more cards; a longer record is damaged.
const MOST: usize = 64;

impl Shared {
    /// What an earlier worker, or an earlier guard, learned of this card in this place. From here on the
    /// card counts as a neighbour of the others. A card that was in its place has been replaced.
    pub fn recall_cooling(&self, card: &Identity) -> Cooling {
        let mut all = self.cooling.lock();
        let slot = &card.pci_bus_id;
        let is_here = |it: &CardCooling| it.pci_bus_id == *slot;
        let known = all.remove(&card.uuid).filter(is_here);
        all.retain(|_, it| slot.is_empty() || !is_here(it));
        let cooling = known.map_or_else(Cooling::default, |it| Cooling::of(&it.remembered));
        keep(&mut all, card, &cooling);
        cooling
    }

    /// A card has learned something of its cooling.
    pub fn keep_cooling(&self, card: &Identity, cooling: &Cooling) {
        keep(&mut self.cooling.lock(), card, cooling);
        self.remember();
    }

    /// The median ratio of the other cards of this model. `None`: there is none, or none is known.
    pub fn neighbours_ratio(&self, card: &Identity) -> Option<f64> {
        let all = self.cooling.lock();
        let others = all
            .iter()
            .filter(|(uuid, it)| **uuid != card.uuid && it.is_present && it.name == card.name);
        median_ratio(others.filter_map(|(_, it)| it.ratio))
    }

    pub(in crate::guard) fn coolings(&self) -> Coolings {
        let all = self.cooling.lock();
        let known = all.iter().filter(|(_, it)| it.remembered.is_something());
        known.map(|(uuid, it)| (uuid.clone(), it.clone())).collect()
    }

    pub(in crate::guard) fn set_coolings(&self, known: Coolings) {
        *self.cooling.lock() = known.into_iter().take(MOST).collect();
    }
}

/// Where there is no room, a card that isn't here is forgotten.
fn keep(all: &mut Coolings, card: &Identity, cooling: &Cooling) {
    if all.len() >= MOST && !all.contains_key(&card.uuid) {
        let gone = all.iter().find(|(_, it)| !it.is_present);
        let gone = gone.map(|(uuid, _)| uuid.clone());
        let Some(gone) = gone else {
            return;
        };
        all.remove(&gone);
    }
    let known = CardCooling {
        name: card.name.clone(),
        pci_bus_id: card.pci_bus_id.clone(),
        remembered: cooling.remembered(),
        ratio: cooling.health().ratio.map(Ratio::value),
        is_present: true,
    };
    all.insert(card.uuid.clone(), known);
}
