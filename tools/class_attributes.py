"""Class attributes of model classes, read from the modelling files of an installed transformers.

A model class cannot be imported without torch, so attributes are looked up in the syntax trees: in
the class itself, then in its bases from left to right, following `from ..x import Y` between files.
(Python's real order differs only for diamonds, of which these classes have none that matter.)
"""
import ast
from functools import cache
from pathlib import Path

ROOT = Path()  # the installed package `transformers`; set by `use`


def use(package):
    """Reads from this folder, the package `transformers`, from now on."""
    global ROOT
    ROOT = Path(package)


def attribute(path, class_name, name):
    """The literal value of `class_name.name`, or None where neither it nor a base has one."""
    found = _find(path, class_name)
    if found is None:
        return None
    path, node = found
    for statement in node.body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=bound)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=bound), value=value) if value is not None:
                pass
            case _:
                continue
        if bound == name:
            return ast.literal_eval(value)
    for base in node.bases:
        if isinstance(base, ast.Name):
            value = attribute(path, base.id, name)
            if value is not None:
                return value
    return None


def modelling_file(class_name):
    """The file that defines a model class."""
    return _definitions()[class_name]


@cache
def _definitions():
    where = {}
    for path in sorted(ROOT.glob("models/**/modeling_*.py")):
        if path.name.startswith(("modeling_tf_", "modeling_flax_")):
            continue
        classes, _ = _module(path)
        for name in classes:
            where.setdefault(name, path)
    return where


@cache
def _module(path):
    """The classes of a file, and for each name imported from elsewhere in the package, its file."""
    classes, imports = {}, {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            classes[node.name] = node
        elif isinstance(node, ast.ImportFrom) and node.level and node.module:
            folder = path.parents[node.level - 1]
            file = folder.joinpath(*node.module.split(".")).with_suffix(".py")
            imports.update({alias.asname or alias.name: file for alias in node.names})
    return classes, imports


def _find(path, class_name):
    """The class and the file it stands in; None for a class from outside the package."""
    classes, imports = _module(path)
    if class_name in classes:
        return path, classes[class_name]
    elsewhere = imports.get(class_name)
    if elsewhere is None or not elsewhere.is_file() or not elsewhere.is_relative_to(ROOT):
        return None
    return _find(elsewhere, class_name)
