//! `GET /`: the status board for people. It needs neither Grafana nor a file from another host. The
//! server renders it whole, and a browser without script shows that. With a script, `GET /live` keeps
//! the board current, and the last hour of the status API becomes charts.

mod board;
mod gpu;
mod html;
mod part;
mod routes;

pub use routes::{render, router};
