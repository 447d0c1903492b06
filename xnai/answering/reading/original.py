"""The cited lines as they stand, below an answer that is given in another language than theirs.

A small model that has "every two weeks" before it may write "deux fois par semaine": no check of
figures sees that, and whoever reads the line itself does.
"""

from collections.abc import Sequence

from xnai.answering.citations import words_of
from xnai.types import Citation

_MOST = 2  # lines that are quoted
_ALIKE = 0.7  # share of a line's words that an answer has which gives it as it stands


def originals(text: str, citations: Sequence[Citation]) -> str:
    """Return the lines to be shown below an answer; nothing if it has their words already."""
    told = words_of(text)
    lines = [
        f"> {' '.join(citation.quote.split())} [{citation.index}]"
        for citation in citations[:_MOST]
        if not _is_in(words_of(citation.quote), told)
    ]
    return "".join(f"\n\n{line}" for line in lines)


def _is_in(words: frozenset[str], told: frozenset[str]) -> bool:
    return len(words & told) >= _ALIKE * len(words)
