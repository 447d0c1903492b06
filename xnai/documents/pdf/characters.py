"""Pdfium's characters made into text; used in the worker process only."""

from collections.abc import Sequence
from typing import NamedTuple

_LINE_END_HYPHEN = 0x02  # pdfium's mark for a hyphen and line break inside a word
_DROPPED = frozenset((0, _LINE_END_HYPHEN, 0x0D, 0xAD, 0xFEFF, 0xFFFE, 0xFFFF))
_NEWLINE = 0x0A
_SPACE = 0x20
_HIGH = range(0xD800, 0xDC00)
_LOW = range(0xDC00, 0xE000)


class CharacterText(NamedTuple):
    """A page's text and, for each code point of it, the index of pdfium's character.

    ``tables`` are the spans of the text that tables take.
    """

    text: str
    indices: Sequence[int]
    tables: Sequence[tuple[int, int]] = ()


def clean(codes: Sequence[int]) -> CharacterText:
    """Turn pdfium's characters into text without controls, soft hyphens and lone surrogates.

    A word that is divided at the end of a line is put together; of a name the hyphen stays.
    """
    kept: list[str] = []
    indices: list[int] = []
    for index, code in enumerate(codes):
        if code == _LINE_END_HYPHEN and chr(_next(codes, index)).isupper():
            kept.append("-")
            indices.append(index)
        if code in _DROPPED or code in _LOW:
            continue
        shown = code
        if code in _HIGH:
            low = codes[index + 1] if index + 1 < len(codes) else 0
            if low not in _LOW:
                continue
            shown = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        elif code < _SPACE and code != _NEWLINE:
            shown = _SPACE
        kept.append(chr(shown))
        indices.append(index)
    return CharacterText("".join(kept), indices)


def _next(codes: Sequence[int], index: int) -> int:
    return codes[index + 1] if index + 1 < len(codes) else 0
