//! From the members of an archive to the files of a repository.

use std::collections::BTreeMap;

use preflight_model::container::{ArchiveFormat, ODDITIES_MAX, Oddity, OddityKind};

use crate::source::{FileKind, ListedFile};

/// Most members that are listed: as many as of a folder. A hostile archive can claim billions.
pub(super) const MEMBERS_MAX: usize = 100_000;
/// Characters of a member's name that an [`Oddity`] shows.
const SHOWN_MAX: usize = 300;

/// Why the members of an archive are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// No program can unpack it.
    Broken(String),
    /// It was not read, or programs do not agree on how to read it.
    Unread(String),
}

impl Trouble {
    pub(super) fn broken(why: impl Into<String>) -> Self {
        Self::Broken(why.into())
    }

    pub(super) fn unread(why: impl Into<String>) -> Self {
        Self::Unread(why.into())
    }

    pub(super) fn too_many() -> Self {
        Self::Unread(format!("it has more than {MEMBERS_MAX} members"))
    }
}

impl From<crate::Error> for Trouble {
    fn from(error: crate::Error) -> Self {
        Self::Unread(error.reason())
    }
}

/// A member as the archive has it.
#[derive(Debug)]
pub(super) struct Member<P> {
    /// As stored, but for bytes that are not UTF-8.
    pub(super) name: String,
    /// Bytes of the file.
    pub(super) size: u64,
    pub(super) kind: Kind,
    /// Whether it shares bytes with another member.
    pub(super) overlaps: bool,
    /// Where its bytes are.
    pub(super) place: P,
}

/// What a member is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    /// A link, and where it leads relative to its own folder, where that is known.
    Symlink(Option<String>),
    /// A second name of the member with this name.
    HardLink(String),
    /// Nothing that holds bytes, in words ("a named pipe").
    Other(&'static str),
    Encrypted,
    /// A file in a form that is not read; the text says which.
    Unreadable(String),
}

/// What happens to members of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    /// The last one wins, as in a tar archive that was added to.
    Replaces,
    /// Programs do not agree.
    Refused,
}

/// The files of an archive.
#[derive(Debug)]
pub(super) struct Contents<P> {
    /// Sorted by path.
    pub(super) files: Vec<ListedFile>,
    /// By path, for what can be read.
    pub(super) places: BTreeMap<String, P>,
    pub(super) wrapped_in: Option<String>,
    pub(super) oddities: Vec<Oddity>,
    pub(super) more_oddities: u64,
}

/// Sorts out what the members are.
pub(super) fn arrange<P>(members: Vec<Member<P>>, twice: Twice) -> Contents<P> {
    let mut oddities = Vec::new();
    let mut found: BTreeMap<String, Member<P>> = BTreeMap::new();
    for member in members {
        let mut odd = |kind| oddities.push(oddity(&member.name, kind));
        let Some(path) = inside(&member.name) else {
            odd(OddityKind::LeadsOutside);
            continue;
        };
        if path.is_empty() || member.kind == Kind::Folder {
            continue;
        }
        if is_of_a_desktop(&path) {
            odd(OddityKind::Desktop);
            continue;
        }
        let kinds = [
            link(&path, &member.kind),
            (member.kind == Kind::Encrypted).then_some(OddityKind::Encrypted),
            member.overlaps.then_some(OddityKind::Overlaps),
            ArchiveFormat::of_name(&path).map(|_| OddityKind::Archive),
            found.contains_key(&path).then_some(match twice {
                Twice::Replaces => OddityKind::Replaces,
                Twice::Refused => OddityKind::Duplicate,
            }),
        ];
        kinds.into_iter().flatten().for_each(odd);
        found.insert(path, member);
    }
    // The worst first, since the list is cut.
    oddities.sort_by_key(|oddity| oddity.kind);
    let more_oddities = oddities.len().saturating_sub(ODDITIES_MAX) as u64;
    oddities.truncate(ODDITIES_MAX);
    let wrapped_in = wrapper(&found);
    let cut = wrapped_in.as_ref().map_or(0, |folder| folder.len() + 1);
    let mut files = Vec::with_capacity(found.len());
    let mut places = BTreeMap::new();
    for (path, member) in found {
        let path = path.get(cut..).unwrap_or_default().to_owned();
        let kind = listed_kind(member.kind);
        files.push(ListedFile {
            path: path.clone(),
            size: matches!(kind, FileKind::Regular | FileKind::Unavailable(_))
                .then_some(member.size),
            sha256: None,
            kind: kind.clone(),
        });
        if kind == FileKind::Regular {
            places.insert(path, member.place);
        }
    }
    Contents {
        files,
        places,
        wrapped_in,
        oddities,
        more_oddities,
    }
}

fn oddity(name: &str, kind: OddityKind) -> Oddity {
    Oddity {
        member: name.chars().take(SHOWN_MAX).collect(),
        kind,
    }
}

fn listed_kind(kind: Kind) -> FileKind {
    match kind {
        Kind::File => FileKind::Regular,
        Kind::Folder => FileKind::Other("a folder".into()),
        Kind::Symlink(Some(target)) => FileKind::Other(format!("a symbolic link to `{target}`")),
        Kind::Symlink(None) => FileKind::Other("a symbolic link".into()),
        Kind::HardLink(target) => FileKind::Other(format!("a hard link to `{target}`")),
        Kind::Other(what) => FileKind::Other(what.into()),
        Kind::Encrypted => FileKind::Unavailable("it is encrypted".into()),
        Kind::Unreadable(why) => FileKind::Unavailable(why),
    }
}

/// The path of a member inside the repository, `./` and doubled `/` resolved; empty for the root itself,
/// none for what leads outside on any system.
pub(super) fn inside(name: &str) -> Option<String> {
    let is_drive =
        name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic();
    if name.starts_with(['/', '\\']) || is_drive || name.contains('\0') {
        return None;
    }
    if name.split(['/', '\\']).any(|part| part == "..") {
        return None;
    }
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    Some(parts.collect::<Vec<_>>().join("/"))
}

/// What a link is: the target of a hard link is a member, that of a symbolic link starts at its folder.
fn link(path: &str, kind: &Kind) -> Option<OddityKind> {
    let is_inside = match kind {
        Kind::Symlink(None) => true,
        Kind::Symlink(Some(target)) => stays_inside(path, target),
        Kind::HardLink(target) => inside(target).is_some(),
        _ => return None,
    };
    Some(if is_inside {
        OddityKind::Link
    } else {
        OddityKind::LinksOutside
    })
}

fn stays_inside(path: &str, target: &str) -> bool {
    if target.starts_with(['/', '\\']) || target.contains('\0') {
        return false;
    }
    let mut depth = path.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

/// What macOS puts into archives and folders.
fn is_of_a_desktop(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("__MACOSX/") || name == ".DS_Store" || name.starts_with("._")
}

/// The folder, or chain of folders, that everything lies in.
fn wrapper<P>(found: &BTreeMap<String, Member<P>>) -> Option<String> {
    let (first, _) = found.first_key_value()?;
    let (last, _) = found.last_key_value()?;
    // Paths are sorted, so what the first and the last share they all share.
    let shared = first
        .bytes()
        .zip(last.bytes())
        .take_while(|(one, other)| one == other)
        .count();
    let folder = first
        .get(..shared)
        .map_or(0, |same| same.rfind('/').unwrap_or(0));
    // One file alone shares all of its path.
    (folder > 0).then(|| first[..folder].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, kind: Kind) -> Member<u32> {
        Member {
            name: name.into(),
            size: 7,
            kind,
            overlaps: false,
            place: 0,
        }
    }

    fn of(names: &[&str]) -> Contents<u32> {
        let members = names.iter().map(|name| member(name, Kind::File)).collect();
        arrange(members, Twice::Refused)
    }

    fn paths(contents: &Contents<u32>) -> Vec<&str> {
        contents
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect()
    }

    fn odd(contents: &Contents<u32>) -> Vec<(&str, OddityKind)> {
        let oddities = contents.oddities.iter();
        oddities
            .map(|odd| (odd.member.as_str(), odd.kind))
            .collect()
    }

    #[test]
    fn dots_and_doubled_slashes_are_the_root() {
        let contents = of(&["./", ".", "./config.json", "a//b", "a/./c"]);
        assert_eq!(paths(&contents), ["a/b", "a/c", "config.json"]);
        assert_eq!((odd(&contents), &contents.wrapped_in), (vec![], &None));
    }

    #[test]
    fn what_leads_outside_is_left_out() {
        let names = [
            "../x",
            "a/../../x",
            "/etc/x",
            "C:\\x",
            "..\\x",
            "\\x",
            "a\0b",
            "a/..",
        ];
        let contents = of(&names);
        assert_eq!(paths(&contents), Vec::<&str>::new());
        let expected: Vec<_> = names.map(|name| (name, OddityKind::LeadsOutside)).into();
        assert_eq!(odd(&contents), expected);
        assert_eq!(paths(&of(&["a..b", "...", "c:d/e"])), ["...", "a..b"]);
    }

    #[test]
    fn one_folder_around_everything_is_cut_off() {
        let wrapped = |names: &[&str]| of(names).wrapped_in;
        assert_eq!(wrapped(&["m/config.json", "m/a/b"]).as_deref(), Some("m"));
        assert_eq!(
            paths(&of(&["m/config.json", "m/a/b"])),
            ["a/b", "config.json"]
        );
        assert_eq!(wrapped(&["x/m/a", "./x/m/b"]).as_deref(), Some("x/m"));
        assert_eq!(wrapped(&["m/model.safetensors"]).as_deref(), Some("m"));
        assert_eq!(wrapped(&["config.json"]), None);
        assert_eq!(wrapped(&["model-1", "model-2"]), None);
        assert_eq!(wrapped(&["ma/1", "mb/1"]), None);
        assert_eq!(wrapped(&["m/a", "m/b", "README.md"]), None);
        assert_eq!(wrapped(&[]), None);
    }

    #[test]
    fn what_a_mac_adds_does_not_count() {
        let contents = of(&[
            "__MACOSX/m/._config.json",
            "m/config.json",
            "m/.DS_Store",
            "m/._x",
        ]);
        assert_eq!(paths(&contents), ["config.json"]);
        assert_eq!(contents.wrapped_in.as_deref(), Some("m"));
        assert!(
            contents
                .oddities
                .iter()
                .all(|odd| odd.kind == OddityKind::Desktop)
        );
        assert_eq!(contents.oddities.len(), 3);
    }

    #[test]
    fn links_are_told_apart_by_where_they_lead() {
        let link = |path: &str, target: &str| {
            let member = member(path, Kind::Symlink(Some(target.into())));
            arrange(vec![member], Twice::Refused).oddities[0].kind
        };
        for (path, target) in [
            ("a", "../x"),
            ("a/b", "../../x"),
            ("a", "/x"),
            ("a", "b/../../x"),
        ] {
            assert_eq!(
                link(path, target),
                OddityKind::LinksOutside,
                "{path} {target}"
            );
        }
        for (path, target) in [("a", "x"), ("a/b", "../x"), ("a/b", "./c/../d")] {
            assert_eq!(link(path, target), OddityKind::Link, "{path} {target}");
        }
        let hard = |target: &str| {
            let member = member("a/b", Kind::HardLink(target.into()));
            arrange(vec![member], Twice::Refused)
        };
        assert_eq!(hard("../x").oddities[0].kind, OddityKind::LinksOutside);
        let contents = hard("config.json");
        assert_eq!(contents.oddities[0].kind, OddityKind::Link);
        assert_eq!(
            contents.files[0].kind,
            FileKind::Other("a hard link to `config.json`".into())
        );
        assert!(contents.places.is_empty());
    }

    #[test]
    fn names_that_stand_twice() {
        let of = |twice| {
            let members = [(1, "./x"), (2, "x")].map(|(place, name)| Member {
                place,
                ..member(name, Kind::File)
            });
            let contents = arrange(members.into(), twice);
            (contents.places["x"], contents.oddities[0].kind)
        };
        assert_eq!(of(Twice::Replaces), (2, OddityKind::Replaces));
        assert_eq!(of(Twice::Refused), (2, OddityKind::Duplicate));
    }

    #[test]
    fn the_worst_oddities_are_kept() {
        let mut names: Vec<String> = (0..2 * ODDITIES_MAX)
            .map(|number| format!("._{number}"))
            .collect();
        names.push("../x".into());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let contents = of(&names);
        assert_eq!(contents.oddities.len(), ODDITIES_MAX);
        assert_eq!(contents.oddities[0].kind, OddityKind::LeadsOutside);
        assert_eq!(contents.more_oddities, 101);
    }
}
