//! Applications: tells them normal again, if a dead guard had told them to slow down.

use std::path::Path;
use std::time::Duration;

use crate::apps::Apps;
use crate::apps::Unknown;
use crate::config::AppConfig;

use super::report::Outcome;

/// How long this may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// `None`: no application had been told anything. The journal is enough to give back, whatever the
/// configuration says. The configuration only helps if the journal is an older guard's, or can't be
/// read.
pub(crate) fn give_back(apps: Vec<AppConfig>, state_dir: &Path) -> Option<Outcome> {
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
    // Don't wait: a request may hang.
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

/// What isn't known, and the remedy.
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
