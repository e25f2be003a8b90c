//! One archive as a [`Source`]: a local file, a URL, an object in S3.
//!
//! A zip archive is read by its directory, a tar archive by hopping from header to header, both without
//! the weights between; a compressed tar archive can only be read from its start, once. All of it over
//! [`ArchiveBytes`], so that a new place needs no more than that.

mod bytes;
mod file;
mod format;
mod hop;
mod inflate;
mod members;
mod options;
mod reader;
mod stream;
mod tar;
mod url;
mod validity;
mod zip;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use ::bytes::Bytes;
use preflight_model::container::{ArchiveFormat, Container, Validity};
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Origin, SourceKind};
use tokio::sync::OnceCell;

pub use self::bytes::{ArchiveBytes, Edge, Opened};
pub use self::options::{ArchiveOptions, DOWNLOAD_BYTES_MAX};

use self::members::{Contents, Member, Trouble, Twice, arrange};
use self::reader::Reader;
use crate::model_ref::Page;
use crate::regular::check_range;
use crate::source::{BoxFuture, Cost, ListedFile, Listing, Source};
use crate::{Error, SecretUrl};

/// First bytes of an archive that is no zip: they tell what it is, and hold the first members of a tar.
const START_BYTES: u64 = 32 << 10;

/// One archive.
#[derive(Debug)]
pub struct Archive {
    origin: Origin,
    name: String,
    validity: Validity,
    reader: Reader,
    /// Where the address may be a model's page.
    page: Option<Page>,
    /// Looked into once.
    found: OnceCell<Found>,
}

/// What was found.
#[derive(Debug)]
struct Found {
    access: Access,
    container: Container,
    files: Fact<Vec<ListedFile>>,
    places: Places,
    /// Whether it was read from start to end.
    is_streamed: bool,
}

/// Where the files are, by path.
#[derive(Debug)]
enum Places {
    Zip(BTreeMap<String, zip::Place>),
    Tar(BTreeMap<String, u64>),
    /// What was kept of each.
    Kept(BTreeMap<String, Bytes>),
}

impl Archive {
    /// The local archive at `path`, which the user calls `input`.
    pub fn local(path: &Path, input: &str) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let bytes = Box::new(file::FileBytes::new(path, input));
        let options = ArchiveOptions::default();
        Self::new(
            bytes,
            origin(input, None),
            &name,
            Validity::NoAddress,
            &options,
        )
    }

    /// The archive behind `url`.
    pub fn at_url(url: &SecretUrl, options: &ArchiveOptions) -> Result<Self, Error> {
        let shown = url.to_string();
        let mut parsed = reqwest::Url::parse(url.expose())
            .map_err(|_| Error::Usage(format!("`{shown}` is no address")))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Error::Usage(format!(
                "the address `{shown}` holds a user or a password, which the platform would not send: make a presigned URL"
            )));
        }
        parsed.set_fragment(None);
        let name = parsed
            .path_segments()
            .and_then(|mut parts| parts.next_back());
        let name = name.unwrap_or_default().to_owned();
        let validity = validity::of(&parsed);
        let origin = origin(&shown, Some(shown.trim_end_matches("?…").to_owned()));
        let bytes = Box::new(url::UrlBytes::new(url, parsed, options)?);
        Ok(Self {
            page: url.as_page(),
            ..Self::new(bytes, origin, &name, validity, options)
        })
    }

    /// An archive at another place. `name` is the name of its file, `validity` that of the address which
    /// the platform would get.
    pub fn new(
        bytes: Box<dyn ArchiveBytes>,
        origin: Origin,
        name: &str,
        validity: Validity,
        options: &ArchiveOptions,
    ) -> Self {
        Self {
            reader: Reader::new(bytes, name, options.download_max),
            origin,
            name: name.into(),
            validity,
            page: None,
            found: OnceCell::new(),
        }
    }

    async fn found(&self) -> &Found {
        self.found.get_or_init(|| self.find()).await
    }

    async fn find(&self) -> Found {
        let likely = ArchiveFormat::of_name(&self.name);
        let (edge, length) = match likely {
            Some(ArchiveFormat::Zip) => (Edge::End, zip::TAIL_BYTES),
            _ => (Edge::Start, START_BYTES),
        };
        let opened = match self.reader.open(edge, length).await {
            Ok(opened) => opened,
            Err(error) => return self.closed(&error),
        };
        match self.format(&opened, edge).await {
            Ok(format) => self.look_into(format, &opened).await,
            Err(error) => self.closed(&error),
        }
    }

    /// What the archive is, by its bytes.
    async fn format(&self, opened: &Opened, edge: Edge) -> Result<ArchiveFormat, Error> {
        if edge == Edge::End && zip::has_end(&opened.bytes) {
            return Ok(ArchiveFormat::Zip);
        }
        let start = match opened.size {
            Some(size) if edge == Edge::End => {
                self.reader.read(0..format::NEEDED.min(size)).await?
            }
            _ => opened.bytes.clone(),
        };
        let format = format::of_start(&start);
        let is_tar = ArchiveFormat::of_name(&self.name) == Some(ArchiveFormat::Tar);
        if is_tar && format::is_empty_tar(&start) {
            return Ok(ArchiveFormat::Tar);
        }
        // A program that unpacks itself: the archive is at its end.
        if let (ArchiveFormat::Other, Edge::Start, Some(size)) = (format, edge, opened.size) {
            let tail = size.saturating_sub(zip::TAIL_BYTES)..size;
            if zip::has_end(&self.reader.read(tail).await?) {
                return Ok(ArchiveFormat::Zip);
            }
        }
        Ok(format)
    }

    async fn look_into(&self, format: ArchiveFormat, opened: &Opened) -> Found {
        let size = match (opened.size, format) {
            (Some(size), _) => size,
            (None, ArchiveFormat::Zip | ArchiveFormat::Tar) => {
                let reason =
                    "its server ignores ranges, so all of it would have to be downloaded".into();
                return self.unread(format, Trouble::Unread(reason));
            }
            (None, _) => 0,
        };
        match format {
            ArchiveFormat::Zip => match self.zip(size).await {
                Ok(members) => self.open(format, arrange(members, Twice::Refused), Places::Zip),
                Err(trouble) => self.unread(format, trouble),
            },
            ArchiveFormat::Tar => match hop::list(&self.reader, size).await {
                Ok(members) => self.open(format, arrange(members, Twice::Replaces), Places::Tar),
                Err(trouble) => self.unread(format, trouble),
            },
            ArchiveFormat::TarGz => Found {
                is_streamed: true,
                ..match stream::list(&self.reader, opened.size).await {
                    Ok(members) => {
                        self.open(format, arrange(members, Twice::Replaces), Places::Kept)
                    }
                    Err(trouble) => self.unread(format, trouble),
                }
            },
            other => {
                let what = match other {
                    ArchiveFormat::Other => "it is no archive".to_owned(),
                    other => format!("`{}` archives are not read", other.as_str()),
                };
                self.unread(other, Trouble::Unread(what))
            }
        }
    }

    async fn zip(&self, size: u64) -> Result<Vec<Member<zip::Place>>, Trouble> {
        let mut members = zip::list(&self.reader, size).await?;
        zip::follow(&self.reader, &mut members).await?;
        Ok(members)
    }

    fn open<P>(
        &self,
        format: ArchiveFormat,
        contents: Contents<P>,
        places: impl FnOnce(BTreeMap<String, P>) -> Places,
    ) -> Found {
        Found {
            access: Access::Open,
            container: Container {
                wrapped_in: contents.wrapped_in,
                oddities: contents.oddities,
                more_oddities: contents.more_oddities,
                format: Fact::Known(format),
                ..Container::unread(&self.name, self.validity.clone(), "")
            },
            files: Fact::Known(contents.files),
            places: places(contents.places),
            is_streamed: false,
        }
    }

    /// An archive whose members are not known.
    fn unread(&self, format: ArchiveFormat, trouble: Trouble) -> Found {
        let (broken, reason) = match trouble {
            Trouble::Broken(why) => (Some(why.clone()), why),
            Trouble::Unread(why) => (None, why),
        };
        Found {
            access: Access::Open,
            container: Container {
                format: Fact::Known(format),
                broken,
                ..Container::unread(&self.name, self.validity.clone(), "")
            },
            files: Fact::Unavailable(format!("`{}`: {reason}", self.name)),
            places: Places::Kept(BTreeMap::new()),
            is_streamed: false,
        }
    }

    /// An archive that could not be opened.
    fn closed(&self, error: &Error) -> Found {
        let text = error.to_string();
        Found {
            access: match error {
                Error::Refused { .. } | Error::NotFound(_) => Access::Refused(text.clone()),
                _ => Access::Unreachable(text.clone()),
            },
            container: Container::unread(&self.name, self.validity.clone(), &text),
            files: Fact::Unavailable(text),
            places: Places::Kept(BTreeMap::new()),
            is_streamed: false,
        }
    }

    async fn read_file(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let found = self.found().await;
        let files = match &found.files {
            Fact::Known(files) => files.as_slice(),
            _ => &[],
        };
        let not_found = || Error::NotFound(path.into());
        let at = files
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .map_err(|_| not_found())?;
        let size = files
            .get(at)
            .and_then(|file| file.size)
            .ok_or_else(not_found)?;
        check_range(path, &range, size)?;
        match &found.places {
            Places::Zip(places) => {
                let place = places.get(path).ok_or_else(not_found)?;
                place.read(&self.reader, path, range).await
            }
            Places::Tar(places) => {
                let at = places.get(path).ok_or_else(not_found)?;
                self.reader.read(at + range.start..at + range.end).await
            }
            Places::Kept(places) => {
                let kept = places.get(path).ok_or_else(not_found)?;
                let slice = usize::try_from(range.start)
                    .ok()
                    .zip(usize::try_from(range.end).ok());
                match slice.filter(|(_, end)| *end <= kept.len()) {
                    Some((start, end)) => Ok(kept.slice(start..end)),
                    None => Err(Error::Unavailable {
                        path: path.into(),
                        reason: "it was not kept when the compressed archive went by".into(),
                    }),
                }
            }
        }
    }
}

fn origin(input: &str, id: Option<String>) -> Origin {
    Origin {
        input: input.into(),
        source: SourceKind::Archive,
        stands_for: SourceKind::Archive,
        id,
        revision: None,
        commit: None,
    }
}

impl Source for Archive {
    fn list(&self) -> BoxFuture<'_, Result<Listing, Error>> {
        Box::pin(async {
            let found = self.found().await;
            Ok(Listing {
                origin: self.origin.clone(),
                access: found.access.clone(),
                observed_at: None,
                files: found.files.clone(),
                container: Fact::Known(found.container.clone()),
                base: Fact::Absent,
            })
        })
    }

    fn read<'a>(&'a self, path: &'a str, range: Range<u64>) -> BoxFuture<'a, Result<Bytes, Error>> {
        Box::pin(self.read_file(path, range))
    }

    fn cost(&self) -> Cost {
        self.reader.bytes.cost()
    }

    fn is_remote(&self) -> bool {
        // What was kept of a compressed archive is at hand.
        let is_streamed = self.found.get().is_some_and(|found| found.is_streamed);
        self.reader.is_remote() && !is_streamed
    }

    fn notes(&self) -> Vec<String> {
        match self.found.get() {
            Some(found) if found.is_streamed && self.reader.is_remote() => vec![format!(
                "`{}` is compressed as a whole, so it had to be read from its start: {} bytes were downloaded",
                self.name,
                self.cost().bytes
            )],
            Some(found) if found.files.known().is_none() => self.page.iter().map(of_page).collect(),
            _ => Vec::new(),
        }
    }
}

/// What to do where an address is the page of a model, and not that of an archive.
fn of_page(Page { server, id, .. }: &Page) -> String {
    format!(
        "`{server}/{id}` was read as the address of an archive; if it is a page of a mirror of the Hub, check `{id}` with `--endpoint {server}`"
    )
}
