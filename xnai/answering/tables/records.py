"""The tables of documents, as their text has them.

A row of a table is read as ``Region: North; Units: 3.``, a form as one ``Label: value`` a line. So
records are found in the text alone, whatever kind of file it comes from: rows with the same labels
are a table, and so are forms that repeat.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from xnai.text.labelled_rows import cells_of
from xnai.text.raw_lines import raw_lines
from xnai.types import PageText

LEAST_ROWS = 3  # that make a table
_LEAST_COLUMNS = 2
_SAME = 0.6  # of the labels that rows of one table share
_OPEN_TABLES = 12  # of a document, the last ones, that a row may belong to
_PAIR = re.compile(r"(?P<label>[^:;|\n]{2,60}):\s+(?P<value>[^\n]{1,160}?)\.?")
# "Invoice 10041", "Payslip no. 3": what a form that repeats begins with.
_HEADING = re.compile(
    r"#{0,6}\s{0,3}(?P<label>[^\W\d][^\d:;.\n]{1,40}?)\s{0,3}(?:no\.?|nr\.?|n°|№|#)?\s{0,3}"
    r"(?P<value>\d[\w./-]{0,20})",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Row:
    """A record: its cells by the labels of their columns, and where it stands on its page.

    ``joined`` are the rows of other tables under the same name, whose cells it has as well.
    """

    cells: Mapping[str, str]
    page: PageText
    start: int
    end: int
    joined: tuple["Row", ...] = ()


@dataclass(frozen=True, slots=True)
class Records:
    """Rows of one document with the same columns."""

    file_name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def tables_of(pages: Iterable[PageText]) -> list[Records]:
    """The tables of documents, whose pages come in their order."""
    documents: dict[str, list[PageText]] = {}
    for page in pages:
        documents.setdefault(page.document_id, []).append(page)
    return [table for pages_of_one in documents.values() for table in _of_document(pages_of_one)]


def _of_document(pages: Sequence[PageText]) -> Iterator[Records]:
    name = pages[0].file_name
    rows, forms = _Rows(), _Forms()
    for page in pages:
        for start, end in raw_lines(page.text):
            line = page.text[start:end]
            if (cells := cells_of(line)) is not None:
                rows.add(Row(cells, page, page.start + start, page.start + end))
            else:
                forms.add(line, page, page.start + start, page.start + end)
    yield from _joined([Records(name, *one) for one in (*rows.tables(), *forms.tables())])


def _joined(tables: Sequence[Records]) -> Iterator[Records]:
    """Tables with the same names in their first column are one: the years of a report."""
    groups: dict[tuple[str, ...], list[Records]] = {}
    for table in tables:
        key = table.columns[0]
        names = [row.cells.get(key, "") for row in table.rows]
        groups.setdefault((key, *sorted(names)), []).append(table)
    for (key, *names), parts in groups.items():
        if len(set(names)) < len(names):
            yield from parts
        else:
            yield _side_by_side(key, parts)


def _side_by_side(key: str, parts: Sequence[Records]) -> Records:
    """One table of several that have one row for each name."""
    if len(parts) == 1:
        return parts[0]
    by_name: dict[str, list[Row]] = {}
    for part in parts[1:]:
        for row in part.rows:
            by_name.setdefault(row.cells.get(key, ""), []).append(row)
    rows = []
    for first in parts[0].rows:
        others = by_name.get(first.cells.get(key, ""), [])
        cells = dict(first.cells)
        for other in others:
            cells.update({k: v for k, v in other.cells.items() if k not in cells})
        rows.append(Row(cells, first.page, first.start, first.end, tuple(others)))
    columns = dict.fromkeys(label for part in parts for label in part.columns)
    return Records(parts[0].file_name, tuple(columns), tuple(rows))


class _Rows:
    """Rows of tables, each put to the table of the document that has its columns."""

    def __init__(self) -> None:
        self._tables: list[tuple[dict[str, None], list[Row]]] = []

    def add(self, row: Row) -> None:
        labels = row.cells.keys()
        for columns, rows in reversed(self._tables[-_OPEN_TABLES:]):
            shared = len(labels & columns.keys())
            if shared >= _SAME * len(labels) and next(iter(labels)) in columns:
                columns.update(dict.fromkeys(labels))
                rows.append(row)
                return
        self._tables.append((dict.fromkeys(labels), [row]))

    def tables(self) -> Iterator[tuple[tuple[str, ...], tuple[Row, ...]]]:
        for columns, rows in self._tables:
            if len(rows) >= LEAST_ROWS:
                yield tuple(columns), tuple(rows)


@dataclass
class _Form:
    """A record of a form while its lines are read."""

    page: PageText
    start: int
    end: int
    cells: dict[str, str] = field(default_factory=dict)


class _Forms:
    """Forms that repeat: each begins with a numbered heading, or where a label comes again."""

    def __init__(self) -> None:
        self._forms: list[_Form] = []

    def add(self, line: str, page: PageText, start: int, end: int) -> None:
        heading, pair = _HEADING.fullmatch(line), _PAIR.fullmatch(line)
        match = heading or pair
        if match is None:
            return
        label, value = match["label"].strip(), match["value"].strip()
        last = self._forms[-1] if self._forms else None
        if last is None or heading or label in last.cells:
            last = _Form(page, start, end)
            self._forms.append(last)
        last.cells[label] = value
        if last.page is page:
            last.end = end

    def tables(self) -> Iterator[tuple[tuple[str, ...], tuple[Row, ...]]]:
        counts: dict[str, int] = {}
        for form in self._forms:
            for label in form.cells:
                counts[label] = counts.get(label, 0) + 1
        most = max(counts.values(), default=0)
        columns = {label: None for label, count in counts.items() if 2 * count >= most}
        kept = [
            Row(form.cells, form.page, form.start, form.end)
            for form in self._forms
            if sum(label in columns for label in form.cells) >= _LEAST_COLUMNS
        ]
        if most >= LEAST_ROWS and len(kept) >= LEAST_ROWS and len(columns) >= _LEAST_COLUMNS:
            yield tuple(columns), tuple(kept)
