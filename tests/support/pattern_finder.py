"""Every pattern of the package, and how it is used, read from its modules and their code."""

import ast
import importlib
import pkgutil
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import xnai

ROOT = Path(xnai.__file__).parents[1]
_AT_ONE_PLACE = {"match", "fullmatch"}
_OF_RE = {"compile", "search", "findall", "finditer", "sub", "subn", "split"} | _AT_ONE_PLACE


@dataclass(frozen=True)
class Used:
    """A pattern, where it stands, and whether it is tried at one place of a text only."""

    where: str
    pattern: re.Pattern
    anchored: bool


def modules():
    """Every module of the package, imported."""
    for info in pkgutil.walk_packages(xnai.__path__, "xnai."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def _tree(module):
    return ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


def found(made):
    """All patterns, and the calls of ``re`` whose pattern is known at run time only.

    ``made`` has patterns that stand for those of such calls.
    """
    known, unknown = {}, []
    everything = list(modules())
    uses = _uses(everything)
    for module in everything:
        for name, value in list(vars(module).items()):
            for place, pattern in _patterns(name, value):
                methods = uses[module.__name__, name] if place == name else {"search"}
                anchored = bool(methods) and methods <= _AT_ONE_PLACE
                _add(known, Used(f"{module.__name__}.{place}", pattern, anchored))
        for used, call in _calls(module):
            if used is None:
                unknown.append(call)
            else:
                _add(known, used)
    for call, patterns in made.items():
        for pattern in patterns:
            _add(known, Used(call, re.compile(pattern), anchored=False))
    return list(known.values()), unknown


def _add(known, used):
    key = (used.pattern.pattern, used.pattern.flags)
    if key not in known or known[key].anchored:
        known[key] = used


def _patterns(name, value):
    kind = type(value)  # not __class__, which Chainlit's proxies ask of a session
    if kind is re.Pattern:
        yield name, value
    elif kind is dict:
        for key, inner in value.items():
            yield from _patterns(f"{name}[{key!r}]", inner)
    elif kind in {tuple, list, set, frozenset}:
        for number, inner in enumerate(value):
            yield from _patterns(f"{name}[{number}]", inner)


def _uses(everything):
    """By which methods each name of a module is used, in all modules that import it."""
    uses = defaultdict(set)
    for module in everything:
        tree = _tree(module)
        home = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        of_methods = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                of_methods.add(node.value)
                name = node.value.id
                uses[home.get(name, (module.__name__, name))].add(node.attr)
        for node in ast.walk(tree):
            handed_on = isinstance(node, ast.Name) and node not in of_methods
            if handed_on and isinstance(node.ctx, ast.Load):  # may be used in any way
                uses[home.get(node.id, (module.__name__, node.id))].add("search")
    return uses


def _calls(module):
    """The calls of ``re`` in a module: the pattern, or None and where it stands."""
    tree = _tree(module)
    at_top = {
        id(node)
        for top in tree.body
        if not isinstance(top, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
        for node in ast.walk(top)
    }
    for node in ast.walk(tree):
        if not (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr in _OF_RE
        ):
            continue
        if node.func.attr == "compile" and id(node) in at_top:
            continue  # found among the module's values
        where = f"{module.__name__}: re.{node.func.attr}({ast.unparse(node.args[0])})"
        try:
            pattern = re.compile(_value(module, node.args[0]), _flags(module, node))
        except NameError:
            yield None, where
            continue
        yield Used(where, pattern, node.func.attr in _AT_ONE_PLACE), where


def _value(module, expression):
    code = compile(ast.Expression(expression), module.__file__, "eval")
    return eval(code, dict(vars(module)))


def _flags(module, call):
    places = {"compile": 1, "sub": 4, "subn": 4, "split": 3}
    place = places.get(call.func.attr, 2)
    given = [kw.value for kw in call.keywords if kw.arg == "flags"] + call.args[place : place + 1]
    return _value(module, given[0]) if given else 0
