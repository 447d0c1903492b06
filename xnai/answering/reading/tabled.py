"""Calculations over the tables of documents, as a line more of what a question is answered from.

A small model adds up wrong and overlooks rows; it writes a query well. So the model is asked what
is to be looked up or calculated, the program does it, and the result is put behind the documents
as a line that can be quoted like any other. Nothing is taken away: where there is no result, or
the model finds it beside the point, the question is answered from the lines as ever.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

import structlog

from xnai.answering.query import leant_on
from xnai.answering.reading.asking import Asking
from xnai.answering.reading.lines import NumberedLine, RowPlace, Sheet, of_lines
from xnai.answering.run import AnswerRun
from xnai.answering.tables import writing
from xnai.answering.tables.calculation import Calculation, calculated, missing
from xnai.answering.tables.columns import QueryTable
from xnai.answering.tables.counting import counting_rows, counts_what_is_asked
from xnai.answering.tables.grounding import is_grounded
from xnai.answering.tables.intent import asks_for_calculation, best_table
from xnai.answering.tables.query import (
    empty_columns,
    missing_name,
    read_query,
    with_all_named,
)
from xnai.answering.tables.records import Row, tables_of
from xnai.answering.tables.superlative import with_superlative
from xnai.documents.protocol import DocumentLibrary
from xnai.documents.text_work import TextWork
from xnai.errors import GRAMMAR_INVALID, XnaiError
from xnai.locale import Texts
from xnai.types import Message, PageText

_CHARACTERS = 2_000_000  # of documents in which tables are looked for
_QUERIES = 2  # that the model may write: another where the rows have nothing in its column
_ROWS = 6  # that are added to what a search has found
_ROW = 400  # characters of one
_WORD = re.compile(r"\w+")

_log = structlog.get_logger(__name__)


async def calculation_for(
    run: AnswerRun, asking: Asking, library: DocumentLibrary, text_work: TextWork
) -> Calculation | None:
    """What can be calculated for a question; None if nothing, or nothing was asked for.

    Raises:
        XnaiError: it cannot be told, or not in time.

    """
    question, scope = run.question, run.question.scope
    if scope is None or run.whole is not None or not asks_for_calculation(question.text):
        return None
    async with text_work.turn(question.user):
        pages = (await library.pages(scope, _CHARACTERS)).pages
        return await _over(pages, asking, text_work) if pages else None


async def _over(
    pages: Sequence[PageText], asking: Asking, text_work: TextWork
) -> Calculation | None:
    """What can be calculated over pages, which are held in memory until it is known."""
    run = asking.run
    question = run.question
    asked = "\n".join([*(before.content for before in leant_on(question)), question.text])
    table = await text_work.run(_table, pages, asked)
    if table is not None:
        asked = await asking.spelt(asked, table.words)
    for _ in range(_QUERIES if table else 0):
        assert table is not None
        prompt = await text_work.run(_prompt, table, asked)
        try:
            written = await asking.query(*prompt)
        except XnaiError as exc:
            if exc.kind is not GRAMMAR_INVALID:
                raise
            _log.warning("a table's grammar was refused", columns=len(table.columns))
            return None
        found = await text_work.run(_worked_out, written, table, asked, pages, run.texts)
        if found is not None:
            return found
        if not (empty := await text_work.run(empty_columns, written, table)):
            return None
        table = table.without(empty)
    return None


def texts_of(calculation: Calculation) -> list[str]:
    """What a calculation adds to a prompt at most."""
    return [calculation.text, *map(_text, calculation.rows[:_ROWS])]


def _table(pages: Sequence[PageText], asked: str) -> QueryTable | None:
    """The table that a question is about; a large one takes seconds."""
    return best_table(tables_of(pages), asked)


def _prompt(table: QueryTable, asked: str) -> tuple[tuple[Message, ...], str]:
    """The prompt for a query, and its grammar."""
    return writing.messages(table, asked), writing.grammar(table)


def _worked_out(
    written: str, table: QueryTable, asked: str, pages: Sequence[PageText], texts: Texts
) -> Calculation | None:
    if (name := missing_name(written, table, asked)) is not None:
        found = missing(name, table, written, texts)
        return replace(found, is_certain=_is_nowhere(name.word, pages))
    query = with_superlative(read_query(written, table), asked, table)
    if query is None or not counts_what_is_asked(query, asked):
        return None
    query = counting_rows(with_all_named(query, asked), asked)
    result = calculated(query, written, texts)
    return replace(result, is_grounded=is_grounded(query, asked)) if result else None


def _is_nowhere(name: str, pages: Sequence[PageText]) -> bool:
    """Whether all words of a name stand in the documents, but never together.

    A name in another language, or of another kind, may be there by another one.
    """
    text, wanted = "\n".join(page.text for page in pages).casefold(), name.casefold()
    words, known = _WORD.findall(wanted), set(_WORD.findall(text))
    return len(words) > 1 and wanted not in text and all(word in known for word in words)


def with_calculation(sheet: Sheet, calculation: Calculation) -> Sheet:
    """The lines of a sheet with those rows that it has not, and the result behind them."""
    rows = [one for row in calculation.rows for one in (row, *row.joined)]
    lines = list(sheet.lines)
    if not rows:
        return sheet
    places = tuple(_place(row) for row in rows)
    # Of a sum over many rows the first few would say nothing.
    shown = rows if len(rows) <= _ROWS else []
    added = [
        NumberedLine(0, row.page, row.start, row.end, _text(row))
        for row, place in zip(shown, places, strict=False)
        if not any(place.holds(line) for line in lines)
    ]
    first, stands_on = rows[0], () if calculation.is_missing else places
    place = (first.page, first.start, first.end)
    result = NumberedLine(0, *place, calculation.text, stands_on, calculation.shown)
    return of_lines([*lines, *added, result])


def _place(row: Row) -> RowPlace:
    return RowPlace(row.page.document_id, row.page.page, row.start, row.end)


def _text(row: Row) -> str:
    begin = row.start - row.page.start
    return " ".join(row.page.text[begin : begin + min(_ROW, row.end - row.start)].split())
