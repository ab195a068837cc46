//! A card's power beside its draw: the range of its limit (`range`), and its workload profiles
//! (`profiles`).

mod profiles;
mod range;

pub(crate) use profiles::{Profiles, profile_name};
pub(crate) use range::Power;
