//! A thousand clients that only obstruct: with slow request heads, slow bodies, or bodies that are much
//! too large. All come at once, and come back as soon as they are cut off. The guard must answer a scrape
//! with a new connection all the while.
//!
//! The guard begins with 1024 open files, which is what systemd gives a service.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::scrape::Scraper;
use super::{anonymous_memory, books, ends_well, is_full, millis, p99};
use crate::common::figures::tell;
use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::scrape::Metrics;

/// Connections at a time, and for how long.
const FULL: (usize, Duration) = (1000, Duration::from_secs(40));
const IN_CI: (usize, Duration) = (300, Duration::from_secs(7));

/// A slow one's next byte comes after this.
const DRIP_EVERY: Duration = Duration::from_millis(500);

const SERVICE_FILES: u64 = 1024;

/// The time in which a person expects a page.
const BAR: Duration = Duration::from_secs(1);

#[derive(Clone, Copy)]
enum Nuisance {
    /// A byte of a request's head now and then.
    SlowHead,
    /// Connects and says nothing.
    Silent,
    /// May actuate, and sends a byte of a delivery now and then.
    SlowBody,
    /// May actuate, and sends without end.
    Oversized,
    /// Announces gigabytes, and may nothing.
    Stranger,
}

const NUISANCES: [Nuisance; 5] = [
    Nuisance::SlowHead,
    Nuisance::Silent,
    Nuisance::SlowBody,
    Nuisance::Oversized,
    Nuisance::Stranger,
];

/// One of them, with its connection of the moment.
struct Client {
    nuisance: Nuisance,
    stream: TcpStream,
    pending: Vec<u8>,
}

impl Client {
    fn connect(address: SocketAddr, nuisance: Nuisance, token: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nonblocking(true)?;
        let hook = |rest: &str| {
            format!(
                "POST /hook HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{rest}\r\n\r\n"
            )
        };
        let may = format!("Authorization: Bearer {token}\r\n");
        let pending = match nuisance {
            Nuisance::SlowHead => "GET /metrics HTTP/1.1\r\nX: ".to_owned(),
            Nuisance::Silent => String::new(),
            Nuisance::SlowBody => hook(&format!("{may}Content-Length: 1000")) + "{",
            Nuisance::Oversized => hook(&format!("{may}Transfer-Encoding: chunked")),
            Nuisance::Stranger => hook("Content-Length: 9999999999"),
        };
        Ok(Self {
            nuisance,
            stream,
            pending: pending.into_bytes(),
        })
    }

    /// Its next bit. False: it was cut off.
    fn go_on(&mut self) -> bool {
        if self.pending.is_empty() {
            self.pending = match self.nuisance {
                Nuisance::SlowHead | Nuisance::SlowBody => b" ".to_vec(),
                Nuisance::Oversized => [&b"80000\r\n"[..], &vec![b' '; 0x8_0000], b"\r\n"].concat(),
                Nuisance::Stranger => vec![b' '; 0x4000],
                Nuisance::Silent => Vec::new(),
            };
        }
        let sent = self.stream.write(&self.pending);
        if let Ok(sent) = sent {
            self.pending.drain(..sent);
        }
        let open = |done: std::io::Result<usize>, at_end: bool| match done {
            Ok(0) => !at_end,
            Ok(_) => true,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        };
        let hears = self.stream.read(&mut [0; 4096]);
        open(sent, false) && open(hears, true)
    }
}

/// The load on the guard.
#[derive(Default)]
struct Toll {
    cut_off: usize,
    /// Connections at a time, at most.
    open: usize,
    /// Connects that weren't answered: tried again.
    unanswered: usize,
}

/// Keeps so many nuisances up until then.
fn besiege(guard: &Guard, connections: usize, until: Instant) -> Toll {
    let (address, token) = (guard.address(), guard.token());
    let mut toll = Toll::default();
    let mut clients: Vec<Client> = Vec::new();
    let mut number = 0;
    while Instant::now() < until {
        while clients.len() < connections && Instant::now() < until {
            let nuisance = NUISANCES[number % NUISANCES.len()];
            number += 1;
            match Client::connect(address, nuisance, &token) {
                Ok(mut client) => {
                    client.go_on();
                    clients.push(client);
                }
                Err(_) => toll.unanswered += 1,
            }
        }
        toll.open = toll.open.max(clients.len());
        thread::sleep(DRIP_EVERY);
        let before = clients.len();
        clients.retain_mut(Client::go_on);
        toll.cut_off += before - clients.len();
    }
    toll
}

/// Starts the guard as systemd does, with few open files and leave to have more.
fn started_as_a_service() -> Guard {
    let machine = Machine::create(&["a100-80gb", "h100"], &[]);
    let mut guard = Guard::new(machine, 1, "");
    let ours = getrlimit(Resource::Nofile);
    let limit = |current| Rlimit {
        current,
        maximum: ours.maximum,
    };
    // Children inherit it.
    setrlimit(Resource::Nofile, limit(Some(SERVICE_FILES))).unwrap();
    guard.start();
    setrlimit(Resource::Nofile, limit(ours.maximum)).unwrap();
    guard
}

#[test]
fn a_thousand_slow_and_oversized_clients_keep_no_scrape_out() {
    let (connections, time) = if is_full() { FULL } else { IN_CI };
    let guard = started_as_a_service();
    let scraper = Scraper::newcomer(&guard);
    let calm = scraper.times(50);
    let memory = anonymous_memory(&guard);
    let until = Instant::now() + time;
    let (mut times, mut files, mut peak) = (Vec::new(), 0.0_f64, 0);
    let toll = thread::scope(|scope| {
        let siege = scope.spawn(|| besiege(&guard, connections, until));
        while Instant::now() < until {
            let (took, body) = scraper.scrape();
            let open = Metrics::parse(&body).get("process_open_fds", &[]);
            times.push(took);
            files = files.max(open.unwrap());
            peak = peak.max(anonymous_memory(&guard));
            thread::sleep(Duration::from_millis(20));
        }
        siege.join().unwrap()
    });
    assert_besieged(&guard, connections, &toll, files);
    if is_full() {
        tell(&format!(
            "{connections} slow-loris and oversized clients: {} of {0} scrapes answered, p99 {:.1} ms (bar {} ms), {:.1} ms without them",
            times.len(),
            millis(p99(&times)),
            BAR.as_millis(),
            millis(p99(&calm))
        ));
        tell(&format!(
            "{connections} slow-loris and oversized clients: {} cut off and back, at most {files} files open, RssAnon from {memory} to at most {peak} KiB",
            toll.cut_off
        ));
        assert!(p99(&times) <= BAR, "{:?}", p99(&times));
    }
    hook_works_again(&guard);
    ends_well(guard);
}

/// The control: they all were there, at the same time, and had the effect that they meant to have.
fn assert_besieged(guard: &Guard, connections: usize, toll: &Toll, files: f64) {
    assert_eq!(toll.open, connections);
    assert_eq!(toll.unanswered, 0, "connects");
    assert!(files > connections as f64 * 0.7, "{files} open files");
    assert!(toll.cut_off > connections / 2, "{} cut off", toll.cut_off);
    let metrics = guard.metrics();
    for (code, whom) in [("401", "strangers"), ("413", "oversized"), ("503", "slow")] {
        let count = metrics.get("thermal_guard_hook_requests_total", &[("code", code)]);
        assert!(count > Some(0.0), "{whom}: {count:?}");
    }
    assert!(guard.logged(&["connection not accepted"]).is_empty());
}

/// Once they are gone, a delivery is taken: no place is lost.
fn hook_works_again(guard: &Guard) {
    let mut alert = books::Alert::new(1, 0);
    let body = books::delivery(&[alert.next(false)]);
    let began = Instant::now();
    while guard.hook(&body) != 200 {
        assert!(began.elapsed() < Duration::from_secs(30), "never again");
        thread::sleep(Duration::from_millis(100));
    }
    let resolved = books::delivery(&[alert.next(true)]);
    assert_eq!(guard.hook(&resolved), 200);
}
