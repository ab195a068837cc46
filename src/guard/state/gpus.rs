//! The GPUs under guard, and the index that each card has now.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::gpu_handle::GpuHandle;
use crate::device::{Identity, Uuid};

#[derive(Default)]
pub(super) struct Gpus {
    handles: RwLock<BTreeMap<Uuid, Arc<GpuHandle>>>,
    /// The card that the driver lists under each index, guarded or not.
    indexes: RwLock<BTreeMap<u32, Uuid>>,
}

impl Gpus {
    /// In the order of their UUIDs.
    pub(super) fn all(&self) -> Vec<Arc<GpuHandle>> {
        self.handles.read().values().cloned().collect()
    }

    pub(super) fn get(&self, uuid: &Uuid) -> Option<Arc<GpuHandle>> {
        self.handles.read().get(uuid).cloned()
    }

    pub(super) fn add(&self, gpu: Arc<GpuHandle>) {
        self.handles.write().insert(gpu.identity.uuid.clone(), gpu);
    }

    pub(super) fn remove(&self, uuid: &Uuid) {
        self.handles.write().remove(uuid);
    }

    /// The index that a card has now. A card that the driver doesn't list keeps its last index,
    /// unless another card has it.
    pub(super) fn index_of(&self, identity: &Identity) -> Option<u32> {
        let indexes = self.indexes.read();
        let listed = indexes.iter().find(|(_, uuid)| **uuid == identity.uuid);
        match listed {
            Some((index, _)) => Some(*index),
            None if indexes.contains_key(&identity.index) => None,
            None => Some(identity.index),
        }
    }

    /// One card was opened, and told its index.
    pub(super) fn index_opened(&self, identity: &Identity) {
        let mut indexes = self.indexes.write();
        indexes.retain(|_, uuid| *uuid != identity.uuid);
        indexes.insert(identity.index, identity.uuid.clone());
    }

    /// The driver lists these, and no others.
    pub(super) fn index_all(&self, listed: &[Arc<Identity>]) {
        let indexes = listed.iter().map(|gpu| (gpu.index, gpu.uuid.clone()));
        *self.indexes.write() = indexes.collect();
    }
}
