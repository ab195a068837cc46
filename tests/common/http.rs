//! The smallest HTTP servers that do: an app that is told things, one that hangs, a proxy.

#![allow(
    clippy::expect_used,
    reason = "tests fail by panic; a server's thread by ending"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A listener that writes down what it was asked. Lives until the test program ends.
#[derive(Clone)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    /// Answers each request with what `answer` makes of it: type and body, or no type for 503.
    /// `None`: never.
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

    /// Takes everything and says nothing back.
    pub(crate) fn obedient() -> Self {
        Self::start(|_| Some(("text/plain", String::new())))
    }

    /// Takes everything, but is only well while `well`.
    pub(crate) fn convalescent(well: Arc<AtomicBool>) -> Self {
        Self::start(move |request| {
            let fine = !request.starts_with("GET /health") || well.load(Ordering::SeqCst);
            Some((if fine { "text/plain" } else { "" }, String::new()))
        })
    }

    /// Takes connections and never answers.
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
}

fn read(stream: &TcpStream) -> String {
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    head.join("\n")
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
