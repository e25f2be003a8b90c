//! Reads `data/architectures.txt`. The language is described at the top of that file.

use foldhash::fast::RandomState;
use indexmap::IndexMap;

use super::expression::Expression;
use super::parser::Parser;

/// A named group of statements: a class of transformers (`LlamaForCausalLM`) or a part of one
/// (`gated_mlp`).
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) name: &'static str,
    /// Attribute under which classes with a head hold the bare model.
    pub(super) prefix: Option<&'static str>,
    /// Old beginnings of tensor names and what they became.
    pub(super) renames: Vec<(&'static str, &'static str)>,
    pub(super) statements: Vec<Statement>,
}

#[derive(Debug)]
pub(super) enum Statement {
    /// `name = expression`
    Define(&'static str, Expression),
    /// `for index in count:`
    For(&'static str, Expression, Vec<Statement>),
    /// `if condition:`, also at the end of a tensor or `use`
    If(Expression, Vec<Statement>),
    /// `use block [at prefix] [of section]`
    Use {
        block: &'static str,
        at: Name,
        section: Option<&'static str>,
    },
    /// `name [shape]`, with `tied to other when condition`
    Tensor {
        name: Name,
        shape: Vec<Expression>,
        tied: Option<(&'static str, Expression)>,
    },
}

/// A name with the values of indexes in it: fixed text, index, fixed text, …
#[derive(Debug)]
pub(super) struct Name {
    pub(super) pieces: Vec<(&'static str, Option<&'static str>)>,
}

/// Blocks by name, in the order of the file: the first mistake is always the same one.
pub(super) type Blocks = IndexMap<&'static str, Block, RandomState>;

struct Line {
    indent: usize,
    number: usize,
    text: &'static str,
}

/// Parses the whole file; an error says in which line.
pub(super) fn parse(text: &'static str) -> Result<Blocks, String> {
    let lines: Vec<Line> = text.lines().enumerate().filter_map(line).collect();
    let mut blocks = Blocks::default();
    let mut rest = lines.as_slice();
    while let Some((head, after)) = rest.split_first() {
        let at = |message: String| format!("line {}: {message}", head.number);
        let names = head
            .text
            .strip_suffix(':')
            .ok_or_else(|| at("a block starts with `name:`".into()))?;
        let end = after
            .iter()
            .position(|line| line.indent == 0)
            .unwrap_or(after.len());
        let (body, next) = after.split_at(end);
        for name in names.split_whitespace() {
            let mut block = Block {
                name,
                ..Block::default()
            };
            let mut lines = body;
            block.statements = statements(&mut lines, 1, &mut block.prefix, &mut block.renames)?;
            if blocks.insert(name, block).is_some() {
                return Err(at(format!("`{name}` is there twice")));
            }
        }
        rest = next;
    }
    for block in blocks.values() {
        if let Some(missing) = unknown_part(&block.statements, &blocks) {
            return Err(format!(
                "`{}` uses `{missing}`, which is not there",
                block.name
            ));
        }
    }
    Ok(blocks)
}

fn unknown_part(statements: &[Statement], blocks: &Blocks) -> Option<&'static str> {
    statements.iter().find_map(|statement| match statement {
        Statement::For(_, _, body) | Statement::If(_, body) => unknown_part(body, blocks),
        Statement::Use { block, .. } => (!blocks.contains_key(block)).then_some(*block),
        Statement::Define(..) | Statement::Tensor { .. } => None,
    })
}

fn line((index, text): (usize, &'static str)) -> Option<Line> {
    let text = text
        .split_once('#')
        .map_or(text, |(before, _)| before)
        .trim_end();
    let trimmed = text.trim_start();
    let indent = (text.len() - trimmed.len()) / 4;
    (!trimmed.is_empty()).then_some(Line {
        indent,
        number: index + 1,
        text: trimmed,
    })
}

fn statements(
    lines: &mut &[Line],
    indent: usize,
    prefix: &mut Option<&'static str>,
    renames: &mut Vec<(&'static str, &'static str)>,
) -> Result<Vec<Statement>, String> {
    let mut found = Vec::new();
    while let Some((line, after)) = lines
        .split_first()
        .filter(|(line, _)| line.indent >= indent)
    {
        let at = |message: String| format!("line {}: {message}", line.number);
        if line.indent > indent {
            return Err(at("indented too far".into()));
        }
        *lines = after;
        let mut parser = Parser::new(line.text);
        if parser.take("prefix") {
            *prefix = Some(parser.word());
        } else if parser.take("rename") {
            let old = parser.word();
            parser.expect("->").map_err(at)?;
            renames.push((old, parser.word()));
        } else if let Some(head) = line.text.strip_suffix(':') {
            let body = statements(lines, indent + 1, prefix, renames)?;
            found.push(nested(head, body).map_err(at)?);
            continue;
        } else {
            found.push(simple(&mut parser).map_err(at)?);
        }
        if !parser.rest().is_empty() {
            return Err(at(format!("`{}` is left over", parser.rest())));
        }
    }
    Ok(found)
}

fn nested(head: &'static str, body: Vec<Statement>) -> Result<Statement, String> {
    let mut parser = Parser::new(head);
    let statement = if parser.take("for") {
        let index = parser.word();
        parser.expect("in")?;
        Statement::For(index, parser.expression()?, body)
    } else {
        parser.expect("if")?;
        Statement::If(parser.expression()?, body)
    };
    match parser.rest() {
        "" => Ok(statement),
        rest => Err(format!("`{rest}` is left over")),
    }
}

fn simple(parser: &mut Parser) -> Result<Statement, String> {
    let statement = if parser.take("use") {
        let block = parser.word();
        let at = if parser.take("at") { parser.word() } else { "" };
        let section = parser.take("of").then(|| parser.word());
        Statement::Use {
            block,
            at: Name::parse(at)?,
            section,
        }
    } else {
        let word = parser.word();
        if parser.take("=") {
            return Ok(Statement::Define(word, parser.expression()?));
        }
        let (name, shape) = (Name::parse(word)?, shape(parser)?);
        let mut tied = None;
        if parser.take("tied to") {
            let source = parser.word();
            parser.expect("when")?;
            tied = Some((source, parser.expression()?));
        }
        Statement::Tensor { name, shape, tied }
    };
    if parser.take("if") {
        return Ok(Statement::If(parser.expression()?, vec![statement]));
    }
    Ok(statement)
}

fn shape(parser: &mut Parser) -> Result<Vec<Expression>, String> {
    parser.expect("[")?;
    let mut shape = Vec::new();
    while !parser.take("]") {
        if !shape.is_empty() {
            parser.expect(",")?;
        }
        shape.push(parser.expression()?);
    }
    Ok(shape)
}

impl Name {
    fn parse(text: &'static str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (index, after) = after.split_once('}').ok_or("`{` without `}`")?;
            pieces.push((before, Some(index)));
            rest = after;
        }
        pieces.push((rest, None));
        Ok(Self { pieces })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_with_every_statement() {
        let blocks = parse(
            "# about\n\
             One Two:  # both\n    \
                 prefix transformer\n    \
                 rename old. -> new.\n    \
                 size = a * 2\n    \
                 for layer in 3:\n        \
                     if layer > 1:\n            \
                         h.{layer}.w [size, 4]\n        \
                     use Part at h.{layer}. of vision_config if on\n    \
                 head [1] tied to h.0.w when tie\n\
             Part:\n    b [] if on\n",
        )
        .unwrap();
        let two = &blocks["Two"];
        assert_eq!((two.name, two.prefix), ("Two", Some("transformer")));
        assert_eq!(two.renames, [("old.", "new.")]);
        let [
            Statement::Define("size", _),
            Statement::For("layer", _, body),
            Statement::Tensor { tied, .. },
        ] = two.statements.as_slice()
        else {
            panic!("{:?}", two.statements);
        };
        assert!(matches!(tied, Some(("h.0.w", _))));
        let [Statement::If(_, inner), Statement::If(_, used)] = body.as_slice() else {
            panic!("{body:?}");
        };
        assert!(matches!(inner.as_slice(), [Statement::Tensor { .. }]));
        assert!(matches!(
            used.as_slice(),
            [Statement::Use {
                block: "Part",
                section: Some("vision_config"),
                ..
            }]
        ));
        assert!(matches!(
            blocks["Part"].statements.as_slice(),
            [Statement::If(..)]
        ));
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, message) in [
            ("One:\n    a [1] b\n", "line 2: `b` is left over"),
            ("One:\n    a\n", "line 2: `[` expected at ``"),
            ("One:\n    a{b [1]\n", "line 2: `{` without `}`"),
            ("One:\n        a [1]\n", "line 2: indented too far"),
            (
                "One:\n    if a:\n        use Two\n",
                "`One` uses `Two`, which is not there",
            ),
            ("One\n", "line 1: a block starts with `name:`"),
            ("One:\n    a [1]\nOne:\n", "line 3: `One` is there twice"),
            (
                "One:\n    while a:\n        b [1]\n",
                "line 2: `if` expected at `while a`",
            ),
            ("One:\n    rename a b\n", "line 2: `->` expected at `b`"),
            (
                "One:\n    a [1] tied to b\n",
                "line 2: `when` expected at ``",
            ),
        ] {
            assert_eq!(parse(text).unwrap_err(), message);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_blocks_or_an_error(
            text in "[ -~\n]{0,60}",
            lines in "(([ ]{4}){1,3}(for|if|else|use|prefix|rename|[a-z]{1,3}) ?[a-z0-9=<>+*/%(\\[\\]),.:?{} -]{0,16}\n){0,4}",
        ) {
            // The texts of the program live as long as it does.
            for text in [text.clone(), format!("One:\n{lines}")] {
                if let Err(error) = parse(text.leak()) {
                    proptest::prop_assert!(!error.is_empty());
                }
            }
        }
    }
}
