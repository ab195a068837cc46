//! Applications that restart while they should be slow.

use super::applications::{App, guard, stays, throttle, until};

#[test]
fn an_app_that_was_started_anew_is_told_again_within_half_a_minute() {
    let app = App::start();
    let guard = guard(1, &app.entry("app"));
    throttle(&guard, "gradual");
    until(&guard, "told", || app.mode() == "eco");
    app.start_anew();
    until(&guard, "told again", || app.mode() == "eco");
    assert_eq!(app.told(), ["eco", "eco"], "and that is all that it cost");
}

#[test]
fn an_app_whose_health_was_away_is_told_again_as_soon_as_it_is_back() {
    let app = App::start();
    // It answers no mode there.
    let health = format!(", health_url: '{}/health'", app.url());
    let guard = guard(1, &app.entry_with("app", &health));
    throttle(&guard, "gradual");
    until(&guard, "told", || app.mode() == "eco");
    app.set_away(true);
    let asked = app.listener.requests().len();
    until(&guard, "missed", || app.listener.requests().len() > asked);
    app.start_anew();
    app.set_away(false);
    until(&guard, "told again", || app.mode() == "eco");
    let told = app.told().len();
    stays(&guard, 6.0, "eco, without a flood", || {
        app.mode() == "eco" && app.told().len() <= told + 1
    });
}
