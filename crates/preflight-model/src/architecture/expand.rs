//! Runs the blocks of `data/architectures.txt` over a config.

use foldhash::fast::RandomState;
use foldhash::{HashMap, HashMapExt as _};
use serde_json::Value as Json;

use super::expression::{Expression, Names, Value};
use super::syntax::{Block, Blocks, Name, Statement};
use super::{Copied, Expected, TENSORS_MAX, Tensors, Undescribed};
use crate::config::{Config, Section};
use crate::json::{Cursor, Number, Value as Node};

/// Most statements that are run and list elements that are looked at; DeepSeek-V3 takes 110 000.
const STEPS_MAX: usize = 8 * TENSORS_MAX;
/// Tensors that there is room for at once: a dense model has nine to twelve a layer.
const TENSORS_USUAL: usize = 512;
/// Room for the number of a layer or of an expert in a name.
const INDEX_DIGITS: usize = 3;
/// The attribute under which most classes hold the bare model.
const PREFIX: &str = "model";

/// The tensors of the class that `block` describes.
pub(super) fn expand(
    blocks: &'static Blocks,
    block: &'static Block,
    config: &Config,
) -> Result<Expected, Undescribed> {
    let mut expansion = Expansion {
        blocks,
        config,
        expected: Expected {
            class: block.name,
            tensors: Tensors::with_capacity_and_hasher(TENSORS_USUAL, RandomState::default()),
            copies: Vec::new(),
            prefix: block.prefix.unwrap_or(PREFIX),
            renames: &block.renames,
        },
        at: String::new(),
        steps: STEPS_MAX,
        scope: Scope::of(config.text()),
    };
    expansion.run(&block.statements)?;
    Ok(expansion.expected)
}

struct Expansion<'a> {
    blocks: &'static Blocks,
    config: &'a Config,
    expected: Expected,
    /// What the names of all tensors begin with here.
    at: String,
    steps: usize,
    scope: Scope<'a>,
}

/// One config object and the names defined on top of its settings, the later ones first.
struct Scope<'a> {
    section: Section<'a>,
    defined: Vec<(&'static str, Value<'a>)>,
    settings: HashMap<&'static str, Value<'a>>,
}

impl<'a> Scope<'a> {
    fn of(section: Section<'a>) -> Self {
        Self {
            section,
            defined: Vec::new(),
            settings: HashMap::new(),
        }
    }
}

impl<'a> Expansion<'a> {
    fn run(&mut self, statements: &'static [Statement]) -> Result<(), Undescribed> {
        let outer = self.scope.defined.len();
        for statement in statements {
            self.spend(1)?;
            self.statement(statement)?;
        }
        self.scope.defined.truncate(outer);
        Ok(())
    }

    fn statement(&mut self, statement: &'static Statement) -> Result<(), Undescribed> {
        match statement {
            Statement::Define(name, expression) => {
                let value = expression.value(self)?;
                self.scope.defined.push((name, value));
            }
            Statement::For(index, count, body) => {
                for number in 0..count.number(self)? {
                    self.spend(1)?;
                    self.scope.defined.push((index, Value::Int(number)));
                    self.run(body)?;
                    self.scope.defined.pop();
                }
            }
            Statement::If(condition, body) => {
                if condition.holds(self)? {
                    // Not `run`: what is defined under a condition holds after it.
                    for statement in body {
                        self.statement(statement)?;
                    }
                }
            }
            Statement::Use { block, at, section } => self.use_block(block, at, *section)?,
            Statement::Tensor { name, shape, tied } => self.tensor(name, shape, tied.as_ref())?,
        }
        Ok(())
    }

    fn use_block(
        &mut self,
        block: &str,
        at: &Name,
        section: Option<&'static str>,
    ) -> Result<(), Undescribed> {
        let block = self.blocks.get(block).ok_or(Undescribed::Class)?;
        let outer_length = self.at.len();
        let mut inner_at = std::mem::take(&mut self.at);
        self.append(&mut inner_at, at)?;
        self.at = inner_at;
        if let Some(key) = section {
            let section = self.config.part(key).ok_or(Undescribed::Setting(key))?;
            let outer = std::mem::replace(&mut self.scope, Scope::of(section));
            self.run(&block.statements)?;
            self.scope = outer;
        } else {
            self.run(&block.statements)?;
        }
        self.at.truncate(outer_length);
        Ok(())
    }

    fn tensor(
        &mut self,
        name: &'static Name,
        shape: &'static [Expression],
        tied: Option<&(&'static str, Expression)>,
    ) -> Result<(), Undescribed> {
        let name = self.name(name)?;
        if let Some((source, condition)) = tied
            && condition.holds(self)?
        {
            let source = format!("{}{source}", self.at);
            self.expected.copies.push(Copied { name, source });
            return Ok(());
        }
        let sizes = shape.iter().map(|size| size.number(self));
        let sizes = sizes.collect::<Result<_, _>>()?;
        self.expected.tensors.insert(name, sizes);
        if self.expected.tensors.len() > TENSORS_MAX {
            return Err(Undescribed::TooMany);
        }
        Ok(())
    }

    /// The name with its indexes, after everything that is prefixed here.
    fn name(&mut self, name: &Name) -> Result<String, Undescribed> {
        let length = name
            .pieces
            .iter()
            .map(|(fixed, _)| fixed.len() + INDEX_DIGITS);
        let mut text = String::with_capacity(self.at.len() + length.sum::<usize>());
        text.push_str(&self.at);
        self.append(&mut text, name)?;
        Ok(text)
    }

    /// Adds a name to what stands before it.
    fn append(&mut self, text: &mut String, name: &Name) -> Result<(), Undescribed> {
        for (fixed, index) in &name.pieces {
            text.push_str(fixed);
            if let Some(index) = index {
                let number = Expression::Name(index).number(self)?;
                text.push_str(itoa::Buffer::new().format(number));
            }
        }
        Ok(())
    }

    /// A setting of the config object at hand, or of another one: `vision_config.hidden_size`.
    fn setting(&mut self, name: &'static str) -> Result<Value<'a>, Undescribed> {
        match name.split_once('.') {
            None => setting(&self.scope.section, name, &mut self.steps),
            Some(("whole", key)) => setting(&self.config.whole(), key, &mut self.steps),
            Some((part, key)) => match self.config.part(part) {
                Some(section) => setting(&section, key, &mut self.steps),
                None => Ok(Value::Absent),
            },
        }
    }
}

impl<'a> Names<'a> for Expansion<'a> {
    fn value(&mut self, name: &'static str) -> Result<Value<'a>, Undescribed> {
        if let Some((_, value)) = self
            .scope
            .defined
            .iter()
            .rev()
            .find(|(defined, _)| *defined == name)
        {
            return Ok(value.clone());
        }
        if let Some(value) = self.scope.settings.get(name) {
            return Ok(value.clone());
        }
        let value = self.setting(name)?;
        self.scope.settings.insert(name, value.clone());
        Ok(value)
    }

    fn spend(&mut self, steps: usize) -> Result<(), Undescribed> {
        spend(&mut self.steps, steps)
    }
}

fn spend(left: &mut usize, steps: usize) -> Result<(), Undescribed> {
    *left = left.checked_sub(steps).ok_or(Undescribed::TooMany)?;
    Ok(())
}

fn setting<'a>(
    section: &Section<'a>,
    key: &str,
    steps: &mut usize,
) -> Result<Value<'a>, Undescribed> {
    if let Some(given) = section.given(key) {
        return of_cursor(&given, steps);
    }
    let Some(class) = section.class() else {
        return Ok(Value::Absent);
    };
    let name = class.attribute_map.get(key).map_or(key, String::as_str);
    if class.derived.iter().any(|derived| derived == name) {
        return Ok(Value::Absent);
    }
    Ok(class.defaults.get(name).map_or(Value::Absent, of_default))
}

fn of_cursor<'a>(given: &Cursor<'a>, steps: &mut usize) -> Result<Value<'a>, Undescribed> {
    spend(steps, 1)?;
    Ok(match given.value() {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(*value),
        Node::String(text) => Value::Text(text),
        Node::Number(Number::Int(_) | Number::Float(_)) => {
            given.as_u64().map_or(Value::Other, Value::Int)
        }
        Node::Number(Number::BigInt(_)) | Node::Object(_) => Value::Other,
        Node::Array(_) => Value::List(
            given
                .elements()
                .map(|element| of_cursor(&element, steps))
                .collect::<Result<_, _>>()?,
        ),
    })
}

fn of_default(value: &'static Json) -> Value<'static> {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_u64().map_or(Value::Other, Value::Int),
        Json::String(text) => Value::Text(text),
        Json::Array(list) => Value::List(list.iter().map(of_default).collect()),
        Json::Object(_) => Value::Other,
    }
}
