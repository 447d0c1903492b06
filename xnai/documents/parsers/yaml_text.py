"""YAML as what it says: labels, values, lists and tables; used in the worker process only."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from xnai.documents.parsers.failures import Failure
from xnai.documents.parsers.plain import decoded, tidy
from xnai.documents.parsers.records import MOST_DEPTH, StructureWriter
from xnai.documents.parsers.seen import Seen
from xnai.errors import FILE_DAMAGED
from xnai.types import Page

# Numbers, dates and "no" stay as they are written.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_COMMENT = re.compile(r"(?:^|[ \t])#([^\n]*)")


def yaml_page(path: Path, limit: int, seen: Seen) -> Page:
    """Read a YAML file as one page; its comments stand at the end, what is none is text.

    Raises:
        Failure: FILE_TEXT_TOO_LONG, or FILE_DAMAGED.

    """
    text = decoded(path, limit, seen)
    try:
        _require_shallow(text)
        documents = list(yaml.load_all(text, Loader=_LOADER))
    except (yaml.YAMLError, ValueError):
        seen.warnings.append("It is not valid YAML, and was read as text.")
        return Page(None, tidy(text))
    if not any(isinstance(one, (dict, list)) for one in documents):
        return Page(None, tidy(text))
    writer = StructureWriter(limit, seen)
    for one in documents:
        writer.value(one)
        writer.line("")
    for comment in _comments(text):
        if comment:
            writer.line(f"Comment: {comment}")
    return Page(None, writer.text())


def _require_shallow(text: str) -> None:
    """Refuse what is nested too deeply, since what loads it would use up its stack."""
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEPTH:
            raise Failure(FILE_DAMAGED, reason="its content is nested too deeply")


def _comments(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        found = _COMMENT.search(line)
        if found and all(line[: found.start()].count(mark) % 2 == 0 for mark in "\"'"):
            yield found[1].strip("# \t")
