"""The sentences of an answer while it is written, each with the space behind it; blocks of code."""

import re

from xnai.text.sentences import STOPS

_SENTENCE = re.compile(rf"\s*+[^\n]+?(?:[{STOPS}][\"')\]»”]*+(?=\s|$)|\n|$)\s*+")
_FENCE = re.compile(r"\s*(?:```|~~~)")  # begins and ends a block of code
# What does not end a sentence: "Art. 5", "3. March".
_OPEN = re.compile(
    r"(?:\b(?:[^\W\d]|[Nn]os?|[Nn]r|[Aa]rt|[Aa]bs|[Ss]ec|[Ff]ig|[Vv]ol|pp?|St|Dr|Mr|Mrs|Ms|vs|"
    r"approx|e\.g|i\.e|z\.B)|(?<!\d)\d{1,2})\.[ \t]*$"
)


def end_of_first(text: str, *, final: bool) -> int | None:
    """Where the first complete sentence of a text ends; None if there is none yet.

    Args:
        text: what is written so far, without the sentences before.
        final: whether nothing follows, so that what is there is complete.

    """
    end = 0
    while match := _SENTENCE.match(text, end):
        end = match.end()
        if end == len(text) and not final:
            return None
        if end == len(text) or not _OPEN.search(match[0]):
            return end  # else it goes on behind the stop
    return None


def is_fence(line: str) -> bool:
    """Whether a line begins or ends a block of code."""
    return _FENCE.match(line) is not None


class CodeBlock:
    """A block of code while it is written, line by line."""

    def __init__(self) -> None:
        self._text = ""

    @property
    def is_open(self) -> bool:
        """Whether it has begun and not ended."""
        return bool(self._text)

    def add(self, line: str) -> str:
        """Take a line, the first of which begins the block; give the whole block when it ends."""
        ends = self.is_open and is_fence(line)
        self._text += line
        if not ends:
            return ""
        block, self._text = self._text, ""
        return block
