//! What heat costs, from history that somebody else recorded: nothing runs on the nodes. [`prometheus`]
//! fetches the histories of GPUs, [`recorded`]
//! takes them from files, [`history`] is one of them,
//! [`card`] the card behind it, [`heat`] how hot it was, [`whatif`] what the guard would have done,
//! [`verdict`] what that means, [`report`] all of it.

pub mod card;
pub mod heat;
pub mod history;
pub mod judge;
pub mod prometheus;
pub mod recorded;
pub mod report;
#[cfg(test)]
mod tests;
pub mod verdict;
pub mod whatif;
