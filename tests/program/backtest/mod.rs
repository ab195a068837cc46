//! `thermal-guard backtest` on a real Prometheus: against the truth of simulated cards, and beside servers
//! that don't do what they should.

mod servers;
mod truth;
