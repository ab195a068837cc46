//! Readers with a wrong password, and one with the right one.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::common::guard::Guard;
use crate::common::nvml_sim::Machine;
use crate::common::process::stderr;

/// Expensive enough that waiting for a few dozen would show.
const COST: u32 = 10;

fn guarded() -> Guard {
    let mut guard = Guard::new(Machine::create(&["a100-80gb"], &[]), 1, "");
    let hash = bcrypt::hash("right", COST).unwrap();
    let web = guard.path("web.yml");
    fs::write(&web, format!("basic_auth_users: {{ scraper: '{hash}' }}\n")).unwrap();
    guard.flag(&format!("--web.config.file={}", web.display()));
    guard.start();
    guard
}

/// The commands that only read, with the password and without.
#[test]
fn a_command_that_reads_takes_the_name_and_the_password_of_a_reader() {
    let guard = guarded();
    let password = guard.path("password");
    let file = format!("--password-file={}", password.display());
    let url = format!("--url={}", guard.url(""));
    for (command, more) in [("status", &[][..]), ("wait", &["--for=0s", "--timeout=1s"])] {
        let login = [more, &["--username=scraper", &file, &url]].concat();
        fs::write(&password, "right\n").unwrap();
        let output = guard.run(command, &login);
        assert!(output.status.success(), "{command}: {}", stderr(&output));
        fs::write(&password, "wrong\n").unwrap();
        let said = stderr(&guard.run(command, &login));
        assert!(
            said.contains("refuses this --username"),
            "{command}: {said}"
        );
    }
    let said = stderr(&guard.run("status", &[&url]));
    assert!(said.contains("--username and --password-file"), "{said}");
    let said = stderr(&guard.run("status", &["--username=scraper"]));
    assert!(said.contains("--password-file"), "{said}");
}

/// One client, and its connection.
struct Client(BufReader<TcpStream>);

impl Client {
    /// `None`: the guard no longer listens.
    fn connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        let patience = Some(Duration::from_secs(300));
        stream.set_read_timeout(patience).ok()?;
        Some(Self(BufReader::new(stream)))
    }

    /// The code, or `None` if the connection ended.
    fn ask(&mut self, user: &str, password: &str) -> Option<u16> {
        let pair = STANDARD.encode(format!("{user}:{password}"));
        let request = format!(
            "GET /metrics?collect[]=guard HTTP/1.1\r\nHost: guard\r\nAuthorization: Basic {pair}\r\n\r\n"
        );
        self.0.get_mut().write_all(request.as_bytes()).ok()?;
        let mut code = None;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                code = rest.get(..3)?.parse().ok();
            }
            if let Some(rest) = line.strip_prefix("content-length: ") {
                length = rest.parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        // A scrape's text may come in chunks; then this was the last question.
        self.0.read_exact(&mut body).ok()?;
        code
    }
}

/// Many that guess, each on a connection of its own, one question after the other.
struct Flood {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<()>>,
}

impl Flood {
    /// `varied`: each guess is another one. Back once all have connected and asked.
    fn start(address: SocketAddr, clients: usize, varied: bool) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicUsize::new(0));
        let threads = (0..clients).map(|n| {
            let (over, asked) = (over.clone(), asked.clone());
            thread::spawn(move || {
                let mut connection = Client::connect(address);
                let user = if n % 2 == 0 { "scraper" } else { "nobody" };
                for round in 0.. {
                    if over.load(Ordering::SeqCst) {
                        return;
                    }
                    if round == 0 {
                        asked.fetch_add(1, Ordering::SeqCst);
                    }
                    let round = if varied { round } else { 0 };
                    let Some(client) = &mut connection else {
                        return;
                    };
                    match client.ask(user, &format!("wrong-{n}-{round}")) {
                        Some(401) => {}
                        Some(other) => panic!("a wrong password got {other}"),
                        None => connection = Client::connect(address),
                    }
                    if !varied {
                        thread::sleep(Duration::from_millis(20));
                    }
                }
            })
        });
        let clients_running: Vec<_> = threads.collect();
        while asked.load(Ordering::SeqCst) < clients {
            thread::sleep(Duration::from_millis(10));
        }
        Self {
            over,
            clients: clients_running,
        }
    }

    fn end(self) {
        self.over.store(true, Ordering::SeqCst);
        drop(self.clients);
    }
}

#[track_caller]
fn the_right_one_gets_in(clients: usize, varied: bool) {
    let guard = guarded();
    let address = guard.address();
    let ask = |user: &str, password: &str| {
        let began = Instant::now();
        (
            Client::connect(address).unwrap().ask(user, password),
            began.elapsed(),
        )
    };
    let (code, one) = ask("scraper", "wrong");
    assert_eq!(code, Some(401));
    let flood = Flood::start(address, clients, varied);
    // Its own comparison and one under way, and as much again for a busy machine.
    thread::sleep(one * 3);
    let bound = one * 5 + Duration::from_secs(2);
    let (code, took) = ask("scraper", "right");
    assert_eq!(code, Some(200));
    assert!(took < bound, "{took:?}; one comparison takes {one:?}");
    flood.end();
}

/// It once waited for all thirty, and a scrape with a timeout of one second failed.
#[test]
fn thirty_that_guess_keep_out_nobody_who_knows() {
    the_right_one_gets_in(30, true);
}

#[test]
fn three_hundred_that_guess_keep_out_nobody_who_knows() {
    the_right_one_gets_in(300, true);
}

/// Scrapers whose password was changed ask with the old one again and again.
#[test]
fn three_hundred_with_an_old_password_keep_out_nobody_who_knows() {
    the_right_one_gets_in(300, false);
}
