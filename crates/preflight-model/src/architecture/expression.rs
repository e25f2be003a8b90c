//! The expressions of `data/architectures.txt`: whole numbers, switches and words of a config.
//!
//! From loose to tight: `or`, `and`, `not`, comparisons and `in`, `??`, `+ -`, `* / %`, indexing.

use std::rc::Rc;

use super::Undescribed;

/// What an expression or a setting can be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// Not in the config, and the class has no fixed default.
    Absent,
    Null,
    Bool(bool),
    Int(u64),
    Text(&'a str),
    List(Rc<[Value<'a>]>),
    /// A fraction, a negative number, an object: nothing a tensor's size is computed from.
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    Else,
    Plus,
    Minus,
    Times,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Null,
    Bool(bool),
    Int(u64),
    Text(&'static str),
    /// `[]`
    NoList,
    Name(&'static str),
    /// Number of elements of a list; a single value counts as one.
    Length(Box<Expression>),
    Not(Box<Expression>),
    /// Element of a list; a list's end is an error.
    Index(Box<Expression>, Box<Expression>),
    Binary(Box<Expression>, Operator, Box<Expression>),
}

/// What an expression without a name is called; `data/architectures.txt` has none that can fail.
const COMPUTED: &str = "a computed size";
/// Where the names of an expression get their values.
pub(super) trait Names<'a> {
    fn value(&mut self, name: &'static str) -> Result<Value<'a>, Undescribed>;
    /// Accounts for `steps` of work; an error once a hostile config asks for too much.
    fn spend(&mut self, steps: usize) -> Result<(), Undescribed>;
}

impl Expression {
    /// The value; [`Undescribed::Setting`] where a value that is needed is not there or of the wrong kind.
    pub(super) fn value<'a>(&self, names: &mut impl Names<'a>) -> Result<Value<'a>, Undescribed> {
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Text(text) => Value::Text(text),
            Self::Name(name) => names.value(name)?,
            Self::Not(inner) => Value::Bool(!inner.holds(names)?),
            Self::NoList => Value::List([].into()),
            Self::Length(inner) => Value::Int(match inner.value(names)? {
                Value::List(list) => list.len() as u64,
                Value::Absent | Value::Null => return Err(inner.unusable()),
                _ => 1,
            }),
            Self::Index(list, index) => {
                let elements = list.list(names)?;
                let index = index.number(names)?;
                let element = usize::try_from(index)
                    .ok()
                    .and_then(|index| elements.get(index));
                element.cloned().ok_or_else(|| list.unusable())?
            }
            Self::Binary(left, operator, right) => binary(left, *operator, right, names)?,
        })
    }

    /// A whole number.
    pub(super) fn number<'a>(&self, names: &mut impl Names<'a>) -> Result<u64, Undescribed> {
        match self.value(names)? {
            Value::Int(value) => Ok(value),
            _ => Err(self.unusable()),
        }
    }

    /// Whether Python would take the value for true.
    pub(super) fn holds<'a>(&self, names: &mut impl Names<'a>) -> Result<bool, Undescribed> {
        match self.value(names)? {
            Value::Absent | Value::Other => Err(self.unusable()),
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(value),
            Value::Int(value) => Ok(value != 0),
            Value::Text(text) => Ok(!text.is_empty()),
            Value::List(list) => Ok(!list.is_empty()),
        }
    }

    fn list<'a>(&self, names: &mut impl Names<'a>) -> Result<Rc<[Value<'a>]>, Undescribed> {
        match self.value(names)? {
            Value::List(list) => Ok(list),
            _ => Err(self.unusable()),
        }
    }

    fn unusable(&self) -> Undescribed {
        Undescribed::Setting(self.setting().unwrap_or(COMPUTED))
    }

    /// The first name in it, which is what to tell a user to look at.
    fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Not(inner) | Self::Length(inner) => inner.setting(),
            Self::Index(left, right) | Self::Binary(left, _, right) => {
                left.setting().or_else(|| right.setting())
            }
            Self::Null | Self::Bool(_) | Self::Int(_) | Self::Text(_) | Self::NoList => None,
        }
    }
}

fn binary<'a>(
    left: &Expression,
    operator: Operator,
    right: &Expression,
    names: &mut impl Names<'a>,
) -> Result<Value<'a>, Undescribed> {
    let value = match operator {
        Operator::Or => left.holds(names)? || right.holds(names)?,
        Operator::And => left.holds(names)? && right.holds(names)?,
        Operator::Else => {
            return match left.value(names)? {
                Value::Absent | Value::Null => right.value(names),
                value => Ok(value),
            };
        }
        Operator::Equal => equal(left, right, names)?,
        Operator::Unequal => !equal(left, right, names)?,
        Operator::In => {
            let wanted = left.value(names)?;
            let list = right.list(names)?;
            names.spend(list.len())?;
            list.contains(&wanted)
        }
        Operator::Less => left.number(names)? < right.number(names)?,
        Operator::LessEqual => left.number(names)? <= right.number(names)?,
        Operator::Greater => left.number(names)? > right.number(names)?,
        Operator::GreaterEqual => left.number(names)? >= right.number(names)?,
        _ => {
            let (a, b) = (left.number(names)?, right.number(names)?);
            let result = match operator {
                Operator::Plus => a.checked_add(b),
                Operator::Minus => a.checked_sub(b),
                Operator::Times => a.checked_mul(b),
                Operator::Divide => a.checked_div(b),
                _ => a.checked_rem(b),
            };
            let setting = left.setting().or_else(|| right.setting());
            return result
                .map(Value::Int)
                .ok_or(Undescribed::Setting(setting.unwrap_or(COMPUTED)));
        }
    };
    Ok(Value::Bool(value))
}

fn equal<'a>(
    left: &Expression,
    right: &Expression,
    names: &mut impl Names<'a>,
) -> Result<bool, Undescribed> {
    let (a, b) = (left.value(names)?, right.value(names)?);
    if matches!(a, Value::Absent | Value::Other) {
        return Err(left.unusable());
    }
    if matches!(b, Value::Absent | Value::Other) {
        return Err(right.unusable());
    }
    Ok(a == b)
}

#[cfg(test)]
mod tests {
    use super::super::parser::Parser;
    use super::*;

    struct Fixed;

    impl Names<'static> for Fixed {
        fn value(&mut self, name: &'static str) -> Result<Value<'static>, Undescribed> {
            Ok(match name {
                "hidden" => Value::Int(64),
                "heads" => Value::Int(4),
                "on" => Value::Bool(true),
                "nothing" => Value::Null,
                "kinds" => Value::List([Value::Text("full"), Value::Text("linear")].into()),
                "half" => Value::Other,
                _ => Value::Absent,
            })
        }

        fn spend(&mut self, _: usize) -> Result<(), Undescribed> {
            Ok(())
        }
    }

    fn value(text: &'static str) -> Result<Value<'static>, Undescribed> {
        let mut parser = Parser::new(text);
        let expression = parser.expression().expect(text);
        assert_eq!(parser.rest(), "", "{text}");
        expression.value(&mut Fixed)
    }

    #[test]
    fn arithmetic_binds_as_it_does_everywhere() {
        for (text, number) in [
            ("1 + 2 * 3", 7),
            ("(1 + 2) * 3", 9),
            ("20 - 5 - 5", 10),
            ("7 / 2", 3),
            ("2 * 7 % 4", 2),
            ("hidden / heads", 16),
            ("head_dim ?? hidden / heads", 16),
            ("nothing ?? absent ?? 5", 5),
            ("heads ?? 1", 4),
            ("length(kinds) + 1", 3),
            ("length(half) + length([])", 1),
        ] {
            assert_eq!(value(text), Ok(Value::Int(number)), "{text}");
        }
    }

    #[test]
    fn conditions() {
        for (text, holds) in [
            ("on and heads == 4", true),
            ("not on or nothing == null", true),
            ("not nothing", true),
            ("not heads == 4", false),
            ("kinds[1] == \"linear\"", true),
            ("\"full\" in kinds", true),
            ("heads in kinds", false),
            ("heads in (absent ?? [])", false),
            ("kinds == []", false),
            ("1 <= 1 and 2 > 1 and 1 >= 1 and 1 < 2 and 1 != 2", true),
            ("false and absent", false),
        ] {
            assert_eq!(value(text), Ok(Value::Bool(holds)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_computed_names_the_setting() {
        for (text, setting) in [
            ("absent * 2", "absent"),
            ("absent and on", "absent"),
            ("absent == null", "absent"),
            ("heads - hidden", "heads"),
            ("18446744073709551615 * heads", "heads"),
            ("heads / 0", "heads"),
            ("kinds[2]", "kinds"),
            ("heads[0]", "heads"),
            ("half + 1", "half"),
            ("length(nothing)", "nothing"),
            ("on + 1", "on"),
        ] {
            assert_eq!(value(text), Err(Undescribed::Setting(setting)), "{text}");
        }
    }
}
