//! The exposition in parts, in the order in which they are sent. Each says what it is made from: for
//! as long as that is the same, its text is, too.

use std::fmt;

use crate::web::snapshot::Snapshot;

use super::families::Families;
use super::per_gpu::PerGpu;
use super::{Collect, gpu, guard, process, service};

/// Some families, next to each other.
pub(super) struct Part {
    group: Group,
    families: Source,
}

#[derive(Clone, Copy)]
enum Group {
    /// Comes with each scrape.
    Basics,
    Gpu,
    Guard,
    Process,
}

/// What families are made from.
enum Source {
    /// The GPUs' latest ticks and how their loops fare. It is given nothing else.
    Gpus(fn(&mut PerGpu<'_, '_, '_>) -> fmt::Result),
    /// What [`Snapshot::serves_the_same`] compares.
    Service(fn(&mut Families<'_>, &Snapshot) -> fmt::Result),
    /// The time of the scrape, too.
    Moment(fn(&mut Families<'_>, &Snapshot) -> fmt::Result),
    /// `/proc/self`.
    Process(fn(&mut Families<'_>) -> fmt::Result),
}

pub(super) const PARTS: [Part; 11] = [
    part(Group::Basics, Source::Service(service::basics)),
    part(Group::Basics, Source::Gpus(guard::up)),
    part(Group::Gpu, Source::Gpus(gpu::encode)),
    part(Group::Guard, Source::Gpus(guard::encode)),
    part(Group::Guard, Source::Moment(guard::leases)),
    part(Group::Guard, Source::Gpus(guard::polls)),
    part(Group::Guard, Source::Service(service::driver)),
    part(Group::Guard, Source::Moment(service::chain)),
    part(Group::Guard, Source::Service(service::encode)),
    part(Group::Guard, Source::Moment(service::scrapes)),
    part(Group::Process, Source::Process(process::encode)),
];

const fn part(group: Group, families: Source) -> Part {
    Part { group, families }
}

impl Part {
    pub(super) const fn is_wanted(&self, collect: Collect) -> bool {
        match self.group {
            Group::Basics => true,
            Group::Gpu => collect.gpu,
            Group::Guard => collect.guard,
            Group::Process => collect.process,
        }
    }

    /// Whether what this part said of `before` is what it would say of `now`.
    pub(super) fn says_the_same(&self, before: &Snapshot, now: &Snapshot) -> bool {
        match self.families {
            Source::Gpus(_) => {
                let mut pairs = before.gpus.iter().zip(&now.gpus);
                before.gpus.len() == now.gpus.len() && pairs.all(|(a, b)| a.says_the_same(b))
            }
            Source::Service(_) => now.serves_the_same(before),
            Source::Moment(_) => false,
            Source::Process(_) => now.now.since(before.now) < process::HOLDS,
        }
    }

    pub(super) fn encode(&self, families: &mut Families<'_>, snapshot: &Snapshot) -> fmt::Result {
        match self.families {
            Source::Gpus(encode) => encode(&mut PerGpu::new(families, &snapshot.gpus)?),
            Source::Service(encode) | Source::Moment(encode) => encode(families, snapshot),
            Source::Process(encode) => encode(families),
        }
    }
}
