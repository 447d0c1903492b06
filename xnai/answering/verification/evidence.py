"""The sentences that a claim may stand on, with the headings that say what they are about."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from xnai.answering.reading.lines import NumberedLine
from xnai.answering.verification.claim import Coverage, Statement, has_word
from xnai.text.sentences import sentences
from xnai.types import Passage

_HEADING = 60  # characters of a heading at most
_ENDS = re.compile(r"[.!?;:,]$")
_ASKS = ("?", "\uff1f", "\u061f")  # what is asked says nothing
_LEAST_SHARE = 0.2  # of a claim's words, for a sentence to be looked at
_LABEL = re.compile(r"([^:;]{2,40}): ([^:;]{2,80})")
_LABELLED = re.compile(
    r"(?<![^\W\d_])([^\W\d_]{1,40})\W{1,3}(?:no\W{1,2})?([\w-]{0,20}\d[\w-]{0,20})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A sentence that a claim may stand on.

    ``alone`` is what it has of the claim, ``coverage`` what it has together with its headings.
    """

    line: NumberedLine
    headings: tuple[str, ...]
    alone: Coverage
    coverage: Coverage

    @property
    def texts(self) -> tuple[str, ...]:
        """The sentence behind its headings."""
        return (*self.headings, self.line.text)

    @property
    def rank(self) -> float:
        """How well it carries the claim."""
        missing = len(self.coverage.figures) + len(self.coverage.names)
        length = min(len(self.line.text), _HEADING) / _HEADING  # a label alone says nothing
        return self.coverage.share + self.alone.share - 0.2 * missing + 0.05 * length


def candidates(
    claim: Statement, lines: Sequence[NumberedLine], found: Sequence[Passage]
) -> list[Candidate]:
    """Return the sentences that have most of a claim, and those a search takes for it.

    The best come first.
    """
    near = [
        (passage.document_id, passage.page, passage.start + one.start, passage.start + one.end)
        for passage in found
        for one in passage.ranked[:1]
    ]
    chosen = []
    for line, headings in _sentences(lines):
        alone = claim.on([line.text])
        coverage = claim.on([*headings, line.text])
        is_near = any(_overlap(line, *place) for place in near)
        if alone.share >= _LEAST_SHARE or is_near or (claim.figures and not alone.figures):
            chosen.append(Candidate(line, headings, alone, coverage))
    return sorted(chosen, key=lambda one: one.rank, reverse=True)


def is_of_another(claim: Statement, candidate: Candidate) -> bool:
    """Whether a sentence is about another thing by its number: "Invoice 7" is not "Invoice 8"."""
    numbers = {
        word.casefold(): number
        for heading in candidate.headings
        for word, number in _LABELLED.findall(heading)
    }
    return any(
        numbers.get(word.casefold(), number) != number
        for word, number in _LABELLED.findall(claim.text)
    )


def of_another_name(claim: Statement, chosen: Sequence[Candidate]) -> Candidate | None:
    """Return the line that gives a thing another name than a claim that does nothing else.

    "Engineer: Per Ostby" is not what "The engineer was Ida Fjell" says.
    """
    for one in chosen:
        match = _LABEL.fullmatch(one.line.text)
        if match is None or is_of_another(claim, one):
            continue
        label, value = Statement(match[1]).words, match[2].casefold()
        is_named = bool(label) and all(has_word(claim.words, word) for word in label)
        does_nothing_else = len(claim.words) <= len(label) + len(claim.names) + 1
        others = Statement(f"{match[1]} {match[2]}").names - Statement(match[1]).names
        is_other = bool(claim.names and others) and not any(n in value for n in claim.names)
        if is_named and does_nothing_else and is_other:
            return one
    return None


def _sentences(
    lines: Sequence[NumberedLine],
) -> Iterator[tuple[NumberedLine, tuple[str, ...]]]:
    """Each sentence of each line, with the first line of its page and the heading above it."""
    place: tuple[str, int | None] | None = None
    first, heading = "", ""
    for line in lines:
        here = (line.source.document_id, line.source.page)
        if here != place:
            place, first, heading = here, line.text, ""
        above = tuple(
            dict.fromkeys(text for text in (first, heading) if text and text != line.text)
        )
        parts = (_part(line, start, end) for start, end in _spans(line))
        yield from ((part, above) for part in parts if not part.text.endswith(_ASKS))
        if _is_heading(line.text):
            heading = line.text


def _is_heading(text: str) -> bool:
    named = any(map(str.isalpha, text))
    return named and len(text) <= _HEADING and ": " not in text and not _ENDS.search(text)


def _spans(line: NumberedLine) -> list[tuple[int, int]]:
    written = line.source.text[line.start - line.source.start : line.end - line.source.start]
    spans = sentences(written)
    # "4.1" alone is no sentence.
    is_whole = any(end - start <= len("10.10.") for start, end in spans)
    return [(0, len(written))] if is_whole or not spans else spans


def _part(line: NumberedLine, start: int, end: int) -> NumberedLine:
    offset = line.start - line.source.start
    text = line.source.text[offset + start : offset + end]
    return replace(
        line, start=line.start + start, end=line.start + end, text=" ".join(text.split())
    )


def _overlap(line: NumberedLine, document_id: str, page: int | None, start: int, end: int) -> bool:
    same = (line.source.document_id, line.source.page) == (document_id, page)
    return same and line.start < end and start < line.end
