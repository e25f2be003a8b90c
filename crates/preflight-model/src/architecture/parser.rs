//! Reads expressions from the front of a line of `data/architectures.txt`.

use super::expression::{Expression, Operator};

/// Operators by how tightly they bind, the loosest first. Longer spellings stand before their
/// beginnings.
const LEVELS: [&[(&str, Operator)]; 6] = [
    &[("or", Operator::Or)],
    &[("and", Operator::And)],
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<=", Operator::LessEqual),
        (">=", Operator::GreaterEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
        ("in", Operator::In),
    ],
    &[("??", Operator::Else)],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[
        ("*", Operator::Times),
        ("/", Operator::Divide),
        ("%", Operator::Remainder),
    ],
];
/// The level of comparisons: `not` binds just looser.
const COMPARISONS: usize = 2;

/// Parses expressions from the front of a line.
pub(super) struct Parser {
    rest: &'static str,
}

impl Parser {
    pub(super) fn new(text: &'static str) -> Self {
        Self {
            rest: text.trim_start(),
        }
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'static str {
        self.rest
    }

    pub(super) fn expression(&mut self) -> Result<Expression, String> {
        self.level(0)
    }

    /// Takes `word` where it is next, not as the beginning of a longer word.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let Some(after) = self.rest.strip_prefix(word) else {
            return false;
        };
        if word.ends_with(is_word) && after.starts_with(is_word) {
            return false;
        }
        self.rest = after.trim_start();
        true
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.take(word) {
            return Ok(());
        }
        Err(format!("`{word}` expected at `{}`", self.rest))
    }

    /// Everything up to the next white space.
    pub(super) fn word(&mut self) -> &'static str {
        let end = self
            .rest
            .find(char::is_whitespace)
            .unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        self.rest = after.trim_start();
        word
    }

    fn level(&mut self, level: usize) -> Result<Expression, String> {
        let Some(operators) = LEVELS.get(level) else {
            return self.operand();
        };
        if level == COMPARISONS && self.take("not") {
            return Ok(Expression::Not(Box::new(self.level(level)?)));
        }
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(word, _)| self.take(word)) {
            let right = self.level(level + 1)?;
            left = Expression::Binary(Box::new(left), *operator, Box::new(right));
        }
        Ok(left)
    }

    fn operand(&mut self) -> Result<Expression, String> {
        let mut operand = self.primary()?;
        while self.take("[") {
            let index = self.expression()?;
            self.expect("]")?;
            operand = Expression::Index(Box::new(operand), Box::new(index));
        }
        Ok(operand)
    }

    fn primary(&mut self) -> Result<Expression, String> {
        if self.take("(") {
            let inner = self.expression()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if let Some(after) = self.rest.strip_prefix('"') {
            let (text, after) = after.split_once('"').ok_or("text without an end")?;
            self.rest = after.trim_start();
            return Ok(Expression::Text(text));
        }
        if self.take("[") {
            self.expect("]")?;
            return Ok(Expression::NoList);
        }
        let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
        let (word, after) = self.rest.split_at(end);
        self.rest = after.trim_start();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word
                .parse()
                .map(Expression::Int)
                .map_err(|_| format!("`{word}` is no number"));
        }
        Ok(match word {
            "" => return Err(format!("a value expected at `{}`", self.rest)),
            "true" => Expression::Bool(true),
            "false" => Expression::Bool(false),
            "null" => Expression::Null,
            "length" => {
                self.expect("(")?;
                let list = self.expression()?;
                self.expect(")")?;
                Expression::Length(Box::new(list))
            }
            name => Expression::Name(name),
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '.'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_text_is_refused() {
        for text in [
            "",
            "1 +",
            "(1",
            "\"open",
            "99999999999999999999",
            "a[1",
            "length 3",
            "[1]",
        ] {
            assert!(Parser::new(text).expression().is_err(), "{text}");
        }
        let mut parser = Parser::new("format if x");
        assert_eq!(parser.expression(), Ok(Expression::Name("format")));
        assert_eq!(parser.rest(), "if x");
    }
}
