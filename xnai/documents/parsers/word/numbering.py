"""Numbers of paragraphs as Word shows them: ``4.2``, ``(b)``, ``iii.``."""

import re
from collections import defaultdict
from typing import Any, NamedTuple

from xnai.documents.parsers.word.names import child, is_on, local, value

_LEVELS = 9
_PLACE = re.compile(r"%([1-9])")
_MOST = 1_000_000  # a number beyond is shown as it is
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"),
    (50, "l"), (40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
_MOST_ROMAN = 5000
_LETTERS = 26


class Level(NamedTuple):
    """How paragraphs of one level are numbered."""

    start: int = 1
    form: str = "decimal"
    text: str = ""
    is_legal: bool = False
    restarts_after: int | None = None


class Numbering:
    """The lists of a document, and how far each of them is."""

    def __init__(self, root: Any) -> None:
        self._abstract: dict[str, dict[int, Level]] = {}
        self._lists: dict[str, tuple[str, dict[int, Level]]] = {}
        self._at: dict[str, dict[int, int]] = defaultdict(dict)
        self._begun: set[tuple[str, int]] = set()
        if root is not None:
            self._read(root)

    def _read(self, root: Any) -> None:
        for element in root:
            name = local(element.tag)
            if name == "abstractNum":
                key = value(element, "abstractNumId") or ""
                self._abstract[key] = dict(_levels(element))
            elif name == "num":
                abstract = child(element, "abstractNumId")
                key = "" if abstract is None else value(abstract) or ""
                self._lists[value(element, "numId") or ""] = (key, dict(_overrides(element)))

    def next(self, number: str, depth: int) -> str | None:
        """What stands before the next paragraph of a list; None if it has no such list.

        A bullet is a hyphen, as in Markdown.
        """
        key, own = self._lists.get(number, ("", {}))
        levels = dict(self._abstract.get(key, {}))
        for at, other in own.items():
            begun = levels.get(at, Level())._replace(start=other.start)
            levels[at] = other if other.form else begun
        level = levels.get(depth)
        if level is None:
            return None
        counters = self._at[key]
        if depth in own and (number, depth) not in self._begun:
            counters[depth] = own[depth].start
            self._begun.add((number, depth))
        else:
            counters[depth] = counters.get(depth, level.start - 1) + 1
        for deeper in [at for at in counters if at > depth]:
            limit = levels[deeper].restarts_after if deeper in levels else None
            if limit is None or depth < limit:
                del counters[deeper]
        if level.form in {"bullet", "none"}:
            return "-" if level.form == "bullet" else ""

        def shown(match: re.Match[str]) -> str:
            at = int(match[1]) - 1
            inner = levels.get(at, Level())
            form = "decimal" if level.is_legal else inner.form
            return formatted(counters.get(at, inner.start), form)

        return _PLACE.sub(shown, level.text[:60]).strip()


def _levels(parent: Any) -> list[tuple[int, Level]]:
    return [(_depth(one), _level(one)) for one in parent if local(one.tag) == "lvl"]


def _overrides(number: Any) -> list[tuple[int, Level]]:
    found = []
    for one in number:
        if local(one.tag) != "lvlOverride":
            continue
        level, start = child(one, "lvl"), child(one, "startOverride")
        if level is not None:
            found.append((_depth(one), _level(level)))
        elif start is not None:
            found.append((_depth(one), Level(start=_number(start, 1), form="", text="")))
    return found


def _depth(element: Any) -> int:
    text = value(element, "ilvl") or "0"
    return min(int(text), _LEVELS - 1) if text.isdecimal() else 0


def _level(element: Any) -> Level:
    found = {local(one.tag): one for one in element}
    restart = found.get("lvlRestart")
    return Level(
        _number(found.get("start"), 1),
        value(found["numFmt"]) or "decimal" if "numFmt" in found else "decimal",
        value(found["lvlText"]) or "" if "lvlText" in found else "",
        is_on(found.get("isLgl")),
        None if restart is None else _number(restart, 0),
    )


def _number(element: Any, default: int) -> int:
    text = (value(element) or "") if element is not None else ""
    return min(int(text), _MOST) if text.isdecimal() else default


def formatted(number: int, form: str) -> str:
    """A number as a list shows it."""
    if form == "decimalZero":
        return f"{number:02}"
    if form in {"lowerLetter", "upperLetter"} and 0 < number < _MOST:
        letter = chr(ord("a") + (number - 1) % _LETTERS) * min((number - 1) // _LETTERS + 1, 9)
        return letter.upper() if form == "upperLetter" else letter
    if form in {"lowerRoman", "upperRoman"} and 0 < number < _MOST_ROMAN:
        text = ""
        for worth, sign in _ROMAN:
            text += sign * (number // worth)
            number %= worth
        return text.upper() if form == "upperRoman" else text
    return str(number)
