//! The cache of recordings: what it saves, and what it must never show.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use loopback_hub::{Fault, LoopbackHub, Route, Rule};
use preflight_model::fact::Fact;
use preflight_model::snapshot::{Access, Snapshot};
use preflight_source::recording::CACHE_BYTES_MAX;
use preflight_source::{HubOptions, RecordingCache};
use tempfile::TempDir;

use crate::{CONFIG, ID, hub_with, is_whole, look, model, options, refused};

struct Kept {
    hub: LoopbackHub,
    dir: TempDir,
}

impl Kept {
    fn new(repo: loopback_hub::Repo) -> Self {
        Self {
            hub: hub_with(repo),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// Options with a cache of their own, as of a new process.
    fn options(&self) -> HubOptions {
        self.at_most(CACHE_BYTES_MAX)
    }

    fn at_most(&self, bytes: u64) -> HubOptions {
        let cache = RecordingCache::at(self.dir.path(), bytes);
        options(&self.hub).recordings(Arc::new(cache))
    }

    /// The snapshot, and the requests that it took: as they were counted and as they came.
    fn look(&self, id: &str, options: &HubOptions) -> (Snapshot, usize) {
        self.hub.take_log();
        let collected = look(id, None, options).0;
        let requests = self.hub.take_log().len();
        assert_eq!(collected.cost.requests, requests as u64, "the cost is true");
        (collected.snapshot, requests)
    }

    fn requests(&self) -> usize {
        let (snapshot, requests) = self.look(ID, &self.options());
        assert!(is_whole(&snapshot));
        requests
    }

    /// All files of the cache, sorted.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut pending = vec![self.dir.path().to_path_buf()];
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }

    fn file(&self, name: &str) -> PathBuf {
        let is_it = |path: &PathBuf| path.file_name().unwrap() == name;
        self.files().into_iter().find(is_it).unwrap()
    }
}

#[test]
fn an_unchanged_model_costs_one_request() {
    let kept = Kept::new(model(ID));
    let (first, _) = kept.look(ID, &kept.options());
    assert!(is_whole(&first));
    let (second, requests) = kept.look(ID, &kept.options());
    assert_eq!(requests, 1);
    assert_eq!(second, first);
    // By another name of the same commit too.
    let commit = kept.hub.commit_of(ID, "main").unwrap();
    kept.hub.take_log();
    let third = look(ID, Some(&commit), &kept.options()).0.snapshot;
    assert_eq!(kept.hub.take_log().len(), 1);
    assert_eq!(third.files, first.files);
    assert_eq!(third.origin.revision, Some(commit));
    // Without the cache it is as it was before.
    assert!(kept.look(ID, &options(&kept.hub)).1 > 5);
}

#[test]
fn a_changed_model_is_read_anew_and_kept_beside_the_old() {
    let kept = Kept::new(model(ID));
    kept.requests();
    kept.hub
        .add(model(ID).file("config.json", r#"{"is": "new"}"#));
    let (snapshot, requests) = kept.look(ID, &kept.options());
    assert!(requests > 1 && !format!("{snapshot:?}").contains(CONFIG));
    let (again, requests) = kept.look(ID, &kept.options());
    assert_eq!((again, requests), (snapshot, 1));
    let cache = RecordingCache::at(kept.dir.path(), CACHE_BYTES_MAX);
    assert_eq!(cache.usage().unwrap().entries, 2);
}

#[test]
fn who_may_not_look_is_not_shown_what_was_kept() {
    for (repo, is_gated) in [
        (model(ID).private(), false),
        (model(ID).gated("manual"), true),
    ] {
        let kept = Kept::new(repo);
        kept.hub.token("hf_granted", "alice", &[ID]);
        kept.hub.token("hf_other", "bob", &[]);
        let granted = || kept.options().token("hf_granted").unwrap();
        assert!(is_whole(&kept.look(ID, &granted()).0));
        // What is told of a gated repository does not depend on who asks, so its gate is asked too.
        let (snapshot, requests) = kept.look(ID, &granted());
        assert!(is_whole(&snapshot));
        assert_eq!(requests, if is_gated { 2 } else { 1 });

        let other = kept.options().token("hf_other").unwrap();
        for options in [kept.options(), other] {
            let (snapshot, _) = kept.look(ID, &options);
            assert!(refused(&snapshot).contains(if is_gated { "is gated" } else { ID }));
            assert!(!format!("{snapshot:?}").contains("Whole("), "{snapshot:?}");
        }
        // Nor where the gate does not answer.
        if is_gated {
            kept.hub
                .inject(Rule::new(Fault::Status(500)).on(Route::Resolve));
            let (snapshot, _) = kept.look(ID, &granted().timeout(Duration::from_secs(1)));
            assert!(!is_read(&snapshot, "config.json"));
        }
        // No token is anywhere in the cache.
        for file in kept.files() {
            let bytes = fs::read(&file).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains("hf_granted"));
        }
    }
}

fn is_read(snapshot: &Snapshot, path: &str) -> bool {
    let file = snapshot.file(path).unwrap();
    matches!(&file.content, preflight_model::snapshot::Content::Whole(_))
}

#[test]
fn what_was_not_read_in_full_is_not_kept() {
    let kept = Kept::new(model(ID));
    kept.hub
        .inject(Rule::new(Fault::Status(503)).on(Route::Cdn));
    let hasty = kept.options().timeout(Duration::from_secs(1));
    let (snapshot, _) = kept.look(ID, &hasty);
    assert_eq!(snapshot.access, Access::Open);
    assert!(kept.files().is_empty());
    kept.hub.heal();
    assert!(kept.requests() > 1);
    assert_eq!(kept.requests(), 1);
}

#[test]
fn a_broken_entry_is_read_anew_and_written_anew() {
    let kept = Kept::new(model(ID));
    kept.requests();
    let same_length = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    let cut = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let empty = |path: &Path| fs::write(path, "").unwrap();
    let gone = |path: &Path| fs::remove_file(path).unwrap();
    for name in [
        "config.json",
        "model-1.safetensors",
        "recording.json",
        "sums",
    ] {
        for spoil in [&same_length as &dyn Fn(&Path), &cut, &empty, &gone] {
            spoil(&kept.file(name));
            assert!(kept.requests() > 1, "{name}");
            assert_eq!(kept.requests(), 1, "{name}");
        }
    }
    let names = fs::read_dir(kept.dir.path().join("recordings-1")).unwrap();
    assert_eq!(names.count(), 1, "nothing unfinished is left");
    // The entry, the folder of the repository and that of the hub.
    for above in 1..=3 {
        let sums = kept.file("sums");
        let folder = sums.ancestors().nth(above).unwrap();
        fs::remove_dir_all(folder).unwrap();
        fs::write(folder, "no folder").unwrap();
        assert!(kept.requests() > 1, "{above} above `sums`");
        assert_eq!(kept.requests(), 1, "{above} above `sums`");
    }
}

#[test]
fn an_entry_of_another_commit_is_not_taken_for_this_one() {
    let kept = Kept::new(model(ID));
    kept.requests();
    let old = kept.file("sums").parent().unwrap().to_path_buf();
    kept.hub
        .add(model(ID).file("config.json", r#"{"model_type": "llamb"}"#));
    let commit = kept.hub.commit_of(ID, "main").unwrap();
    fs::rename(&old, old.with_file_name(commit)).unwrap();
    let (snapshot, requests) = kept.look(ID, &kept.options());
    assert!(requests > 1);
    assert!(!is_whole(&snapshot), "the new config");
}

#[test]
fn several_processes_at_once_see_all_of_an_entry_or_nothing() {
    let kept = Kept::new(model(ID));
    for number in 0..4 {
        kept.hub.add(model(&format!("org/n{number}")));
    }
    // Caches of different processes share nothing but the folder; the small one evicts all the time.
    thread::scope(|scope| {
        for worker in 0..6 {
            let kept = &kept;
            scope.spawn(move || {
                for round in 0..6 {
                    let id = format!("org/n{}", (worker + round) % 4);
                    let bytes = if worker == 0 { 60_000 } else { CACHE_BYTES_MAX };
                    let snapshot = look(&id, None, &kept.at_most(bytes)).0.snapshot;
                    assert!(is_whole(&snapshot), "{id}");
                }
            });
        }
    });
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let kept = Kept::new(model(ID));
    for number in 0..6 {
        kept.hub.add(model(&format!("org/n{number}")));
    }
    let look =
        |number: usize, bytes: u64| kept.look(&format!("org/n{number}"), &kept.at_most(bytes)).1;
    for number in 0..5 {
        look(number, CACHE_BYTES_MAX);
    }
    let usage = || RecordingCache::at(kept.dir.path(), 0).usage().unwrap();
    let one = usage().bytes / 5;
    assert_eq!(usage().entries, 5);
    // The first two were used a while ago, the first of them again now.
    for (number, seconds) in [(0, 100), (1, 90), (2, 80), (3, 70), (4, 60)] {
        let is_it = |path: &PathBuf| {
            path.ends_with("sums") && path.to_string_lossy().contains(&format!("org--n{number}"))
        };
        let sums = kept.files().into_iter().find(is_it).unwrap();
        let file = fs::File::options().append(true).open(sums).unwrap();
        let time = SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(time).unwrap();
    }
    assert_eq!(look(0, CACHE_BYTES_MAX), 1);
    // One more than there is room for.
    look(5, one * 5);
    assert!(usage().bytes <= one * 5, "{:?}", usage());
    assert_eq!(look(0, CACHE_BYTES_MAX), 1, "was used last");
    assert_eq!(look(5, CACHE_BYTES_MAX), 1, "is new");
    assert!(look(1, CACHE_BYTES_MAX) > 1, "went");
}

#[cfg(unix)]
#[test]
fn the_cache_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let kept = Kept::new(model(ID));
    kept.requests();
    let dir = kept.dir.path().join("recordings-1");
    let mode = fs::metadata(&dir).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    // A place that cannot be written to changes nothing but the cost.
    let nowhere = RecordingCache::at(Path::new("/dev/null/x"), CACHE_BYTES_MAX);
    let options = options(&kept.hub).recordings(Arc::new(nowhere));
    assert!(is_whole(&kept.look(ID, &options).0));
}

#[test]
fn unfinished_entries_of_others_are_swept() {
    let kept = Kept::new(model(ID));
    let dir = kept.dir.path().join("recordings-1");
    let (old, new) = (dir.join(".new-1-1"), dir.join(".new-2-1"));
    fs::create_dir_all(&old).unwrap();
    // What another process writes right now is no entry, and has a folder as deep as one.
    let inside = new.join("recording/1_Pooling");
    fs::create_dir_all(&inside).unwrap();
    let hours_ago = SystemTime::now() - Duration::from_hours(3);
    fs::File::open(&old)
        .unwrap()
        .set_modified(hours_ago)
        .unwrap();
    let usage = || {
        let cache = RecordingCache::at(kept.dir.path(), CACHE_BYTES_MAX);
        cache.usage().unwrap()
    };
    assert_eq!(usage().entries, 0);
    // So small that each entry makes room.
    let (snapshot, _) = kept.look(ID, &kept.at_most(200_000));
    assert!(matches!(snapshot.files, Fact::Known(_)));
    kept.hub.add(model("org/other"));
    kept.look("org/other", &kept.at_most(usage().bytes / 2 * 3));
    assert_eq!(usage().entries, 1, "the older one went");
    assert!(!old.exists() && inside.exists());
}

#[test]
fn it_is_cleared_while_others_write_to_it() {
    let kept = Kept::new(model(ID));
    let cache = RecordingCache::at(kept.dir.path(), CACHE_BYTES_MAX);
    let dir = kept.dir.path().join("recordings-1");
    thread::scope(|scope| {
        let dir = &dir;
        let write = move |writer: usize| {
            let repository = dir.join(format!("host/org--n{writer}"));
            for number in 0..2000 {
                // It may go while it is made.
                let _ = fs::create_dir_all(repository.join((number % 20).to_string()));
            }
        };
        let writers = [0, 1].map(|writer| scope.spawn(move || write(writer)));
        while writers.iter().any(|writer| !writer.is_finished()) {
            cache.clear().unwrap();
        }
    });
    // Of one that did not come to its end.
    fs::create_dir_all(kept.dir.path().join("recordings-1.away-1/host")).unwrap();
    cache.clear().unwrap();
    assert_eq!(fs::read_dir(kept.dir.path()).unwrap().count(), 0);
}
