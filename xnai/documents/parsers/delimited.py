"""How the cells of a text file are parted; used in the worker process only.

``csv.Sniffer`` looks for quotes with patterns that take a minute on 64 kB of them. Here the text is
read in every form that is likely, each once, and the one that gives the most even rows is taken.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from itertools import islice
from typing import NamedTuple

_SAMPLE = 64 * 1024  # characters
_ROWS = 200
_EVEN = 0.6  # of the rows have as many cells as most
# Of two that fit alike the first: what stands in cells is rather a comma than a tab.
_SEPARATORS = ("\t", ";", "|", ",")
_QUOTES = ('"', "'")


# What Excel writes above a table, and does not show, to say what parts its cells.
_SAID = re.compile(r"\ufeff?sep=([^\r\n])[ \t]{0,4}(?:\r\n|\r|\n)", re.IGNORECASE)


class Form(NamedTuple):
    """What parts cells, and what stands around one that has it inside."""

    separator: str
    quote: str


def without_sign(text: str) -> str:
    """A table without the line above it that says what parts its cells."""
    said = _SAID.match(text)
    return text[said.end() :] if said is not None else text


def form_of(text: str) -> Form | None:
    """Tell the form of a table by its first rows; None if it has but one column, or is none."""
    sample = text[:_SAMPLE]
    cut = len(text) > _SAMPLE
    forms = [Form(separator, quote) for quote in _QUOTES for separator in _SEPARATORS]
    best = max(forms, key=lambda form: _evenness(sample, form, cut=cut))
    return best if _evenness(sample, best, cut=cut) >= _EVEN else None


def rows(text: str, form: Form) -> Iterator[list[str]]:
    """Read a table.

    Raises:
        csv.Error: a cell is longer than any table's.

    """
    return csv.reader(
        StringIO(text, newline=""),
        delimiter=form.separator,
        quotechar=form.quote,
        skipinitialspace=True,
    )


def _evenness(sample: str, form: Form, *, cut: bool) -> float:
    """The share of rows that have as many cells as most have, which are several."""
    try:
        read = [len(row) for row in islice(rows(sample, form), _ROWS + 1) if row]
    except csv.Error:
        return 0.0
    if (cut or len(read) > _ROWS) and len(read) > 1:
        read.pop()
    several = Counter(width for width in read if width > 1)
    return several.most_common(1)[0][1] / len(read) if several else 0.0
