"""The filters of a search in a vector store: which files it is about, by their attributes."""

from collections.abc import Callable, Mapping
from typing import Any

from xnai.api.fields import refuse

Matches = Callable[[Mapping[str, Any]], bool]

_DEEPEST = 8  # filters in filters
_MOST = 100  # comparisons, and values of one
_FIX = 'Send {"type": "eq", "key": "...", "value": ...}, or {"type": "and", "filters": [...]}.'


def matcher(given: Mapping[str, Any]) -> Matches:
    """Return what tells whether the attributes of a file are those that are asked for.

    Raises:
        XnaiError: BAD_REQUEST, it is no filter, or one of very many parts.

    """
    return _FilterReader().read(given, 1)


class _FilterReader:
    """Reads one filter and counts what it is made of."""

    def __init__(self) -> None:
        self._count = 0

    def read(self, given: Any, depth: int) -> Matches:
        self._count += 1
        if self._count > _MOST or depth > _DEEPEST:
            raise refuse("'filters' has too many parts.", "Ask for less at once.")
        kind = given.get("type") if isinstance(given, Mapping) else None
        if kind in {"and", "or"} and isinstance(given.get("filters"), list):
            parts = [self.read(part, depth + 1) for part in given["filters"]]
            joined = all if kind == "and" else any
            return lambda attributes: joined(part(attributes) for part in parts)
        if kind not in _COMPARISONS or not isinstance(given.get("key"), str):
            raise refuse("'filters' is no filter on attributes.", _FIX)
        key, value, compare = given["key"], given.get("value"), _COMPARISONS[str(kind)]
        is_list = kind in {"in", "nin"}
        values = value if is_list else [value]
        if not isinstance(values, list) or len(values) > _MOST or not all(map(_is_plain, values)):
            raise refuse(f"The value of the filter on {key[:64]!r} is not valid.", _FIX)
        return lambda attributes: compare(attributes.get(key), value)


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _alike(one: object, other: object) -> bool:
    """Whether two values can be compared: both are numbers, or both texts, or both truths."""
    kinds = [
        "truth" if isinstance(v, bool) else "number" if isinstance(v, int | float) else type(v)
        for v in (one, other)
    ]
    return kinds[0] == kinds[1]


def _same(one: object, other: object) -> bool:
    return _alike(one, other) and one == other


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda one, other: one is not None and _alike(one, other) and compare(one, other)


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": _same,
    "ne": lambda one, other: not _same(one, other),
    "gt": _ordered(lambda one, other: one > other),
    "gte": _ordered(lambda one, other: one >= other),
    "lt": _ordered(lambda one, other: one < other),
    "lte": _ordered(lambda one, other: one <= other),
    "in": lambda one, others: any(_same(one, other) for other in others),
    "nin": lambda one, others: not any(_same(one, other) for other in others),
}
