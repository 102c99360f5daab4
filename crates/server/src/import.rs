//! Taking in the clients of the original at each start and reload.

use std::path::Path;

use msp_core::{Import, Imported};
use msp_registry::OriginalFiles;

/// Takes in the original's loose files; what is faulty is logged and skipped.
pub(crate) async fn take_in(registry: &dyn Import, keys: &Path, register: &Path) {
    let (keys, register) = (keys.to_owned(), register.to_owned());
    let read = tokio::task::spawn_blocking(move || OriginalFiles::read(Some(&keys), Some(&register))).await;
    let OriginalFiles { clients, skipped } = read.unwrap_or_default();
    match registry.import(clients, false).await {
        Ok(Imported { keys_added, secrets_added }) => {
            for (file, why) in &skipped {
                tracing::error!("{} skipped: {why}", file.display());
            }
            if keys_added + secrets_added > 0 {
                tracing::info!(keys = keys_added, secrets = secrets_added, "imported the original's files");
            }
        }
        Err(error) => tracing::error!("the original's files were not imported: {error}"),
    }
}
