//! Applications: told to go on as normal, as far as a dead guard had told them otherwise.

use std::path::Path;
use std::time::Duration;

use crate::config::AppConfig;
use crate::guard::Apps;
use crate::guard::apps::Unknown;

use super::Outcome;

/// How long they may take to hear of it.
const PATIENCE: Duration = Duration::from_secs(5);

/// `None`: nobody had been told anything. What is in the journal can be given back whatever the
/// configuration says; it only helps with a journal of an older guard, or one that can't be read.
pub(super) fn give_back(apps: Vec<AppConfig>, state_dir: &Path) -> Option<Outcome> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return Some(Outcome::Kept(format!("not told normal: {error}"))),
    };
    let apps = Apps::spawn(apps, Some(state_dir), false, runtime.handle());
    apps.release_all();
    let settled = runtime.block_on(apps.settle(PATIENCE));
    let unknown = apps.unknown();
    let (mut told, strangers) = (apps.snapshot(), apps.strangers());
    for status in apps.retired() {
        if !told.contains(&status) {
            told.push(status);
        }
    }
    // Not waited for: a request may hang.
    runtime.shutdown_background();
    let heard = told.iter().filter(|app| app.notifications_ok > 0);
    let names: Vec<_> = heard.map(|app| app.name.clone()).collect();
    if let Some(unknown) = unknown {
        return Some(Outcome::Kept(unread(&unknown, &names, state_dir)));
    }
    if !settled || !strangers.is_empty() {
        let failed = told
            .iter()
            .filter_map(|app| Some(format!("{}: {}", app.name, app.last_error.as_ref()?)));
        let unknown = strangers
            .iter()
            .map(|channel| format!("{channel} isn't in the configuration"));
        let errors: Vec<_> = failed.chain(unknown).collect();
        let (errors, file) = (errors.join(", "), state_dir.join(Apps::JOURNAL));
        let file = file.display();
        return Some(Outcome::Kept(format!(
            "not all told normal ({errors}); start them and run this again, or remove {file} if they are gone for good"
        )));
    }
    (!names.is_empty()).then(|| Outcome::Done(format!("told normal: {}", names.join(", "))))
}

/// What can't be said, and what helps.
fn unread(unknown: &Unknown, told: &[String], state_dir: &Path) -> String {
    let file = state_dir.join(Apps::JOURNAL);
    let file = file.display();
    match unknown {
        Unknown::Unread(why) => format!(
            "kept: {file} can't be read ({why}), so that it isn't known which applications were told to slow down, and none was told normal; look at that disk and the file's rights, and run this again"
        ),
        Unknown::Foreign(why) => {
            let told = match told {
                [] => "none was told normal".to_owned(),
                told => format!("told normal, as they are configured: {}", told.join(", ")),
            };
            format!(
                "kept: {file} can't be understood ({why}), so that it isn't known which applications were told to slow down; {told}. Set the others back by hand, and then remove that file, if it still is there"
            )
        }
    }
}
