"""Seams within what looks like one word: cells of a sheet whose text runs into the next one."""

import ctypes
import re
from typing import Any

import pypdfium2.raw as pdfium

# Where one kind of character follows another; a program that moves letters closer parts no such.
_SEAM = re.compile(
    r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_]{2})|(?<=[a-z.:])(?=[A-Z])|(?<=[.:])(?=\d)"
)
_LEAST = 4  # characters of two words


def seams(raw: Any, text: str, first: int) -> list[int]:
    """The characters of a word with which another begins that was drawn on its own.

    Args:
        raw: pdfium's text page.
        text: of the word.
        first: its first character.

    """
    places = [match.start() for match in _SEAM.finditer(text)]
    if len(text) < _LEAST or not places or _drawn(raw, first) == _drawn(raw, first + len(text) - 1):
        return []
    found = [first + at for at in places if _drawn(raw, first + at - 1) != _drawn(raw, first + at)]
    is_spelled = all(
        _drawn(raw, at) != _drawn(raw, at + 1) for at in range(first, first + len(text) - 1)
    )
    return [] if is_spelled else found


def _drawn(raw: Any, index: int) -> int | None:
    """What a character was drawn with."""
    return ctypes.cast(pdfium.FPDFText_GetTextObject(raw, index), ctypes.c_void_p).value
