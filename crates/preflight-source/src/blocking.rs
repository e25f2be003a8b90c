//! File reads off the runtime's own thread: a slow network mount holds up one read, not all.

use crate::Error;

/// Runs `work` on the runtime's pool for blocking calls. Needs a tokio runtime around it.
pub(crate) async fn blocking<T: Send + 'static>(
    path: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Unavailable {
            path: path.into(),
            reason: "the reading thread stopped".into(),
        }),
    }
}
