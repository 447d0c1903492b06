"""A PDF page's text in the order it is read in: tables row by row, footnotes last.

Every character keeps the index that pdfium gives it; what is put in between has none.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents import pdf_columns, pdf_grid, pdf_notes, pdf_rules, pdf_words
from xnai.documents.pdf_characters import PageText, clean
from xnai.documents.pdf_grid import Band, Cell, Row, Table, texts
from xnai.documents.pdf_notes import Note
from xnai.documents.pdf_words import Word
from xnai.documents.table import are_above_figures, between, labels, stop

PUT_IN = -1  # index of a character that does not stand on the page
_LINE_END_HYPHEN = 0x02
_EDGE_WORDS = 12  # of headers or footers at most, before or behind a table that goes on
MOST_PAGES = 40  # on which headings are repeated; so many are read to draw one of them


class Layout(NamedTuple):
    """What stands where on a page; ``codes`` are pdfium's characters."""

    codes: Sequence[int]
    words: list[Word]
    tables: list[Table]
    notes: list[Note]


class Continued(NamedTuple):
    """The headings of a table at the end of a page, for ``pages`` on which it was before that."""

    columns: tuple[Band, ...]
    head: tuple[str, ...]
    pages: int = 0


def read(page: Any, textpage: Any) -> Layout:
    """Read a page of pdfium and its text page."""
    raw, code_at = textpage.raw, pdfium.FPDFText_GetUnicode
    codes = [code_at(raw, index) for index in range(textpage.count_chars())]
    words = pdf_words.words(textpage, codes)
    rules = pdf_rules.rules(page) if words else pdf_rules.Rules()
    inside = [pdf_grid.ruled(grid, words) for grid in pdf_rules.grids(rules)]
    tables = [table for table in inside if table is not None]
    font = partial(pdf_words.font, textpage)
    tables += pdf_columns.aligned(_outside(words, tables), rules.across, font)
    return Layout(codes, words, tables, pdf_notes.notes(_outside(words, tables)))


def _outside(words: Sequence[Word], tables: Iterable[Table]) -> list[Word]:
    taken = {word.first for table in tables for word in table.words}
    return [word for word in words if word.first not in taken]


def written(layout: Layout, before: Continued | None) -> tuple[PageText, Continued | None]:
    """The text of a page, and what goes on on the next one; ``before`` is the last page's."""
    cuts = [cut for word in layout.words for cut in word.cuts]
    if not (layout.tables or layout.notes or cuts):
        return clean(layout.codes), None
    writer, running, after = _Writer(layout.codes, cuts), _Running(layout), None
    for part in running.before_notes:
        if isinstance(part, Table):
            continues = before if part is running.first_table else None
            after = writer.table(part, continues)
        else:
            writer.running(part)
    for note in layout.notes:
        writer.paragraph()
        writer.running(running.of_note(note))
    if running.footer:
        writer.paragraph()
        writer.running(running.footer)
    return writer.result(), after if running.ends_with_table else None


def may_continue(layout: Layout) -> bool:
    """Whether a page begins with a table, which the page before may have begun."""
    return _Running(layout).first_table is not None


def far_down(layout: Layout) -> Continued | None:
    """What goes on on a page so far down a table that headings are no longer repeated."""
    table = _Running(layout).first_table
    return None if table is None else Continued(table.columns, (), MOST_PAGES)


class _Running:
    """The running text of a page: what is left of it when tables and notes are taken out.

    Attributes:
        before_notes: running text and tables, each of these where its first word stands.
        footer: what stands below the notes.
        first_table: the one that the page begins with.
        ends_with_table: whether the page does.

    """

    def __init__(self, layout: Layout) -> None:
        # What follows a word, spaces and line ends, goes where the word goes.
        words, notes = layout.words, layout.notes
        ends = [word.first for word in words[1:]] + [len(layout.codes)]
        self._extent = {
            word.first: range(word.first, end) for word, end in zip(words, ends, strict=True)
        }
        tables = {word.first: table for table in layout.tables for word in table.words}
        of_notes = {word.first for note in notes for line in note for word in line.words}
        left = [word for word in words if word.first not in of_notes]
        lowest = min((line.words[0].bottom for note in notes for line in note), default=0.0)
        footer: list[Word] = []
        while left and left[-1].first not in tables and left[-1].top <= lowest:
            footer.insert(0, left.pop())
        self.footer = self._indices(footer)
        self.before_notes = self._parts(left, tables)
        places = [place for place, word in enumerate(left) if word.first in tables]
        at_top = bool(places) and places[0] <= _EDGE_WORDS
        self.first_table = tables[left[places[0]].first] if at_top else None
        self.ends_with_table = bool(places) and len(left) - places[-1] <= _EDGE_WORDS

    def _indices(self, words: Iterable[Word]) -> list[int]:
        return [index for word in words for index in self._extent[word.first]]

    def of_note(self, note: Note) -> list[int]:
        """The characters of a note."""
        return self._indices(word for line in note for word in line.words)

    def _parts(self, words: Sequence[Word], tables: dict[int, Table]) -> list["list[int] | Table"]:
        """Running text and tables, each of these where its first word stands."""
        parts: list[list[int] | Table] = []
        written: list[Table] = []
        for word in words:
            table = tables.get(word.first)
            if table is None:
                if not parts or isinstance(parts[-1], Table):
                    parts.append([])
                parts[-1] += self._extent[word.first]  # type: ignore[operator]
            elif not any(table is other for other in written):
                written.append(table)
                parts.append(table)
        return parts


class _Writer:
    """Puts a page's text together."""

    def __init__(self, codes: Sequence[int], cuts: Iterable[int]) -> None:
        self._codes = codes
        self._cuts = frozenset(cuts)
        self._text: list[str] = []
        self._indices: list[int] = []
        self._tables: list[tuple[int, int]] = []

    @property
    def _length(self) -> int:
        return len(self._indices)

    def result(self) -> PageText:
        """All that was written."""
        return PageText("".join(self._text), self._indices, self._tables)

    def put(self, text: str) -> None:
        """Write what does not stand on the page."""
        self._text.append(text)
        self._indices += [PUT_IN] * len(text)

    def paragraph(self) -> None:
        """Begin a paragraph."""
        written = "".join(self._text[-4:])
        if written:
            self.put("\n" * (2 - (len(written) - len(written.rstrip("\n")))))

    def running(self, indices: Sequence[int]) -> None:
        """Write characters in the order given, with spaces around the numbers of notes."""
        start = 0
        for cut in [place for place, index in enumerate(indices) if index in self._cuts]:
            self._take(indices[start:cut])
            self.put(" ")
            start = cut
        self._take(indices[start:])

    def _take(self, indices: Sequence[int]) -> None:
        cleaned = clean([self._codes[index] for index in indices])
        self._text.append(cleaned.text)
        self._indices += [indices[place] for place in cleaned.indices]

    def table(self, table: Table, before: Continued | None) -> Continued:
        """Write each row of a table as a sentence that names what its cells are.

        ``before`` is the table at the end of the page before, which this one may go on with.
        """
        self.paragraph()
        start = self._length
        if table.caption:
            self._cell(table.caption)
            self.put("\n\n")
        head, rows = texts(table.head), table.rows
        continues = before is not None and _goes_on(before, table)
        if before is not None and continues:
            head = before.head if before.pages < MOST_PAGES else ()
            rows = (table.head, *rows) if table.head else rows
        for row in rows:
            self._row(head, row)
        self._tables.append((start, self._length))
        self.put("\n")
        return Continued(table.columns, head, before.pages + 1 if before and continues else 0)

    def _row(self, head: Sequence[str], row: Row) -> None:
        said = texts(row)
        filled = 0
        for name, cell in zip(labels(head, said), row, strict=True):
            if cell:
                self.put((between(head, said) if filled else "") + name)
                self._cell(cell)
                filled += 1
        self.put(stop("".join(said)) + "\n")

    def _cell(self, cell: Cell) -> None:
        for number, word in enumerate(cell):
            divided = number and self._codes[word.first - 1] == _LINE_END_HYPHEN
            if number and not divided:
                self.put(" ")
            self._take(range(word.first, word.last + 1))


def _goes_on(before: Continued, table: Table) -> bool:
    """Whether a table has the columns of the one before and no headings of its own."""
    if len(before.columns) != len(table.columns) or table.is_headed:
        return False
    if are_above_figures([texts(row) for row in (table.head, *table.rows) if row]):
        return False
    if table.head and texts(table.head) == before.head:
        return False
    pairs = zip(before.columns, table.columns, strict=True)
    return all(one[0] < other[1] and other[0] < one[1] for one, other in pairs)
