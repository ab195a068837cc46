//! Told is not the same as known: an app that was started anew, or that somebody else has told
//! otherwise. In virtual time where it is about waiting.

use std::sync::Mutex;

use super::*;

/// An app that says at its health URL in which mode it is, in a task, so that virtual time goes on.
struct Minded {
    url: String,
    mode: Arc<Mutex<String>>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Minded {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mode = Arc::new(Mutex::new("normal".to_owned()));
        let told = Arc::new(Mutex::new(Vec::new()));
        let (minds, hears) = (Arc::clone(&mode), Arc::clone(&told));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                reader.read_line(&mut head).unwrap();
                let mut line = String::new();
                while reader.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                if let Some(rest) = head.strip_prefix("POST /mode/") {
                    let word = rest.split(' ').next().unwrap().to_owned();
                    hears.lock().unwrap().push(word.clone());
                    *minds.lock().unwrap() = word;
                }
                let body = format!("{{\"mode\":\"{}\"}}", minds.lock().unwrap());
                let length = body.len();
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self { url, mode, told }
    }

    fn app(&self, health: bool) -> String {
        let url = &self.url;
        let health = if health {
            format!(", health_url: \"{url}/health\"")
        } else {
            String::new()
        };
        http(&format!("{url}/mode/{{mode}}"), &format!("{ECO}{health}"))
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    async fn until(&self, what: impl Fn(&Self) -> bool) {
        let poll = async {
            while !what(self) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LONG, poll).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_says_it_is_in_another_mode_is_told_again() {
    let (app, state) = (Minded::start(), TempDir::new().unwrap());
    let apps = spawn(&app.app(true), &state);
    wish(&apps, AppMode::Gradual).await;
    assert_eq!(app.told(), ["eco"]);
    "normal".clone_into(&mut app.mode.lock().unwrap());
    app.until(|app| app.told() == ["eco", "eco"]).await;
    assert_eq!(*app.mode.lock().unwrap(), "eco");
    // A mode that is none of ours is the app's own affair.
    "warming".clone_into(&mut app.mode.lock().unwrap());
    sleep(Duration::from_secs(6)).await;
    assert_eq!(app.told(), ["eco", "eco"]);
}
