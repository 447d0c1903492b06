"""Count how deeply asynchronous generators are nested, from the sources alone.

A function may read from a generator (``async for``, an asynchronous comprehension, ``aclosing``)
that reads from another one. The depth below a function is the number of generators on the longest
such path. It is counted like this:

- A generator is an ``async def`` with a ``yield`` of its own, context managers excepted. A function
  that only returns a generator adds nothing but what it returns.
- ``self.name`` is the method of that class. ``other.name`` may be the method of any class in a room
  that the module imports or stands in, Protocols excepted, but of no class, base or heir of it
  twice on one path. So the count is an upper bound.
- A generator that is given to another one as an argument, alone or in a lambda, lies below it.
- A local name, or an attribute of ``self``, stands for everything that was assigned to it.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeGuard

_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_STREAMS = ("AsyncIterator", "AsyncGenerator", "AsyncIterable")


@dataclass(eq=False)
class Function:
    """A function that gives a stream of items, or that reads one."""

    module: str
    owner: str  # its class; empty for a function of the module
    node: ast.FunctionDef | ast.AsyncFunctionDef
    family: str  # the first class of the module that its class descends from
    local: dict[str, "Function"] = field(default_factory=dict)  # functions defined inside

    @property
    def name(self) -> str:
        """Where it stands, for people."""
        inside = f"{self.owner}.{self.node.name}" if self.owner else self.node.name
        return f"{self.module}:{inside}"

    @property
    def place(self) -> tuple[str, str]:
        """The class it is a method of, or its base; of a function, the module."""
        return self.module, self.family

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Its syntax tree without the functions defined inside it."""
        return [*_own_nodes(self.node)]

    @cached_property
    def is_generator(self) -> bool:
        """Whether a call of it makes an asynchronous generator."""
        return (
            isinstance(self.node, ast.AsyncFunctionDef)
            and any(isinstance(node, ast.Yield) for node in self.nodes)
            and not any(
                "contextmanager" in ast.unparse(decorator) for decorator in self.node.decorator_list
            )
        )

    @cached_property
    def passes_on(self) -> bool:
        """Whether it returns a stream that another function makes."""
        returned = ast.unparse(self.node.returns) if self.node.returns else ""
        return not self.is_generator and returned.startswith(_STREAMS)


def _own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(function):
        if isinstance(child, _FUNCTIONS):
            continue
        yield child
        yield from _own_nodes(child)


class CallGraph:
    """Which generators read from which.

    Args:
        trees: the syntax trees of modules by their names.

    """

    def __init__(self, trees: dict[str, ast.Module]) -> None:
        self._attributes: dict[tuple[str, str, str], list[ast.expr]] = defaultdict(list)
        self._functions: dict[str, Function] = {}
        self._by_name: dict[str, list[Function]] = defaultdict(list)
        self._rooms: dict[str, set[str]] = {}
        self._absent: tuple[str, ...] = ()
        for module, tree in trees.items():
            self._rooms[module] = {_room(module), *_imported_rooms(tree)}
            self._families = _families(tree)
            self._collect(module, "", tree, None)

    def deepest(self, entry: str, absent: tuple[str, ...] = ()) -> list[str]:
        """Return the generators on the longest path below a function, outermost first.

        Args:
            entry: the function, as ``module:Class.method``.
            absent: modules, or rooms, that are not to be followed.

        Raises:
            KeyError: there is no such function.

        """
        self._absent = absent
        return self._below(self._functions[entry], ())

    def _collect(self, module: str, owner: str, tree: ast.AST, outer: Function | None) -> None:
        for node in ast.iter_child_nodes(tree):
            if isinstance(node, ast.ClassDef):
                protocol = any("Protocol" in ast.unparse(base) for base in node.bases)
                if not protocol:
                    self._collect(module, node.name, node, None)
                    for attribute, value in _assigned_to_self(node):
                        family = self._families[node.name]
                        self._attributes[module, family, attribute].append(value)
            elif isinstance(node, _FUNCTIONS):
                function = Function(module, owner, node, self._families.get(owner, owner))
                if outer is not None:
                    outer.local[node.name] = function
                else:
                    self._functions[function.name] = function
                    self._by_name[node.name].append(function)
                self._collect(module, owner, node, function)
            elif isinstance(node, ast.stmt | ast.ExceptHandler):
                self._collect(module, owner, node, outer)

    def _below(self, function: Function, path: tuple[Function, ...]) -> list[str]:
        """Return the longest nest of what a function reads from."""
        path = (*path, function)
        nests = [self._nest(source, path, frozenset()) for source in _sources(function)]
        return max(nests, key=len, default=[])

    def _nest(
        self, source: ast.expr, path: tuple[Function, ...], names: frozenset[str]
    ) -> list[str]:
        """Return the longest nest behind an expression; ``names`` led to it already."""
        called: ast.expr = source
        inner: list[ast.expr] = []
        if isinstance(source, ast.Name) and source.id not in names:
            inner = [*_assigned(path[-1], source.id)]
            names |= {source.id}
        elif _is_of_self(source) and source.attr not in names:
            inner = self._attributes[*path[-1].place, source.attr]
            names |= {source.attr}
        elif isinstance(source, ast.Await):
            return self._nest(source.value, path, names)
        elif isinstance(source, ast.Lambda):
            return self._nest(source.body, path, names)
        elif isinstance(source, ast.Call):
            called = source.func
            inner = [*source.args, *(keyword.value for keyword in source.keywords)]
        outer = [self._step(found, path) for found in self._resolve(called, path)]
        below = [self._nest(expression, path, names) for expression in inner]
        return max(outer, key=len, default=[]) + max(below, key=len, default=[])

    def _step(self, function: Function, path: tuple[Function, ...]) -> list[str]:
        below = self._below(function, path)
        return [function.name, *below] if function.is_generator else below

    def _resolve(self, called: ast.expr, path: tuple[Function, ...]) -> list[Function]:
        """Find the streaming functions that an expression may name."""
        at = path[-1]
        found: list[Function] = []
        if isinstance(called, ast.Name):
            inner = [one.local[called.id] for one in path if called.id in one.local]
            candidates = [one for one in self._by_name[called.id] if not one.owner]
            found = inner or [one for one in candidates if one.module == at.module] or candidates
        elif isinstance(called, ast.Attribute):
            candidates = self._by_name[called.attr]
            if _is_of_self(called):
                found = [one for one in candidates if one.place == at.place]
            else:
                passed = {one.place for one in path}
                rooms = self._rooms[at.module]
                found = [
                    one
                    for one in candidates
                    if one.place not in passed and _room(one.module) in rooms
                ]
        return [
            one
            for one in found
            if one not in path
            and (one.is_generator or one.passes_on)
            and not one.module.startswith(self._absent)
        ]


def _sources(function: Function) -> Iterator[ast.expr]:
    """What a function iterates over, or returns if it only passes a stream on."""
    for node in function.nodes:
        if isinstance(node, ast.AsyncFor):
            yield node.iter
        elif isinstance(node, _COMPREHENSIONS):
            yield from (one.iter for one in node.generators if one.is_async)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("aclosing"):
            yield from node.args
        elif isinstance(node, ast.Return) and node.value is not None and function.passes_on:
            yield node.value


def _assigned(function: Function, name: str) -> Iterator[ast.expr]:
    """What is assigned to a local name, the value of ``async with aclosing(...) as`` excepted."""
    for node in function.nodes:
        if isinstance(node, ast.Assign):
            targets: list[ast.expr] = node.targets
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
            targets = [node.target]
        else:
            continue
        if node.value is not None and any(
            isinstance(target, ast.Name) and target.id == name for target in targets
        ):
            yield node.value


def _families(tree: ast.Module) -> dict[str, str]:
    """Map each class of a module to the first one of the module that it descends from."""
    families: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            families[node.name] = next(
                (families[one] for one in bases if one in families), node.name
            )
    return families


def _is_of_self(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )


def _assigned_to_self(owner: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(owner):
        if isinstance(node, ast.Assign):
            yield from ((one.attr, node.value) for one in node.targets if _is_of_self(one))
        elif isinstance(node, ast.AnnAssign) and node.value and _is_of_self(node.target):
            yield node.target.attr, node.value


def _room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else parts[0]


def _imported_rooms(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("xnai"):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (_room(name) for name in names)
