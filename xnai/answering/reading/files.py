"""Questions over several files: which are put to each file, and which to all of them at once.

A small model that has several files before it answers from the one that comes first. So a question
that names none of them is put to each, and one that compares is put to the lines that each file
has for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xnai.answering.reading import second_look
from xnai.answering.reading.lines import NumberedLine, Sheet, of_lines
from xnai.types import Citation

MOST_FILES = 6  # that are asked one by one
Over = Literal["all", "each", "compared"]
_COMPARES = re.compile(
    r"\b(?:differ\w*|compar\w*|both|same|equal\w*|higher|lower|more|less|fewer|than|between|"
    r"which|highest|lowest|most|least|together|total|sum|altogether|all|every|each|how many|"
    r"unterschied\w*|vergleich\w*|beide\w*|gleich\w*|höher|niedriger|mehr|weniger|welche\w*|"
    r"zusammen|insgesamt|alle\w*|différen\w*|compar\w*|deux|mêmes?|plus|moins|quels?|quelles?|"
    r"ensemble|tous|diferen\w*|ambos|ambas|mism[oa]s?|más|menos|cuál\w*|juntos|todos)\b",
    re.IGNORECASE,
)
_WHICH = re.compile(
    r"\b(?:which|who|whose|where|welche\w*|wer|wo|quel(?:le)?s?|lequel|laquelle|qui|où|cuál\w*|"
    r"quién\w*|dónde)\b|哪|谁|どちら|どの|誰|أي|من",
    re.IGNORECASE,
)
_ENDING = re.compile(r"\.\w{1,5}$")


def asked_over(sheet: Sheet, question: str, *, summary: bool) -> Over:
    """Whether a question is put to all lines, to each file's, or to those that are compared."""
    names = {line.source.document_id: line.source.file_name for line in sheet.lines}
    if not 1 < len(names) <= MOST_FILES:
        return "all"
    folded = question.casefold()
    named = sum(_ENDING.sub("", name).casefold() in folded for name in names.values())
    if named == 1:
        return "all"
    if named > 1 or _COMPARES.search(question):
        return "compared"
    return "all" if summary else "each"


def leaves_out(question: str, answer: str, citations: Sequence[Citation], sheet: Sheet) -> bool:
    """Whether an answer to a question about several files says nothing of one of them.

    A yes or no, and which one it is, may stand on one file.
    """
    if second_look.said(answer) is not None or _WHICH.search(question):
        return False
    cited = {citation.document_id for citation in citations}
    return any(line.source.document_id not in cited for line in sheet.lines)


@dataclass(frozen=True, slots=True)
class OneFile:
    """The lines of one of several files."""

    name: str
    sheet: Sheet


def by_file(sheet: Sheet) -> list[OneFile]:
    """The lines of each file, numbered anew."""
    groups: dict[str, list[NumberedLine]] = {}
    for line in sheet.lines:
        groups.setdefault(line.source.document_id, []).append(line)
    return [OneFile(lines[0].source.file_name, of_lines(lines)) for lines in groups.values()]
