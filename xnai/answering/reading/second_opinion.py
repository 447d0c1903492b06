"""Which lines decide between yes and no beside those that a model has quoted."""

from collections.abc import Sequence

from xnai.answering.reading import second_look
from xnai.answering.reading.closest import LIKELY, closest_lines
from xnai.answering.reading.lines import NumberedLine, Sheet
from xnai.answering.reading.structure import without_number

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
    said = [f"{line.source.file_name}: " * several + without_number(line.text) for line in lines]
    return f"{words[yes < second_look.EVEN]}: {'; '.join(said)}"
