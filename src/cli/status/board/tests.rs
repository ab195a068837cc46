use super::*;
use serde_json::json;

fn board(document: serde_json::Value) -> String {
    board_of(document, Width::ANY)
}

fn board_of(document: serde_json::Value, width: Width) -> String {
    let status = serde_json::from_value(document).expect("lenient");
    let text = Board { status, width }.to_string();
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn rows_stand_under_their_columns() {
    let text = board(json!({
        "version": "0.1.0", "mode": "enforce", "chain": { "state": "down", "fallback": true },
        "gpus": [
            { "index": 0, "name": "A100", "state": "gradual", "why": "at alert", "unknown": 1,
              "temperature_celsius": 77.5, "hour": { "max_celsius": 79.0, "mean_celsius": 70.25 },
              "power_draw_watts": 250.0, "limit": { "current": 250.0, "original": 399.5 },
              "throttle_events": 2, "recoveries": 1,
              "throttled_seconds": { "gradual": 60.2, "emergency": 1.0 } },
            { "index": 1, "name": "L40S", "state": "normal" },
        ],
    }));
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].contains("chain down: FALLBACK"), "{text}");
    assert!(lines[2].contains("77.5"), "{text}");
    assert!(lines[2].contains("250/399.5"), "{text}");
    assert!(lines[2].ends_with("1m 1s  at alert"), "{text}");
    assert!(lines[3].contains("-/-"), "{text}");
    let column = |line: &str, word: &str| {
        let at = line.find(word).expect(word);
        line[..at].chars().count()
    };
    assert_eq!(column(lines[1], "STATE"), column(lines[2], "gradual"));
    assert_eq!(column(lines[1], "STATE"), column(lines[3], "normal"));
}

#[test]
fn a_state_that_hurts_is_red_and_colour_moves_no_column() {
    let board = |state: &str| -> Board {
        let gpus = json!([{ "state": state }, { "state": "recovering" }]);
        let status = serde_json::from_value(json!({ "gpus": gpus })).expect("lenient");
        let width = Width::ANY;
        Board { status, width }
    };
    for state in ["blind", "emergency", "unguarded"] {
        let red = format!("{BAD}{state:<10}{BAD:#}  ");
        assert!(board(state).to_string().contains(&red), "{state}");
    }
    assert!(!board("normal").to_string().contains(&BAD.to_string()));
}

#[test]
fn a_throttle_counts_from_its_begin_under_whichever_guard() {
    let throttled = |held: serde_json::Value| {
        board(
            json!({ "gpus": [{ "state": "gradual", "why": "x", "held_for_seconds": held,
            "throttled_seconds": { "gradual": 60.0, "emergency": 0.0 } }] }),
        )
    };
    assert!(throttled(json!(7205.0)).contains(" 2h 5s  x"));
    assert!(throttled(json!(30.0)).contains(" 1m  x"));
    assert!(throttled(json!(null)).contains(" 1m  x"));
}

#[test]
fn a_document_that_says_nothing_is_shown_all_the_same() {
    assert!(board(json!({})).starts_with("thermal-guard"));
    let text = board(json!({ "gpus": [{ "why": "\u{1b}[2J\nx", "hour": null }] }));
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

/// Eight cards as a node of today has them.
#[test]
fn at_80_columns_no_line_breaks_and_eight_gpus_fit_a_screen() {
    let gpu = |index: u32| {
        let hot = index == 3;
        json!({ "index": index, "name": "NVIDIA H100 80GB HBM3", "temperature_celsius": 71.5,
            "state": if hot { "gradual" } else { "normal" },
            "why": if hot { "held under alert: the local loop acted; 12.0 °C under alert" } else { "9.0 °C under alert" },
            "hour": { "max_celsius": 79.5, "mean_celsius": 70.25 }, "power_draw_watts": 655.5,
            "limit": { "current": 655.5, "original": 700.0 }, "throttle_events": 12,
            "throttled_seconds": { "gradual": 4000.0 } })
    };
    let document = |count: u32| {
        let gpus: Vec<_> = (0..count).map(gpu).collect();
        json!({ "version": "0.1.0", "gpus": gpus, "chain": { "state": "down", "fallback": true,
            "heartbeat_age_seconds": 90.0, "instance": "a-long-host-name.example.org:10835" } })
    };
    for columns in [40, 60, 80, 100, 132] {
        let text = board_of(document(8), Width::of(columns));
        for line in text.lines() {
            assert!(line.chars().count() <= columns, "{columns}: {line:?}");
        }
        assert!(
            text.contains("LIMIT/ORIGINAL W") && text.contains("gradual"),
            "{text}"
        );
    }
    let narrow = board_of(document(8), Width::of(80));
    assert!(
        !narrow.contains("HBM3") && narrow.contains("the local loop acted"),
        "{narrow}"
    );
    // A head that says what is wrong with the chain, eight cards, and why one of them is held.
    assert!(narrow.contains("Look at Alertmanager's log"), "{narrow}");
    assert!(narrow.lines().count() <= 4 + 1 + 8 + 1, "{narrow}");
    // Few cards have all of their reasons.
    let few = board_of(document(2), Width::of(80));
    assert_eq!(few.matches("9.0 °C under alert").count(), 2, "{few}");
    assert!(board(document(8)).contains("HBM3"));
}
