//! The applications and their channels. Each place has one channel, whatever a reload does with its
//! applications: if an app is renamed, its channel continues; if it is removed, it is given back first;
//! if it comes back before that is done, it continues.

mod replace;
mod table;
mod takeover;

pub(crate) use table::{Roster, Wanted, told};
