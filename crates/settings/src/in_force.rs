//! The settings in force, as each door sees them.

use std::fmt;
use std::sync::Arc;

/// Gives what one reader needs of the settings that are in force; each look is of one moment.
#[derive(Clone)]
pub struct InForce<T>(Arc<dyn Fn() -> T + Send + Sync>);

impl<T> InForce<T> {
    /// Looks by this.
    #[must_use]
    pub fn new(look: impl Fn() -> T + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// As they are now; later changes do not show in it.
    #[must_use]
    pub fn now(&self) -> T {
        (self.0)()
    }
}

impl<T> fmt::Debug for InForce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InForce(…)")
    }
}
