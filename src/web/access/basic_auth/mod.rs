//! Basic authentication of `--web.config.file`. It protects reading, and never lets a client actuate.

mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::task::spawn_blocking;

use crate::web::access::basic_auth::turns::Turns;

/// Right passwords in the cache; as many as the exporter-toolkit caches.
const CACHE: usize = 100;

/// Wrong passwords in the cache: a scraper with an old password, or a browser, sends the same one again
/// and again.
const WRONG: usize = 1000;

/// Longer headers are refused; bcrypt ignores everything after 72 bytes of a password.
const MAX_HEADER: usize = 1024;

/// A hash of no password, without its cost. Passwords of unknown users are compared with it.
const NOBODY: &str = "$......................U7dWoCIFJKnIQVlBL2MZ9pQpvoz5PMe";

/// The users of one web config.
pub struct BasicAuth {
    users: BTreeMap<String, String>,
    nobody: String,
    turns: Arc<Turns>,
    /// Digests of right passwords, under a key that never leaves the process.
    known: Mutex<BTreeSet<Vec<u8>>>,
    /// Digests of wrong passwords, so that no client waits for the same answer twice.
    wrong: Mutex<BTreeSet<Vec<u8>>>,
    key: hmac::Key,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No users are configured.
    NotNeeded,
    Accepted,
    /// Answer with 401 and `WWW-Authenticate: Basic`.
    Refused,
}

/// The system offers no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no randomness for the key of the password cache")]
pub struct NoRandomness;

impl BasicAuth {
    /// `users`: bcrypt hashes by name, checked by the web config.
    pub fn new(users: BTreeMap<String, String>) -> Result<Self, NoRandomness> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let costs = users.values().map(|hash| cost(hash));
        let cost = costs.max().unwrap_or(bcrypt::DEFAULT_COST);
        Ok(Self {
            nobody: format!("$2b${cost:02}{NOBODY}"),
            users,
            turns: Arc::default(),
            known: Mutex::default(),
            wrong: Mutex::default(),
            key: key.map_err(|_| NoRandomness)?,
        })
    }

    /// Checks a request from `who`. An unknown user takes as long as a wrong password.
    pub async fn verify(&self, headers: &HeaderMap, who: Option<SocketAddr>) -> Verdict {
        if self.users.is_empty() {
            return Verdict::NotNeeded;
        }
        let Some((user, password)) = credentials(headers) else {
            return Verdict::Refused;
        };
        let hash = self.users.get(&user);
        let digest = self.digest(&user, hash, &password);
        if self.known.lock().contains(&digest) {
            return Verdict::Accepted;
        }
        if self.wrong.lock().contains(&digest) {
            return Verdict::Refused;
        }
        let Some(right) = self.compare(password, hash, who, &digest).await else {
            return Verdict::Refused;
        };
        self.turns.note(who, right);
        if right {
            remember(&self.known, CACHE, digest);
            Verdict::Accepted
        } else {
            remember(&self.wrong, WRONG, digest);
            Verdict::Refused
        }
    }

    /// `None`: the comparison couldn't run.
    async fn compare(
        &self,
        password: String,
        hash: Option<&String>,
        who: Option<SocketAddr>,
        digest: &[u8],
    ) -> Option<bool> {
        let turn = self.turns.take(who).await?;
        // Another request may have compared the same password while this one waited.
        if self.known.lock().contains(digest) {
            return Some(true);
        }
        if self.wrong.lock().contains(digest) {
            return Some(false);
        }
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).clone();
        let work = spawn_blocking(move || {
            // Held until the work ends, even if the client is gone by then.
            let _turn = turn;
            bcrypt::verify(password, &hash).unwrap_or(false)
        });
        work.await.ok().map(|right| right && known)
    }

    /// Contains the hash, so that the cache doesn't accept a changed password.
    fn digest(&self, user: &str, hash: Option<&String>, password: &str) -> Vec<u8> {
        let hash = hash.map_or("", String::as_str);
        let parts = [user, hash, password].map(|part| format!("{}:{part}", part.len()));
        hmac::sign(&self.key, parts.concat().as_bytes())
            .as_ref()
            .to_vec()
    }
}

/// The smallest digest makes room: digests are random, so any choice is as good.
fn remember(digests: &Mutex<BTreeSet<Vec<u8>>>, most: usize, digest: Vec<u8>) {
    let mut digests = digests.lock();
    if digests.len() >= most {
        digests.pop_first();
    }
    digests.insert(digest);
}

fn cost(hash: &str) -> u32 {
    bcrypt::HashParts::from_str(hash).map_or(bcrypt::DEFAULT_COST, |parts| parts.get_cost())
}

/// User and password of exactly one `Authorization: Basic`.
fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > MAX_HEADER {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth() -> BasicAuth {
        let hash = bcrypt::hash("secret", 4).unwrap();
        BasicAuth::new([("alice".to_owned(), hash)].into()).unwrap()
    }

    fn headers(value: &str) -> HeaderMap {
        [(header::AUTHORIZATION, value.parse().unwrap())]
            .into_iter()
            .collect()
    }

    fn basic(pair: &str) -> HeaderMap {
        headers(&format!("Basic {}", STANDARD.encode(pair)))
    }

    #[tokio::test]
    async fn only_the_right_pair_gets_in() {
        let auth = auth();
        for _ in 0..2 {
            assert_eq!(
                auth.verify(&basic("alice:secret"), None).await,
                Verdict::Accepted
            );
            for wrong in [
                "alice:secre",
                "alice:",
                "bob:secret",
                ":secret",
                "alice",
                "alice:secret ",
            ] {
                assert_eq!(
                    auth.verify(&basic(wrong), None).await,
                    Verdict::Refused,
                    "{wrong}"
                );
            }
        }
        assert_eq!(auth.known.lock().len(), 1, "only right passwords are in it");
    }

    #[tokio::test]
    async fn other_schemes_are_refused() {
        let auth = auth();
        let twice = [basic("alice:secret"), basic("alice:secret")]
            .into_iter()
            .flatten();
        let mut both = HeaderMap::new();
        twice.for_each(|(name, value)| {
            both.append(name.unwrap(), value);
        });
        for headers in [
            HeaderMap::new(),
            headers("Bearer alice:secret"),
            headers("Basic"),
            headers("Basic !!!"),
            headers(&format!("Basic {}", "A".repeat(2000))),
            both,
        ] {
            assert_eq!(
                auth.verify(&headers, None).await,
                Verdict::Refused,
                "{headers:?}"
            );
        }
    }

    #[tokio::test]
    async fn without_users_no_password_is_needed() {
        let auth = BasicAuth::new(BTreeMap::new()).unwrap();
        assert_eq!(
            auth.verify(&HeaderMap::new(), None).await,
            Verdict::NotNeeded
        );
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_a_known_one() {
        let auth = auth();
        assert_eq!(cost(&auth.nobody), 4);
        assert!(
            bcrypt::verify("secret", &auth.nobody).is_ok(),
            "it is a real comparison"
        );
    }

    #[tokio::test]
    async fn the_cache_is_bounded() {
        let auth = auth();
        for n in 0..=CACHE {
            remember(&auth.known, CACHE, n.to_be_bytes().to_vec());
        }
        assert_eq!(auth.known.lock().len(), CACHE);
    }
}
