//! From a [`ModelRef`] to the [`Source`] that reads it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::checkout::{Checkout, Remote};
use crate::model_ref::is_archive;
use crate::regular::describe;
use crate::{
    Archive, ArchiveOptions, Error, Folder, HubOptions, ModelRef, Recording, S3Options, Source,
};

/// Opens what `model` names. `hub` and `s3` say how those are asked, and are called only where they are;
/// `archive` how archives are read.
pub fn open(
    model: &ModelRef,
    hub: impl FnOnce() -> Result<HubOptions, Error>,
    archive: &ArchiveOptions,
    s3: impl FnOnce() -> Result<S3Options, Error>,
) -> Result<Box<dyn Source>, Error> {
    match model {
        ModelRef::Local { path, .. } => match Remote::of(path) {
            Some(remote) if Recording::open(path, &path.display().to_string())?.is_none() => {
                let folder = Folder::new(path, &path.display().to_string())?;
                Ok(Checkout::open(folder, remote, hub()?))
            }
            _ => open_local(path),
        },
        ModelRef::Hub { id, revision } => {
            crate::hub::open(id, revision.as_deref(), &model.to_string(), &hub()?)
        }
        ModelRef::S3(address) => crate::s3::open(address, &s3()?, archive),
        ModelRef::Url(url) => {
            // A page of the mirror that is asked in the Hub's place.
            if let Some(page) = url.as_page() {
                let options = hub()?;
                if options.is_at(&page.server) {
                    let revision = page.revision.as_deref();
                    return crate::hub::open(&page.id, revision, &model.to_string(), &options);
                }
            }
            Ok(Box::new(Archive::at_url(url, archive)?))
        }
    }
}

pub(crate) fn open_local(path: &Path) -> Result<Box<dyn Source>, Error> {
    let input = path.display().to_string();
    let kind = match fs::metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Err(Error::NoSuchFolder(input));
        }
        Err(error) => return Err(Error::unavailable(&input, &error)),
    };
    if !kind.is_dir() {
        if kind.is_file() && is_archive(&input) {
            return Ok(Box::new(Archive::local(path, &input)));
        }
        return Err(Error::NotAFolder {
            path: input,
            kind: describe(kind),
        });
    }
    match Recording::open(path, &input)? {
        Some(recording) => Ok(Box::new(recording)),
        None => Ok(Box::new(Folder::new(path, &input)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(text: &str) -> String {
        let no_hub = || panic!("`{text}` is not on the Hub");
        let model = ModelRef::from_argument(text).unwrap();
        let error = open(&model, no_hub, &ArchiveOptions::default(), || {
            Ok(S3Options::of([("", "")]))
        })
        .unwrap_err();
        assert!(error.is_usage());
        error.to_string()
    }

    #[test]
    fn one_clear_message_for_what_cannot_be_opened() {
        assert_eq!(fails("./nowhere"), "no such folder: `./nowhere`");
        assert_eq!(
            fails("./Cargo.toml"),
            "`./Cargo.toml` is a file, not a folder"
        );
        assert_eq!(fails("./Cargo.toml/x"), "no such folder: `./Cargo.toml/x`");
        assert_eq!(
            fails("/dev/null"),
            "`/dev/null` is a character device, not a folder"
        );
        assert_eq!(
            fails("s3://b/k/"),
            "`s3://b/k/` names no bucket: `b` is none"
        );
        assert_eq!(
            fails("https://me:word@h/m.tar.gz?sig=1"),
            "the address `https://h/m.tar.gz?…` holds a user or a password, which the platform would not send: make a presigned URL"
        );
    }
}
