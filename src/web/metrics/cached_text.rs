//! The text of the last scrapes. Ticks come once a second, and scrapers when they like.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use axum::body::Bytes;

use crate::units::Moment;

use super::collect::Collect;
use super::negotiate::Format;

/// A text serves no longer than this: ages, timeouts and the process's own figures change with time
/// alone. Reading those takes the kernel longer than the rest of a scrape takes us.
const HOLDS: Duration = Duration::from_millis(100);

/// One text for each format and each choice of groups that was ever asked for: sixteen at most.
#[derive(Default)]
pub(crate) struct CachedTexts(HashMap<(Format, Collect), Text>);

struct Text {
    made: Stamp,
    bytes: Bytes,
}

impl Text {
    /// Its memory, emptied, unless a connection still sends it.
    fn memory(self) -> String {
        let Ok(sent) = self.bytes.try_into_mut() else {
            return String::new();
        };
        let mut memory = Vec::from(sent);
        memory.clear();
        String::from_utf8(memory).unwrap_or_default()
    }
}

/// The state of the guard at a scrape, as far as the cache must know it.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    /// That of the guard's state.
    pub(crate) generation: u64,
    pub(crate) now: Moment,
    /// When the scrape before came, since the Unix epoch.
    pub(crate) last_scrape: Option<Duration>,
}

impl CachedTexts {
    /// The text made before, if it is still right, or one that `make` makes now, in the memory of the one
    /// before if that has been sent: the next text is about as long.
    pub(crate) fn get(
        &mut self,
        key: (Format, Collect),
        stamp: Stamp,
        make: impl FnOnce(String) -> Result<String, fmt::Error>,
    ) -> Result<Bytes, fmt::Error> {
        let text = self.0.get(&key).filter(|text| text.made.serves(&stamp));
        if let Some(text) = text {
            return Ok(text.bytes.clone());
        }
        let before = self.0.remove(&key);
        let bytes = Bytes::from(make(before.map(Text::memory).unwrap_or_default())?);
        let text = Text {
            made: stamp,
            bytes: bytes.clone(),
        };
        self.0.insert(key, text);
        Ok(bytes)
    }
}

impl Stamp {
    /// Whether a text of this moment is still right at `later`.
    fn serves(&self, later: &Self) -> bool {
        let scraped = match (self.last_scrape, later.last_scrape) {
            // A text tells when the scrape before it came.
            (Some(before), Some(last)) => last.saturating_sub(before) < HOLDS,
            (None, None) => true,
            _ => false,
        };
        self.generation == later.generation && later.now.since(self.now) < HOLDS && scraped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: (Format, Collect) = (Format::Classic, Collect::ALL);

    fn stamp(generation: u64, millis: u64, scraped: Option<u64>) -> Stamp {
        Stamp {
            generation,
            now: Moment::from_start(Duration::from_millis(millis)),
            last_scrape: scraped.map(Duration::from_millis),
        }
    }

    /// Whether the text of one stamp is made again for another.
    fn makes_again(first: Stamp, then: Stamp) -> bool {
        let mut cached = CachedTexts::default();
        let _ = cached.get(ALL, first, |_| Ok("first".to_owned()));
        let text = cached.get(ALL, then, |_| Ok("again".to_owned()));
        text.is_ok_and(|text| text == "again")
    }

    #[test]
    fn a_text_is_made_again_after_a_change_after_100_ms_and_after_a_scrape_that_it_does_not_know() {
        let first = stamp(7, 1000, Some(900));
        let table = [
            (stamp(7, 1000, Some(900)), false),
            (stamp(7, 1099, Some(999)), false),
            (stamp(8, 1000, Some(900)), true),
            (stamp(7, 1100, Some(900)), true),
            (stamp(7, 1001, Some(1000)), true),
        ];
        for (then, again) in table {
            assert_eq!(makes_again(first, then), again, "{}", then.generation);
        }
        let unscraped = stamp(7, 1000, None);
        assert!(!makes_again(unscraped, unscraped));
        assert!(makes_again(unscraped, stamp(7, 1001, Some(1000))));
    }

    #[test]
    fn each_format_and_each_choice_has_a_text_of_its_own() {
        let mut cached = CachedTexts::default();
        let few = Collect {
            gpu: false,
            ..Collect::ALL
        };
        let keys = [ALL, (Format::OpenMetrics, Collect::ALL), (ALL.0, few)];
        let now = stamp(1, 0, None);
        for (n, key) in keys.into_iter().enumerate() {
            let _ = cached.get(key, now, |_| Ok(n.to_string()));
        }
        for (n, key) in keys.into_iter().enumerate() {
            let text = cached.get(key, now, |_| Err(fmt::Error));
            assert_eq!(text.ok(), Some(n.to_string().into()));
        }
    }

    #[test]
    fn a_text_that_was_sent_leaves_its_memory_to_the_next() {
        let mut cached = CachedTexts::default();
        let spare = |cached: &mut CachedTexts, millis| {
            let mut spare = 0;
            let text = cached.get(ALL, stamp(millis, 0, None), |memory| {
                assert!(memory.is_empty());
                spare = memory.capacity();
                Ok(memory + &"text".repeat(100))
            });
            (spare, text)
        };
        let (none, being_sent) = spare(&mut cached, 1);
        assert_eq!(none, 0);
        assert_eq!(spare(&mut cached, 2).0, 0, "another has it");
        assert!(being_sent.is_ok_and(|text| text.len() == 400));
        assert!(spare(&mut cached, 3).0 >= 400);
    }

    #[test]
    fn a_text_that_could_not_be_made_is_not_kept() {
        let mut cached = CachedTexts::default();
        let now = stamp(1, 0, None);
        assert!(cached.get(ALL, now, |_| Err(fmt::Error)).is_err());
        assert!(cached.get(ALL, now, |_| Ok("text".to_owned())).is_ok());
    }
}
