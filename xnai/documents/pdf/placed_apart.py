"""Words that were placed on the page on their own: cells stand closer than a wide gap at times.

A program that writes a table places each cell, while it writes the spaces between the words of a
cell with them, or all of its words at once.
"""

import ctypes
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pypdfium2.raw as pdfium

from xnai.documents.pdf.words import ALONG, Word

_LEAST = 4  # characters of a word by which that is told; pairs of letters are moved closer

_WRITTEN = 0.05  # of the words of a page at least stand behind a space that was written


def found(textpage: Any, words: Sequence[Word]) -> frozenset[int]:
    """The first characters of words that follow another without a space, and were drawn apart.

    Args:
        textpage: of pdfium.
        words: of the page, in the order of its characters, of which none was moved.

    """
    raw, is_put_in = textpage.raw, pdfium.FPDFText_IsGenerated
    result = []
    with_space = 0  # words behind a space that was written
    spelled: dict[float, bool] = {}  # by height, whether words are drawn character by character
    for before, word in pairwise(words):
        if before.runs != ALONG or word.runs != ALONG:
            continue
        own = _is_spelled(raw, word)
        if own is not None:
            spelled[word.height] = own
        if spelled.get(before.height) or spelled.get(word.height):
            continue
        between = range(before.last + 1, word.first)
        if not all(is_put_in(raw, index) == 1 for index in between):
            with_space += 1
        elif _drawn(raw, before.last) != _drawn(raw, word.first):
            result.append(word.first)
    # A program that writes no spaces at all, as TeX, begins anew within its lines.
    return frozenset(result) if with_space > _WRITTEN * len(words) else frozenset()


def _is_spelled(raw: Any, word: Word) -> bool | None:
    """Whether a word was drawn character by character; None: it is too short to tell."""
    if word.last - word.first < _LEAST - 1:
        return None
    inside = range(word.first, word.first + _LEAST)
    return all(_drawn(raw, a) != _drawn(raw, b) for a, b in pairwise(inside))


def _drawn(raw: Any, index: int) -> int | None:
    """What a character was drawn with."""
    return ctypes.cast(pdfium.FPDFText_GetTextObject(raw, index), ctypes.c_void_p).value
