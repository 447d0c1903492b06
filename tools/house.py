"""Measure the house: `python tools/house.py` prints the report, `--check` fails on a broken limit.

A room is a folder with modules or a loose file directly in `xnai/`. An arrow is an import from one
room to another, wherever it stands: inside a function, or under TYPE_CHECKING. Everything is read
from the syntax trees of the sources; nothing of the project is imported.
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from generator_depth import CallGraph

ROOT = Path(__file__).resolve().parents[1]

# A room imports from lower floors and from nothing else of the project; the lowest comes first.
FLOORS = (
    {"aio", "errors", "locale", "processes", "resilience", "text", "types"},
    {"data_folder", "net", "sqlite"},
    {"settings"},
    {"accounts", "client"},
    {"observability"},
    {"breakers", "retrieval"},
    {"documents", "llm"},
    {"answering", "backup", "doctor", "models"},
    {"evaluation", "runtime"},
    {"api"},
    {"ui"},
    {"cli"},
    {"app"},
)
MOST_ROOMS = 28  # about as many as one can keep in mind with their arrows
MOST_FILE_LINES = 300
MOST_FUNCTION_LINES = 60
MOST_FOLDERS = 3  # that may have a file of the same name
MOST_GENERATORS = 5  # nested, between the engine's text and the page
# File names that mean the same wherever they stand.
CONVENTIONS = {
    "protocol": "the door of a room: its Protocols and frozen dataclasses",
    "errors": "how failures of a room's neighbours become errors of the catalogue",
    "main": "the entry point of a process",
}
# The page reads an answer here, the API the same one in a task of its own.
ENTRY = "xnai.ui.answer_view:AnswerView.run"
# The ways of a question by what answers it, with the modules that take no part in it.
WAYS = {
    "engine of this machine": ("xnai.llm.remote", "xnai.llm.fallback"),
    # The router stands unguarded: each endpoint behind it has a breaker of its own.
    "endpoints": ("xnai.llm.engine", "xnai.llm.fallback", "xnai.llm.guarded"),
}


@dataclass(frozen=True)
class Module:
    """A source file with its syntax tree."""

    path: Path
    name: str
    lines: int
    tree: ast.Module

    @property
    def room(self) -> str:
        """The room it stands in; empty for `xnai/__init__.py`."""
        return room_of(self.name)

    def imports(self) -> Iterator[str]:
        """Name every module that is imported, late ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                # What is imported from a package may be one of its modules.
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def functions(self) -> Iterator[tuple[str, int]]:
        """Name every function and method with the number of its lines."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def room_of(name: str) -> str:
    """Return the room of a module: ``xnai.llm.engine.process`` stands in ``llm``."""
    parts = name.split(".")
    if parts[0] == "xnai":
        return parts[1] if len(parts) > 1 and not parts[1].startswith("__") else ""
    return parts[0]


def floor_of(room: str) -> int | None:
    """Return how high a room stands, the lowest floor being 0; None if it stands on none."""
    return next((level for level, rooms in enumerate(FLOORS) if room in rooms), None)


def read_module(path: Path, root: Path) -> Module:
    """Parse a source file."""
    text = path.read_text(encoding="utf-8")
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(path, name, len(text.splitlines()), ast.parse(text))


class House:
    """The modules below a folder, and what can be said about them.

    Args:
        root: the folder that holds `xnai/` and `app.py`.

    """

    def __init__(self, root: Path = ROOT) -> None:
        paths = sorted([*(root / "xnai").rglob("*.py"), *root.glob("app.py")])
        self.modules = [read_module(path, root) for path in paths]

    @cached_property
    def rooms(self) -> list[str]:
        """The rooms of `xnai/`."""
        return sorted({module.room for module in self.modules} - {"", "app"})

    @cached_property
    def arrows(self) -> dict[str, set[str]]:
        """The rooms that each room imports from."""
        known = {*self.rooms, "app"}
        found: dict[str, set[str]] = {room: set() for room in known}
        for module in self.modules:
            for name in module.imports():
                inner = name.startswith("xnai.") or name == "app"
                if inner and module.room and room_of(name) in known - {module.room}:
                    found[module.room].add(room_of(name))
        return found

    def exceptions(self) -> list[str]:
        """List the arrows that do not point down, and the rooms that stand on no floor."""
        found = [f"{room} stands on no floor" for room in self.rooms if floor_of(room) is None]
        for room, targets in sorted(self.arrows.items()):
            level = floor_of(room)
            for target in sorted(targets):
                below = floor_of(target)
                if level is not None and below is not None and below >= level:
                    found.append(f"{room} -> {target}")
        return found

    def room_circles(self) -> list[str]:
        """List circles of rooms, a late import counting like any other."""
        return circles(self.arrows)

    def module_circles(self) -> list[str]:
        """List circles of modules, a late import counting like any other."""
        names = {module.name for module in self.modules}
        return circles({one.name: {*one.imports()} & names - {one.name} for one in self.modules})

    def long_files(self) -> list[str]:
        """List the files that are too long."""
        return [
            f"{module.name}: {module.lines}"
            for module in self.modules
            if module.lines > MOST_FILE_LINES
        ]

    def long_functions(self) -> list[str]:
        """List the functions that are longer than a screen."""
        return [
            f"{module.name}.{name}: {lines}"
            for module in self.modules
            for name, lines in module.functions()
            if lines > MOST_FUNCTION_LINES
        ]

    def ambiguous_classes(self) -> list[str]:
        """List the class names that two modules give to different things."""
        places: dict[str, list[str]] = defaultdict(list)
        for module in self.modules:
            for node in ast.walk(module.tree):
                if isinstance(node, ast.ClassDef):
                    places[node.name].append(module.name)
        return _repeated(places, 1)

    def shared_file_names(self, most: int = 1) -> list[str]:
        """List the file names that stand in more than so many folders; conventions are left out."""
        places: dict[str, list[str]] = defaultdict(list)
        for module in self.modules:
            stem = module.path.stem
            if not stem.startswith("__") and stem not in CONVENTIONS:
                places[stem].append(module.name)
        return _repeated(places, most)

    def without_docstring(self) -> list[str]:
        """List the modules that do not say what they are."""
        return [one.name for one in self.modules if not ast.get_docstring(one.tree)]

    @cached_property
    def generator_nests(self) -> dict[str, list[str]]:
        """The deepest nest of asynchronous generators on each way of a question."""
        graph = CallGraph({module.name: module.tree for module in self.modules})
        return {way: graph.deepest(ENTRY, absent) for way, absent in WAYS.items()}

    def deep_generators(self) -> list[str]:
        """List the ways of a question through too many generators."""
        return [
            f"{way}: {len(nest)}"
            for way, nest in self.generator_nests.items()
            if len(nest) > MOST_GENERATORS
        ]

    def too_many_rooms(self) -> list[str]:
        """List all rooms if there are too many."""
        return self.rooms if len(self.rooms) > MOST_ROOMS else []


def circles(graph: dict[str, set[str]]) -> list[str]:
    """Return circles of a graph, one for each place where it has to be cut."""
    left = {node: set(targets) for node, targets in graph.items()}
    found = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            circle: list[str] = error.args[1]
            found.append(" <- ".join(circle))
            left[circle[1]].discard(circle[0])
        else:
            return found


def _repeated(places: dict[str, list[str]], most: int) -> list[str]:
    return [
        f"{name}: {', '.join(modules)}"
        for name, modules in sorted(places.items())
        if len(modules) > most
    ]


Finder = Callable[[House], list[str]]
LIMITS: dict[str, Finder] = {
    f"rooms beyond {MOST_ROOMS}": House.too_many_rooms,
    "exceptions (arrows that do not point down)": House.exceptions,
    "circles of rooms": House.room_circles,
    "circles of modules": House.module_circles,
    f"files over {MOST_FILE_LINES} lines": House.long_files,
    f"functions over {MOST_FUNCTION_LINES} lines": House.long_functions,
    "class names that mean two things": House.ambiguous_classes,
    f"file names in more than {MOST_FOLDERS} folders": (
        lambda house: house.shared_file_names(MOST_FOLDERS)
    ),
    "modules without a docstring": House.without_docstring,
    f"questions through more than {MOST_GENERATORS} generators": House.deep_generators,
}


def describe(house: House) -> Iterator[str]:
    """Draw the house: rooms, arrows and the way of a question."""
    arrows = sum(len(targets) for targets in house.arrows.values())
    yield f"{len(house.rooms)} rooms, {arrows} arrows, {len(house.modules)} modules"
    for level in reversed(range(len(FLOORS))):
        for room in sorted(FLOORS[level] & house.arrows.keys()):
            yield f"  {level:2} {room} -> {', '.join(sorted(house.arrows[room])) or 'nothing'}"
    for way, nest in house.generator_nests.items():
        yield f"nested generators, {way}: {len(nest)}"
        yield from (f"  {name}" for name in nest)
    shared = house.shared_file_names()
    yield f"file names in more than one folder: {len(shared)}"
    yield from (f"  {line}" for line in shared)


def judge(house: House, limits: Iterable[str] = LIMITS) -> Iterator[tuple[str, list[str]]]:
    """Yield each limit with what breaks it."""
    for limit in limits:
        yield limit, LIMITS[limit](house)


def main(words: list[str]) -> int:
    """Print the report; with ``--check`` only the limits, and 1 if any is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="exit with 1 if a limit is broken")
    asked = parser.parse_args(words)
    house = House()
    if not asked.check:
        print(*describe(house), sep="\n")
    broken = 0
    for limit, found in judge(house):
        print(f"{limit}: {len(found)}")
        print(*(f"  {line}" for line in found), sep="\n", end="\n" if found else "")
        broken += bool(found)
    return 1 if asked.check and broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
