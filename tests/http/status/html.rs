//! The page: what it shows, and what it cannot be made to do.

use thermal_guard::config::Mode;
use thermal_guard::policy::ChainState;

use super::*;

#[test]
fn the_page_shows_the_board_without_a_script() {
    let html = page::render(&Status::of(&fleet::snapshot()), "/metrics");
    for told in [
        ">n1.example<",
        ">77 °C<",
        ">memory 84 °C<",
        ">Throttled: an alert asked; 1.0 °C under alert<",
        ">limit 230 W, originally 300 W<",
        ">highest 78 °C, mean 74.2 °C<",
        ">safe 72, alert 78, critical 85 °C<",
        ">4 begun, 3 recovered<",
        ">gradual</span> by <span class=\"source\" data-text=\"source\">alert GpuHot<",
        ">25s left<",
        ">ok, heartbeat 3 s ago<",
        ">enforce<",
        ">The GPU or its driver is gone<",
        ">Cannot actuate: no permission to write to GPU 1. Shown, not protected.<",
        ">4 GPUs, 2 down, 1 gradual; the nearest is 1 °C under alert<",
        ">GPU 0: throttled to gradual by the guard itself (set point) at 77 °C, 1.0 °C under alert<",
        "http-equiv=\"refresh\"",
        "href=\"metrics\"",
    ] {
        assert!(html.contains(told), "{told} in\n{html}");
    }
}

/// What happens to a calm node.
type Trouble = fn(&mut Snapshot);

#[test]
fn the_page_says_in_a_sentence_what_must_not_be_overlooked() {
    let calm = page::render(&Status::of(&calm_snapshot()), "/metrics");
    let troubles: [(&str, Trouble); 5] = [
        ("Observe: ", |snapshot| {
            snapshot.service.mode = Mode::Observe;
        }),
        ("Simulated: ", |snapshot| snapshot.service.simulated = true),
        ("Detached by an operator: ", |snapshot| {
            snapshot.detached = true;
        }),
        ("No NVIDIA driver", |snapshot| snapshot.driver.up = false),
        (
            "Fallback: the alert chain is stale: heartbeats arrive, but",
            |snapshot| {
                snapshot.chain.state = ChainState::Stale;
            },
        ),
    ];
    for (sentence, trouble) in troubles {
        assert!(!calm.contains(sentence), "{sentence} without a reason");
        let mut snapshot = calm_snapshot();
        trouble(&mut snapshot);
        let html = page::render(&Status::of(&snapshot), "/metrics");
        assert!(html.contains(sentence), "{sentence} in\n{html}");
    }
}

#[tokio::test]
async fn no_name_becomes_markup() {
    let name = "</td><script>alert(1)</script><img src=x onerror='alert(1)'>\"&";
    let service = service(name);
    let html = service.text("/").await;
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_eq!(html.matches("<script").count(), 1, "our own");
    assert!(!html.contains("<img") && !html.contains("onerror='"));
}

#[tokio::test]
async fn no_script_of_ours_makes_markup_of_a_string() {
    let service = service("a");
    for path in ["/assets/live.js", "/assets/chart.js"] {
        let script = service.text(path).await;
        assert!(script.contains("textContent"), "{path}");
        for unsafe_way in [
            "HTML",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "eval(",
            "Function(",
        ] {
            assert!(!script.contains(unsafe_way), "{unsafe_way} in {path}");
        }
    }
    let response = service.get("/").await;
    let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str();
    let policy = policy.unwrap();
    assert!(policy.ends_with("require-trusted-types-for 'script'; trusted-types 'none'"));
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test(start_paused = true)]
async fn the_pages_stream_says_what_the_page_says() {
    let service = service("a");
    let mut stream = service.get("/live").await.into_body().into_data_stream();
    let first = stream.next().await.unwrap().unwrap();
    let json = std::str::from_utf8(&first).unwrap();
    let json = json.strip_prefix("data: ").unwrap().trim_end();
    let board: Value = serde_json::from_str(json).unwrap();
    let html = service.text("/").await;
    let card = &board["lists"]["gpus"][0]["texts"];
    for text in [&board["texts"]["summary"], &card["name"], &card["state"]] {
        let text = text.as_str().unwrap();
        assert!(html.contains(&format!(">{text}<")), "{text} in\n{html}");
    }
    // Every place that the page has is filled, and nothing is said that has no place.
    let places = |at: &str| html.contains(&format!("data-text=\"{at}\""));
    for place in card.as_object().unwrap().keys() {
        assert!(places(place), "{place}");
    }
}

#[tokio::test]
async fn the_page_needs_nothing_from_elsewhere_and_little_of_its_own() {
    let service = service("a");
    let mut size = 0;
    for path in [
        "/",
        "/assets/status.css",
        "/assets/live.js",
        "/assets/chart.js",
    ] {
        let response = service.get(path).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str();
        assert!(
            policy
                .unwrap()
                .starts_with("default-src 'none'; style-src 'self';")
        );
        assert_eq!(
            response.headers()[header::X_CONTENT_TYPE_OPTIONS],
            "nosniff"
        );
        let text = service.text(path).await;
        // The one name of a namespace that SVG must be created in.
        let text = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!text.contains("://"), "{path}");
        assert!(
            !text.contains(" style=") && !text.contains("onclick"),
            "{path}"
        );
        size += text.len();
    }
    assert!(size < 100_000, "{size} bytes");
}
