"""Generates docs/settings.md from the settings, a table for each group.

``python -m xnai.cli.settings_reference > docs/settings.md`` writes the page anew; a test
compares the two.
"""

import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from xnai.settings import GROUPS, PREFIX, Settings

_HEAD = """\
# Settings

Every setting is an environment variable, or a line `XNAI_NAME=value` in the file `.env` in the
folder the server is started from; the environment comes first. An empty value counts as unset. A
value that is not valid stops the start with a sentence that names the variable, the value and what
is expected. The tables are made from `xnai/settings` by `python -m xnai.cli.settings_reference`.
"""
_TABLE = """\
## {title}

{meaning}

| Variable | Type | Default | Meaning |
| --- | --- | --- | --- |
{lines}
"""
_SIGNS = {Ge: "≥", Gt: ">", Le: "≤"}
_NAMES: dict[Any, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "text",
    bool: "true or false",
    Path: "path",
}


def rows(group: type[BaseModel] = Settings) -> list[tuple[str, str, str, str]]:
    """Return a row for each setting of a group: variable, type and limits, default, meaning."""
    return [
        (PREFIX + name.upper(), _kind(field), _default(field), field.description or "")
        for name, field in group.model_fields.items()
    ]


def page() -> str:
    """Return the whole page in Markdown."""
    return "\n".join([_HEAD, *map(_table, GROUPS)])


def _table(group: type[BaseModel]) -> str:
    lines = [
        f"| `{variable}` | {kind} | {default} | {meaning.replace('|', '/')} |"
        for variable, kind, default, meaning in rows(group)
    ]
    title = group.__module__.rpartition(".")[2].capitalize()
    return _TABLE.format(title=title, meaning=group.__doc__, lines="\n".join(lines))


def _kind(field: FieldInfo) -> str:
    annotation = field.annotation
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in get_args(annotation))
    name = "list, comma-separated" if origin is tuple else _NAMES[annotation]
    limits = [
        f"{sign} {getattr(rule, kind.__name__.lower())}"
        for rule in field.metadata
        for kind, sign in _SIGNS.items()
        if isinstance(rule, kind)
    ]
    return ", ".join([name, *limits])


def _default(field: FieldInfo) -> str:
    default = field.default
    if default in ("", (), None, SecretStr("")):
        return "unset"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    sys.stdout.write(page())
