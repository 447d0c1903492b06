"""What the parts of a document say, and the lines of an answer that cite where it was read."""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from xnai.answering.citations import Citer, cite, is_refusal, words_of
from xnai.types import Citation, Passage

_SAME = 0.8  # share of words that make two lines of a list the same
_COMPARED = 200  # lines
_ITEM = re.compile(r"^[\s*\u2022-]*(?:\d{1,3}[.)]\s+)?")
_NOTHING = re.compile(r"^\W*(?:none|nothing|n/?a|no)\b\W*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Note:
    """What one part says, and the passage that it was read from."""

    text: str
    passage: Passage


class CitedLines:
    """The lines of one answer; nothing is said twice, and each line has its mark."""

    def __init__(self) -> None:
        self.citations: list[Citation] = []
        self._said: set[frozenset[str]] = set()
        # A list may have a hundred thousand lines: each is compared with the latest only.
        self._latest: deque[frozenset[str]] = deque(maxlen=_COMPARED)

    def lines(self, note: Note) -> list[str]:
        """The lines of a note that were not said before, each with its mark."""
        lines = []
        for line in note.text.splitlines():
            item, words = line.strip(), words_of(line)
            if words and not self._is_said(words):
                self._said.add(words)
                self._latest.append(words)
                lines.append(f"- {item} [{self._cite(item, note.passage)}]")
        return lines

    def _is_said(self, words: frozenset[str]) -> bool:
        return words in self._said or any(_alike(words, other) for other in self._latest)

    def _cite(self, item: str, passage: Passage) -> int:
        for known in self.citations[-_COMPARED:]:
            place = (known.document_id, known.page)
            if place == (passage.document_id, passage.page) and item in known.quote:
                return known.index
        index = len(self.citations) + 1
        citer = Citer((passage,))
        citer.feed(item)
        citer.finish()
        found = citer.citations
        start, end = (
            (found[0].start - passage.start, found[0].end - passage.start)
            if found
            else (0, len(passage.text))
        )
        self.citations.append(cite(index, passage, start, end))
        return index


def notes_of(text: str, part: Sequence[Passage]) -> list[Note]:
    """The lines of a part that stand in one of its passages; what does not is the model's own."""
    notes = []
    for line in (_ITEM.sub("", line).strip() for line in text.splitlines()):
        if not line or _NOTHING.match(line) or is_refusal(line):
            continue
        citers = [(passage, Citer((passage,))) for passage in part]
        marked = [(passage, citer.feed(line) + citer.finish()) for passage, citer in citers]
        best = max(marked, key=lambda pair: pair[1].count("[1]"))
        if "[1]" in best[1]:
            notes.append(Note(line, best[0]))
    return notes


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _SAME * len(one | other)
