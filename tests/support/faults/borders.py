"""Where the program meets what may fail, read from its code."""

import ast
import functools
import importlib
import inspect
import pkgutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from doors import faulty, faulty_function

import xnai

ROOT = Path(xnai.__file__).parents[1]

# A border: the name of the class in the module that makes one of it, and the Protocols it keeps.
BORDERS = {
    "Index": ("xnai.runtime", "SqliteIndex", ("Index", "Searchable", "ReembeddableIndex")),
    "Embedder": (
        "xnai.runtime",
        "Embedders",
        (
            *("Embedder", "ChunkEmbedder", "QuestionEmbedder", "TokenizingEmbedder"),
            *("LineEmbedder", "TextEmbedder"),
        ),
    ),
    "Reranker": ("xnai.retrieval.cross_encoder", "CrossEncoder", ("Reranker",)),
    "Search": ("xnai.runtime", "HybridSearch", ("Search",)),
    "Library": ("xnai.runtime", "Library", ("DocumentLibrary",)),
    "Model": ("xnai.runtime", "LocalEngine", ("LanguageModel",)),
    "Pipeline": ("xnai.runtime", "Pipeline", ("Answers",)),
    "Files": ("xnai.documents.library", "OriginalFiles", ()),
    "Pictures": ("xnai.documents.library", "PageImages", ()),
    "ParserRun": ("xnai.documents.ingest", "ParserRun", ()),
    "Chunker": ("xnai.documents.ingest", "Chunker", ()),
    "History": ("xnai.ui.history.data_layer", "HistoryStore", ("History",)),
    "Threads": ("xnai.ui.history.sqlite.store", "Threads", ("ThreadStore",)),
    "Steps": ("xnai.ui.history.sqlite.store", "Steps", ("StepStore",)),
}
FUNCTIONS = {
    "sniff": ("xnai.documents.library", "Kinds.media_type"),
    "parser": ("xnai.documents.parsers.client", "worker"),
    "painter": ("xnai.documents.parsers.page_image", "worker"),
}
# Protocols that are no border: what they name is a value in memory, or is a border already.
NO_BORDER = {
    "ApiRuntime": "hands out the other parts",
    "SearchStatus": "three values in memory",
    "ModelReports": "tells what is in memory, see test_setup.py",
    "ChoiceStore": "one row of the history, whose file is a border; see test_choices.py",
    "PersonalChoices": "asks the ChoiceStore, see test_choices.py",
    "SessionStore": "says no where it cannot be read, see test_auth.py",
    "Conversations": "tells nothing where it cannot be read, see test_rights_carried_over.py",
}
CATALOGUED = {
    "Model": "model",
    "Pipeline": "model",
    "Files": "disk",
    "History": "history",
    "Threads": "history",
    "Steps": "history",
}


def open_doors(put, options):
    """Put doors into every border by ``put(owner, name, value)``; ``options`` are the worker's."""
    for part, (module, name, _) in BORDERS.items():
        home = importlib.import_module(module)
        made = faulty(part, getattr(home, name))
        if part == "Model":
            made.__init__ = functools.partialmethod(made.__init__, options=options)
        put(home, name, made)
    for part, (module, path) in FUNCTIONS.items():
        home = importlib.import_module(module)
        *outer, name = path.split(".")
        for attribute in outer:
            home = getattr(home, attribute)
        put(home, name, faulty_function(part, getattr(home, name)))


def protocols():
    """Every Protocol in a file ``protocol.py``, by name."""
    found = {}
    for module in pkgutil.walk_packages(xnai.__path__, "xnai."):
        if module.name.endswith(".protocol"):
            for name, member in vars(importlib.import_module(module.name)).items():
                own = inspect.isclass(member) and member.__module__ == module.name
                if own and Protocol in member.__bases__:
                    found[name] = member
    return found


@dataclass(frozen=True)
class Site:
    """A place where a catalogued error is made; ``kind`` is how the source names it."""

    file: str
    first: int
    last: int
    kind: str

    @property
    def name(self):
        return f"{self.file}:{self.first} {self.kind}"


def sites():
    """Every call in the program that makes a catalogued error."""
    found = []
    for path in sorted([*(ROOT / "xnai").rglob("*.py"), ROOT / "app.py"]):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"XnaiError", "Failure", "RefusedError"}
                and node.args
                and not isinstance(node.args[0], ast.Constant)
                and ast.unparse(node.args[0]) != "str(error)"  # of the socket's library
            ):
                kind = ast.unparse(node.args[0])
                found.append(Site(str(path.relative_to(ROOT)), node.lineno, node.end_lineno, kind))
    return found
