//! From MODEL to snapshot: how the Hub and S3 are asked, and a line on the terminal while it takes long.

use std::cell::OnceCell;
use std::time::{Duration, SystemTime};

use preflight_model::checkpoint::Kind;
use preflight_model::snapshot::Snapshot;
use preflight_source::{
    ArchiveOptions, Cost, Error, HubOptions, Limits, ModelRef, S3Options, collect, collect_base,
    open,
};
use tokio::runtime::{Builder, Runtime};

use crate::args::HubChoice;
use crate::failure::say;
use crate::progress::{INTERVAL, Progress};

/// How models are read: all by the same connections.
pub(crate) struct Reading<'a> {
    hub: &'a HubChoice,
    kind: Option<Kind>,
    hub_options: OnceCell<HubOptions>,
    archive_options: ArchiveOptions,
    s3_options: OnceCell<S3Options>,
    runtime: OnceCell<Runtime>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(hub: &'a HubChoice) -> Self {
        Self {
            hub,
            kind: None,
            hub_options: OnceCell::new(),
            archive_options: ArchiveOptions::default()
                .timeout(Duration::from_secs(hub.timeout))
                .download_max(hub.max_download.0),
            s3_options: OnceCell::new(),
            runtime: OnceCell::new(),
        }
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
            say(&format!("note: {note}"));
        }
        let source = open(
            model,
            || self.hub_options(),
            &self.archive_options,
            || self.s3_options(model),
        )?;
        let runtime = self.runtime().map_err(|error| Error::Unavailable {
            path: model.to_string(),
            reason: error.to_string(),
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
            let mut work = std::pin::pin!(work);
            loop {
                match tokio::time::timeout(INTERVAL, &mut work).await {
                    Ok(collected) => break collected,
                    Err(_) => progress.show(source.cost()),
                }
            }
        });
        for note in source.notes() {
            say(&format!("note: {note}"));
        }
        let (collected, of_base) = collected?;
        for note in of_base {
            say(&format!("note: base model: {note}"));
        }
        let mut snapshot = collected.snapshot;
        if snapshot.observed_at.is_none() {
            snapshot.observed_at =
                Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string());
        }
        Ok((snapshot, collected.cost))
    }

    fn runtime(&self) -> std::io::Result<&Runtime> {
        if let Some(runtime) = self.runtime.get() {
            return Ok(runtime);
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(self.runtime.get_or_init(|| runtime))
    }

    fn hub_options(&self) -> Result<HubOptions, Error> {
        if let Some(options) = self.hub_options.get() {
            return Ok(options.clone());
        }
        let options = self.new_hub_options()?;
        Ok(self.hub_options.get_or_init(|| options).clone())
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
        Ok(options.timeout(Duration::from_secs(self.hub.timeout)))
    }

    fn s3_options(&self, model: &ModelRef) -> Result<S3Options, Error> {
        if self.hub.offline {
            return Err(Error::Usage(format!(
                "`--offline` reads the Hub's cache, where `{model}` is not"
            )));
        }
        let timeout = Duration::from_secs(self.hub.timeout);
        let new = || S3Options::from_environment().timeout(timeout);
        Ok(self.s3_options.get_or_init(new).clone())
    }
}
