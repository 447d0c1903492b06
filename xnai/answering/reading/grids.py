"""Tables whose columns matter as much as their rows: timetables of lessons, trains and shifts.

A row is one line to a model, and a small one does not look up what stands in the same column of
another, nor count what stands in several. So where a question names a cell of such a table, what
goes with it is told as a line of its own, and the rows it stands on are cited.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from xnai.answering.citations import words_of
from xnai.answering.reading.lines import NumberedLine, RowPlace, Sheet, of_lines
from xnai.locale import IN_ENGLISH, Texts
from xnai.text.labelled_rows import cells_of

_LEAST_ROWS = 3
_LEAST_COLUMNS = 3
_SEVERAL = 0.4  # of the cells of a timetable that stand in other columns, too
_MOST_LINES = 3  # that are added
_MOST_CELLS = 40  # of one of them
_BESIDE = re.compile(r"\s?\([^()]{0,40}\)")
_TIME = re.compile(r"(?<!\d)([01]?\d|2[0-3])\s?[:.h]\s?([0-5]\d)(?!\d|[.:]\d)")
_LASTS = re.compile(
    r"\b(?:how long|how many minutes|minutes|duration|lasts?|takes?|wie ?lange|dauer\w*|minuten|"
    r"combien de temps|durée|dure|cuánto (?:tiempo|tarda|dura)|duración|minutos)\b|多久|何分|"
    r"كم يستغرق",
    re.IGNORECASE,
)
_HOUR = 60  # minutes


class _Row:
    """One row of a grid: its first cell, and the others by the label or number of their column."""

    def __init__(self, line: NumberedLine, name: str, cells: dict[str, str]) -> None:
        self.line, self.name, self.cells = line, name, cells

    def told(self, besides: Container[str]) -> str:
        """What tells the row from others: its first cell, and those of columns beside some."""
        others = (cell for label, cell in self.cells.items() if label not in besides)
        return " ".join((self.name, *others))

    @property
    def place(self) -> RowPlace:
        source = self.line.source
        return RowPlace(source.document_id, source.page, self.line.start, self.line.end)


def grid_alone(sheet: Sheet, question: str, texts: Texts = IN_ENGLISH) -> Sheet | None:
    """What goes with the cells that a question names, with all other lines hidden.

    None where it names none, or where there is no such table.
    """
    asked, times = words_of(question), _times(question)
    found: list[NumberedLine] = []
    for rows in _labelled(sheet.lines):
        found += _named(rows, asked, texts)
    for rows in _bare(sheet.lines):
        found += _columns(rows, question, times, texts)
    others = [line for line in sheet.lines if not line.stands_on]
    return of_lines(found, others) if 0 < len(found) <= _MOST_LINES else None


def _labelled(lines: Sequence[NumberedLine]) -> Iterator[list[_Row]]:
    """The tables whose cells have labels."""
    tables: dict[tuple[str, ...], list[_Row]] = {}
    for line in lines:
        cells = cells_of(line.text)
        if cells is not None and len(cells) > _LEAST_COLUMNS and not line.stands_on:
            labels = tuple(cells)
            rest = {label: cells[label] for label in labels[1:]}
            tables.setdefault(labels, []).append(_Row(line, cells[labels[0]], rest))
    yield from (rows for rows in tables.values() if len(rows) >= _LEAST_ROWS)


def _bare(lines: Sequence[NumberedLine]) -> Iterator[list[_Row]]:
    """The tables whose columns have no labels, such as a line's departures."""
    for (width, *_), run in groupby(lines, _shape):
        if width <= _LEAST_COLUMNS:
            continue
        rows = []
        for line in run:
            name, *cells = _split(line.text)
            rows.append(_Row(line, name, {str(at): cell for at, cell in enumerate(cells)}))
        if len(rows) >= _LEAST_ROWS:
            yield rows


def _shape(line: NumberedLine) -> tuple[int, str, int | None]:
    """How many cells a line has that have no labels, and its page."""
    labelled = line.stands_on or cells_of(line.text) is not None
    width = 0 if labelled else len(_split(line.text))
    return width, line.source.document_id, line.source.page


def _split(text: str) -> list[str]:
    return text.rstrip(".").split("; ")


def _named(rows: Sequence[_Row], asked: frozenset[str], texts: Texts) -> Iterator[NumberedLine]:
    """Where each name stands that the question has, in columns that have names in common."""
    places: dict[str, list[tuple[str, _Row]]] = {}
    for row in rows:
        for label, cell in row.cells.items():
            name = _BESIDE.sub("", cell).strip()
            if any(map(str.isalpha, name)):
                places.setdefault(name, []).append((label, row))
    shared = {one for at in places.values() if len({*_labels(at)}) > 1 for one in _labels(at)}
    places = {name: at for name, at in places.items() if shared.issuperset(_labels(at))}
    counts = [len(at) for at in places.values() if len({*_labels(at)}) > 1]
    if not counts or sum(counts) < _SEVERAL * sum(map(len, places.values())):
        return
    order = list(rows[0].cells)
    for name, at in places.items():
        words = words_of(name)
        if words and words <= asked and len(at) <= _MOST_CELLS:
            at.sort(key=lambda one: order.index(one[0]))
            shown = [
                f"{label} {row.told(shared)}{_beside(row.cells[label], name)}" for label, row in at
            ]
            told = (_said(one, name, shown) for one in (IN_ENGLISH, texts))
            yield _line(dict.fromkeys(row for _, row in at), *told)


def _labels(places: Iterable[tuple[str, _Row]]) -> list[str]:
    return [label for label, _ in places]


def _beside(cell: str, name: str) -> str:
    """What a cell has beside its name, such as a room."""
    rest = cell.replace(name, "", 1).strip()
    return f" {rest}" if rest else ""


def _said(texts: Texts, name: str, shown: Sequence[str]) -> str:
    return texts.say(
        "{name}, {count} in all: {places}", name=name, count=len(shown), places="; ".join(shown)
    )


def _columns(
    rows: Sequence[_Row], question: str, times: frozenset[str], texts: Texts
) -> Iterator[NumberedLine]:
    """The columns that have a time of the question, in a row that it names if it names any."""
    if not times:
        return
    having = [(row, at) for row in rows for at, cell in row.cells.items() if _times(cell) & times]
    asked, lasts = words_of(question), _LASTS.search(question) is not None
    in_named = [(row, at) for row, at in having if words_of(row.name) & asked]
    for at in dict.fromkeys(at for _, at in in_named or having):
        cells = [f"{row.name} {row.cells[at]}" for row in rows]
        told = (_in_column(one, cells, lasts=lasts) for one in (IN_ENGLISH, texts))
        yield _line(dict.fromkeys(rows), *told)


def _in_column(texts: Texts, cells: Sequence[str], *, lasts: bool) -> str:
    """One column in words; with how long it takes from its first time to its last, if asked."""
    told = texts.say("In the same column: {cells}", cells="; ".join(cells))
    minutes = [
        int(hour) * _HOUR + int(minute) for cell in cells for hour, minute in _TIME.findall(cell)
    ]
    rising = len(minutes) == len(cells) and all(one < other for one, other in pairwise(minutes))
    if not (lasts and rising):
        return told
    took = texts.say(
        "from the first to the last {minutes} minutes", minutes=minutes[-1] - minutes[0]
    )
    return f"{told}; {took}"


def _times(text: str) -> frozenset[str]:
    return frozenset(f"{int(hour)}:{minute}" for hour, minute in _TIME.findall(text))


def _line(rows: Sequence[_Row] | dict[_Row, None], told: str, shown: str) -> NumberedLine:
    """A line that stands on rows, at the place of the first."""
    first = next(iter(rows)).line
    places = tuple(row.place for row in rows)
    return NumberedLine(0, first.source, first.start, first.end, told, places, shown)
