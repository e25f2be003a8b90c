//! Markdown as GitHub, GitLab and the Hub read it: for a comment, a job summary or a model card.
//!
//! A repository's words must not become markup, mentions, references or links, of which each platform has
//! its own (`@name`, `#1`, `!1`, `~label`, `:smile:`, `www.…`), some read after the Markdown is. None of
//! them reads inside code spans. So what is quoted is a code span, and of all other text only plain words
//! stay outside of one.

use std::fmt::Write as _;
use std::io::{self, Write};

use preflight_rules::report::{Finding, Level, ModelReport, Outcome, Report, RuleRow, Target};

use crate::escape::for_terminal;
use crate::told::Names;
use crate::{table, told, words};

/// Most characters of a message that may quote a repository.
const MESSAGE_MAX: usize = 500;
/// Most characters of a remedy or a command.
const COMMAND_MAX: usize = 4_000;
/// Most characters of a name.
const NAME_MAX: usize = 140;
/// Base models that are named.
const BASE_MODELS_SHOWN: usize = 3;
/// Room for the line that says what was left out.
const CUT_LINE_MAX: usize = 200;

/// Writes the whole report.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(blocks(report).join("\n").as_bytes())
}

/// The report in at most `bytes_max` bytes: whole blocks of it, and a line where some are left out.
pub fn write_at_most(report: &Report, bytes_max: usize, out: &mut dyn Write) -> io::Result<()> {
    let blocks = blocks(report);
    let mut text = String::new();
    let mut left = blocks.len();
    for block in &blocks {
        let reserved = if left == 1 { 0 } else { CUT_LINE_MAX };
        if text.len() + 1 + block.len() + reserved > bytes_max {
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(block);
        left -= 1;
    }
    if left > 0 && CUT_LINE_MAX <= bytes_max {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\nThe rest is left out: it is too long for this place."
        );
    }
    out.write_all(text.as_bytes())
}

/// Headings, paragraphs, tables, lists and fences, each with its line end; an empty line belongs between
/// them.
fn blocks(report: &Report) -> Vec<String> {
    let names = Names::new(report);
    let mut blocks = Vec::new();
    if report.models.len() != 1 {
        blocks.push(format!("## byom-preflight: {}\n", inline(&report.message)));
        blocks.extend(overview(report, &names));
    }
    for model in &report.models {
        blocks.push(format!("## {}\n", code(names.of(model))));
        write_model(&mut blocks, report, model);
    }
    blocks
}

/// All models and their verdicts.
fn overview(report: &Report, names: &Names<'_>) -> Option<String> {
    let targets: Vec<&str> = report
        .models
        .first()?
        .verdicts
        .iter()
        .map(|(target, _)| target.as_str())
        .collect();
    let mut rows = format!("| model | {} |\n", targets.join(" | "));
    let _ = writeln!(rows, "| --- |{}", " --- |".repeat(targets.len()));
    for model in &report.models {
        let verdicts = model.verdicts.iter().map(|(_, verdict)| verdict.as_str());
        let verdicts: Vec<&str> = verdicts.collect();
        let _ = writeln!(
            rows,
            "| {} | {} |",
            code_in_cell(names.of(model)),
            verdicts.join(" | ")
        );
    }
    Some(rows)
}

fn write_model(blocks: &mut Vec<String>, report: &Report, model: &ModelReport) {
    let mut verdicts = "| target | verdict | because of |\n| --- | --- | --- |\n".to_owned();
    for (target, verdict) in &model.verdicts {
        let because: Vec<_> = told::deciding(model, *target, *verdict)
            .iter()
            .map(|row| row.id)
            .collect();
        let _ = writeln!(
            verdicts,
            "| {} | **{}** | {} |",
            target.as_str(),
            table::word(*verdict),
            because.join(", ")
        );
    }
    blocks.push(verdicts);
    blocks.push(identity(report, model));
    let told = told::rows(model);
    let of = |is_of: &dyn Fn(&RuleRow) -> bool| -> Vec<&RuleRow> {
        told.iter().copied().filter(|row| is_of(row)).collect()
    };
    let failed = of(&|row| row.outcome == Outcome::Fail);
    let unknown = of(&|row| row.outcome == Outcome::Unknown && row.level == Level::Error);
    let warned = of(&|row| row.outcome != Outcome::Fail && row.level == Level::Warning);
    write_rows(blocks, model, "Fails", &failed);
    write_rows(blocks, model, "Not known, so not decided", &unknown);
    write_rows(blocks, model, "Warnings", &warned);
    let notes = told::notes(model);
    if !notes.is_empty() {
        let notes = notes
            .iter()
            .map(|(id, note)| format!("- {id}: {}\n", found(note)));
        blocks.push(format!("### Notes\n\n{}", notes.collect::<String>()));
    }
    write_ignored(blocks, model);
    if !model.fit.options.is_empty() {
        let needs = inline(&words::fit(&model.fit));
        let assumed = words::assumed(&model.fit);
        let assumed = assumed.map_or_else(String::new, |text| format!("\n{}.\n", inline(&text)));
        blocks.push(format!("### Hardware\n\n{needs}.\n{assumed}"));
        blocks.push(hardware(model));
    }
    write_base_models(blocks, model);
    write_other_policies(blocks, model);
    write_next(blocks, model);
}

fn identity(report: &Report, model: &ModelReport) -> String {
    let mut text = String::new();
    if let Some(adapter) = words::adapter(&model.facts) {
        let _ = writeln!(text, "{}  ", inline(&adapter));
    }
    let _ = writeln!(text, "{}  ", inline(&words::size(model)));
    if let Some(commit) = &model.commit {
        let _ = writeln!(text, "commit {}  ", code(commit));
    }
    let (policy, as_of) = &report.policy;
    let catalog = &report.catalog;
    let _ = writeln!(
        text,
        "policy {} as of {}, {}",
        code(policy),
        code(as_of),
        words::data(catalog, code)
    );
    text
}

fn write_rows(
    blocks: &mut Vec<String>,
    model: &ModelReport,
    title: &'static str,
    rows: &[&RuleRow],
) {
    if rows.is_empty() {
        return;
    }
    let mut text = format!("### {title}\n\n");
    for row in rows {
        let _ = writeln!(text, "- **{}**", told::title(model, row));
        for finding in &row.findings {
            let _ = writeln!(text, "  - {}", found(finding));
        }
        if row.findings.is_empty() {
            let _ = writeln!(text, "  - {}", inline(row.summary));
        }
        if row.more_findings > 0 {
            let _ = writeln!(text, "  - and {} more", row.more_findings);
        }
        if !row.help.is_empty() {
            let _ = writeln!(text, "  - fix: {}", inline_of(&row.help, COMMAND_MAX));
        }
    }
    blocks.push(text);
}

fn found(finding: &Finding) -> String {
    let place =
        told::place(finding).map_or_else(String::new, |place| format!(", at {}", code(&place)));
    format!("{}{place}", inline(&finding.message))
}

fn write_ignored(blocks: &mut Vec<String>, model: &ModelReport) {
    let rows = model
        .rules
        .iter()
        .filter_map(|row| Some((row, row.ignored.as_deref()?)));
    let mut text = String::new();
    for (row, reason) in rows {
        let _ = writeln!(
            text,
            "- {} ({}): {}",
            told::title(model, row),
            row.outcome.as_str(),
            inline(reason)
        );
    }
    if !text.is_empty() {
        blocks.push(format!("### Ignored\n\n{text}"));
    }
}

/// Every option; the numbers are GiB of one GPU.
fn hardware(model: &ModelReport) -> String {
    let mut rows = "| hardware | GiB needed | verdict |\n| --- | --- | --- |\n".to_owned();
    for option in &model.fit.options {
        let _ = writeln!(
            rows,
            "| {} | {} | {} |",
            code_in_cell(&option.hardware),
            words::needed(option),
            inline(&words::said(option).replace('|', "\\u{7c}"))
        );
    }
    format!(
        "<details><summary>All options, by estimate, GiB of one GPU</summary>\n\n{rows}\n</details>\n"
    )
}

fn write_base_models(blocks: &mut Vec<String>, model: &ModelReport) {
    let names: Vec<String> = table::proposals(model)
        .take(BASE_MODELS_SHOWN)
        .map(|base| code(&base.name))
        .collect();
    if !names.is_empty() {
        blocks.push(format!("Best base models: {}\n", names.join(", ")));
    }
}

fn write_other_policies(blocks: &mut Vec<String>, model: &ModelReport) {
    for other in &model.other_policies {
        let differs = table::differences(model, other);
        if !differs.is_empty() {
            let id = code(&other.id);
            blocks.push(format!(
                "{id} would decide differently: {}\n",
                differs.join(", ")
            ));
        }
    }
}

fn write_next(blocks: &mut Vec<String>, model: &ModelReport) {
    for (target, command) in &model.next {
        let mut command = for_terminal(command, COMMAND_MAX);
        if *target == Target::Upload {
            // Then it is served.
            for line in &model.fit.endpoint_commands {
                command.push('\n');
                command.push_str(&for_terminal(line, COMMAND_MAX));
            }
        }
        let fence = "`".repeat(longest_run(&command).max(2) + 1);
        blocks.push(format!(
            "### To {} it\n\n{fence}sh\n{command}\n{fence}\n",
            target.as_str()
        ));
    }
}

/// A text that may quote a repository.
fn inline(text: &str) -> String {
    inline_of(text, MESSAGE_MAX)
}

fn inline_of(text: &str, chars_max: usize) -> String {
    let text = for_terminal(text, chars_max);
    let mut markdown = String::new();
    for (at, piece) in text.trim().split('`').enumerate() {
        if at % 2 == 1 {
            push_code(&mut markdown, piece);
            continue;
        }
        for (at, word) in piece.split(' ').enumerate() {
            if at > 0 {
                markdown.push(' ');
            }
            let core = word.trim_start_matches('(');
            let (before, core) = word.split_at(word.len() - core.len());
            let kept = core.trim_end_matches([',', ';', ')', ':', '?']);
            let (core, after) = core.split_at(kept.len());
            markdown.push_str(before);
            if is_plain(core) {
                markdown.push_str(core);
            } else {
                push_code(&mut markdown, core);
            }
            markdown.push_str(after);
        }
    }
    markdown
}

/// Adds a code span, apart from one that is there: together they would be another.
fn push_code(markdown: &mut String, text: &str) {
    if markdown.ends_with('`') && !text.is_empty() {
        markdown.push(' ');
    }
    markdown.push_str(&code(text));
}

/// Whether a word is nothing but letters, or a number.
fn is_plain(word: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.chars().all(char::is_alphabetic);
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let core = match word.split_once('-') {
        // `4-bit`; a word before a number could be a reference to an issue.
        Some((number, rest)) if is_number(number) => rest,
        _ => word,
    };
    word.is_empty() || core.split(['-', '\'']).all(is_word) || word.split(['.', ',']).all(is_number)
}

/// A code span: its fence is longer than any run of backticks in it, and its spaces stay.
fn code(text: &str) -> String {
    let text = for_terminal(text, NAME_MAX.max(MESSAGE_MAX));
    if text.is_empty() {
        return String::new();
    }
    let fence = "`".repeat(longest_run(&text) + 1);
    let touches = |c: Option<char>| matches!(c, Some('`' | ' '));
    let needs_room = touches(text.chars().next()) || touches(text.chars().next_back());
    let is_blank = text.chars().all(|c| c == ' ');
    let room = if needs_room && !is_blank { " " } else { "" };
    format!("{fence}{room}{text}{room}{fence}")
}

/// A code span for the cell of a table, where `|` ends even that, and a `\` before it may be one of two.
fn code_in_cell(text: &str) -> String {
    code(&text.replace('|', "\\u{7c}"))
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_stay_and_the_rest_is_code() {
        for (text, markdown) in [
            (
                "the model has 116,829,156,672 parameters, the limit is 4.55",
                "the model has 116,829,156,672 parameters, the limit is 4.55",
            ),
            (
                "`rope_scaling` of type `a|b`",
                "`rope_scaling` of type `a|b`",
            ),
            (
                "ask @root about #12, GH-12 or !3",
                "ask `@root` about `#12`, `GH-12` or `!3`",
            ),
            (
                "<b>x</b> [a](b) *a* _a_ ~a :a: 1. # -",
                "`<b>x</b>` `[a](b`) `*a*` `_a_` `~a` `:a`: `1.` `#` `-`",
            ),
            (
                "see www.evil.com (it's 4-bit)",
                "see `www.evil.com` (it's 4-bit)",
            ),
            ("a `b", "a `b`"),
            ("a `` b", "a  b"),
            ("(`a`), `b`/`c`", "(`a`), `b` `/` `c`"),
        ] {
            assert_eq!(inline(text), markdown, "{text}");
        }
    }

    #[test]
    fn a_code_span_holds_anything() {
        assert_eq!(code("a`b``c"), "```a`b``c```");
        assert_eq!(code("`a"), "`` `a ``");
        assert_eq!(code(" a"), "`  a `");
        assert_eq!(code(""), "");
        assert_eq!(code_in_cell("a\\|b"), "`a\\\\u{7c}b`");
    }

    /// What a reader of Markdown sees: its text, and whether it is anything but text and code.
    fn read(markdown: &str) -> (String, bool) {
        use pulldown_cmark::{Event, Options, Parser, Tag};
        let mut text = String::new();
        let mut is_only_text = true;
        let options = Options::all().difference(Options::ENABLE_SMART_PUNCTUATION);
        for event in Parser::new_ext(markdown, options) {
            match event {
                Event::Text(piece) | Event::Code(piece) => text.push_str(&piece),
                Event::Start(Tag::Paragraph) | Event::End(_) => {}
                _ => is_only_text = false,
            }
        }
        (text, is_only_text)
    }

    fn without_marks(text: &str) -> String {
        text.chars().filter(|c| !matches!(c, '`' | ' ')).collect()
    }

    proptest::proptest! {
        /// Whatever is written is read as the same text, and as nothing but text.
        #[test]
        fn text_stays_text(text in r"[-a-c1 `<>&@#!\[\]()*_~:|\\/.\n\x1b]{0,40}|\PC{0,40}") {
            let (seen, is_only_text) = read(&format!("x {}", inline(&text)));
            proptest::prop_assert!(is_only_text, "{}", inline(&text));
            let shown = for_terminal(&text, MESSAGE_MAX);
            proptest::prop_assert_eq!(without_marks(&seen), format!("x{}", without_marks(&shown)));
        }

        #[test]
        fn a_name_stays_in_its_cell(name in r"[-a-c `<>&@\\|]{1,30}|\PC{1,30}") {
            use pulldown_cmark::{Event, Options, Parser, TagEnd};
            let table = format!("| a | b |\n| --- | --- |\n| {} | end |\n", code_in_cell(&name));
            let mut cells = vec![String::new()];
            for event in Parser::new_ext(&table, Options::ENABLE_TABLES) {
                match event {
                    Event::Text(text) | Event::Code(text) => cells.last_mut().unwrap().push_str(&text),
                    Event::End(TagEnd::TableCell) => cells.push(String::new()),
                    Event::Start(_) | Event::End(_) => {}
                    other => proptest::prop_assert!(false, "{other:?} of {table}"),
                }
            }
            let shown = for_terminal(&name.replace('|', "\\u{7c}"), NAME_MAX);
            proptest::prop_assert_eq!(cells, ["a", "b", shown.as_str(), "end", ""]);
        }
    }
}
