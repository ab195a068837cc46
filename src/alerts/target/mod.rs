//! What an alert asks for ([`aim`]), and of which GPUs: from its labels alone.

mod aim;
pub(crate) mod gpus;
pub(crate) mod labels;
pub mod node;

pub(crate) use aim::{Miss, action, aim};
