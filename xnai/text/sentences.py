"""Sentences of a text, as spans."""

import re

from xnai.text.english import is_abbreviation

STOPS = ".!?\u3002\uff01\uff1f"  # the latter three are the full-width ones
WIDE_STOPS = STOPS[3:]
EVIDENCE_CHARACTERS = 240  # about two sentences
_BETWEEN = re.compile(rf"(?<=[{STOPS}])\s+|(?<=[{WIDE_STOPS}])|\n\s*\n")
_POINTS_BACK = re.compile(
    r"\W{0,2}(?:it|its|he|his|she|her|they|their|this|these|that|those|such|there|both)\b",
    re.IGNORECASE,
)
_LINE = re.compile(r"[^\n]+")
_WORD = re.compile(r"\w")
_SHORT_LINE = 0.6  # of the widest: such a line ends by itself, not at the margin
_LONGEST_SENTENCE = 400  # characters; beyond, the lines of a table were taken for one sentence


def sentences(text: str) -> list[tuple[int, int]]:
    """Spans (start, end) of the sentences of a text; a wrapped line goes on in the next one."""
    spans, start = [], 0
    for match in _BETWEEN.finditer(text):
        if _goes_on(text, match):
            continue
        spans += _lines_joined(text, start, match.start())
        start = match.end()
    return spans + _lines_joined(text, start, len(text))


def in_context(text: str) -> list[tuple[int, int]]:
    """Spans of the sentences; one that begins by pointing back has the one before it too.

    "Its lamp was replaced in 1987." says little without the sentence that says whose lamp.
    """
    spans = sentences(text)
    return [
        (before[0], end)
        if before and _POINTS_BACK.match(text, start) and end - before[0] <= _LONGEST_SENTENCE
        else (start, end)
        for before, (start, end) in zip([None, *spans], spans, strict=False)
    ]


def with_neighbours(text: str, evidence: tuple[int, int]) -> tuple[int, int]:
    """Widen a span by whole sentences, before it first, as long as it stays short.

    "Its lamp was replaced in 1987." needs the sentence that says whose lamp.
    """
    start, end = evidence
    spans = sentences(text)
    before = [span for span in spans if span[1] <= start]
    after = [span for span in reversed(spans) if span[0] >= end]
    while True:
        if before and end - before[-1][0] <= EVIDENCE_CHARACTERS:
            start = before.pop()[0]
        elif after and after[-1][1] - start <= EVIDENCE_CHARACTERS:
            end = after.pop()[1]
        else:
            return start, end


def _goes_on(text: str, gap: re.Match[str]) -> bool:
    """Whether the stop before a gap is that of an abbreviation and the sentence goes on."""
    if "\n\n" in gap.group() or text[gap.start() - 1] != ".":
        return False
    return is_abbreviation(text, gap.start())


def _lines_joined(text: str, start: int, end: int) -> list[tuple[int, int]]:
    lines = [m.span() for m in _LINE.finditer(text, start, end) if m.group().strip()]
    told = {line for line in lines if _WORD.search(text, *line)} or set(lines)
    widest = max((b - a for a, b in lines), default=0)
    joined: list[tuple[int, int]] = []
    goes_on = False
    for a, b in lines:
        if (a, b) not in told:  # a rule between two parts
            goes_on = False
            continue
        if goes_on and b - joined[-1][0] <= _LONGEST_SENTENCE:
            joined[-1] = (joined[-1][0], b)
        else:
            joined.append((a, b))
        goes_on = b - a >= _SHORT_LINE * widest
    return [_trimmed(text, a, b) for a, b in joined]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())
