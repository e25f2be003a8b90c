//! What the README and the guides show is what the program prints.

use crate::program::{Program, root};

/// Commands of the console blocks that begin with `prompt`, and the output that is shown; one that ends
/// with `…` is cut there.
fn examples<'a>(page: &'a str, prompt: &str) -> Vec<(&'a str, &'a str)> {
    let start = format!("```console\n$ {prompt} ");
    page.split(&start)
        .skip(1)
        .filter_map(|block| block.split_once("```")?.0.split_once('\n'))
        .collect()
}

#[test]
fn every_example_is_real_output() {
    let pages = [
        ("README.md", "cargo run --release --"),
        ("docs/adapters.md", "byom-preflight"),
        ("docs/many-models.md", "byom-preflight"),
        ("docs/configuration.md", "byom-preflight"),
    ];
    for (page, prompt) in pages {
        is_real_output(page, prompt);
    }
}

#[test]
fn the_configuration_that_is_shown_is_the_one_that_is_used() {
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let shown = format!("```toml\n{}```", read("docs/examples/byom-preflight.toml"));
    assert!(read("docs/configuration.md").contains(&shown), "{shown}");
}

#[track_caller]
fn is_real_output(page: &str, prompt: &str) {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let examples = examples(&text, prompt);
    assert!(examples.len() >= 2, "{examples:?}");
    for (command, shown) in examples {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let printed = Program::new()
            .env("LANG", "C.UTF-8")
            .inside(&root())
            .args(arguments)
            .run()
            .stdout;
        match shown.strip_suffix("…\n") {
            Some(start) => assert!(printed.starts_with(start), "{command}\n{printed}"),
            None => assert_eq!(printed, shown, "{command}"),
        }
    }
}
