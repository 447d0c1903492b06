"""What a question names by its number: "invoice 10048", "policy NP-558", "order 12601".

Records that are alike, an invoice on each page or an order in each row, differ by such a number
alone, and a small model that has all of them before it reads a neighbour. So the record whose
number the question gives is read alone first.
"""

import re
from collections.abc import Sequence

from xnai.answering.reading.lines import NumberedLine, Sheet, of_lines
from xnai.text.labelled_rows import cells_of

_TOKEN = re.compile(r"(?<![\w.,/-])(?=[\w/-]{0,30}\d)\w(?:[\w/-]{2,30}\w)(?![\w/-]|[.,]\d)")
_WORD = re.compile(r"\w[\w/-]{0,200}")
_DIGITS = 3  # that an identifier has at least
_YEAR = re.compile(r"(?:19|20)\d\d")
_LEAST_PAGES = 3  # of a file whose pages are records
_MOST_LINES = 40  # of a page that is one
_FEWER = 3  # times as many lines as the record's must there be


def record_alone(sheet: Sheet, question: str) -> Sheet | None:
    """The one record whose identifier a question gives, with all other lines hidden.

    None where it gives none, where several records have it, or where there is little beside it.
    """
    found: dict[NumberedLine, None] = {}
    for name in identifiers(question):
        having = [line for line in sheet.lines if has(line.text, name)]
        record = _record(sheet.lines, having)
        if not record:
            return None
        found |= dict.fromkeys(record)
    if not found or _FEWER * len(found) > len(sheet.lines):
        return None
    return of_lines(found, [line for line in sheet.lines if line not in found])


def identifiers(question: str) -> list[str]:
    """The numbers of records that a question gives, folded; years are none."""
    found = (name.casefold() for name in _TOKEN.findall(question))
    return [name for name in found if _is_identifier(name)]


def has(text: str, identifier: str) -> bool:
    """Whether a text has an identifier as a word."""
    folded = text.casefold()
    return identifier in folded and identifier in _WORD.findall(folded)


def _is_identifier(name: str) -> bool:
    return sum(map(str.isdigit, name)) >= _DIGITS and not _YEAR.fullmatch(name)


def _record(
    lines: Sequence[NumberedLine], having: Sequence[NumberedLine]
) -> Sequence[NumberedLine]:
    """The lines of the record that is named on these lines; none if they are of several."""
    if not having:
        return ()
    if all(cells_of(line.text) is not None for line in having):
        return having if len(having) == 1 else ()
    places = {(line.source.document_id, line.source.page) for line in having}
    if len(places) > 1:
        return ()
    ((document, page),) = places
    pages = {line.source.page for line in lines if line.source.document_id == document}
    own = [
        line for line in lines if (line.source.document_id, line.source.page) == (document, page)
    ]
    return own if len(pages) >= _LEAST_PAGES and len(own) <= _MOST_LINES else ()
