//! Fifty connections that ask for `/metrics` again and again without waiting for an answer, and read
//! all of it. Another client's scrape and delivery must still get their turn.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::scrape::Scraper;
use super::{books, ends_well, is_full, millis, p99};
use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;

const CONNECTIONS: usize = 50;

/// Asked for at once, on one connection.
const PIPELINED: usize = 64;

const FULL: Duration = Duration::from_secs(30);
const IN_CI: Duration = Duration::from_secs(3);

/// A tenth of Prometheus's patience, and of Alertmanager's.
const BAR: Duration = Duration::from_secs(1);

/// Asks and reads until it is shut down; how many bytes came.
fn crowd(stream: &TcpStream, came: &AtomicU64) {
    let asked = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n".repeat(PIPELINED);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = stream;
            while stream.write_all(asked.as_bytes()).is_ok() {}
        });
        let (mut stream, mut buffer) = (stream, vec![0; 1 << 16]);
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            came.fetch_add(read as u64, Ordering::Relaxed);
        }
    });
}

#[test]
fn who_asks_without_a_pause_keeps_nobody_from_his_turn() {
    let time = if is_full() { FULL } else { IN_CI };
    let machine = Machine::create(&["a100-80gb", "h100"], &[]);
    let guard = Guard::started(machine, 1, "");
    let (newcomer, lasting) = (Scraper::newcomer(&guard), Scraper::lasting(&guard));
    let calm = newcomer.times(20);
    let size = newcomer.scrape().1.len() as u64;
    let came = AtomicU64::new(0);
    let streams: Vec<_> = (0..CONNECTIONS)
        .map(|_| TcpStream::connect(guard.address()).unwrap())
        .collect();
    let [mut scrapes, mut deliveries] = [Vec::new(), Vec::new()];
    thread::scope(|scope| {
        for stream in &streams {
            scope.spawn(|| crowd(stream, &came));
        }
        thread::sleep(Duration::from_millis(500));
        let until = Instant::now() + time;
        let mut alert = books::Alert::new(1, 0);
        while Instant::now() < until {
            scrapes.push(newcomer.scrape().0);
            scrapes.push(lasting.scrape().0);
            let body = books::delivery(&[alert.next(deliveries.len() % 2 == 1)]);
            let began = Instant::now();
            assert_eq!(guard.hook(&body), 200);
            deliveries.push(began.elapsed());
        }
        for stream in &streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
    });
    // The control: they did keep it busy, all the while.
    let answers = came.into_inner() / size;
    assert!(
        answers > CONNECTIONS as u64,
        "{answers} answers to the crowd"
    );
    if is_full() {
        tell(&format!(
            "{CONNECTIONS} connections that ask for /metrics without a pause, {answers} answers to them: p99 of {} other scrapes {:.1} ms, of {} deliveries {:.1} ms (bar {} ms); {:.1} ms without them",
            scrapes.len(),
            millis(p99(&scrapes)),
            deliveries.len(),
            millis(p99(&deliveries)),
            BAR.as_millis(),
            millis(p99(&calm))
        ));
        assert!(p99(&scrapes) <= BAR && p99(&deliveries) <= BAR);
    }
    ends_well(guard);
}
