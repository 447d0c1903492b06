"""Whether a model quotes a line that has nothing to do with the question, and which has.

A small model with a long text before it quotes a rule two lines from the right one, and its answer
stands there. Where a quoted line shares no word with the question, the lines are compared with the
question by what they mean: if another is much nearer, it is read alone. That comparison finds no
answer by itself (rows of a table are all alike to it), so it is asked only then.
"""

from collections.abc import Sequence

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine, Sheet, of_lines
from xnai.answering.reading.structure import asks_for_place

LEAST_LINES = 8  # of fewer a model overlooks none
_NEAR = 0.4  # cosine of a line that may answer
_NEARER = 0.15  # than the quoted ones; set by looking at some 60 questions over 20 files
_MOST = 3  # lines that are read instead
_DECIDING = 2  # lines from which a yes or no is asked
_LIKELY = 0.38  # cosine of such a line
_STEM = 4  # letters
_HEADING = 48  # characters; a shorter line that ends without a stop may be one
_STOPS = (".", "!", "?", ";", "。", "！", "？")  # noqa: RUF001 - as they are written


def is_suspect(question: str, quoted: Sequence[NumberedLine], sheet: Sheet) -> bool:
    """Whether quoted lines had better be compared with a question by meaning."""
    if not quoted or len(sheet.lines) < LEAST_LINES or any(line.stands_on for line in sheet.lines):
        return False
    if asks_for_place(question):
        return True
    asked = words_of(question)
    return not any(_share(asked, words_of(line.text)) for line in quoted)


def nearer(cosines: Sequence[float], quoted: Sequence[NumberedLine], sheet: Sheet) -> Sheet | None:
    """The lines to be read in place of those that are quoted; None if none is much nearer.

    Args:
        cosines: of the question and each line.
        quoted: what the model has named.
        sheet: all that was read.

    """
    best = sorted(range(len(cosines)), key=lambda at: -cosines[at])[:_MOST]
    own = [cosines[line.number - 1] for line in quoted if 0 < line.number <= len(cosines)]
    if not best or not own or cosines[best[0]] < max(_NEAR, max(own) + _NEARER):
        return None
    near = [at for at in best if cosines[at] > max(own) + _NEARER / 2]
    return of_lines(sheet.lines[at] for at in sorted(_with_what_follows(near, sheet)))


def deciding(cosines: Sequence[float], sheet: Sheet) -> Sequence[NumberedLine]:
    """The lines nearest to a question for yes or no, the best first; none if they are not near."""
    best = sorted(range(len(cosines)), key=lambda at: -cosines[at])[:_DECIDING]
    if not best or cosines[best[0]] < _LIKELY:
        return ()
    found: dict[NumberedLine, None] = {}
    for at in best:
        # Nothing is decided by a heading, but by what stands under it.
        is_heading = _is_heading(sheet.lines[at]) and at + 1 < len(sheet.lines)
        found[sheet.lines[at + is_heading]] = None
    return tuple(found)


def _with_what_follows(chosen: Sequence[int], sheet: Sheet) -> set[int]:
    following = {at + 1 for at in chosen if _is_heading(sheet.lines[at])}
    return {at for at in {*chosen, *following} if at < len(sheet.lines)}


def _is_heading(line: NumberedLine) -> bool:
    return len(line.text) <= _HEADING and not line.text.rstrip().endswith(_STOPS)


def _share(some: frozenset[str], others: frozenset[str]) -> bool:
    """Whether a word begins alike in both."""
    return any(other.startswith(one[:_STEM]) for one in some for other in others)
