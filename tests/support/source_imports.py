"""What the modules of the program import, read from their sources."""

import ast
from functools import cache

from paths import ROOT


@cache
def imports(path):
    """Every module a file imports, inside functions and under TYPE_CHECKING too."""
    return tuple(_imports(path))


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            assert node.module is not None
            if node.module == "xnai":
                yield from (f"xnai.{alias.name}" for alias in node.names)
            else:
                yield node.module


def source(name):
    path = ROOT / name.replace(".", "/")
    candidates = (path.with_suffix(".py"), path / "__init__.py") if name else ()
    return next((candidate for candidate in candidates if candidate.is_file()), None)
