"""What the parts of a document say, and the lines of an answer that cite where it was read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from xnai.citations import Citer, cite, is_refusal, words_of
from xnai.grounding import is_copied
from xnai.retrieval.sentences import sentences
from xnai.types import Citation, Passage
from xnai.whole_question import Kind

_SAME = 0.8  # share of words that make two lines of a list the same
_SHORT = 120  # characters of a sentence; of such ones a summary of a part has two
_ENDED = re.compile(r"[.!?\u3002][\"')\]\u201d]*$")
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
        self._said: list[frozenset[str]] = []

    def lines(self, note: Note) -> list[str]:
        """The lines of a note that were not said before, each with its mark."""
        lines = []
        for line in note.text.splitlines():
            item, words = line.strip(), words_of(line)
            if words and not any(_alike(words, other) for other in self._said):
                self._said.append(words)
                lines.append(f"- {item} [{self._cite(item, note.passage)}]")
        return lines

    def _cite(self, item: str, passage: Passage) -> int:
        for known in self.citations:
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


def notes_of(text: str, part: Sequence[Passage], kind: Kind) -> list[Note]:
    """The lines of a part that stand in one of its passages; what does not is the model's own."""
    lines = [" ".join(text.split())] if kind == "summary" else text.splitlines()
    notes = []
    for line in (_ITEM.sub("", line).strip() for line in lines):
        if not line or _NOTHING.match(line) or is_refusal(line):
            continue
        citers = [(passage, Citer((passage,))) for passage in part]
        marked = [(passage, citer.feed(line) + citer.finish()) for passage, citer in citers]
        best = max(marked, key=lambda pair: pair[1].count("[1]"))
        if "[1]" in best[1]:
            notes.append(Note(line, best[0]))
    return notes


def copied_notes(text: str, passage: Passage, kind: Kind) -> list[Note]:
    """What a small model copied and did not make up; without that its first sentence, if a summary.

    Of a summary two sentences are enough: such a model does not know when to stop.
    """
    plain = " ".join(passage.text.split())
    if kind == "list":
        lines = [_ITEM.sub("", line).strip() for line in text.splitlines()]
        return [Note(line, passage) for line in lines if line and _stands_in(line, plain)]
    spans = [text[start:end] for start, end in sentences(" ".join(text.split()))]
    kept = [said for said in spans if _ENDED.search(said) and is_copied(said, plain, "")]
    if not kept:
        kept = [plain[start:end] for start, end in sentences(plain)]
    return [Note(said, passage) for said in kept[: 2 if len(kept[0]) < _SHORT else 1]]


def _stands_in(line: str, text: str) -> bool:
    """Whether a line stands in a text as it is, apart from case and a stop at its end."""
    wanted = line.casefold().rstrip(".,;")
    return bool(re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", text.casefold()))


def shortened(text: str, group: Sequence[Note]) -> Note:
    """A summary of notes, with the passage of the one that it takes most from."""
    nearest = max(group, key=lambda note: _common(note.text, text))
    return Note(" ".join(text.split()), nearest.passage)


def _common(one: str, other: str) -> int:
    return len(words_of(one) & words_of(other))


def _alike(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= _SAME * len(one | other)
