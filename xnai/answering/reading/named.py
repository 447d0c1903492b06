"""What a question names: rows of a table by their cells, sections by numbers, messages by days.

A small model that has a hundred lines before it picks a neighbour of the right one. The row whose
cells stand in the question, the section whose number it gives, are put behind the other lines once
more, where a model looks first; of a long table the other rows are left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from xnai.answering.citations import words_of
from xnai.answering.reading.dated import messages_of
from xnai.answering.reading.lines import NumberedLine, RowPlace, Sheet, of_lines
from xnai.answering.reading.second_look import words_for
from xnai.answering.reading.structure import asked_numbers, leading_number
from xnai.text.labelled_rows import cells_of
from xnai.text.months import is_run, months_in
from xnai.text.weekdays import weekdays_in

_LEAST_ROWS = 4  # of fewer a model overlooks none
_MOST_ROWS = 3  # that fit what is named; of more the question names none
_LONG = 12  # rows of a table, of which only those that are named are told
_BESIDES = re.compile(
    r"\b(?:same|other|others|besides|else|also|than|before|after|next|all|every|andere\w*|gleich\w*|"
    r"auch|autres?|même|aussi|otr[oa]s?|mism[oa]|también)\b",
    re.IGNORECASE,
)
_MOST_LINES = 12  # of a section
_LEAST_MONTHS = 3  # of a text that goes on month by month
_OF_MONTH = re.compile(
    r"\b(?:in|for|of|im|für|vom|en|pour|de|du|di|per|за|в)\s(?:the month of )?([^\W\d_]{3,12})\b"
    r"(?!\s(?:before|after|or))",
    re.IGNORECASE,
)
_SHORTEST = 3  # characters of a cell that can be a name
_WORDS = re.compile(r"\w+")

Row = tuple[NumberedLine, Mapping[str, str]]


def with_named(sheet: Sheet, question: str) -> Sheet:
    """The lines with those behind them that a question names."""
    sections = sections_of(sheet, question)
    rows, others = _rows(sheet.lines, question)
    if not sections and not rows:
        return sheet
    kept = [line for line in sheet.lines if line not in others]
    return of_lines([*kept, *sections, *rows])


def sections_of(sheet: Sheet, question: str) -> list[NumberedLine]:
    """The lines of the sections, or messages, that a question names, if they are few."""
    messages = messages_of(sheet.lines, question)
    return messages or _sections(sheet.lines, asked_numbers(question))


def sections_alone(sheet: Sheet, question: str) -> Sheet | None:
    """The sections whose numbers a question gives, with all other lines hidden; None without any.

    Asked for section 8.3, a small model that has all sections before it may answer with 8.4.
    """
    sections = sections_of(sheet, question)
    if not sections:
        return None
    return of_lines(sections, [line for line in sheet.lines if line not in sections])


def cells_alone(sheet: Sheet, question: str) -> Sheet | None:
    """The cells of one row that a question names by other cells and by their columns.

    Asked who is late in hall 2 on Monday, a small model that has the right row before it reads the
    cell of those who are early. All other lines are hidden. None if the question names no row, or
    more than one, or no column of it.
    """
    asked, words = f" {_plain(question)} ", words_of(question)
    found: list[NumberedLine] = []
    for rows in _tables(sheet.lines) if not _BESIDES.search(question) else ():
        named = _named_cells(rows, asked)
        fitting = [row for row in rows if named and _fits(row[1], named)]
        for line, cells in fitting:
            columns = [
                label
                for label, cell in cells.items()
                if label not in named and cell and words_of(label) and words_of(label) <= words
            ]
            if columns:
                kept = [label for label in cells if label in named or label in columns]
                told = "; ".join(f"{label}: {cells[label]}" for label in kept)
                found.append(_reduced(line, told))
    return of_lines(found, sheet.lines) if len(found) == 1 else None


def names_no_row(sheet: Sheet, question: str) -> bool:
    """Whether a question names a day, or a month, that a table of days has not, nor any other line.

    Asked who works on Wednesday, a small model answers with the row of Tuesday.
    """
    asked = weekdays_in(question)
    if not asked:
        return _names_no_month(sheet, question)
    has_days = any(
        all(any(map(weekdays_in, cells.values())) for _, cells in rows)
        for rows in _tables(sheet.lines)
    )
    return has_days and not asked & weekdays_in(sheet.told)


def _names_no_month(sheet: Sheet, question: str) -> bool:
    """Whether a value is asked of a month, and the text goes on month by month without it."""
    asked = months_in(" ".join(_OF_MONTH.findall(question)))
    if len(asked) != 1 or words_for(question) is not None:
        return False
    told = months_in(sheet.told)
    return len(told) >= _LEAST_MONTHS and is_run(told) and not asked & told


def _sections(lines: Sequence[NumberedLine], numbers: frozenset[str]) -> list[NumberedLine]:
    """The lines of the sections of those numbers, those of their own parts among them."""
    found: list[NumberedLine] = []
    inside = False
    for line in lines if numbers else ():
        own = leading_number(line.text)
        if own:
            inside = any(own == number or own.startswith(f"{number}.") for number in numbers)
        if inside:
            found.append(line)
    return found if len(found) <= min(_MOST_LINES, len(lines) // 2) else []


def _rows(
    lines: Sequence[NumberedLine], question: str
) -> tuple[list[NumberedLine], set[NumberedLine]]:
    """The rows whose cells stand in the question: in every column of which it names one.

    Of a long table the rows beside them are given too, to be left out: they differ in a figure, and
    a small model puts two of them together.
    """
    asked = f" {_plain(question)} "
    found: dict[NumberedLine, None] = {}
    others: set[NumberedLine] = set()
    for rows in _tables(lines):
        named = _named_cells(rows, asked)
        fitting = [line for line, cells in rows if named and _fits(cells, named)]
        if 0 < len(fitting) <= _MOST_ROWS:
            found |= dict.fromkeys(fitting)
            if len(rows) >= _LONG and not _BESIDES.search(question):
                others |= {line for line, _ in rows}
    return list(found)[:_MOST_ROWS], others


def _fits(cells: Mapping[str, str], named: Mapping[str, set[str]]) -> bool:
    return all(_plain(cells.get(label, "")) in values for label, values in named.items())


def _reduced(line: NumberedLine, told: str) -> NumberedLine:
    """A line that says something of another one, and stands on it."""
    source = line.source
    place = RowPlace(source.document_id, source.page, line.start, line.end)
    return NumberedLine(0, source, line.start, line.end, told, (place,))


def _tables(lines: Sequence[NumberedLine]) -> Iterator[list[Row]]:
    """The rows by their labels, where there are enough."""
    tables: dict[tuple[str, ...], list[Row]] = {}
    for line in lines:
        if (cells := cells_of(line.text)) is not None:
            tables.setdefault(tuple(cells), []).append((line, cells))
    yield from (rows for rows in tables.values() if len(rows) >= _LEAST_ROWS)


def _named_cells(rows: Sequence[Row], asked: str) -> dict[str, set[str]]:
    """The cells that stand in a question, by the labels of their columns."""
    found: dict[str, set[str]] = {}
    for _, cells in rows:
        for label, cell in cells.items():
            name = _plain(cell)
            if len(name) >= _SHORTEST and not name.isdigit() and f" {name} " in asked:
                found.setdefault(label, set()).add(name)
    # "Works 1" is not what "Tarn Works 1" names.
    longest = {name for names in found.values() for name in names}
    for label, names in list(found.items()):
        kept = {
            one for one in names if not any(one != o and f" {one} " in f" {o} " for o in longest)
        }
        if kept:
            found[label] = kept
        else:
            del found[label]
    return found


def _plain(text: str) -> str:
    return " ".join(_WORDS.findall(text.casefold()))
