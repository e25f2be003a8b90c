use preflight_model::container::{ArchiveFormat, Container, OddityKind};
use preflight_model::fact::Fact;
use preflight_model::facts::Facts;

use super::container_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

/// Files of which one stands at the root of every model and adapter.
const CONFIGS: [&str; 2] = ["config.json", "adapter_config.json"];

pub(super) static RULE: Rule = Rule {
    id: "archive-nested",
    summary: "the files are not at the root of the archive",
    fix: "pack from inside the folder: `tar -czf model.tar.gz -C FOLDER .`",
    docs: include_str!("archive_nested.md"),
    category: Category::Access,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let container = container_of(facts)?;
    let files = facts.checkpoint.snapshot.files.get()?;
    if let Some(folder) = &container.wrapped_in {
        let finding = Finding::new(format!(
            "all files lie in the folder `{folder}` of the archive; the rest is judged as if they lay at its root"
        ));
        return Ok(Findings::problem(finding).with_fix(repack(container, folder)));
    }
    let is_config = |path: &str| CONFIGS.contains(&path);
    if files.iter().any(|file| is_config(&file.path)) {
        return Ok(Findings::none());
    }
    let inner = container
        .oddities
        .iter()
        .filter(|oddity| oddity.kind == OddityKind::Archive)
        .map(|oddity| {
            Finding::in_file(
                oddity.member.clone(),
                "the member is an archive itself; only one is unpacked",
            )
        });
    let deeper = files.iter().filter_map(|file| {
        let (folder, name) = file.path.rsplit_once('/')?;
        is_config(name).then(|| {
            Finding::in_file(
                file.path.clone(),
                format!("`{name}` lies in the folder `{folder}`, not at the root of the archive"),
            )
        })
    });
    Ok(inner.chain(deeper).collect())
}

/// The command that packs the folder again.
fn repack(container: &Container, folder: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let is_command = folder.chars().all(is_plain) && !folder.starts_with('-');
    let folder = if is_command { folder } else { "FOLDER" };
    let command = match &container.format {
        Fact::Known(ArchiveFormat::Zip) => {
            format!("(cd {folder} && zip -r \"$OLDPWD/model.zip\" .)")
        }
        _ => format!("tar -czf model.tar.gz -C {folder} ."),
    };
    format!("pack from inside the folder: `{command}`")
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn run(repo: &str) -> String {
        Repo::new(repo).run("archive-nested")
    }

    #[test]
    fn a_folder_that_is_no_word_of_a_shell_is_not_put_into_a_command() {
        for folder in ["$(x)", "a b", "-x", "a;b"] {
            let out = run(&format!("archive: m.tar.gz\nwrapped: {folder}\n"));
            assert!(out.ends_with("-C FOLDER .`\n"), "{out}");
        }
    }

    #[test]
    fn an_archive_beside_a_model_is_no_matter() {
        assert_eq!(
            run("archive: m.zip\noddity: archive tokenizer.tar.gz\n"),
            "upload: pass\n"
        );
        let out = run("archive: m.zip\noddity: archive m.tar.gz\n//- config.json removed\n");
        assert!(out.starts_with("upload: fail\n  m.tar.gz: "), "{out}");
    }

    #[test]
    fn a_config_in_a_folder_beside_other_files_is_found() {
        let out = run("archive: m.zip\n//- config.json removed\n//- a/b/config.json listed 10\n");
        assert!(
            out.contains("a/b/config.json: `config.json` lies in the folder `a/b`"),
            "{out}"
        );
    }
}
