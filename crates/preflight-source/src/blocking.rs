//! File reads off the runtime's own thread: a slow network mount holds up one read, not all.

use std::future::Future;

use crate::Error;

tokio::task_local! {
    static IN_PLACE: ();
}

/// Runs `work` with files of this machine read by the thread that polls it, one after another. Where many models
/// are read at once, each by a thread of its own, to hand over a read takes longer than the read itself.
pub async fn reading_in_place<T>(work: impl Future<Output = T>) -> T {
    IN_PLACE.scope((), work).await
}

/// Runs `work` on the runtime's pool for blocking calls, or here within [`reading_in_place`]. Needs a tokio runtime
/// around it.
pub(crate) async fn blocking<T: Send + 'static>(
    path: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if IN_PLACE.try_with(|()| ()).is_ok() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(Error::Unavailable {
            path: path.into(),
            reason: "the reading thread stopped".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_read_in_place_stays_on_its_thread() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let read = || blocking("a", || Ok(thread::current().id()));
        let here = Some(thread::current().id());
        assert_eq!(runtime.block_on(reading_in_place(read())).ok(), here);
        assert_ne!(runtime.block_on(read()).ok(), here);
    }
}
