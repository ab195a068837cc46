//! The commands of the program, as an operator meets them.

mod bad_inputs;
mod check;
mod client;
mod gpu_names;
mod help;
mod replay;
mod report;
mod restore;
mod screen;
mod simulate;
mod state_dir;
mod validate;
mod wait;
