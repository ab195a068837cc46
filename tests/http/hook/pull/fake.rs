//! Something that talks like Alertmanager's API, and says what a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

/// Now, by its own clock: not ours.
const NOW: u64 = 1_795_438_200;

type Before = Box<dyn Fn() + Send>;

struct Script {
    alerts: Vec<u8>,
    status: Vec<u8>,
    before_status: Before,
    requests: Vec<String>,
}

/// Answers until the test program ends.
pub(crate) struct Alertmanager {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
}

impl Alertmanager {
    /// An Alertmanager that has run for an hour and lists these alerts.
    pub(crate) fn listing(alerts: &Value) -> Self {
        let script = Arc::new(Mutex::new(Script {
            alerts: json_answer(alerts),
            status: status(Duration::from_secs(3600)),
            before_status: Box::new(|| {}),
            requests: Vec::new(),
        }));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = script.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = shared.clone();
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { address, script }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn list(&self, alerts: &Value) {
        self.answer_alerts(json_answer(alerts));
    }

    /// Whole answers, as sent over the wire.
    pub(crate) fn answer_alerts(&self, answer: Vec<u8>) {
        self.script.lock().unwrap().alerts = answer;
    }

    pub(crate) fn answer_status(&self, answer: Vec<u8>) {
        self.script.lock().unwrap().status = answer;
    }

    pub(crate) fn before_status(&self, before: impl Fn() + Send + 'static) {
        self.script.lock().unwrap().before_status = Box::new(before);
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.script.lock().unwrap().requests.clone()
    }
}

/// One request a connection.
fn serve(mut stream: TcpStream, script: &Mutex<Script>) {
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    let answer = {
        let mut script = script.lock().unwrap();
        script.requests.push(head.join("\n"));
        if head[0].starts_with("GET /api/v2/status ") {
            (script.before_status)();
            script.status.clone()
        } else {
            script.alerts.clone()
        }
    };
    // An error means that the guard closed the connection.
    let _ = stream.write_all(&answer);
}

/// 200, with a time.
pub(crate) fn json_answer(body: &Value) -> Vec<u8> {
    answer_with(body.to_string().as_bytes())
}

pub(crate) fn answer_with(body: &[u8]) -> Vec<u8> {
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(NOW));
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: {date}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// The recorded status of one that has run for that long.
pub(crate) fn status(age: Duration) -> Vec<u8> {
    let mut status = super::recorded("status");
    let started = UNIX_EPOCH + Duration::from_secs(NOW) - age;
    status["uptime"] = json!(humantime::format_rfc3339_millis(started).to_string());
    json_answer(&status)
}
