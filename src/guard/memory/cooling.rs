//! The record of how well the cards were cooled, as it is in the file.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::device::Uuid;
use crate::policy::cooling::{Cooling, Kept, Remembered};
use crate::units::Ratio;

/// A record of another version is forgotten: its numbers may mean something else.
const VERSION: u32 = 1;

/// What is known of one card.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CardCooling {
    pub name: String,
    /// Where the card is. In another slot it is cooled otherwise, and begins anew.
    pub pci_bus_id: String,
    pub remembered: Remembered,
    /// Its resistance over its baseline.
    pub ratio: Option<f64>,
    /// A worker watches it: it isn't only remembered.
    pub is_present: bool,
}

/// By UUID.
pub type Coolings = BTreeMap<Uuid, CardCooling>;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Saved {
    version: u32,
    cards: BTreeMap<String, Card>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Card {
    name: String,
    pci_bus_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    air_offset_celsius: Option<f64>,
    fans_score: f64,
    fixed: Picture,
    by_fans: Picture,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Picture {
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_kelvin_per_watt: Option<f64>,
    kelvin_per_watt: Vec<f64>,
}

/// A damaged record of the cooling must not cost the operators' leases, which are beside it.
pub(super) fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Saved>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(from)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
}

impl Saved {
    pub(super) fn of(all: &Coolings) -> Option<Self> {
        let cards = all.iter().map(|(uuid, it)| {
            let [fixed, by_fans] = it.remembered.pictures.each_ref().map(Picture::of);
            let card = Card {
                name: it.name.clone(),
                pci_bus_id: it.pci_bus_id.clone(),
                air_offset_celsius: it.remembered.air_offset,
                fans_score: it.remembered.fans_score,
                fixed,
                by_fans,
            };
            (uuid.to_string(), card)
        });
        (!all.is_empty()).then(|| Self {
            version: VERSION,
            cards: cards.collect(),
        })
    }

    pub(super) fn known(&self) -> Coolings {
        let cards = self.cards.iter().filter(|_| self.version == VERSION);
        let known = cards.map(|(uuid, card)| {
            let remembered = Remembered {
                pictures: [card.fixed.kept(), card.by_fans.kept()],
                air_offset: card.air_offset_celsius,
                fans_score: card.fans_score,
            };
            let ratio = Cooling::of(&remembered).health().ratio;
            let known = CardCooling {
                name: card.name.clone(),
                pci_bus_id: card.pci_bus_id.clone(),
                remembered,
                ratio: ratio.map(Ratio::value),
                is_present: false,
            };
            (Uuid::new(uuid), known)
        });
        known.collect()
    }
}

impl Picture {
    fn of(kept: &Kept) -> Self {
        Self {
            baseline_kelvin_per_watt: kept.baseline,
            kelvin_per_watt: kept.fits.clone(),
        }
    }

    fn kept(&self) -> Kept {
        Kept {
            baseline: self.baseline_kelvin_per_watt,
            fits: self.kelvin_per_watt.clone(),
        }
    }
}
