//! Prometheus's part: scrapes over kept connections, and how long each took.
//!
//! Plain sockets and one buffer: what scrapes must cost less than what is scraped.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// As many as scrape at once: a Prometheus and its twin.
const CONNECTIONS: usize = 2;

/// The classic text, unpacked: what all of them can send.
const REQUEST: &[u8] =
    b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;version=0.0.4\r\n\r\n";

/// Far more than any of them takes for a scrape; an answer later than this is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection, opened anew whenever the other side has closed it.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            buffer: vec![0; 1 << 20],
            filled: 0,
        }
    }

    /// The text of one scrape.
    pub(crate) fn scrape(&mut self) -> io::Result<&str> {
        let kept = self.stream.take();
        let body = match kept.map(|stream| self.exchange(stream)) {
            // Closed by the other side while it was idle.
            None | Some(Err(_)) => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                self.exchange(stream)?
            }
            Some(Ok(body)) => body,
        };
        std::str::from_utf8(&self.buffer[body..self.filled]).map_err(|_| bad("not UTF-8"))
    }

    /// Asks, and reads the answer into the buffer. Where its body begins.
    fn exchange(&mut self, mut stream: TcpStream) -> io::Result<usize> {
        stream.write_all(REQUEST)?;
        self.filled = 0;
        let body = loop {
            self.read(&mut stream)?;
            let found = self.buffer[..self.filled].windows(4);
            if let Some(at) = found.into_iter().position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = std::str::from_utf8(&self.buffer[..body]).map_err(|_| bad("not UTF-8"))?;
        let head = Head::parse(head)?;
        while self.filled < body + head.length {
            self.read(&mut stream)?;
        }
        self.stream = head.kept.then_some(stream);
        Ok(body)
    }

    fn read(&mut self, stream: &mut TcpStream) -> io::Result<()> {
        match stream.read(&mut self.buffer[self.filled..])? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            more => {
                self.filled += more;
                Ok(())
            }
        }
    }
}

struct Head {
    length: usize,
    /// The connection stays open.
    kept: bool,
}

impl Head {
    fn parse(head: &str) -> io::Result<Self> {
        let mut lines = head.lines();
        let status = lines.next().unwrap_or_default();
        if !status.contains(" 200 ") {
            return Err(bad(status));
        }
        let mut length = None;
        let mut kept = status.starts_with("HTTP/1.1");
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                kept &= !value.eq_ignore_ascii_case("close");
            } else if name.eq_ignore_ascii_case("content-encoding") {
                return Err(bad("packed, unasked"));
            }
        }
        let length = length.ok_or_else(|| bad("an answer without a length"))?;
        Ok(Self { length, kept })
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

/// Scrapes as fast as it is answered for `span`, over [`CONNECTIONS`]; what each scrape took.
pub(crate) fn flood(address: SocketAddr, span: Duration) -> Vec<Duration> {
    let until = Instant::now() + span;
    let one = || {
        let mut connection = Connection::new(address);
        let mut took = Vec::new();
        loop {
            let began = Instant::now();
            if began >= until {
                return took;
            }
            connection.scrape().expect("a scrape");
            took.push(began.elapsed());
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(one)).collect();
        let all = threads.into_iter();
        all.flat_map(|thread| thread.join().expect("scrapes"))
            .collect()
    })
}
