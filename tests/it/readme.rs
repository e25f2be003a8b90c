//! What the README shows is what the program prints.

use crate::program::{Program, root};

/// Commands of the console blocks, and the output that is shown; one that ends with `…` is cut there.
fn examples(readme: &str) -> Vec<(&str, &str)> {
    let blocks = readme
        .split("```console\n$ cargo run --release -- ")
        .skip(1);
    blocks
        .filter_map(|block| block.split_once("```")?.0.split_once('\n'))
        .collect()
}

#[test]
fn every_example_is_real_output() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let examples = examples(&readme);
    assert!(examples.len() >= 2, "{examples:?}");
    for (command, shown) in examples {
        let arguments: Vec<&str> = command.split_whitespace().collect();
        let printed = Program::new().inside(&root()).args(arguments).run().stdout;
        match shown.strip_suffix("…\n") {
            Some(start) => assert!(printed.starts_with(start), "{command}\n{printed}"),
            None => assert_eq!(printed, shown, "{command}"),
        }
    }
}
