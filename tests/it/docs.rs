//! The README and the guides: what they show is what the program prints, and every command in them runs.
//! A block that cannot run here says so in the line above it, `<!-- not run: REASON -->`, and is counted.
//! `UPDATE_GOLDEN=1` writes examples anew that are shown to their end.

use std::fs;
use std::path::Path;
use std::process::Command;

use loopback_hub::LoopbackHub;
use preflight_model::wanted;

use crate::hub::model;
use crate::program::{Program, root};
use crate::repo::Repo;

/// Blocks that are not run, by page, with the reason that the page gives.
const NOT_RUN: [(&str, &str); 6] = [
    ("README.md", "builds the program and runs this test"),
    ("docs/ci.md", "needs git-lfs and a server of it"),
    (
        "docs/fuzzing.md",
        "needs a nightly toolchain, and takes long",
    ),
    (
        "docs/install.md",
        "builds the program; tests/outside/packaging.py does that",
    ),
    ("docs/s3.md", "needs a bucket; tests/outside/s3.py has one"),
    ("docs/s3.md", "needs a bucket and the AWS tools"),
];

/// How pages call the program.
const PROMPTS: [&str; 2] = ["cargo run --release -- ", "byom-preflight "];

/// Where an archive might lie; nothing answers there.
#[cfg(unix)]
const ADDRESS: &str = "http://127.0.0.1:1/model.tar.gz?X-Amz-Signature=0";

/// A line that stands for lines that are left out.
const GAP: &str = "\n…";

/// A fenced block of a page.
#[derive(Debug)]
struct Block {
    place: String,
    language: String,
    text: String,
    not_run: Option<String>,
}

/// The README and all guides. `docs/rules/` is made from the rules, which have tests of their own.
fn pages() -> Vec<String> {
    let entries = fs::read_dir(root().join("docs")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut pages: Vec<String> = names
        .filter(|name| Path::new(name).extension().is_some_and(|end| end == "md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    pages.sort();
    pages.insert(0, "README.md".into());
    pages
}

fn text_of(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// The blocks of a page, and its lines outside them.
fn parts(page: &str) -> (Vec<Block>, Vec<String>) {
    let (mut blocks, mut prose): (Vec<Block>, Vec<String>) = Default::default();
    let text = text_of(page);
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some((indent, language)) = line.split_once("```") else {
            prose.push(line.into());
            continue;
        };
        if !indent.trim().is_empty() {
            prose.push(line.into());
            continue;
        }
        let body = lines.by_ref().map(|(_, line)| line);
        let body: Vec<&str> = body
            .map(|line| line.strip_prefix(indent).unwrap_or(line))
            .take_while(|line| *line != "```")
            .collect();
        let above = prose.iter().rev().find(|line| !line.trim().is_empty());
        let reason = above.and_then(|line| {
            let comment = line.trim().strip_prefix("<!-- not run: ")?;
            comment.strip_suffix(" -->").map(str::to_owned)
        });
        blocks.push(Block {
            place: format!("{page}:{}", at + 1),
            language: language.into(),
            text: body.join("\n") + "\n",
            not_run: reason,
        });
    }
    (blocks, prose)
}

/// Blocks of a language that are run.
fn runnable(page: &str, language: &str) -> Vec<Block> {
    let (mut blocks, _) = parts(page);
    blocks.retain(|block| block.language == language && block.not_run.is_none());
    blocks
}

/// Whether a text is what is shown of it, with any lines in a gap.
fn is_shown(text: &str, shown: &str) -> bool {
    let (text, shown) = (format!("\n{text}"), format!("\n{shown}"));
    let pieces: Vec<&str> = shown.split(GAP).collect();
    let [first, between @ .., last] = pieces.as_slice() else {
        return text == shown;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    for piece in between {
        let Some((_, behind)) = rest.split_once(piece) else {
            return false;
        };
        rest = behind;
    }
    rest.ends_with(last)
}

#[test]
fn an_example_with_gaps_shows_what_is_there() {
    let text = "a\nb\nc\nd\n";
    for shown in [text, "a\n…\n", "…\nd\n", "…\nb\n…\nd\n", "a\n…\nc\n…\n"] {
        assert!(is_shown(text, shown), "{shown}");
    }
    for shown in [
        "",
        "a\nb\n",
        "b\n…\n",
        "…\nc\n",
        "…\nc\n…\nb\n…\n",
        "…\nx\n…\n",
    ] {
        assert!(!is_shown(text, shown), "{shown}");
    }
}

#[test]
fn every_example_is_real_output() {
    let mut count = 0;
    for block in pages().iter().flat_map(|page| runnable(page, "console")) {
        let (command, shown) = block.text.split_once('\n').unwrap();
        let command = command.strip_prefix("$ ").expect("a prompt");
        let arguments = PROMPTS
            .iter()
            .find_map(|prompt| command.strip_prefix(prompt));
        let arguments = arguments.unwrap_or_else(|| panic!("{}: {command}", block.place));
        let run = Program::new().env("LANG", "C.UTF-8").inside(&root());
        let printed = run.args(arguments.split_whitespace()).run().stdout;
        if is_shown(&printed, shown) {
            count += 1;
            continue;
        }
        let is_whole = !block.text.contains(GAP);
        assert!(
            is_whole && std::env::var_os("UPDATE_GOLDEN").is_some(),
            "{} shows\n{shown}\nwhere the program prints\n{printed}",
            block.place
        );
        let page = block.place.split(':').next().unwrap();
        let text = text_of(page).replace(shown, &printed);
        fs::write(root().join(page), text).unwrap();
        count += 1;
    }
    assert!(count >= 6, "{count} examples");
}

/// What the guides speak of: a model's checkout with other models, lists and files in it, and a hub.
struct World {
    hub: LoopbackHub,
    folder: Repo,
}

impl World {
    fn new(page: &str) -> Self {
        let hub = LoopbackHub::start();
        for id in ["org/name", "org/other", "a/b", "c/d"] {
            hub.add(model(id, &Repo::sound()).tag("v1.0").pull_request(3));
        }
        let folder = Repo::sound();
        for name in ["my-model", "model"] {
            fs::create_dir(folder.file(name)).unwrap();
            for file in ["config.json", "tokenizer.json", "model.safetensors"] {
                fs::copy(folder.file(file), folder.file(&format!("{name}/{file}"))).unwrap();
            }
        }
        folder.write("models.txt", "org/name\n./my-model\n");
        folder.write("models.yaml", "models:\n  - org/name\n");
        let packed = Command::new("tar")
            .args(["-czf", "model.tar.gz", "-C", "model", "."])
            .current_dir(folder.path())
            .status();
        assert!(packed.unwrap().success());
        // Files that the page itself shows, under the name in their first line.
        for block in parts(page).0 {
            let named = block
                .text
                .lines()
                .next()
                .and_then(|line| line.strip_prefix("# "));
            if let Some(name) =
                named.filter(|name| Path::new(name).extension().is_some_and(|end| end == "toml"))
            {
                folder.write(name, &block.text);
            }
        }
        Self { hub, folder }
    }

    /// Runs a line of a shell. Any verdict will do; wrong usage and a program that is not there will not.
    #[track_caller]
    fn runs(&self, line: &str, place: &str) {
        let answer = Program::shell(line)
            .env("HF_ENDPOINT", &self.hub.endpoint())
            .env("HOME", &self.folder.path().display().to_string())
            .env("URL", ADDRESS)
            .env("PRESIGNED_URL", ADDRESS)
            .env("TOGETHER_API_KEY", "key")
            .env("TOGETHER_BASE_URL", "http://127.0.0.1:1/v1")
            .stdin("./my-model\n")
            .inside(self.folder.path())
            .run();
        assert!(
            [0, 1, 3].contains(&answer.code) && !answer.stderr.contains("panicked"),
            "{place}: `{line}` ended with {}: {}",
            answer.code,
            answer.stderr
        );
    }
}

#[test]
#[cfg(unix)]
fn every_command_runs() {
    let mut count = 0;
    for page in pages() {
        let world = World::new(&page);
        for block in runnable(&page, "sh") {
            for line in block.text.replace("\\\n", " ").lines() {
                if !line.trim().is_empty() {
                    world.runs(line, &block.place);
                    count += 1;
                }
            }
        }
    }
    assert!(count >= 30, "{count} commands");
}

/// Commands of ours that stand within the text, with the words that stand for something of the user's.
fn inline(page: &str) -> Vec<String> {
    let stands_for = [
        ("MODEL", "./my-model"),
        ("DIR", "kept"),
        ("COMMAND", "check"),
    ];
    let (_, prose) = parts(page);
    let spans = prose
        .iter()
        .flat_map(|line| line.split('`').skip(1).step_by(2));
    let is_name = |span: &str| span == "byom-preflight check";
    let is_ours = |span: &&str| {
        let is_command = span.starts_with("byom-preflight ") || span.contains(" byom-preflight ");
        is_command && !is_name(span)
    };
    let fill = |span: &str| {
        let words = span.split(' ').map(|word| {
            let found = stands_for.iter().find(|(name, _)| *name == word);
            found.map_or(word, |(_, value)| value)
        });
        words.collect::<Vec<_>>().join(" ")
    };
    spans.filter(is_ours).map(fill).collect()
}

#[test]
#[cfg(unix)]
fn every_command_within_the_text_runs() {
    let mut count = 0;
    for page in pages() {
        let world = World::new(&page);
        for line in inline(&page) {
            let tool = line.split(' ').next().unwrap_or_default();
            let find = format!("command -v {tool}");
            if Program::shell(&find).run().code != 0 {
                println!("skipped `{line}`: there is no `{tool}`");
                continue;
            }
            world.runs(&line, &page);
            count += 1;
        }
    }
    assert!(count >= 15, "{count} commands");
}

#[test]
fn what_is_not_run_is_counted() {
    let pages = pages();
    let blocks = pages.iter().flat_map(|page| parts(page).0);
    let marked: Vec<(String, String)> = blocks
        .filter_map(|block| {
            let page = block.place.split(':').next()?.to_owned();
            Some((page, block.not_run?))
        })
        .collect();
    let marked: Vec<(&str, &str)> = marked
        .iter()
        .map(|(p, r)| (p.as_str(), r.as_str()))
        .collect();
    assert_eq!(marked, NOT_RUN);
}

/// Only in blocks of `sh` and `console` are commands found by the tests above.
#[test]
fn no_command_hides_in_another_block() {
    for page in pages() {
        let (blocks, prose) = parts(&page);
        let hidden = blocks
            .iter()
            .filter(|block| !["sh", "console"].contains(&block.language.as_str()))
            .flat_map(|block| block.text.lines())
            .chain(prose.iter().filter_map(|line| line.strip_prefix("    ")));
        let hidden: Vec<&str> = hidden
            .map(|line| line.trim_start_matches("$ "))
            .filter(|line| line.starts_with("byom-preflight "))
            .collect();
        assert!(hidden.is_empty(), "{page}: {hidden:?}");
    }
}

#[test]
fn the_configuration_that_is_shown_is_the_one_that_is_used() {
    let shown = format!(
        "```toml\n{}```",
        text_of("docs/examples/byom-preflight.toml")
    );
    assert!(text_of("docs/configuration.md").contains(&shown), "{shown}");
}

/// The example of the library page is compiled and run as that of `preflight-source`.
#[test]
fn the_example_of_the_library_is_the_one_that_is_run() {
    let path = root().join("crates/preflight-source/src/lib.rs");
    let crate_docs = fs::read_to_string(path).unwrap();
    let lines = crate_docs
        .lines()
        .filter_map(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    let crate_docs = lines.collect::<Vec<_>>().join("\n");
    let [block] = runnable("docs/library.md", "rust").try_into().unwrap();
    assert!(crate_docs.contains(block.text.trim_end()), "{crate_docs}");
    assert!(block.text.lines().count() < 20);
}

/// The hook of pre-commit runs where a file changes that the program looks at, and where no such file does, it does not.
#[test]
fn the_hook_runs_for_every_file_that_counts() {
    let hooks = text_of(".pre-commit-hooks.yaml");
    let pattern = hooks
        .lines()
        .find_map(|line| line.strip_prefix("  files: "));
    let pattern = fancy_regex::Regex::new(pattern.unwrap()).unwrap();
    let is_run = |path: &str| pattern.is_match(path).unwrap();
    let read = wanted::WHOLE.iter().chain(&wanted::VOCABULARIES).copied();
    let more = [
        wanted::TOKENIZER,
        wanted::SINGLE,
        wanted::ADAPTER_WEIGHTS,
        "1_Pooling/config.json",
        "acme.tiktoken",
        "additional_chat_templates/tools.jinja",
        "byom-preflight.toml",
        "chat_template.jinja",
        "flax_model.msgpack",
        "modeling_acme.py",
        "onnx/model.onnx",
        "pytorch_model.bin",
        "tf_model.h5",
    ];
    for path in read.chain(more) {
        assert!(is_run(path), "{path}");
        assert!(is_run(&format!("models/acme/{path}")), "models/acme/{path}");
    }
    for path in [
        "README.md",
        "LICENSE",
        ".gitattributes",
        "notes.md",
        "a.toml",
    ] {
        assert!(!is_run(path), "{path}");
    }
}

#[test]
fn the_index_leads_to_every_page() {
    let index = text_of("docs/README.md");
    for page in pages() {
        let name = page.strip_prefix("docs/").unwrap_or("../README.md");
        let is_there = name == "README.md" || index.contains(&format!("]({name})"));
        assert!(is_there, "docs/README.md does not lead to {name}");
    }
}
