//! Folders of generated files, compared with what would be generated.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files by their path in a folder.
pub(crate) type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// All files below `dir`; none where it does not exist.
pub(crate) fn read(dir: &Path) -> Result<Tree, String> {
    let mut files = Tree::new();
    let mut folders = if dir.is_dir() {
        vec![dir.to_owned()]
    } else {
        Vec::new()
    };
    while let Some(folder) = folders.pop() {
        for path in entries(&folder)? {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let inside = path.strip_prefix(dir).unwrap_or(&path).to_owned();
            files.insert(inside, bytes);
        }
    }
    Ok(files)
}

/// What stands in a folder, sorted.
pub(crate) fn entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    };
    let mut paths = list().map_err(|error| format!("{}: {error}", dir.display()))?;
    paths.sort();
    Ok(paths)
}

/// One line for each file of the folder `name` that is not as `wanted`.
pub(crate) fn differences(name: &str, wanted: &Tree, kept: &Tree) -> Vec<String> {
    let tell = |path: &Path, what| format!("{name}/{}: {what}", path.display());
    let missing_or_other = wanted
        .iter()
        .filter_map(|(path, bytes)| match kept.get(path) {
            None => Some(tell(path, "missing")),
            Some(there) if there != bytes => Some(tell(path, "different")),
            Some(_) => None,
        });
    let left_over = kept
        .keys()
        .filter(|path| !wanted.contains_key(*path))
        .map(|path| tell(path, "nothing makes it"));
    missing_or_other.chain(left_over).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_by_kind() {
        let tree = |files: &[(&str, &str)]| -> Tree {
            files
                .iter()
                .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
                .collect()
        };
        let wanted = tree(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let kept = tree(&[("a", "1"), ("b", "other"), ("d", "4")]);
        assert_eq!(
            differences("x", &wanted, &kept),
            ["x/b: different", "x/c: missing", "x/d: nothing makes it"]
        );
        assert_eq!(differences("x", &wanted, &wanted), Vec::<String>::new());
    }

    #[test]
    fn a_folder_is_read_with_all_below_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(dir.path().join("sub")).expect("created");
        fs::write(dir.path().join("sub/a"), "1").expect("written");
        fs::write(dir.path().join("b"), "2").expect("written");
        let files = read(dir.path()).expect("read");
        let expected = Tree::from([("b".into(), b"2".to_vec()), ("sub/a".into(), b"1".to_vec())]);
        assert_eq!(files, expected);
        assert_eq!(
            read(&dir.path().join("nowhere")).expect("nothing"),
            Tree::new()
        );
    }
}
