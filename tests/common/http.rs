//! Small HTTP servers: an application that the guard notifies, one that hangs.

#![allow(
    clippy::expect_used,
    reason = "tests fail by panic; a server's thread by ending"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A server that records its requests. It lives until the test program ends.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// `answer` gives each request its answer: content type and body; 503 if the type is empty. `None`:
    /// the request gets no answer.
    pub(crate) fn start(
        answer: impl Fn(&str) -> Option<(&'static str, String)> + Send + 'static,
    ) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let listener = Self {
            address: socket.local_addr().expect("its address"),
            requests: Arc::default(),
        };
        let requests = listener.requests.clone();
        thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in socket.incoming().map_while(Result::ok) {
                let request = read(&stream);
                requests.lock().expect("requests").push(request.clone());
                match answer(&request) {
                    Some(answer) => respond(stream, &answer),
                    None => kept.push(stream),
                }
            }
        });
        listener
    }

    /// Accepts every request, with an empty answer.
    pub(crate) fn obedient() -> Self {
        Self::start(|_| Some(("text/plain", String::new())))
    }

    /// Accepts every request, but answers health checks well only while `well` is set.
    pub(crate) fn convalescent(well: Arc<AtomicBool>) -> Self {
        Self::start(move |request| {
            let fine = !request.starts_with("GET /health") || well.load(Ordering::SeqCst);
            Some((if fine { "text/plain" } else { "" }, String::new()))
        })
    }

    /// Accepts connections and never answers.
    pub(crate) fn hanging() -> Self {
        Self::start(|_| None)
    }

    /// First lines of the requests so far, as `POST /path`.
    pub(crate) fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().expect("requests");
        let first = |request: &String| {
            let line = request.lines().next().unwrap_or_default();
            line.trim_end_matches(" HTTP/1.1").to_owned()
        };
        requests.iter().map(first).collect()
    }

    /// Head and body of the requests so far.
    pub(crate) fn messages(&self) -> Vec<(String, String)> {
        let requests = self.requests.lock().expect("requests");
        let parted = |request: &String| {
            let (head, body) = request.split_once("\n\n").unwrap_or((request, ""));
            (head.to_owned(), body.to_owned())
        };
        requests.iter().map(parted).collect()
    }
}

/// The head, an empty line, and the body.
fn read(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let lines = reader.by_ref().lines().map_while(Result::ok);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.eq_ignore_ascii_case("content-length");
        is_it.then(|| value.trim().parse().ok())?
    });
    let mut body = String::new();
    let _ = (reader.take(length.unwrap_or(0))).read_to_string(&mut body);
    format!("{}\n\n{body}", head.join("\n"))
}

fn respond(mut stream: TcpStream, (kind, body): &(&'static str, String)) {
    let length = body.len();
    let status = if kind.is_empty() {
        "503 Service Unavailable"
    } else {
        "200 OK"
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
}
