"""Which lines decide between yes and no beside those that a model has quoted."""

import re
from collections.abc import Sequence

from xnai.answering.citations import words_of
from xnai.answering.reading import second_look
from xnai.answering.reading.closest import LIKELY, closest_lines
from xnai.answering.reading.lines import NumberedLine, Sheet
from xnai.answering.reading.proof import figures_of
from xnai.answering.reading.structure import without_number
from xnai.text.number_words import numbers_in_words
from xnai.text.sentences import sentences

_SAME = re.compile(
    r"\b(?:same|equal|equally|identical|as (?:long|high|much|many) as|gleich\w*|selben?|dasselbe|"
    r"identisch\w*|mêmes?|identiques?|mism[oa]s?|iguale?s?)\b",
    re.IGNORECASE,
)
_DIFFERS = re.compile(
    r"\b(?:differ\w*|unterscheid\w*|unterschied\w*|verschieden\w*|différ\w*|difer\w*|distint\w*)\b",
    re.IGNORECASE,
)
_YEAR = re.compile(r"(?<![\d.,])[12]\d{3}(?![\d.,]*\d)")
_LEAST_SHARED = 2  # words of a question that a line of another year has
_FEW = 4  # lines of several files, which were chosen to be compared


def in_place_of_refusal(question: str, sheet: Sheet) -> Sequence[NumberedLine]:
    """The lines that may answer a question for yes or no to which a model found none."""
    lines = sheet.lines
    if second_look.words_for(question) is None:
        return ()
    if len(lines) <= _FEW and len({line.source.document_id for line in lines}) > 1:
        return lines
    return tuple(closest_lines(question, lines))


def besides(question: str, sheet: Sheet, quoted: Sequence[NumberedLine]) -> Sequence[NumberedLine]:
    """The lines that have more of a question's words than those that are quoted, if any have."""
    if second_look.words_for(question) is None:
        return ()
    closest = closest_lines(question, sheet.lines, LIKELY)
    return () if any(line in quoted for line in closest) else tuple(closest)


def by_figures(question: str, lines: Sequence[NumberedLine]) -> float | None:
    """How likely "yes" is where figures decide it: certain, for they are compared here.

    Asked are whether something is the same in several files, or whether it was in a year: a line
    that tells the same of another year says no. None where figures do not decide, or where it is
    not clear which of them is asked about.
    """
    deciding = decided_by(lines)
    if len(deciding) > 1:
        return _are_alike(question, deciding)
    years, line = set(_YEAR.findall(question)), _telling(question, deciding[0])
    told = set(_YEAR.findall(line))
    shared = words_of(question) & words_of(line)
    is_told = len(shared) >= _LEAST_SHARED and len(told) == 1
    return 0.0 if years and is_told and not years & told else None


def _are_alike(question: str, lines: Sequence[NumberedLine]) -> float | None:
    same, differs = _SAME.search(question), _DIFFERS.search(question)
    texts = [without_number(line.text) for line in lines]
    figures = [figures_of(text) | numbers_in_words(text) for text in texts]
    if bool(same) == bool(differs) or not all(figures):
        return None
    alike = all(one == figures[0] for one in figures)
    if not alike and any(len(one) > 1 for one in figures):
        return None  # what differs may be something else
    return float(alike == bool(same))


def _telling(question: str, line: NumberedLine) -> str:
    """The sentence of a line that has most of a question's words."""
    text = without_number(line.text)
    asked = words_of(question)
    parts = [text[start:end] for start, end in sentences(text)] or [text]
    return max(parts, key=lambda part: len(asked & words_of(part))).strip()


def decided_by(lines: Sequence[NumberedLine]) -> tuple[NumberedLine, ...]:
    """The line that is told, or one of each file."""
    by_file: dict[str, NumberedLine] = {}
    for line in lines:
        by_file.setdefault(line.source.document_id, line)
    return tuple(by_file.values())


def told(question: str, yes: float, lines: Sequence[NumberedLine]) -> str:
    """The answer in the words of the lines that decide it."""
    words = second_look.words_for(question)
    assert words is not None
    several = len(lines) > 1
    said = [f"{line.source.file_name}: " * several + _telling(question, line) for line in lines]
    return f"{words[yes < second_look.EVEN]}: {'; '.join(said)}"
