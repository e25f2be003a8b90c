//! The cache of recordings: what was read of a repository at a commit is not read again.
//!
//! `<folder>/recordings-1/<endpoint>/<org--name>/<commit>/` holds `recording/` and `sums`, which names every
//! file of it with length and CRC-32. An entry is written elsewhere and renamed into its place, so
//! that other processes see all of it or nothing; one that does not agree with its sums, or with what
//! is listed now, counts as absent and is written anew. When a commit was used last is the time of
//! `sums`.
//!
//! A CRC finds what a full disk, a lost power supply or a bad cable do. It is no defence against somebody who
//! writes there: for that the folder belongs to the user alone.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use flate2::Crc;
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Content, Snapshot};

use super::Recording;
use crate::paths;
use crate::regular::{Links, Regular};

/// The folder in the user's. The number changes with the layout.
const FOLDER: &str = "recordings-1";
const RECORDING: &str = "recording";
const SUMS: &str = "sums";
/// Most bytes of `sums`: some thousand files.
const SUMS_BYTES_MAX: u64 = 1 << 20;
/// How the names of what is not finished begin.
const TEMPORARY: &str = ".new-";
/// What is not finished after this time never will be.
const TEMPORARY_AGE: Duration = Duration::from_hours(1);
/// How the name begins that the whole cache has while it goes.
const AWAY: &str = "recordings-1.away-";
/// Most attempts at removing it: each thread of another process may be just about to add something.
const REMOVALS_MAX: usize = 100;
/// Disk that a file takes at least.
const BLOCK_BYTES: u64 = 4096;
/// What the cache may take where the user says nothing: recordings of some ten thousand models.
pub const BYTES_MAX: u64 = 1_000_000_000;

/// A cache of recordings in a folder. Several processes may use one.
#[derive(Debug)]
pub struct RecordingCache {
    dir: PathBuf,
    bytes_max: u64,
    /// Bytes written since the size was last looked at.
    written: AtomicU64,
    /// Entries begun by this process.
    begun: AtomicU64,
    is_ours: OnceLock<bool>,
}

/// What a cache holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Recordings.
    pub entries: u64,
    /// Bytes of disk that they take, about.
    pub bytes: u64,
}

/// One entry as a look through the cache finds it.
struct Found {
    dir: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl RecordingCache {
    /// The cache in `folder`, of at most about `bytes_max`. Nothing is created before it is needed.
    pub fn at(folder: &Path, bytes_max: u64) -> Self {
        Self {
            dir: folder.join(FOLDER),
            bytes_max,
            written: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            is_ours: OnceLock::new(),
        }
    }

    /// The folder for caches of this program: `byom-preflight` in `XDG_CACHE_HOME` or `~/.cache`; none where
    /// the user has no home, or only a relative one, which would be another folder everywhere.
    ///
    /// Source: <https://specifications.freedesktop.org/basedir-spec/latest/#basics>
    pub fn default_folder() -> Option<PathBuf> {
        let caches = crate::hub::cache_home().filter(|caches| caches.is_absolute());
        caches.map(|caches| caches.join("byom-preflight"))
    }

    /// Where the recordings lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Most bytes it may take.
    pub fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// What it holds.
    pub fn usage(&self) -> io::Result<Usage> {
        let mut usage = Usage::default();
        for found in self.entries()? {
            usage.entries += 1;
            usage.bytes += found.bytes;
        }
        Ok(usage)
    }

    /// Removes everything in it and nothing else. It is renamed first, so that nobody writes to what goes.
    pub fn clear(&self) -> io::Result<Usage> {
        let usage = self.usage()?;
        let away = self
            .dir
            .with_file_name(format!("{AWAY}{}", std::process::id()));
        match fs::rename(&self.dir, &away).and_then(|()| remove_all(&away)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        // Of a process that was ended in the midst of this.
        for path in self.dir.parent().map_or(Ok(Vec::new()), folders)? {
            if name_starts(&path, AWAY) {
                let _ = fs::remove_dir_all(path);
            }
        }
        Ok(usage)
    }

    /// Whether what lies there was written by this user: what another one left is not read.
    fn is_ours(&self) -> bool {
        self.dir.is_dir() && *self.is_ours.get_or_init(|| make_private(&self.dir).is_ok())
    }

    /// Whether any commit of the repository `id` at `endpoint` is there.
    pub(crate) fn knows(&self, endpoint: &str, id: &str) -> bool {
        if !self.is_ours() {
            return false;
        }
        let mut commits = fs::read_dir(self.repository(endpoint, id)).into_iter();
        commits.any(|mut commits| commits.next().is_some())
    }

    /// The place of a commit, whether it is there or not. None where the commit is no name for a folder.
    pub(crate) fn entry(self: &Arc<Self>, endpoint: &str, id: &str, commit: &str) -> Option<Entry> {
        let is_plain = !commit.is_empty() && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_plain.then(|| Entry {
            dir: self.repository(endpoint, id).join(commit),
            commit: commit.into(),
            cache: Arc::clone(self),
            is_readable: true,
        })
    }

    fn repository(&self, endpoint: &str, id: &str) -> PathBuf {
        // Readable, and unlike for addresses that differ only in what is replaced.
        let readable: String = endpoint
            .rsplit("://")
            .next()
            .unwrap_or_default()
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '.' {
                    c
                } else {
                    '_'
                }
            })
            .take(60)
            .collect();
        let host = format!("{readable}-{:08x}", crc(endpoint.as_bytes()));
        self.dir.join(host).join(id.replace('/', "--"))
    }

    /// Creates the folder for its owner alone; fails where it is somebody else's.
    fn prepare(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.dir)?;
        make_private(&self.dir)
    }

    /// A new folder for an entry that is being written, or for one that goes.
    fn temporary(&self) -> io::Result<PathBuf> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        let name = format!("{TEMPORARY}{}-{number}", std::process::id());
        let dir = self.dir.join(name);
        // Of a process of the same number that ended early.
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir)?;
        Ok(dir)
    }

    /// Takes an entry out of sight at once, and then away.
    fn remove(&self, entry: &Path) -> io::Result<()> {
        let away = self.temporary()?;
        let moved = fs::rename(entry, away.join(RECORDING));
        let removed = fs::remove_dir_all(&away);
        moved.and(removed)
    }

    /// After `bytes` were written: makes room where there is too much. Looking through all entries takes
    /// time, so it is done for one process in sixteen, and after each sixteenth of the room.
    fn written(&self, bytes: u64, commit: &str) {
        let before = self.written.fetch_add(bytes, Ordering::Relaxed);
        let is_turn = before == 0 && commit.ends_with('0');
        if is_turn || before + bytes > self.bytes_max / 16 {
            self.written.store(1, Ordering::Relaxed);
            // A cache that cannot be made smaller is looked at again the next time.
            let _ = self.trim();
        }
    }

    /// Removes what was not used for longest until there is some room, and what others left unfinished.
    fn trim(&self) -> io::Result<()> {
        self.sweep()?;
        let mut entries = self.entries()?;
        let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        if bytes <= self.bytes_max {
            return Ok(());
        }
        entries.sort_by_key(|entry| entry.used);
        for entry in entries {
            if bytes <= self.bytes_max / 10 * 9 {
                break;
            }
            // Another process may have been quicker.
            let _ = self.remove(&entry.dir);
            if let Some(repository) = entry.dir.parent() {
                // It stays where it has other commits.
                let _ = fs::remove_dir(repository);
            }
            bytes -= entry.bytes;
        }
        Ok(())
    }

    /// Removes what was never finished.
    fn sweep(&self) -> io::Result<()> {
        for path in folders(&self.dir)? {
            let changed = path.metadata().and_then(|found| found.modified());
            let is_old = changed.is_ok_and(|at| at.elapsed().is_ok_and(|age| age > TEMPORARY_AGE));
            if is_temporary(&path) && is_old {
                let _ = fs::remove_dir_all(&path);
            }
        }
        Ok(())
    }

    fn entries(&self) -> io::Result<Vec<Found>> {
        let mut entries = Vec::new();
        let hosts = folders(&self.dir)?;
        for host in hosts.into_iter().filter(|path| !is_temporary(path)) {
            for repository in folders(&host)? {
                entries.extend(folders(&repository)?.into_iter().map(Found::look));
            }
        }
        Ok(entries)
    }
}

impl Found {
    /// An entry without sums is of no use, and so the first to go.
    fn look(dir: PathBuf) -> Self {
        let sums = read_sums(&dir);
        let used = dir.join(SUMS).metadata().and_then(|found| found.modified());
        Self {
            bytes: sums.map_or(BLOCK_BYTES, |sums| disk_bytes(&sums)),
            used: used.unwrap_or(SystemTime::UNIX_EPOCH),
            dir,
        }
    }
}

/// The place of one commit in a cache.
#[derive(Debug, Clone)]
pub struct Entry {
    dir: PathBuf,
    commit: String,
    cache: Arc<RecordingCache>,
    is_readable: bool,
}

impl Entry {
    /// The place to write to, where it is not known that what lies there may be shown.
    pub(crate) fn for_writing(self) -> Self {
        Self {
            is_readable: false,
            ..self
        }
    }

    /// Whether something lies there.
    pub(crate) fn exists(&self) -> bool {
        self.is_readable && self.cache.is_ours() && self.dir.join(SUMS).is_file()
    }

    /// The recording, where it is there, whole, and may be shown. Notes that it was used.
    pub(crate) fn open(&self) -> Option<Recording> {
        if !self.exists() {
            return None;
        }
        let dir = self.dir.join(RECORDING);
        for sum in read_sums(&self.dir)? {
            let at = paths::under(&dir, &sum.path)?;
            let mut file = Regular::open(&at, Links::Refuse).ok()?;
            if file.size != sum.bytes || crc(&file.read(&(0..sum.bytes)).ok()?) != sum.crc {
                return None;
            }
        }
        let recording = Recording::open(&dir, &dir.display().to_string()).ok()??;
        if recording.commit() != Some(&self.commit) {
            return None;
        }
        let sums = File::options().append(true).open(self.dir.join(SUMS));
        // Without that it goes earlier than it should, and no more.
        let _ = sums.and_then(|sums| sums.set_modified(SystemTime::now()));
        Some(recording)
    }

    /// Keeps what was read, if it was read in full. That it cannot be kept is nobody's business.
    pub(crate) fn keep(&self, snapshot: &Snapshot) {
        if snapshot.access == Access::Open && is_complete(snapshot) {
            let _ = self.write(snapshot);
        }
    }

    fn write(&self, snapshot: &Snapshot) -> io::Result<()> {
        self.cache.prepare()?;
        let temporary = self.cache.temporary()?;
        let written = self.write_by_way_of(&temporary, snapshot);
        // Nothing is left of it where it was renamed.
        let _ = fs::remove_dir_all(&temporary);
        self.cache.written(written?, &self.commit);
        Ok(())
    }

    /// Makes the folders above the entry. What is there and is no folder is of no use, and goes.
    fn make_room(&self) -> io::Result<()> {
        let above: Vec<&Path> = self.dir.ancestors().skip(1).take(2).collect();
        for dir in above.into_iter().rev() {
            if fs::symlink_metadata(dir).is_ok_and(|found| !found.is_dir()) {
                fs::remove_file(dir)?;
            }
            match fs::create_dir(dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn write_by_way_of(&self, temporary: &Path, snapshot: &Snapshot) -> io::Result<u64> {
        let mut snapshot = snapshot.clone();
        // Who asked for what, and when, says nothing of the commit.
        snapshot.origin.revision = None;
        snapshot.observed_at = None;
        let dir = temporary.join(RECORDING);
        super::write(&snapshot, &dir).map_err(io::Error::other)?;
        let sums = sums_of(&dir)?;
        let bytes = disk_bytes(&sums);
        if bytes > self.cache.bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let text: String = sums.iter().map(Sum::line).collect();
        fs::write(temporary.join(SUMS), text)?;
        self.make_room()?;
        if fs::rename(temporary, &self.dir).is_err() {
            // Something lies there: another process was quicker, or it is broken. Either goes.
            self.cache.remove(&self.dir)?;
            fs::rename(temporary, &self.dir)?;
        }
        Ok(bytes)
    }
}

/// Removes a folder that was renamed a moment ago: who was just about to create something creates it in there.
fn remove_all(dir: &Path) -> io::Result<()> {
    for _ in 1..REMOVALS_MAX {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {}
            removed => return removed,
        }
    }
    fs::remove_dir_all(dir)
}

/// Whether something is not finished, or goes.
fn is_temporary(path: &Path) -> bool {
    name_starts(path, TEMPORARY)
}

fn name_starts(path: &Path, start: &str) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(start)
}

/// Whether every file was read that should be: what failed may succeed another time.
fn is_complete(snapshot: &Snapshot) -> bool {
    let Fact::Known(files) = &snapshot.files else {
        return false;
    };
    let is_read = |content: &Content| !matches!(content, Content::Unavailable(_));
    files.iter().all(|file| is_read(&file.content))
}

/// A line of `sums`.
struct Sum {
    crc: u32,
    bytes: u64,
    path: String,
}

impl Sum {
    fn line(&self) -> String {
        format!("{:08x} {} {}\n", self.crc, self.bytes, self.path)
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(3, ' ');
        Some(Self {
            crc: u32::from_str_radix(words.next()?, 16).ok()?,
            bytes: words.next()?.parse().ok()?,
            path: words.next()?.into(),
        })
    }
}

fn read_sums(entry: &Path) -> Option<Vec<Sum>> {
    let mut file = Regular::open(&entry.join(SUMS), Links::Refuse).ok()?;
    let size = file.size;
    if size > SUMS_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(file.read(&(0..size)).ok()?).ok()?;
    let sums: Option<Vec<Sum>> = text.lines().map(Sum::parse).collect();
    sums.filter(|sums| !sums.is_empty())
}

/// The sums of all files of a recording that was just written.
fn sums_of(dir: &Path) -> io::Result<Vec<Sum>> {
    let recording = Recording::open(dir, "cache").map_err(io::Error::other)?;
    let recording = recording.ok_or(io::ErrorKind::NotFound)?;
    let mut sums = Vec::new();
    for at in recording.stored_files() {
        let inside = at.strip_prefix(dir).map_err(io::Error::other)?;
        let names: Option<Vec<&str>> = inside.iter().map(|name| name.to_str()).collect();
        let path = names.ok_or(io::ErrorKind::InvalidFilename)?.join("/");
        if path.contains('\n') {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        let bytes = fs::read(&at)?;
        sums.push(Sum {
            crc: crc(&bytes),
            bytes: bytes.len() as u64,
            path,
        });
    }
    Ok(sums)
}

/// About what an entry takes on disk: its files in whole blocks, `sums` and two folders.
fn disk_bytes(sums: &[Sum]) -> u64 {
    let files = sums.iter().map(|sum| sum.bytes.div_ceil(BLOCK_BYTES));
    files
        .fold(3, u64::saturating_add)
        .saturating_mul(BLOCK_BYTES)
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Leaves a folder to its owner alone, which only the owner may do.
#[cfg(unix)]
fn make_private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on other systems")]
fn make_private(_dir: &Path) -> io::Result<()> {
    Ok(())
}

/// The folders in a folder; none where there is none.
fn folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut folders = Vec::new();
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}
