"""Reads the literal tables of a Python module from its syntax tree; nothing is imported or run.

transformers keeps what its Auto classes know in tables such as

    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES = OrderedDict([("llama", "LlamaForCausalLM"), ...])

with a few statements that amend them (`.update({...})`, `NAME[key] = value`, a loop over another
table). `tables(source)` evaluates just those forms. An `is_*_available()` test counts as true: what
matters is what the release knows, not what one machine has installed. A name that is bound nowhere
stands for itself, since some tables map to imported classes.
"""
import ast
import re


class NotUnderstood(Exception):
    """A form that this reader does not know stands in a statement about a table."""


# A statement that binds or amends one of these must be understood; all others may be skipped.
WANTED = re.compile(r"^(MODEL_\w*_NAMES|CONFIG_MAPPING_NAMES|TOKENIZER_MAPPING_NAMES|AUTO_QUANTIZ\w+)$")


def tables(source, bound=None):
    """Names bound at the top level of `source`, on top of those in `bound`."""
    reader = _Reader(bound or {})
    reader.run(ast.parse(source).body)
    return reader.names


class _Reader:
    def __init__(self, bound):
        self.names = dict(bound)

    def run(self, statements):
        for statement in statements:
            try:
                self.statement(statement)
            except (NotUnderstood, TypeError, ValueError, KeyError, AttributeError) as why:
                name = _amended(statement)
                if name and WANTED.match(name):
                    raise NotUnderstood(f"{name}, line {statement.lineno}: {why!r}") from why

    def statement(self, node):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            if isinstance(target, ast.Name):
                self.names[target.id] = self.value(node.value)
            elif isinstance(target, ast.Subscript):
                self.value(target.value)[self.value(target.slice)] = self.value(node.value)
        elif isinstance(node, ast.Expr) and _amended(node):
            for argument in node.value.args:
                self.value(node.value.func.value).update(self.value(argument))
        elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
            for item in self.value(node.iter):
                self.names[node.target.id] = item
                self.run(node.body)
        elif isinstance(node, ast.If):
            self.run(node.body if self.holds(node.test) else node.orelse)
        elif isinstance(node, ast.Try):
            self.run(node.body)

    def value(self, node):
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self.names.get(node.id, node.id)
            case ast.Attribute():
                return node.attr
            case ast.Tuple() | ast.List() | ast.Set():
                return [item for part in node.elts for item in self.items(part)]
            case ast.Dict():
                table = {}
                for key, value in zip(node.keys, node.values):
                    table.update(self.value(value) if key is None else {self.value(key): self.value(value)})
                return table
            case ast.IfExp():
                return self.value(node.body if self.holds(node.test) else node.orelse)
            case ast.BinOp(op=ast.Add()):
                return self.value(node.left) + self.value(node.right)
            case ast.Call():
                return self.call(node)
        raise NotUnderstood(ast.unparse(node)[:80])

    def items(self, part):
        return self.value(part.value) if isinstance(part, ast.Starred) else [self.value(part)]

    def call(self, node):
        function = node.func.value if isinstance(node.func, ast.Subscript) else node.func
        match function:
            case ast.Name(id="OrderedDict" | "dict"):
                table = {}
                for argument in node.args:  # of a key that stands twice the later value wins
                    table.update(self.value(argument))
                for keyword in node.keywords:
                    value = self.value(keyword.value)
                    table.update(value if keyword.arg is None else {keyword.arg: value})
                return table
            case ast.Name(id="list" | "tuple" | "set" | "sorted") if len(node.args) == 1:
                return list(self.value(node.args[0]))
            case ast.Attribute(attr="items" | "keys" | "values") if not node.args:
                return list(getattr(self.value(function.value), function.attr)())
        raise NotUnderstood(ast.unparse(node)[:80])

    def holds(self, test):
        match test:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if re.fullmatch(r"is_\w+_available", name):
                return True
            case ast.Name(id="TYPE_CHECKING"):
                return False
            case ast.UnaryOp(op=ast.Not()):
                return not self.holds(test.operand)
            case ast.BoolOp():
                return (all if isinstance(test.op, ast.And) else any)(self.holds(part) for part in test.values)
            case ast.Compare(ops=[ast.In() | ast.NotIn()]):
                found = self.value(test.left) in self.value(test.comparators[0])
                return found == isinstance(test.ops[0], ast.In)
        raise NotUnderstood(ast.unparse(test)[:80])


def _amended(node):
    """The table that a statement binds or changes, if it is one of the forms above."""
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
        case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
            return name
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="update"))):
            return name
        case ast.For() | ast.If() | ast.Try():
            return next(filter(None, map(_amended, node.body)), None)
    return None
