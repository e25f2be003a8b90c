//! From MODEL to snapshot: how the Hub and S3 are asked, and a line on the terminal while it takes long.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use preflight_model::checkpoint::Kind;
use preflight_model::snapshot::Snapshot;
use preflight_source::{
    ArchiveOptions, Cost, Error, HubOptions, Limits, ModelRef, S3Options, collect, collect_base,
    open, reading_in_place,
};
use tokio::runtime::{Builder, Handle};

use crate::args::HubChoice;
use crate::cache;
use crate::failure::say;
use crate::progress::{INTERVAL, Progress};

/// Longest that a model of many waits for limits on requests: the Hub's windows have five minutes.
const PATIENCE: Duration = Duration::from_hours(1);
/// Most notes that are told of many models; each is told once.
const NOTES_MAX: usize = 1000;

/// How models are read: all by the same connections. Several threads may read at once.
pub(crate) struct Reading<'a> {
    hub: &'a HubChoice,
    kind: Option<Kind>,
    /// Whether this is for many models at once.
    is_many: bool,
    notes: Mutex<BTreeSet<String>>,
    hub_options: OnceLock<Result<HubOptions, Error>>,
    archive_options: ArchiveOptions,
    s3_options: OnceLock<S3Options>,
    runtime: OnceLock<Result<Handle, String>>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(hub: &'a HubChoice) -> Self {
        Self {
            hub,
            kind: None,
            is_many: false,
            notes: Mutex::default(),
            hub_options: OnceLock::new(),
            archive_options: ArchiveOptions::default()
                .timeout(Duration::from_secs(hub.timeout))
                .download_max(hub.max_download.0),
            s3_options: OnceLock::new(),
            runtime: OnceLock::new(),
        }
    }

    /// For many models at once: limits on requests are waited for, each note is told once, and progress is
    /// left to the caller.
    pub(crate) fn of_many(self) -> Self {
        Self {
            is_many: true,
            archive_options: self.archive_options.patience(PATIENCE),
            ..self
        }
    }

    /// Fails where the command line says of the Hub what cannot be, or the environment of the cache.
    pub(crate) fn must_be_possible(&self) -> Result<(), Error> {
        cache::of_environment()?;
        match (&self.hub.endpoint, &self.hub.token) {
            (None, None) => Ok(()),
            _ => self.hub_options().map(drop),
        }
    }

    /// The host that asked all to wait, and how long it still does.
    pub(crate) fn limit_left(&self) -> Option<(String, Duration)> {
        let hub = self.hub_options.get().and_then(|hub| hub.as_ref().ok());
        let limits = [
            hub.and_then(HubOptions::limit_left),
            self.s3_options.get().and_then(S3Options::limit_left),
            self.archive_options.limit_left(),
        ];
        limits.into_iter().flatten().max_by_key(|(_, left)| *left)
    }

    /// Repositories are judged as this, whatever their files say.
    pub(crate) fn judged_as(self, kind: Option<Kind>) -> Self {
        Self { kind, ..self }
    }

    /// The model at the revision that was asked for.
    pub(crate) fn at_revision(&self, model: ModelRef) -> Result<ModelRef, Error> {
        match &self.hub.revision {
            Some(revision) => model.at_revision(revision),
            None => Ok(model),
        }
    }

    /// Collects what a check needs, stamped with the time where the source kept none.
    pub(crate) fn read(&self, model: &ModelRef) -> Result<(Snapshot, Cost), Error> {
        if let Some(note) = model.note() {
            self.tell(&note);
        }
        let source = open(
            model,
            || self.hub_options(),
            &self.archive_options,
            || self.s3_options(model),
        )?;
        let runtime = self.runtime().map_err(|reason| Error::Unavailable {
            path: model.to_string(),
            reason,
        })?;
        let collected = runtime.block_on(async {
            let progress = Progress::new(model, &*source);
            let limits = Limits::default();
            let work = async {
                let mut collected = collect(&*source, &limits).await?;
                let hub = || self.hub_options();
                let notes = collect_base(&mut collected, &limits, self.kind, hub).await;
                Ok::<_, Error>((collected, notes))
            };
            if self.is_many {
                return reading_in_place(work).await;
            }
            let mut work = std::pin::pin!(work);
            loop {
                match tokio::time::timeout(INTERVAL, &mut work).await {
                    Ok(collected) => break collected,
                    Err(_) => progress.show(source.cost()),
                }
            }
        });
        for note in source.notes() {
            self.tell(&note);
        }
        let (collected, of_base) = collected?;
        for note in of_base {
            self.tell(&format!("base model: {note}"));
        }
        let mut snapshot = collected.snapshot;
        if snapshot.observed_at.is_none() {
            snapshot.observed_at =
                Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string());
        }
        Ok((snapshot, collected.cost))
    }

    /// Tells a note, of many models each one once.
    fn tell(&self, note: &str) {
        if self.is_many {
            let mut told = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() >= NOTES_MAX || !told.insert(note.into()) {
                return;
            }
        }
        say(&format!("note: {note}"));
    }

    /// The runtime that moves all connections, on a thread of its own: whoever reads may stop to judge
    /// without holding up the others.
    fn runtime(&self) -> Result<&Handle, String> {
        let start = || {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let moving = thread::Builder::new().name("connections".into());
            moving.spawn(move || runtime.block_on(std::future::pending::<()>()))?;
            Ok(handle)
        };
        let runtime = self
            .runtime
            .get_or_init(|| start().map_err(|error: std::io::Error| error.to_string()));
        runtime.as_ref().map_err(Clone::clone)
    }

    fn hub_options(&self) -> Result<HubOptions, Error> {
        self.hub_options
            .get_or_init(|| self.new_hub_options())
            .clone()
    }

    /// The environment, and what the command line says instead.
    fn new_hub_options(&self) -> Result<HubOptions, Error> {
        let mut options = match &self.hub.endpoint {
            // A wrong variable does not matter where the argument takes its place.
            Some(endpoint) => HubOptions::from_environment_at(endpoint)?,
            None => HubOptions::from_environment()?,
        };
        if let Some(token) = &self.hub.token {
            options = options.token(&token.0)?;
        }
        if self.hub.offline {
            options = options.offline();
        }
        if !self.hub.no_cache
            && let Some(cache) = cache::of_environment()?
        {
            options = options.recordings(Arc::new(cache));
        }
        Ok(options
            .timeout(Duration::from_secs(self.hub.timeout))
            .patience(self.patience()))
    }

    fn patience(&self) -> Duration {
        if self.is_many {
            PATIENCE
        } else {
            Duration::ZERO
        }
    }

    fn s3_options(&self, model: &ModelRef) -> Result<S3Options, Error> {
        if self.hub.offline {
            return Err(Error::Usage(format!(
                "`--offline` reads the Hub's cache, where `{model}` is not"
            )));
        }
        let timeout = Duration::from_secs(self.hub.timeout);
        let new = || {
            S3Options::from_environment()
                .timeout(timeout)
                .patience(self.patience())
        };
        Ok(self.s3_options.get_or_init(new).clone())
    }
}
