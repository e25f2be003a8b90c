//! Paths as repositories spell them: relative, `/` between components.

use std::path::{Path, PathBuf};

/// Whether `path` stays inside its repository: relative, and every component a plain name.
pub(crate) fn is_inside(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|name| !matches!(name, "" | "." | ".."))
}

/// Where `path` lies under `root`; `None` where it could lead outside on any system: also for
/// backslashes and drive letters.
pub(crate) fn under(root: &Path, path: &str) -> Option<PathBuf> {
    if !is_inside(path) || path.contains(['\\', ':']) {
        return None;
    }
    Some(
        path.split('/')
            .fold(root.to_path_buf(), |at, name| at.join(name)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leads_outside() {
        let root = Path::new("/r");
        for path in [
            "../x",
            "a/../../x",
            "/etc/passwd",
            "",
            "a//b",
            "./a",
            "a/",
            "a\0b",
            "..\\x",
            "C:x",
            "..",
        ] {
            assert_eq!(under(root, path), None, "{path:?}");
        }
        assert_eq!(under(root, "a/b..c/d"), Some(PathBuf::from("/r/a/b..c/d")));
    }
}
