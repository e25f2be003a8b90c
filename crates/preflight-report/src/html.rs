//! One page for people: the verdict, why, the facts, and how the model fills the memory of each hardware
//! option as a picture. It is a single file without scripts that asks nothing of any server, for a phone, a
//! dark screen or a screen reader. All text enters by `Markup`, which escapes it; the page's policy
//! forbids whatever would come in all the same.

mod facts;
mod fit;

use std::io::{self, Write};

use preflight_rules::report::{
    Finding, Level, ModelReport, Outcome, Report, RuleRow, Target, Verdict,
};

use crate::escape::for_terminal;
use crate::markup::Markup;
use crate::told::Names;
use crate::{base_models, table, told, words};

/// Most characters of a message that may quote a repository.
const MESSAGE_MAX: usize = 500;
/// Most characters of a remedy or a command.
const COMMAND_MAX: usize = 4_000;
/// Most characters of a name.
const NAME_MAX: usize = 140;

/// Where the pages of the rules are read.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/rules/");

/// Nothing is loaded, sent or run; the style is the page's own.
const HEAD: &str = r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>"#;

/// Writes the report as one page.
pub fn write(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut page = Markup::default();
    page.raw(HEAD)
        .text(title(report))
        .raw("</title>\n<style>\n");
    page.raw(include_str!("html/style.css"))
        .raw("</style>\n</head>\n<body>\n");
    page.raw("<header>\n<h1>BYOM pre-flight</h1>\n");
    if report.models.len() != 1 {
        page.raw("<p>");
        inline(&mut page, &report.message, MESSAGE_MAX);
        page.raw("</p>\n");
    }
    page.raw("</header>\n<main>\n");
    let names = Names::new(report);
    if report.models.len() > 1 {
        write_overview(&mut page, report, &names);
    }
    for (at, model) in report.models.iter().enumerate() {
        write_model(&mut page, at + 1, names.of(model), model);
    }
    page.raw("</main>\n");
    write_footer(&mut page, report);
    page.raw("</body>\n</html>\n");
    out.write_all(page.finish().as_bytes())
}

fn title(report: &Report) -> String {
    let verdicts = report.models.iter().flat_map(|model| &model.verdicts);
    let worst = verdicts.map(|(_, verdict)| *verdict).max();
    let worst = worst.map_or("nothing checked", table::word);
    match report.models.as_slice() {
        [model] => format!("{worst}: {}", for_terminal(told::name(model), NAME_MAX)),
        models => format!("{worst}: {} models", models.len()),
    }
}

/// The class that gives a verdict its colour.
fn class(verdict: Verdict) -> &'static str {
    verdict.as_str()
}

/// All models, each with a link to its part.
fn write_overview(page: &mut Markup, report: &Report, names: &Names<'_>) {
    page.raw(
        "<nav aria-label=\"Models\">\n<table>\n<caption>Every model and its verdicts</caption>\n",
    );
    page.raw("<thead><tr><th scope=\"col\">Model</th>");
    let targets = report.models.iter().flat_map(|model| &model.verdicts);
    let mut targets: Vec<_> = targets.map(|(target, _)| *target).collect();
    targets.sort_unstable();
    targets.dedup();
    for target in &targets {
        page.raw("<th scope=\"col\">")
            .raw(target.as_str())
            .raw("</th>");
    }
    page.raw("</tr></thead>\n<tbody>\n");
    for (at, model) in report.models.iter().enumerate() {
        page.raw("<tr><th scope=\"row\"><a href=\"#model-")
            .text(at + 1)
            .raw("\">");
        page.text(for_terminal(names.of(model), NAME_MAX))
            .raw("</a></th>");
        for wanted in &targets {
            let verdict = model.verdicts.iter().find(|(target, _)| target == wanted);
            match verdict {
                Some((_, verdict)) => {
                    page.raw("<td class=\"")
                        .raw(class(*verdict))
                        .raw("\"><span class=\"badge\">");
                    page.raw(table::word(*verdict)).raw("</span></td>");
                }
                None => {
                    page.raw("<td>-</td>");
                }
            }
        }
        page.raw("</tr>\n");
    }
    page.raw("</tbody>\n</table>\n</nav>\n");
}

fn write_model(page: &mut Markup, at: usize, name: &str, model: &ModelReport) {
    page.raw("<article id=\"model-")
        .text(at)
        .raw("\" aria-labelledby=\"name-")
        .text(at)
        .raw("\">\n");
    page.raw("<h2 id=\"name-").text(at).raw("\">");
    page.text(for_terminal(name, NAME_MAX)).raw("</h2>\n");
    page.raw("<p class=\"quiet\">");
    if let Some(adapter) = words::adapter(&model.facts) {
        page.text(adapter).raw("<br/>");
    }
    page.text(words::size(model)).raw("</p>\n");
    write_verdicts(page, model);
    let told = told::rows(model);
    let of = |is_of: &dyn Fn(&RuleRow) -> bool| -> Vec<&RuleRow> {
        told.iter().copied().filter(|row| is_of(row)).collect()
    };
    let failed = of(&|row| row.outcome == Outcome::Fail);
    let unknown = of(&|row| row.outcome == Outcome::Unknown && row.level == Level::Error);
    let warned = of(&|row| row.outcome != Outcome::Fail && row.level == Level::Warning);
    write_rows(page, model, "Fails", &failed);
    write_rows(page, model, "Not known, so not decided", &unknown);
    write_rows(page, model, "Warnings", &warned);
    write_notes(page, model);
    write_next(page, model);
    facts::write(page, model);
    fit::write(page, &model.fit);
    write_base_models(page, model);
    write_other_policies(page, model);
    write_all_rules(page, model);
    page.raw("</article>\n");
}

fn write_verdicts(page: &mut Markup, model: &ModelReport) {
    page.raw("<ul class=\"verdicts\" aria-label=\"Verdicts\">\n");
    for (target, verdict) in &model.verdicts {
        page.raw("<li class=\"")
            .raw(class(*verdict))
            .raw("\"><span class=\"badge\">");
        page.raw(table::word(*verdict))
            .raw("</span> <strong>")
            .raw(target.as_str())
            .raw("</strong>");
        let because = told::deciding(model, *target, *verdict);
        if !because.is_empty() {
            let ids: Vec<&str> = because.iter().map(|row| row.id).collect();
            page.raw(" <span class=\"quiet\">because of ")
                .text(ids.join(", "))
                .raw("</span>");
        }
        page.raw("</li>\n");
    }
    page.raw("</ul>\n");
}

fn write_rows(page: &mut Markup, model: &ModelReport, title: &'static str, rows: &[&RuleRow]) {
    if rows.is_empty() {
        return;
    }
    page.raw("<section>\n<h3>").raw(title).raw("</h3>\n");
    for row in rows {
        page.raw("<div class=\"rule ")
            .raw(row.outcome.as_str())
            .raw("\">\n<h4>");
        let title = told::title(model, row);
        page.raw("<a href=\"")
            .raw(PAGES)
            .raw(row.id)
            .raw(".md\">")
            .raw(row.id)
            .raw("</a>");
        page.text(title.strip_prefix(row.id).unwrap_or_default())
            .raw("</h4>\n<ul>\n");
        for finding in &row.findings {
            page.raw("<li>");
            write_finding(page, finding);
            page.raw("</li>\n");
        }
        if row.findings.is_empty() {
            page.raw("<li>").text(row.summary).raw("</li>\n");
        }
        if row.more_findings > 0 {
            page.raw("<li>and ")
                .text(row.more_findings)
                .raw(" more</li>\n");
        }
        page.raw("</ul>\n");
        if !row.help.is_empty() {
            page.raw("<p class=\"fix\"><strong>Fix:</strong> ");
            inline(page, &row.help, COMMAND_MAX);
            page.raw("</p>\n");
        }
        page.raw("</div>\n");
    }
    page.raw("</section>\n");
}

fn write_notes(page: &mut Markup, model: &ModelReport) {
    let notes = told::notes(model);
    if notes.is_empty() {
        return;
    }
    page.raw("<section>\n<h3>Notes</h3>\n<ul>\n");
    for (id, note) in notes {
        page.raw("<li>").raw(id).raw(": ");
        write_finding(page, note);
        page.raw("</li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

fn write_finding(page: &mut Markup, finding: &Finding) {
    inline(page, &finding.message, MESSAGE_MAX);
    if let Some(place) = told::place(finding) {
        page.raw(" <span class=\"quiet\">at</span> <code>")
            .text(place)
            .raw("</code>");
    }
}

/// A text of which what stands in backticks is code.
fn inline(page: &mut Markup, text: &str, chars_max: usize) {
    for (at, piece) in for_terminal(text, chars_max).split('`').enumerate() {
        if at % 2 == 1 {
            page.raw("<code>").text(piece).raw("</code>");
        } else {
            page.text(piece);
        }
    }
}

fn write_next(page: &mut Markup, model: &ModelReport) {
    if model.next.is_empty() {
        return;
    }
    page.raw("<section>\n<h3>What to run</h3>\n");
    for (target, command) in &model.next {
        page.raw("<p>To ")
            .raw(target.as_str())
            .raw(" it:</p>\n<pre><code>");
        page.text(for_terminal(command, COMMAND_MAX));
        if *target == Target::Upload {
            // Then it is served.
            for line in &model.fit.endpoint_commands {
                page.raw("\n").text(for_terminal(line, COMMAND_MAX));
            }
        }
        page.raw("</code></pre>\n");
    }
    page.raw("</section>\n");
}

fn write_base_models(page: &mut Markup, model: &ModelReport) {
    if model.base_models.is_empty() {
        return;
    }
    page.raw("<section>\n<h3>Base models</h3>\n<details>\n<summary>");
    let best = table::proposals(model).count();
    page.text(best).raw(" of ").text(model.base_models.len());
    page.raw(" suit</summary>\n<table>\n<caption>Best first</caption>\n<thead><tr>");
    page.raw("<th scope=\"col\">Name</th><th scope=\"col\">Suits</th><th scope=\"col\">Why</th>");
    page.raw("</tr></thead>\n<tbody>\n");
    for base in &model.base_models {
        page.raw("<tr><th scope=\"row\">")
            .text(for_terminal(&base.name, NAME_MAX))
            .raw("</th><td>");
        page.raw(base_models::suits(base.verdict)).raw("</td><td>");
        inline(page, &base.reasons.join("; "), COMMAND_MAX);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n</details>\n</section>\n");
}

fn write_other_policies(page: &mut Markup, model: &ModelReport) {
    for other in &model.other_policies {
        let differs = table::differences(model, other);
        if !differs.is_empty() {
            page.raw("<p class=\"small quiet\">Policy ").text(&other.id);
            page.raw(" would decide differently: ")
                .text(differs.join(", "))
                .raw(".</p>\n");
        }
    }
}

/// Every row of the report, with what was only remarked.
fn write_all_rules(page: &mut Markup, model: &ModelReport) {
    page.raw("<section>\n<h3>All rules</h3>\n<details>\n<summary>How each of them ended</summary>\n<table>\n");
    page.raw("<caption>What fails first</caption>\n<thead><tr><th scope=\"col\">Rule</th>");
    page.raw("<th scope=\"col\">Outcome</th><th scope=\"col\">What was found</th></tr></thead>\n<tbody>\n");
    for row in &model.rules {
        page.raw("<tr class=\"")
            .raw(row.outcome.as_str())
            .raw("\"><th scope=\"row\">")
            .raw(row.id);
        page.raw("<br/><span class=\"small quiet\">")
            .text(told::names(&row.targets));
        page.raw(", ")
            .raw(row.level.as_str())
            .raw("</span></th><td><span class=\"badge\">");
        page.raw(row.outcome.as_str()).raw("</span></td><td>");
        if let Some(reason) = &row.ignored {
            page.raw("<p>ignored: ");
            inline(page, reason, MESSAGE_MAX);
            page.raw("</p>");
        }
        for finding in row.findings.iter().chain(&row.notes) {
            page.raw("<p>");
            write_finding(page, finding);
            page.raw("</p>");
        }
        if row.more_findings > 0 {
            page.raw("<p>and ").text(row.more_findings).raw(" more</p>");
        }
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody>\n</table>\n</details>\n</section>\n");
}

fn write_footer(page: &mut Markup, report: &Report) {
    page.raw("<footer>\n<p>byom-preflight ")
        .text(report.tool_version);
    page.raw(", policy ")
        .text(&report.policy.0)
        .raw(" as of ")
        .text(&report.policy.1);
    page.raw(", ")
        .text(words::data(&report.catalog, str::to_owned))
        .raw("</p>\n</footer>\n");
}
