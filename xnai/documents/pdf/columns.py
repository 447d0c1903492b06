"""Tables without ruled cells: words that stand in columns, row after row.

Columns are what the gaps between words leave open through all rows (the projection profile of
document analysis); columns of prose beside each other are told by their full lines.
"""

import re
from bisect import bisect, bisect_left
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from xnai.documents.parsers import label_grid
from xnai.documents.pdf import (
    column_bands,
    column_heads,
    parted_runs,
    prose_columns,
    stacked_labels,
)
from xnai.documents.pdf.aligned_rows import (
    LEAST_ROWS,
    Visual,
    runs,
    visual_rows,
)
from xnai.documents.pdf.grid import Band, Cell, Font, Row, Table, is_set_otherwise, texts
from xnai.documents.pdf.rules import Edge
from xnai.documents.pdf.words import TextLine, Word, lines
from xnai.documents.pdf.wrapped_rows import centred, unwrapped, with_small_print

_GAP = 0.55  # of a word's height; a wider one may part two cells
_FILLED = 0.5  # of the cells
_SEVERAL = 0.6  # of the rows have more than one cell filled
_PROSE_WORDS = 5  # in a line of a column, on average
_FULL = 0.85  # of the column's width that a line of prose has
_FULL_LINES = 0.6  # of the lines of prose are full
_WORDY = 8  # words in a cell on average; in two columns that is no table
_NUMERIC = 0.5  # of the cells under the headings
_MARKER = re.compile(
    r"[•▪◦‣●○*\-\u2013\u2014]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxlcIVXLC]{1,4})[.)]|\[\d+\]"
)
_FIGURE = re.compile(r"[\d€$£¥(+\-\u2212\u2013\u2014.%]")  # what a cell of figures begins with
_DIGIT = re.compile(r"\d")


def aligned(
    words: Sequence[Word],
    rules: Sequence[Edge],
    font: Font,
    apart: Collection[int] = (),
) -> list[Table]:
    """The tables of a page.

    Args:
        words: those in no other table, in pdfium's order.
        rules: lines across the page, which may set headings apart.
        font: the font of a word, in which headings may differ.
        apart: the first characters of words that were placed on their own.

    """
    found = lines(words, _GAP, apart)
    tables: list[Table] = []
    for part in prose_columns.between(found):
        tables += _tables(part, rules, font)
    taken = {word.first for table in tables for word in table.words}
    left = [line for line in found if line.words[0].first not in taken]
    for zone in prose_columns.zones(left):
        if len(zone) < len(left):
            tables += _tables(zone, rules, font)
    return tables


def _tables(found: Sequence[TextLine], rules: Sequence[Edge], font: Font) -> Iterator[Table]:
    for whole in runs(visual_rows(found)):
        for part in parted_runs.parted(whole):
            run, totals = parted_runs.without_totals(part)
            bands = column_bands.of(run)
            if len(bands) > 1 and not _has_prose(run, bands):
                table = _table(run, bands, rules, font)
                if table is not None:
                    yield stacked_labels.parted(table, font)
                    yield from _of_totals(totals)


def _of_totals(rows: Sequence[Visual]) -> Iterator[Table]:
    """What stands below a table as one of labels and figures."""
    if rows:
        bands = tuple(
            (min(row[at].left for row in rows), max(row[at].right for row in rows)) for at in (0, 1)
        )
        pairs = tuple(tuple(line.words for line in row) for row in rows)
        yield Table(bands, (), (), pairs, is_headed=False, is_total=True)


def _has_prose(run: Sequence[Visual], bands: Sequence[Band]) -> bool:
    starts = [start for start, _ in bands]
    columns: list[list[TextLine]] = [[] for _ in bands]
    for row in run:
        for line in row:
            place = bisect(starts, line.x) - 1
            if place >= 0 and line.x <= bands[place][1]:
                columns[place].append(line)
    return any(map(_is_prose, columns, bands))


def _is_prose(own: Sequence[TextLine], band: Band) -> bool:
    if not own or sum(len(line.words) for line in own) < _PROSE_WORDS * len(own):
        return False
    width = _FULL * (band[1] - band[0])
    return sum(line.right - line.left >= width for line in own) >= _FULL_LINES * len(own)


def _table(
    run: Sequence[Visual], bands: Sequence[Band], rules: Sequence[Edge], font: Font
) -> Table | None:
    borders = [(before[1] + after[0]) / 2 for before, after in pairwise(bands)]
    above = 0
    while above < len(run) - LEAST_ROWS and _is_of_no_column(run[above], borders):
        above += 1
    run = run[above:]
    rows, kept = centred([_row(visual, borders, bands) for visual in run])
    run = [run[place] for place in kept]
    rows, kept = with_small_print(rows)
    run = [run[place] for place in kept]
    if not _is_table(rows):
        return None
    pairs = _pairs(rows, font)
    if pairs:
        return Table(tuple(bands[:2]), (), (), pairs, is_headed=False)
    below = next((row for row in rows[1:] if any(row[1:])), rows[1])  # not the name of a group
    heads = _heads(run, rows, rules) or int(_stands_out(rows[0], below, font))
    head = column_heads.joined(run[:heads], rows[:heads], bands, rules)
    body = tuple(unwrapped(rows[heads:]))
    return Table(tuple(bands), (), head if heads else (), body, is_headed=bool(heads))


def _stands_out(first: Row, below: Row, font: Font) -> bool:
    """Whether a row is set in another type; of a label with its value the value may be."""
    is_pair = len(first) == 2 and bool(_DIGIT.search(_text(first[1])))  # noqa: PLR2004 - columns
    return all(first) and not is_pair and is_set_otherwise(first, below, font)


def _is_of_no_column(visual: Visual, borders: Sequence[float]) -> bool:
    """Whether a row above a table says things of its own, such as whose it is, across columns."""
    return any(
        ":" in line.text and any(line.words[0].x < border < line.words[-1].x for border in borders)
        for line in visual
    )


def _pairs(rows: Sequence[Row], font: Font) -> tuple[Row, ...]:
    """Labels and values, where rows have them side by side; none if it is another table.

    All labels are set in one type, and all values in another, or the values are of many kinds.
    """
    columns = len(rows[0])
    if label_grid.is_form([texts(row) for row in rows]):
        return tuple(pair for row in rows for pair in label_grid.in_row(row, ()) if any(pair))
    if columns < 4 or columns % 2:  # noqa: PLR2004 - two pairs
        return ()
    labels, values = (
        {font(word) for row in rows for cell in row[side::2] for word in cell} for side in (0, 1)
    )
    if len(labels) != 1 or labels & values:
        return ()
    pairs = [row[at : at + 2] for row in rows for at in range(0, columns, 2)]
    return tuple(pair for pair in pairs if any(pair))


def _row(visual: Visual, borders: Sequence[float], bands: Sequence[Band]) -> Row:
    named = not any(_DIGIT.search(line.text) for line in visual)
    if len(visual) == len(bands) and (named or all(map(_overlap, visual, bands))):
        return tuple(line.words for line in visual)
    cells: list[list[Word]] = [[] for _ in range(len(borders) + 1)]
    if len(visual) == 1 and visual[0].left < bands[0][1] and not _DIGIT.search(visual[0].text):
        return (visual[0].words, *([()] * len(borders)))  # the name of a group
    for line in visual:
        for word in line.words:
            cells[bisect_left(borders, word.x)].append(word)
    return tuple(map(tuple, cells))


def _overlap(line: TextLine, band: Band) -> bool:
    return line.left < band[1] and band[0] < line.right


def _is_table(rows: Sequence[Row]) -> bool:
    columns = len(rows[0])
    cells = [cell for row in rows for cell in row if cell]
    several = sum(sum(map(bool, row)) > 1 for row in rows)
    if len(cells) < _FILLED * columns * len(rows) or several < _SEVERAL * len(rows):
        return False
    mean = [_mean_words([row[column] for row in rows]) for column in range(columns)]
    is_list = all(_MARKER.fullmatch(_text(row[0])) for row in rows if row[0])
    if columns == 2 and (is_list or max(mean) > _WORDY):  # noqa: PLR2004
        return False
    if sum(words > _PROSE_WORDS for words in mean) > 1:
        return False
    return _is_written_in_rows(rows) or _has_figures(rows)


def _mean_words(cells: Sequence[Cell]) -> float:
    filled = [len(cell) for cell in cells if cell]
    return sum(filled) / len(filled) if filled else 0.0


def _is_written_in_rows(rows: Sequence[Row]) -> bool:
    """Whether the file has row after row; lists beside each other come one after the other."""
    firsts = [min(word.first for cell in row for word in cell) for row in rows if any(row)]
    lasts = [max(word.first for cell in row for word in cell) for row in rows if any(row)]
    in_turn = sum(last < first for last, first in zip(lasts, firsts[1:], strict=False))
    return in_turn >= (len(firsts) - 1) / 2


def _has_figures(rows: Sequence[Row]) -> bool:
    below = rows[1:]
    return any(
        sum(bool(_FIGURE.match(_text(row[c]))) for row in below if row[c])
        >= _NUMERIC * sum(bool(row[c]) for row in below)
        for c in range(1, len(rows[0]))
        if any(row[c] for row in below)
    )


def _text(cell: Cell) -> str:
    return " ".join(word.text for word in cell)


def _heads(run: Sequence[Visual], rows: Sequence[Row], rules: Sequence[Edge]) -> int:
    """How many rows are headings: what a line sets apart, or the first above figures."""
    if (stacked := column_heads.stacked(run)) and stacked < len(rows):
        return stacked
    if column_heads.has_upper(rows):
        return 2
    left, right = run[0][0].left, max(row[-1].right for row in run)
    for count in range(1, min(3, len(run))):
        above, below = run[count - 1][0].y, run[count][0].y
        if (
            any(
                below < rule.at < above
                and min(rule.end, right) - max(rule.start, left) > (right - left) / 2
                for rule in rules
            )
            and count < len(rows) - 1
        ):
            return count
    first, below_it = rows[0], rows[1:]
    if not first[0] and all(first[1:]):
        return 1
    has_none = not any(column_heads.is_figure(_text(cell)) for cell in first)
    return int(has_none and all(first[1:]) and _has_figures([first, *below_it]))
