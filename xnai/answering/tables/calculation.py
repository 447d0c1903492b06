"""The result of a query in words, with the calculation and the rows it stands on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from xnai.answering.tables.columns import QueryTable
from xnai.answering.tables.numbers import decimals_of
from xnai.answering.tables.query import Condition, MissingName, Query, Term
from xnai.answering.tables.records import Row
from xnai.locale import IN_ENGLISH, Texts, marked

_DIGITS = 80  # of a result: cells have 30 at most
_LONGEST = 1000  # characters that are told: rows may hold whole paragraphs
_MOST_CITED = 12  # rows, the first, that a result is cited with
_MOST_TERMS = 12  # of a sum that are written out
_MOST_ROWS = 8  # that are told one by one
_FEW_ROWS = 2  # that are told beside what was counted or added up over them
_MOST_CELLS = 12  # of a row that is told
_PLACES = 2  # of a quotient, at least
_FUNCTIONS = {
    "SUM": marked("sum {column}"),
    "AVG": marked("average {column}"),
    "MIN": marked("lowest {column}"),
    "MAX": marked("highest {column}"),
}
_CONDITIONS = {
    ">": marked("more than {value}"),
    "<": marked("less than {value}"),
    ">=": marked("at least {value}"),
    "<=": marked("at most {value}"),
    "<>": marked("not {value}"),
    "LIKE": marked("with {value} in it"),
}


@dataclass(frozen=True, slots=True)
class Calculation:
    """What was worked out: a sentence, the query it answers, and the rows it stands on.

    ``text`` is what the model is told, in English as all that it is told by the program; ``shown``
    says the same in the reader's language.
    ``is_missing``: it says that the table has no such row; ``rows`` has the first one then.
    ``is_certain``: nor does it stand anywhere else, so there is nothing to be answered.
    ``is_grounded``: the question says itself of which rows it is asked.
    """

    text: str
    shown: str
    query: str
    rows: tuple[Row, ...]
    is_missing: bool = False
    is_certain: bool = False
    is_grounded: bool = False


def calculated(query: Query, written: str, texts: Texts = IN_ENGLISH) -> Calculation | None:
    """Work out a query, and say the result; None where it gives nothing."""
    text, rows = _sentence(query, IN_ENGLISH)
    if not text:
        return None
    shown = text if texts is IN_ENGLISH else _sentence(query, texts)[0]
    return Calculation(text, shown, written, rows)


def missing(
    name: MissingName, table: QueryTable, written: str, texts: Texts = IN_ENGLISH
) -> Calculation:
    """Say that a table has no row of the name that a question asks for."""
    text, shown = (
        one.say(
            "This is not in the documents: no row of the table in {file} has {column}: {value}",
            file=table.file_name,
            column=name.column.label,
            value=name.word,
        )
        for one in (IN_ENGLISH, texts)
    )
    return Calculation(text, shown, written, table.rows[:1], is_missing=True)


def _sentence(query: Query, texts: Texts) -> tuple[str, tuple[Row, ...]]:
    """Say what a query gives, and over what; empty where it gives nothing."""
    rows = query.chosen()
    with localcontext(prec=_DIGITS):
        told, used = _told(query, rows, texts)
    if not told:
        return "", ()
    over = _counted(query, len(rows), texts)
    text = texts.say("Calculated over {rows}: {result}", rows=over, result=told)
    return text[:_LONGEST], used[:_MOST_CITED]


def _told(query: Query, rows: list[Row], texts: Texts) -> tuple[str, tuple[Row, ...]]:
    """What a query gives, and the rows that it stands on."""
    if query.group is not None:
        return _by_group(query, rows, texts)
    if any(term.function or term.column is None for term in query.terms):
        return _over_all(query, rows, texts)
    return _row_by_row(query, rows, texts)


def _counted(query: Query, count: int, texts: Texts) -> str:
    """Over what a query is: which rows of which table."""
    table = query.table
    everything = texts.say_number(
        "the {number} row of the table in {file}",
        "the {number} rows of the table in {file}",
        len(table.rows),
        file=table.file_name,
    )
    if not query.conditions:
        return texts.say("all of {rows}", rows=everything)
    joiner = f" {texts.say('or')} " if query.any_of else f" {texts.say('and')} "
    where = joiner.join(f"{one.column.label}: {_condition(one, texts)}" for one in query.conditions)
    return texts.say(
        "{count} of {rows}, those with {condition}", count=count, rows=everything, condition=where
    )


def _condition(condition: Condition, texts: Texts) -> str:
    """A condition in words."""
    value = f" {texts.say('or')} ".join(condition.values)
    text = _CONDITIONS.get(condition.operator)
    return texts.say(text, value=value) if text else value


def _over_all(query: Query, rows: list[Row], texts: Texts) -> tuple[str, tuple[Row, ...]]:
    """Functions over all rows; the lowest and the highest come with their row."""
    told: list[str] = []
    used: list[Row] = []
    for term in query.terms:
        if not term.function and term.column is not None:
            continue  # beside a function a column tells the row, which comes with it anyway
        number = term.over(rows)
        if number is None:
            return "", ()
        if term.function in {"MIN", "MAX"} and term.column is not None:
            best = next(row for row in rows if term.column.number(row) == number)
            used.append(best)
            row = texts.say("in the row {row}", row=_cells(best, 3))
            told.append(f"{_name(term, texts)} = {_cell(term, best)}, {row}")
        else:
            told.append(f"{_name(term, texts)} = {_written_out(term, rows)}{_shown(number, term)}")
    if len(rows) <= _FEW_ROWS and not used:
        told += [texts.say("the row: {row}", row=_cells(row)) for row in rows]
    # Where there are no such rows, that is said of the table.
    return "; ".join(told), tuple(used or rows or query.table.rows[:1])


def _row_by_row(query: Query, rows: list[Row], texts: Texts) -> tuple[str, tuple[Row, ...]]:
    """The rows themselves, in the order that was asked for."""
    kept = _ordered(query, rows)
    labels = [term.column.label for term in query.terms if term.column is not None]
    if query.order is not None and query.order.column is not None:
        labels.append(query.order.column.label)
    told = [
        ", ".join(f"{label}: {row.cells.get(label, '-')}" for label in dict.fromkeys(labels))
        for row in kept[:_MOST_ROWS]
    ]
    if not told:
        return "", ()
    rest = len(kept) - _MOST_ROWS
    more = (
        f" {texts.say_number('and {number} more', 'and {number} more', rest)}" if rest > 0 else ""
    )
    way = ""
    if query.order is not None and query.order.column is not None:
        text = marked("the highest {column}") if query.descending else marked("the lowest {column}")
        way = f"{texts.say(text, column=query.order.column.label)}: "
    return f"{way}{' | '.join(told)}{more}{_together(query, kept, texts)}", tuple(kept)


def _by_group(query: Query, rows: list[Row], texts: Texts) -> tuple[str, tuple[Row, ...]]:
    """Functions over each group of rows."""
    group = query.group
    assert group is not None
    groups = list(query.groups(rows))
    order = query.order
    if order is not None and order.column is not None and not order.function:
        order = replace(order, function="SUM")  # of a group a column alone has many values
    if order is not None:
        groups.sort(key=lambda one: order.over(one[1]) or Decimal(0), reverse=query.descending)
    terms = [term for term in query.terms if term.function or term.column is None]
    if order is not None and not terms:
        terms = [order]
    shown = _with_ties(groups, order, query.limit) if order is not None else _MOST_ROWS
    told = [
        f"{group.label} {value}: "
        + ", ".join(
            f"{_name(term, texts)} = {_written_out(term, found)}{_shown(number, term)}"
            for term in terms
            if (number := term.over(found)) is not None
        )
        for value, found in groups[:shown]
    ]
    first = groups[: query.limit or _MOST_ROWS]
    way = ""
    if order is not None and told:
        text = (
            marked("{column}, the highest first")
            if query.descending
            else marked("{column}, the lowest first")
        )
        way = f"{texts.say(text, column=_name(order, texts))}: "
    return way + " | ".join(told), tuple(row for _, found in first for row in found)


def _with_ties(groups: Sequence[tuple[str, list[Row]]], order: Term, limit: int) -> int:
    """How many groups come first, those that are as high as the last of them among them."""
    values = [order.over(rows) for _, rows in groups[:_MOST_ROWS]]
    return sum(value == values[min(limit, len(values)) - 1] for value in values[limit:]) + limit


def _ordered(query: Query, rows: list[Row]) -> list[Row]:
    order = query.order
    if order is None or order.column is None:
        return rows
    column = order.column
    if column.numbers is None:
        kept = sorted(rows, key=lambda row: row.cells.get(column.label, "").casefold())
    else:
        kept = [row for row in rows if column.number(row) is not None]
        kept.sort(key=lambda row: column.number(row) or Decimal(0))
    if query.descending:
        kept.reverse()
    return kept[: query.limit]


def _together(query: Query, rows: Sequence[Row], texts: Texts) -> str:
    """Sum and difference of two numbers that were asked for by name: two rows', or one row's."""
    named = {condition.column.name for condition in query.conditions}
    terms = [
        term
        for term in query.terms
        if term.column is not None and term.column.numbers and term.column.name not in named
    ]
    if len(rows) * len(terms) != 2 or query.order is not None:  # noqa: PLR2004 - a pair
        return ""
    numbers = [t.column.number(row) for row in rows for t in terms if t.column is not None]
    if None in numbers:
        return ""
    one, other = (number or Decimal(0) for number in numbers)
    high, low = max(one, other), min(one, other)
    return (
        f"; {texts.say('together')} {one:f} + {other:f} = {_shown(one + other, terms[0])}"
        f"; {texts.say('difference')} {high:f} - {low:f} = {_shown(high - low, terms[0])}"
    )


def _name(term: Term, texts: Texts) -> str:
    if term.column is None:
        return texts.say("number of rows")
    text = _FUNCTIONS.get(term.function, "{column}")
    if term.function == "COUNT":
        distinct = marked("number of different {column}")
        text = distinct if term.distinct else marked("number of {column}")
    return texts.say(text, column=term.column.label)


def _written_out(term: Term, rows: Sequence[Row]) -> str:
    if term.function != "SUM" or term.column is None:
        return ""
    numbers = [number for row in rows if (number := term.column.number(row)) is not None]
    if not 1 < len(numbers) <= _MOST_TERMS:
        return ""
    return f"{' + '.join(f'{number:f}' for number in numbers)} = ".replace("+ -", "- ")


def _shown(number: Decimal, term: Term) -> str:
    if term.column is None or term.function == "COUNT" or term.column.numbers is None:
        return f"{number:f}"
    places = term.column.numbers.decimals
    if term.function == "AVG":
        places = max(places, _PLACES)
    if decimals_of(number) > places:
        number = number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    return f"{number:f} {term.column.unit}".strip()


def _cell(term: Term, row: Row) -> str:
    return row.cells.get(term.column.label, "") if term.column is not None else ""


def _cells(row: Row, most: int = _MOST_CELLS) -> str:
    """The first cells of a row, which tell it from others."""
    return ", ".join(f"{label}: {cell}" for label, cell in list(row.cells.items())[:most])
