"""Tells the code in streamed Markdown from its text, a piece at a time."""

import re
from collections.abc import Iterator
from enum import Enum

_SIGNS = re.compile(r"(`+|~~~+|\n)")
_BEFORE_FENCE = re.compile(r"[ \t>*+\-]*(?:\d{1,9}[.)][ \t>]*)?")
_FENCE = 3  # signs of one kind that fence off a block
_LINE_KEPT = 80  # characters; a block is fenced off further to the left
_LONGEST_RUN = 80  # signs that are waited for


class Kind(Enum):
    """What a piece of Markdown is."""

    TEXT = "text"
    SPAN = "span"  # of code, within a line
    BLOCK = "block"


class CodeSplitter:
    """Splits a stream into pieces that are code, with the signs around it, and pieces that are not.

    An approximation that needs no more than the line so far: a span ends with its line.
    """

    def __init__(self) -> None:
        self._held = ""  # signs that the next piece may go on with
        self._line = ""  # what stands before a sign in its line
        self._fence = ""  # the signs that opened the block that is open
        self._ticks = 0  # backticks that opened the span that is open

    def feed(self, text: str) -> Iterator[tuple[Kind, str]]:
        """Yield the pieces of what has come, each with its kind."""
        text = self._held + text
        whole = min(text.rstrip("`"), text.rstrip("~"), key=len)
        self._held = text[len(whole) :] if len(text) - len(whole) < _LONGEST_RUN else ""
        return self._split(text[: len(text) - len(self._held)])

    def finish(self) -> Iterator[tuple[Kind, str]]:
        """Yield what was held back."""
        text, self._held = self._held, ""
        return self._split(text)

    def _split(self, text: str) -> Iterator[tuple[Kind, str]]:
        for piece in _SIGNS.split(text):
            if not piece:
                continue
            if piece == "\n":
                self._line, self._ticks = "", 0
                yield self._kind, piece
            elif piece[0] == "`" or piece.startswith("~~~"):
                before = self._kind
                self._see(piece)
                self._keep(piece)
                yield self._kind if before is Kind.TEXT else before, piece
            else:
                self._keep(piece)
                yield self._kind, piece

    @property
    def _kind(self) -> Kind:
        if self._fence:
            return Kind.BLOCK
        return Kind.SPAN if self._ticks else Kind.TEXT

    def _keep(self, piece: str) -> None:
        self._line += piece[: _LINE_KEPT - len(self._line)]

    def _see(self, run: str) -> None:
        begins = bool(_BEFORE_FENCE.fullmatch(self._line))
        if self._fence:
            if begins and run.startswith(self._fence):
                self._fence = ""
            elif run == self._fence and self._line.lstrip(" \t>").startswith(run):
                self._fence = ""  # in the line that opened it: no block, but a span
        elif begins and not self._ticks and len(run) >= _FENCE:
            self._fence = run
        elif run[0] == "`":
            self._ticks = (self._ticks or len(run)) if self._ticks != len(run) else 0
