//! Another list of applications, and another guard with one: nobody hears what isn't so, and nothing
//! is left behind.

use super::*;

fn two(web: &str, other: &str) -> String {
    let app = |name: &str, url: &str| {
        format!("{{ name: {name}, http: {{ url: \"{url}/{{mode}}\" {ECO} }} }}")
    };
    format!("apps: [{}, {}]", app("web", web), app("other", other))
}

fn reload(apps: &Apps, yaml: &str) {
    apps.reconfigure(Config::from_yaml(yaml).unwrap().apps);
}

fn web(server: &Server, name: &str) -> String {
    let http = http(&format!("{}/{{mode}}", server.url), ECO);
    http.replace("name: web", &format!("name: {name}"))
}

/// Nothing was said since the requests that were fetched.
fn assert_silent(server: &Server) {
    assert_eq!(server.requests.try_recv().ok(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_hears_nothing_and_what_is_new_hears_at_once() {
    let (server, other) = (Server::answering(200), Server::answering(200));
    let state = TempDir::new().unwrap();
    let apps = spawn(&web(&server, "web"), &state);
    wish(&apps, AppMode::Gradual).await;
    assert_eq!(server.next(), "POST /eco");
    reload(&apps, &two(&server.url, &other.url));
    assert!(apps.settle(LONG).await);
    assert_eq!(other.next(), "POST /eco");
    assert_silent(&server);
    assert_eq!(
        apps.snapshot()[0].notifications_ok,
        1,
        "it goes on counting"
    );
    for app in [r#""app":"web""#, r#""app":"other""#] {
        journal_becomes(&state, |now| now.contains(app)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_name_for_the_same_place_is_no_news() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let apps = spawn(&web(&server, "web"), &state);
    wish(&apps, AppMode::Gradual).await;
    reload(&apps, &web(&server, "renamed"));
    wish(&apps, AppMode::Emergency).await;
    assert_eq!([server.next(), server.next()], ["POST /eco", "POST /stop"]);
    journal_becomes(&state, |now| {
        now.contains("renamed") && !now.contains("web")
    })
    .await;
    wish(&apps, AppMode::Normal).await;
    assert_eq!(server.next(), "POST /normal");
    journal_is_empty(&state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_out_is_given_back_and_only_then_leaves_the_journal() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let apps = spawn(&web(&server, "web"), &state);
    wish(&apps, AppMode::Gradual).await;
    server.status.store(503, Ordering::SeqCst);
    reload(&apps, "apps: []");
    assert_eq!(
        [server.next(), server.next(), server.next()],
        ["POST /eco", "POST /normal", "POST /normal"]
    );
    journal_becomes(&state, |now| now.contains("web")).await;
    assert_eq!(apps.snapshot()[0].name, "web", "it is still shown");
    server.status.store(200, Ordering::SeqCst);
    assert!(apps.settle(LONG).await);
    journal_is_empty(&state).await;
    assert!(apps.snapshot().is_empty());
}

/// Back in the list before it was given back: eco again, and in that order.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_too_soon_has_still_one_owner() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let apps = spawn(&web(&server, "web"), &state);
    wish(&apps, AppMode::Gradual).await;
    server.status.store(503, Ordering::SeqCst);
    reload(&apps, "apps: []");
    assert_eq!(
        [server.next(), server.next()],
        ["POST /eco", "POST /normal"]
    );
    reload(&apps, &web(&server, "web"));
    server.status.store(200, Ordering::SeqCst);
    assert!(apps.settle(LONG).await);
    let mut last = server.next();
    while let Ok(next) = server.requests.try_recv() {
        last = next;
    }
    assert_eq!(last, "POST /eco");
    journal_becomes(&state, |now| now.contains("web")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_app_is_given_back_at_the_old_place_before_it_is_told_at_the_new_one() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let at = |path: &str| http(&format!("{}/{path}?m={{mode}}", server.url), ECO);
    let apps = spawn(&at("old"), &state);
    wish(&apps, AppMode::Gradual).await;
    reload(&apps, &at("new"));
    assert!(apps.settle(LONG).await);
    let said = [server.next(), server.next(), server.next()];
    let order = ["POST /old?m=eco", "POST /old?m=normal", "POST /new?m=eco"];
    assert_eq!(said, order);
    journal_becomes(&state, |now| now.contains("/new") && !now.contains("/old")).await;
}

/// What is said late at a place that was away must not be the last word of an app that has both.
#[tokio::test(flavor = "multi_thread")]
async fn a_moved_app_is_told_again_when_its_old_place_has_answered_late() {
    let (old, new) = (Server::answering(200), Server::answering(200));
    let state = TempDir::new().unwrap();
    let apps = spawn(&web(&old, "web"), &state);
    wish(&apps, AppMode::Gradual).await;
    old.status.store(503, Ordering::SeqCst);
    reload(&apps, &web(&new, "web"));
    assert_eq!(
        new.next(),
        "POST /eco",
        "the throttle doesn't wait for long"
    );
    old.status.store(200, Ordering::SeqCst);
    assert_eq!(new.next(), "POST /eco", "and after the old place's normal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_file_is_given_back_where_it_was() {
    let (dir, state) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let file = |name: &str| dir.path().join(name);
    for name in ["a.env", "b.env"] {
        fs::write(file(name), "BATCH=8; export BATCH\n").unwrap();
    }
    let read = |name: &str| fs::read_to_string(file(name)).unwrap();
    let apps = spawn(&env(&file("a.env")), &state);
    wish(&apps, AppMode::Emergency).await;
    assert_eq!(read("a.env"), "BATCH=1; export BATCH\n");
    reload(&apps, &env(&file("b.env")));
    assert!(apps.settle(LONG).await);
    assert_eq!(read("a.env"), "BATCH=8; export BATCH\n");
    assert_eq!(read("b.env"), "BATCH=1; export BATCH\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_words_for_an_app_at_rest_are_no_news_either() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let apps = spawn(&web(&server, "web"), &state);
    wish(&apps, AppMode::Normal).await;
    let other = web(&server, "web").replace("gradual: eco", "normal: full, gradual: slow");
    reload(&apps, &other);
    wish(&apps, AppMode::Gradual).await;
    wish(&apps, AppMode::Normal).await;
    assert_eq!([server.next(), server.next()], ["POST /slow", "POST /full"]);
}

/// The journal alone says where, and what stood there.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_guard_left_is_given_back_whatever_is_configured_now() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("app.env");
    let original = b"# \xff\nBATCH=8 P=1\nBATCH='16'".as_slice();
    fs::write(&file, original).unwrap();
    let both = web(&server, "web").replace("apps: [", "apps: [{ name: batch, env_file: {} }, ");
    let fields = env(&file);
    let fields = fields.split_once("env_file: {").unwrap().1;
    let fields = format!("env_file: {{{}", fields.split_once('}').unwrap().0);
    let killed = spawn(&both.replace("env_file: {", &fields), &state);
    wish(&killed, AppMode::Emergency).await;
    assert_eq!(server.next(), "POST /stop");
    assert_eq!(fs::read(&file).unwrap(), b"# \xff\nBATCH=1 P=1\nBATCH='1'");
    drop(killed);
    let next = spawn("apps: []", &state);
    assert!(next.settle(LONG).await);
    assert_eq!(server.next(), "POST /normal");
    assert_eq!(fs::read(&file).unwrap(), original);
    journal_is_empty(&state).await;
    assert!(next.strangers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_of_one_place_in_a_journal_are_one_from_then_on() {
    let state = TempDir::new().unwrap();
    let file = state.path().join("batch.env");
    fs::write(&file, "BATCH=1\n").unwrap();
    let entry = |app: &str, original: &str| {
        let path = file.display();
        format!(
            r#"{{"app":"{app}","env_file":{{"path":"{path}","key":"BATCH","normal":"4","ours":["1"],"originals":["{original}"]}}}}"#
        )
    };
    let both = format!(
        r#"{{"throttled":[{},{}]}}"#,
        entry("x", "8"),
        entry("y", "1")
    );
    fs::write(state.path().join("apps.json"), both).unwrap();
    let apps = spawn("apps: []", &state);
    assert!(apps.settle(LONG).await);
    assert_eq!(fs::read_to_string(&file).unwrap(), "BATCH=8\n");
    journal_is_empty(&state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_of_an_older_guard_is_understood() {
    let (server, state) = (Server::answering(200), TempDir::new().unwrap());
    let file = state.path().join("apps.json");
    fs::write(&file, r#"{"throttled":["gone:http","web:http"]}"#).unwrap();
    let apps = spawn(&web(&server, "web"), &state);
    assert_eq!(apps.strangers(), ["gone:http"]);
    wish(&apps, AppMode::Normal).await;
    assert_eq!(server.next(), "POST /normal");
    journal_becomes(&state, |now| now == r#"{"throttled":["gone:http"]}"#).await;
    reload(&apps, &web(&server, "gone"));
}
