//! thermal-guard: keeps NVIDIA GPUs cool, fast and alive.

use std::process::ExitCode;

use thermal_guard::cli;

fn main() -> ExitCode {
    cli::run(&cli::parse())
}
