//! Argon2id, on threads of its own: at most so many at a time, so many in a queue, and never before a call.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use msp_protocol::{OsRng, RngCore as _};
use tokio::sync::oneshot;

use crate::password::Password;

/// KiB of memory, passes and lanes of a hash (OWASP, Password Storage Cheat Sheet).
const COSTS: (u32, u32, u32) = (19_456, 2, 1);
/// The most that is done for a hash that the registry has: it may come from a backup of somebody's making.
const MOST: (u32, u32, u32) = (262_144, 16, 16);
/// How many wait for a thread.
const QUEUE: usize = 64;
/// How much the threads stand back behind those that serve calls (`nice`).
const NICE: i32 = 10;

/// The queue is full, or the pool is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being looked at")]
pub(crate) struct Busy;

/// What a look at a password found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Whether it is the one.
    pub(crate) fits: bool,
    /// Whether its hash costs less than one would that is made now.
    pub(crate) is_weak: bool,
}

type Task = Box<dyn FnOnce() + Send>;

/// The pool.
pub(crate) struct Hashing(SyncSender<Task>);

impl Hashing {
    /// Starts a thread for each core but one, at least one.
    pub(crate) fn start() -> std::io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let (sender, receiver) = sync_channel::<Task>(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        for number in 0..cores.saturating_sub(1).max(1) {
            let receiver = receiver.clone();
            let thread = std::thread::Builder::new().name(format!("passwords-{number}"));
            thread.spawn(move || work(&receiver))?;
        }
        Ok(Self(sender))
    }

    /// Looks whether the password has this hash. What is no hash fits nothing.
    pub(crate) async fn judge(&self, password: Password, hash: Arc<str>) -> Result<Verdict, Busy> {
        self.run(move || judge(&password, &hash)).await
    }

    /// The hash of a password.
    pub(crate) async fn hash(&self, password: Password) -> Result<String, Busy> {
        self.run(move || hash(&password)).await
    }

    async fn run<T: Send + 'static>(&self, task: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let (sender, receiver) = oneshot::channel();
        let task = Box::new(move || drop(sender.send(task())));
        match self.0.try_send(task) {
            Ok(()) => receiver.await.map_err(|_gone| Busy),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Busy),
        }
    }
}

/// Does what waits, until the pool is dropped.
fn work(receiver: &Mutex<Receiver<Task>>) {
    // On Linux the caller's own thread is what "no process" means.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!("passwords are looked at with the same priority as calls are: {error}");
    }
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(task) = next else { return };
        task();
    }
}

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COSTS;
    let params = Params::new(memory, passes, lanes, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Argon2id of a password with a random salt, as PHC text. It takes tens of milliseconds and 19 MiB.
#[must_use]
pub fn hash(password: &Password) -> String {
    let mut salt = [0; 16];
    OsRng.fill_bytes(&mut salt);
    // Neither fails for a salt of 16 bytes and a password of at most 1 KiB.
    let Ok(salt) = SaltString::encode_b64(&salt) else { return String::new() };
    argon2().hash_password(password.hashed(), &salt).map(|hash| hash.to_string()).unwrap_or_default()
}

fn judge(password: &Password, hash: &str) -> Verdict {
    let none = Verdict { fits: false, is_weak: false };
    let Ok(hash) = PasswordHash::new(hash) else { return none };
    let Ok(params) = Params::try_from(&hash) else { return none };
    let costs = (params.m_cost(), params.t_cost(), params.p_cost());
    if costs.0 > MOST.0 || costs.1 > MOST.1 || costs.2 > MOST.2 {
        tracing::error!(
            "a password's hash asks for more work than any of ours, so nobody has that password: {costs:?}"
        );
        return none;
    }
    Verdict {
        fits: argon2().verify_password(password.hashed(), &hash).is_ok(),
        is_weak: hash.algorithm.as_str() != "argon2id" || costs.0 < COSTS.0 || costs.1 < COSTS.1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::presented(text.as_bytes().to_vec().into())
    }

    #[test]
    fn accounts_04_a_password_is_hashed_with_argon2id_as_owasp_asks() {
        let hash = hash(&password("correct horse"));
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, super::hash(&password("correct horse")), "each has a salt of its own");
        assert_eq!(judge(&password("correct horse"), &hash), Verdict { fits: true, is_weak: false });
        assert_eq!(judge(&password("correct hors"), &hash), Verdict { fits: false, is_weak: false });
        for broken in ["", "$argon2id$", "plain", "$argon2id$v=19$m=19456,t=2,p=1$YWJj$"] {
            assert!(!judge(&password(""), broken).fits, "{broken}");
        }
    }

    #[test]
    fn accounts_04_a_weaker_hash_counts_and_is_told_and_one_of_endless_work_is_not_begun() {
        let of = |memory, passes| {
            let params = Params::new(memory, passes, 1, None).unwrap();
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let salt = SaltString::encode_b64(&[7; 16]).unwrap();
            argon2.hash_password(b"correct horse", &salt).unwrap().to_string()
        };
        let weak = of(64, 1);
        assert_eq!(judge(&password("correct horse"), &weak), Verdict { fits: true, is_weak: true });
        let endless = weak.replace("m=64,t=1", "m=4000000,t=4000000");
        assert_eq!(judge(&password("correct horse"), &endless), Verdict { fits: false, is_weak: false });
    }

    #[tokio::test]
    async fn accounts_04_beyond_the_queue_nothing_waits() {
        let hashing = Hashing::start().unwrap();
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let blocking = || {
            let held = held.clone();
            hashing.run(move || held.lock().unwrap().recv().is_ok())
        };
        // As many as there are threads are under way, and a queue waits.
        let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get().max(2) - 1);
        let mut waiting: Vec<_> = (0..threads + QUEUE + 8).map(|_| Box::pin(blocking())).collect();
        let mut busy = 0;
        for future in &mut waiting {
            tokio::select! {
                biased;
                result = future => { assert_eq!(result, Err(Busy));
                    busy += 1; }
                () = std::future::ready(()) => {}
            }
        }
        assert!((8..=8 + threads).contains(&busy), "{busy}");
        drop(hold);
    }
}
