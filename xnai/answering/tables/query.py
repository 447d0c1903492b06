"""The queries that a model may write about a table, and what they give.

They look like SQL, which models know, and are no more than the grammar allows: columns and kinds
of the table, one condition for rows, one grouping, one order. They are read into ``Query`` and
worked out here in exact decimals, with the rows that a result stands on; no database sees them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise

from xnai.answering.tables.columns import Column, QueryTable
from xnai.answering.tables.records import Row

NONE = "NONE"
Number = Decimal | None

_TERM = re.compile(
    r"(?:(?P<function>SUM|AVG|MIN|MAX|COUNT)\((?P<distinct>DISTINCT )?)?(?P<column>[\w*]+)\)?"
)
_TEXT = r"'[^'\n]*'"
_NUMBER = r"-?\d+(?:\.\d+)?"
_LIST = rf"\((?:{_TEXT}(?:, {_TEXT})*|{_NUMBER}(?:, {_NUMBER})*)\)"
_OPERAND = rf"(?:{_TEXT}|{_NUMBER}|{_LIST}|[^\W\d]\w*)"
_OPERATOR = r"(?:=|<>|>=|<=|>|<|IN|LIKE)"
_CONDITION = re.compile(rf"\b(?P<column>\w+) (?P<operator>{_OPERATOR}) (?P<operand>{_OPERAND})")
_ONE_TERM = r"(?:\w+\((?:DISTINCT )?)?[\w*]+\)?"
_ONE_CONDITION = rf"\w+ {_OPERATOR} {_OPERAND}"
# Every clause is spelt out: what stands in quotes may hold the words of another one.
_CLAUSES = (
    rf"SELECT (?P<terms>{_ONE_TERM}(?:, {_ONE_TERM})*)",
    r" FROM t",
    rf"(?: WHERE (?P<where>{_ONE_CONDITION}(?: (?:AND|OR) {_ONE_CONDITION})*))?",
    r"(?: GROUP BY (?P<group>\w+))?",
    rf"(?: ORDER BY (?P<order>{_ONE_TERM}) (?P<way>ASC|DESC) LIMIT (?P<limit>\d))?",
)
_QUERY = re.compile("".join(_CLAUSES))
_COMPARES = re.compile(
    r"\b(?:differ\w*|compar\w*|higher|lower|more|less|fewer|than|both|unterschied\w*|differenz|"
    r"höher|niedriger|mehr|weniger|als|vergleich\w*|différen\w*|plus|moins|que|diferencia|más|"
    r"menos|mayor|menor)\b",
    re.IGNORECASE,
)
_MOST_COMPARED = 4  # rows that a question names
_NUMBERS = re.compile(_NUMBER)
_QUOTED = re.compile(r"'([^'\n]*)'")
_WORKED = frozenset(["SUM", "AVG", "MIN", "MAX"])
_COMPARED: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    ">": lambda one, other: one > other,
    "<": lambda one, other: one < other,
    ">=": lambda one, other: one >= other,
    "<=": lambda one, other: one <= other,
}


@dataclass(frozen=True, slots=True)
class Term:
    """What is asked for: a column, or a function over it; ``column`` None counts rows."""

    function: str
    column: Column | None
    distinct: bool = False

    def over(self, rows: Sequence[Row]) -> Number:
        """The number that a function gives over rows; None if there is none."""
        if self.column is None:
            return Decimal(len(rows))
        if self.function == "COUNT":
            label = self.column.label
            cells = [cell.casefold() for row in rows if (cell := row.cells.get(label, ""))]
            return Decimal(len(set(cells) if self.distinct else cells))
        numbers = [number for row in rows if (number := self.column.number(row)) is not None]
        return _FUNCTIONS.get(self.function, _sum)(numbers) if numbers else None


def _sum(numbers: Sequence[Decimal]) -> Decimal:
    return sum(numbers, Decimal(0))


_FUNCTIONS: dict[str, Callable[[Sequence[Decimal]], Decimal]] = {
    "MIN": min,
    "MAX": max,
    "AVG": lambda numbers: _sum(numbers) / len(numbers),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What a row must be.

    Attributes:
        column: of which its cell is looked at.
        operator: as in the query.
        values: what the cell is compared with, as it is said.
        words: cells that fulfil it, as the column has them.
        numbers: what its number is compared with, where there are no words.
        other: the column of the same row that its number is compared with.

    """

    column: Column
    operator: str
    values: tuple[str, ...]
    words: frozenset[str] = frozenset()
    numbers: tuple[Decimal, ...] = ()
    other: Column | None = None

    def holds(self, row: Row) -> bool:
        """Whether a row is so."""
        if self.words:
            has = row.cells.get(self.column.label, "") in self.words
            return has != (self.operator == "<>")
        number = self.column.number(row)
        compared = _COMPARED.get(self.operator, _COMPARED["="])
        limits: tuple[Number, ...] = self.numbers
        if self.other is not None:
            limits = (self.other.number(row),)
        return number is not None and any(o is not None and compared(number, o) for o in limits)


@dataclass(frozen=True, slots=True)
class Query:
    """A query over one table, as it was read."""

    table: QueryTable
    terms: tuple[Term, ...]
    conditions: tuple[Condition, ...] = ()
    any_of: bool = False
    group: Column | None = None
    order: Term | None = None
    descending: bool = False
    limit: int = 0

    def chosen(self) -> list[Row]:
        """The rows that the conditions leave."""
        decide = any if self.any_of else all
        return [
            row
            for row in self.table.rows
            if not self.conditions or decide(one.holds(row) for one in self.conditions)
        ]

    def groups(self, rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
        """The rows by the value of the column that groups them, in their order."""
        assert self.group is not None
        found: dict[str, tuple[str, list[Row]]] = {}
        for row in rows:
            value = row.cells.get(self.group.label, "")
            found.setdefault(value.casefold(), (value, []))[1].append(row)
        yield from found.values()


def read_query(text: str, table: QueryTable) -> Query | None:
    """Read a query; None where it asks for nothing, or for what the table does not have."""
    match = _QUERY.fullmatch(text.strip())
    if match is None:
        return None
    terms = [_term(part, table) for part in match["terms"].split(", ")]
    where = match["where"] or ""
    found = list(_CONDITION.finditer(where))
    conditions = [_condition(one, table) for one in found]
    joiners = {where[one.end() : other.start()].strip() for one, other in pairwise(found)}
    group = table.columns.get(match["group"] or "")
    order = _term(match["order"], table) if match["order"] else None
    lacking = (match["group"] and not (group and group.repeats)) or (
        match["order"] and order is None
    )
    if lacking or None in terms or None in conditions or len(joiners) > 1:
        return None
    return Query(
        table,
        tuple(term for term in terms if term),
        tuple(condition for condition in conditions if condition),
        any_of="OR" in joiners,
        group=group,
        order=order,
        descending=match["way"] == "DESC",
        limit=int(match["limit"] or 0),
    )


def _term(text: str, table: QueryTable) -> Term | None:
    match = _TERM.fullmatch(text)
    if match is None:
        return None
    if match["column"] == "*":
        return Term("COUNT", None)
    column = table.columns.get(match["column"])
    return Term(match["function"] or "", column, bool(match["distinct"])) if column else None


def _condition(match: re.Match[str], table: QueryTable) -> Condition | None:
    column = table.columns.get(match["column"])
    if column is None:
        return None
    operator, words = match["operator"], _QUOTED.findall(match["operand"])
    if (other := table.columns.get(match["operand"])) is not None:
        are_numbers = column.numbers and other.numbers
        return Condition(column, operator, (other.label,), other=other) if are_numbers else None
    if not words:
        numbers = tuple(Decimal(number) for number in _NUMBERS.findall(match["operand"]))
        values = tuple(f"{number:f}" for number in numbers)
        is_known = column.numbers and numbers
        return Condition(column, operator, values, numbers=numbers) if is_known else None
    if operator == "LIKE":
        part = words[0].strip("%")
        found = frozenset(value for value in column.values if part.casefold() in value.casefold())
        return Condition(column, operator, (repr(part),), found) if found else None
    found_all = [column.value_like(word) for word in words]
    return None if None in found_all else _one_of(column, operator, found_all)


def _one_of(column: Column, operator: str, values: Sequence[str | None]) -> Condition:
    found = tuple(value for value in values if value is not None)
    return Condition(column, operator, found, frozenset(found))


def empty_columns(text: str, table: QueryTable) -> frozenset[str]:
    """The columns that a query works on and of which its rows have no number."""
    query = read_query(text, table)
    rows = query.chosen() if query is not None else []
    worked = [t for t in query.terms if t.function in _WORKED] if query is not None and rows else []
    return frozenset(t.column.name for t in worked if t.column is not None and t.over(rows) is None)


@dataclass(frozen=True, slots=True)
class MissingName:
    """A name that a question asks for, and no row of the table has."""

    column: Column
    word: str


def missing_name(text: str, table: QueryTable, question: str) -> MissingName | None:
    """The name for which a query looks in vain, where the question has it and the table nowhere."""
    for match in _CONDITION.finditer(text):
        column = table.columns.get(match["column"])
        for word in _QUOTED.findall(match["operand"]):
            if column is None or not _stands_in(word, question) or table.holds(word):
                continue
            if column.value_like(word) is None:
                return MissingName(column, word)
    return None


def with_all_named(query: Query, question: str) -> Query:
    """Take all rows that a comparison names, where the query takes one of them.

    "By how much is no. 4 higher than no. 1" is about two rows; a small model often writes a
    condition for the first alone.
    """
    if not _COMPARES.search(question):
        return query
    for condition in query.conditions:
        column = condition.column
        named = [value for value in column.values if _stands_in(value, question)]
        is_one = condition.operator == "=" and len(condition.words or condition.numbers) == 1
        if is_one and 1 < len(named) <= _MOST_COMPARED:
            both = _one_of(column, "IN", named)
            return replace(query, conditions=(both,), order=None, descending=False, limit=0)
    return query


def _stands_in(value: str, question: str) -> bool:
    word, text = value.casefold(), question.casefold()
    if not word or word not in text:
        return False
    return re.search(rf"(?<![\w.,]){re.escape(word)}(?![\w]|[.,]\d)", text) is not None
