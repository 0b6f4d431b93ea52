//! Whether the store may still be used. The first fatal error closes it for good: what is true on disk after a failed
//! write or a failed fsync is unknown, so nothing is retried and nothing more is served (INV-STORE-2).

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock};

use crate::error::StoreError;

type OnFatal = Box<dyn FnOnce(&str) + Send>;

/// Shared by the ledger and whoever watches it.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    reason: OnceLock<String>,
    on_fatal: Mutex<Option<OnFatal>>,
}

impl Health {
    /// A healthy state; `on_fatal` is called once, with the reason, on the thread that met the error.
    pub fn new(on_fatal: impl FnOnce(&str) + Send + 'static) -> Self {
        let health = Self::default();
        *health.0.on_fatal.lock().expect("nothing panics under this lock") = Some(Box::new(on_fatal));
        health
    }

    /// Why the store is closed; `None` while it is healthy.
    pub fn reason(&self) -> Option<&str> {
        self.0.reason.get().map(String::as_str)
    }

    /// Refuses further work once closed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.reason() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Closed { reason: reason.to_owned() }),
        }
    }

    /// Closes the store when a result is a fatal error.
    pub(crate) fn watch<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        #[cfg(feature = "faults")]
        if crate::faults::acts("store.health.go-on").is_some() {
            return result;
        }
        if let Err(error) = &result
            && error.is_fatal()
            && self.0.reason.set(error.to_string()).is_ok()
        {
            tracing::error!(%error, "the store is closed");
            let on_fatal = self.0.on_fatal.lock().ok().and_then(|mut slot| slot.take());
            if let (Some(on_fatal), Some(reason)) = (on_fatal, self.reason()) {
                on_fatal(reason);
            }
        }
        result
    }

    /// Runs an operation if the store is open, and closes it if that fails fatally.
    pub(crate) fn guard<T>(&self, operation: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.check()?;
        self.watch(operation())
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.reason()).finish()
    }
}
