"""A PDF page's text in the order it is read in: tables row by row, footnotes last.

Every character keeps the index that pdfium gives it; what is put in between has none.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import pypdfium2.raw as pdfium

from xnai.documents.parsers import row_log
from xnai.documents.parsers.table import are_above_figures, between, labels, stop
from xnai.documents.pdf import broken_lines, footnotes, placed_apart, reading_order, right_to_left
from xnai.documents.pdf import columns as pdf_columns
from xnai.documents.pdf import grid as pdf_grid
from xnai.documents.pdf import rules as pdf_rules
from xnai.documents.pdf import words as pdf_words
from xnai.documents.pdf.characters import CharacterText, clean
from xnai.documents.pdf.footnotes import Note
from xnai.documents.pdf.frame import Frame
from xnai.documents.pdf.grid import Band, Cell, Row, Table, texts
from xnai.documents.pdf.words import Word

PUT_IN = -1  # index of a character that does not stand on the page
_LINE_END_HYPHEN, _NEWLINE = 0x02, 0x0A
_LINE_ENDS = frozenset((0x0A, 0x0D))
_EDGE_WORDS = 12  # of headers or footers at most, before or behind a table that goes on
MOST_PAGES = 40  # on which headings are repeated; so many are read to draw one of them


class Layout(NamedTuple):
    """What stands where on a page.

    Attributes:
        codes: pdfium's characters.
        words: with their places; none where these are not known.
        tables: made of words.
        notes: at the foot of the page.
        bounds: left, bottom, right and top of the page in its frame.
        frame: how the page is looked at; all places are those in it.
        indices: pdfium's of the characters, where it has these in another order.

    """

    codes: Sequence[int]
    words: list[Word]
    tables: list[Table]
    notes: list[Note]
    bounds: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    frame: Frame = Frame()
    indices: Sequence[int] | None = None

    def of_pdfium(self, indices: Sequence[int]) -> list[int]:
        """The indices of characters as pdfium has them."""
        if self.indices is None:
            return list(indices)
        return [index if index == PUT_IN else self.indices[index] for index in indices]


class Continued(NamedTuple):
    """The headings of a table at the end of a page, for ``pages`` on which it was before that."""

    columns: tuple[Band, ...]
    head: tuple[str, ...]
    pages: int = 0


def read(page: Any, textpage: Any) -> Layout:
    """Read a page of pdfium and its text page."""
    raw, code_at = textpage.raw, pdfium.FPDFText_GetUnicode
    codes: Sequence[int] = [code_at(raw, index) for index in range(textpage.count_chars())]
    indices: Sequence[int] | None = None
    mirrored = right_to_left.is_main(codes)
    frame = Frame(pdf_words.turns_of(textpage, codes), mirrored, page.get_bbox())
    if not right_to_left.has_any(codes):
        codes, indices = broken_lines.joined(codes, pdf_words.places(textpage))
    elif not frame.turns:
        codes, indices = right_to_left.ordered(codes, pdf_words.places(textpage))
    words = pdf_words.words(textpage, codes, frame, indices)
    upright = [word for word in words if word.runs != pdf_words.SLANTED]
    rules = pdf_rules.rules(page, frame) if words else pdf_rules.RuledLines()
    font = partial(pdf_words.font, textpage, indices)
    inside = [pdf_grid.ruled(grid, upright, font) for grid in pdf_rules.grids(rules)]
    tables = [table for table in inside if table is not None]
    along = [word for word in upright if word.runs == pdf_words.ALONG]
    panel = pdf_rules.sidebar(page, frame) if words else None
    apart = placed_apart.found(textpage, words) if indices is None else frozenset()
    for part in reading_order.parted(_outside(along, tables), panel):
        tables += pdf_columns.aligned(part, rules.across, font, apart)
    outside = _outside(along, tables)
    notes = footnotes.notes(outside)
    ordered = reading_order.ordered(words, {word.first for word in outside})
    return Layout(codes, ordered, tables, notes, frame.size, frame, indices)


def _outside(words: Sequence[Word], tables: Iterable[Table]) -> list[Word]:
    taken = {word.first for table in tables for word in table.words}
    return [word for word in words if word.first not in taken]


def written(layout: Layout, before: Continued | None) -> tuple[CharacterText, Continued | None]:
    """The text of a page, and what goes on on the next one; ``before`` is the last page's."""
    cuts = [cut for word in layout.words for cut in word.cuts]
    in_turn = all(a.first < b.first for a, b in pairwise(layout.words))
    if not (layout.tables or layout.notes or cuts) and in_turn:
        return clean(layout.codes), None
    writer, running, after = _Writer(layout.codes, cuts), _Running(layout), None
    for part in running.before_notes:
        if isinstance(part, Table):
            continues = before if part is running.first_table else None
            own = writer.table(part, continues)
            after = after if part.is_total and after else own
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
        self._codes, notes = layout.codes, layout.notes
        words = sorted(layout.words, key=lambda word: word.first)
        ends = [word.first for word in words[1:]] + ([len(layout.codes)] if words else [])
        self._extent = {
            word.first: range(word.first, end) for word, end in zip(words, ends, strict=True)
        }
        tables = {word.first: table for table in layout.tables for word in table.words}
        of_notes = {word.first for note in notes for line in note for word in line.words}
        left = [word for word in layout.words if word.first not in of_notes]
        lowest = min((line.words[0].bottom for note in notes for line in note), default=0.0)
        footer: list[Word] = []
        while left and left[-1].first not in tables and left[-1].top <= lowest:
            footer.append(left.pop())
        self.footer = self._indices(reversed(footer))
        self.before_notes = self._parts(reading_order.from_the_top(left, tables), tables)
        places = [place for place, word in enumerate(left) if word.first in tables]
        # A title may be drawn last: where words stand counts, not when they were written.
        running = [word for word in left if word.first not in tables]
        highest = max((left[place].top for place in places), default=0.0)
        lowest = min((left[place].bottom for place in places), default=0.0)
        above = sum(word.bottom >= highest for word in running)
        below = sum(word.top <= lowest for word in running)
        at_top = bool(places) and min(places[0], above) <= _EDGE_WORDS
        self.first_table = tables[left[places[0]].first] if at_top else None
        after = len(left) - places[-1] if places else 0
        self.ends_with_table = bool(places) and min(after, below) <= _EDGE_WORDS

    def _indices(self, words: Iterable[Word]) -> list[int]:
        return [index for word in words for index in self._extent[word.first]]

    def of_note(self, note: Note) -> list[int]:
        """The characters of a note."""
        return self._indices(word for line in note for word in line.words)

    def _is_at_line_end(self, written: "list[int] | Table") -> bool:
        return isinstance(written, list) and self._codes[written[-1]] in _LINE_ENDS

    def _parts(self, words: Sequence[Word], tables: dict[int, Table]) -> list["list[int] | Table"]:
        """Running text and tables, each of these where its first word stands."""
        parts: list[list[int] | Table] = []
        follows = -1
        written: set[int] = set()  # by identity: tables have no hash that is worth its price
        for word in words:
            table = tables.get(word.first)
            if table is None:
                if not parts or isinstance(parts[-1], Table):
                    parts.append([])
                elif word.first != follows and not self._is_at_line_end(parts[-1]):
                    parts[-1].append(PUT_IN)
                parts[-1] += self._extent[word.first]  # type: ignore[operator]
                follows = self._extent[word.first].stop
            elif id(table) not in written:
                written.add(id(table))
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

    def result(self) -> CharacterText:
        """All that was written."""
        return CharacterText("".join(self._text), self._indices, self._tables)

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
        """Write characters; what was not written one after the other is parted by a line's end."""
        cleaned = clean([_NEWLINE if index == PUT_IN else self._codes[index] for index in indices])
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
        before, at = "", len(self._text)
        for name, text, cell in zip(labels(head, said), said, row, strict=True):
            if cell:
                self.put((between(head, said, before) if before else "") + name)
                self._cell(cell)
                before = text
        self.put(stop(before) + "\n")
        row_log.note("".join(self._text[at:]), head, said)

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
