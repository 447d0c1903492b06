"""How a model is asked for a query: the table in a few lines, and a grammar of what to write."""

import json
from collections.abc import Sequence
from pathlib import Path

from xnai.answering.few_shot import example_turns
from xnai.answering.tables.columns import Column, QueryTable
from xnai.answering.tables.query import NONE
from xnai.types import Message

_VALUES = 8  # of a column that are shown
_ALL_VALUES = 16  # a column with no more is shown whole
_LONGEST = 40  # characters of a value that is shown
_CHARACTERS = 2000  # of the values of all columns: some 600 tokens

_SYSTEM = (
    "Write one SQL query over the table t that answers the question, or NONE if the table does not "
    "hold what is asked or nothing has to be looked up or calculated in it."
)
_EXAMPLES = Path(__file__).with_name("examples.txt")


def head() -> tuple[Message, ...]:
    """The messages that are the same for every table: the task and its examples."""
    return (Message("system", _SYSTEM), *example_turns(_EXAMPLES))


def messages(table: QueryTable, question: str) -> tuple[Message, ...]:
    """The whole prompt: head, table, question."""
    shown = f"Here is another table.\n{_shown(table, question)}\n\n{question}"
    return (*head(), Message("user", shown))


def _shown(table: QueryTable, question: str) -> str:
    """The columns, with values while there is room for them."""
    lines = [f"Table t: {' '.join(table.file_name.split())[:_LONGEST]}, {len(table.rows)} rows"]
    room = _CHARACTERS
    for column in table.columns.values():
        values = _values(column, question)
        room -= len(values)
        lines.append(f"{column.name}: {values}" if room >= 0 else column.name)
    return "\n".join(lines)


def _values(column: Column, question: str) -> str:
    """What a column holds: the range of its numbers, or words, those of the question first."""
    if column.numbers is not None:
        read = map(column.numbers.read, column.values)
        numbers = [number for number in read if number is not None]
        return f"number, {min(numbers)} to {max(numbers)}"
    asked = question.casefold()
    named = [value for value in column.values if value.casefold() in asked]
    values = list(dict.fromkeys([*named, *column.values]))
    if len(values) > _ALL_VALUES:
        values = values[:_VALUES]
    plain = (" ".join(value.replace("'", " ").split())[:_LONGEST] for value in values)
    shown = ", ".join(f"'{value}'" for value in plain)
    return shown if len(values) == len(column.values) else f"{shown}, ..."


def grammar(table: QueryTable) -> str:
    """What may be written about a table, in GBNF."""
    numbers = [column.name for column in table.columns.values() if column.numbers]
    words = [column.name for column in table.columns.values() if not column.numbers]
    groups = [column.name for column in table.columns.values() if column.repeats]
    conditions = []
    if numbers:
        conditions.append('number " " ("=" | "<>" | ">" | "<" | ">=" | "<=") " " digits')
    if words:
        conditions.append('word " " ("=" | "<>" | "LIKE") " " text')
        conditions.append('word " IN (" text (", " text){0,7} ")"')
    functions = ['"COUNT(*)"', '"COUNT(DISTINCT " column ")"']
    if numbers:
        functions.append('("SUM" | "AVG" | "MIN" | "MAX") "(" number ")"')
        conditions.append('number " IN (" digits (", " digits){0,7} ")"')
    if len(numbers) > 1:
        conditions.append('number " " (">" | "<" | ">=" | "<=") " " number')
    # Where each row has a value of its own, groups are rows: a count of them would say nothing.
    group = "group?" if groups else ""
    rules = {
        "root": f'"{NONE}" | "SELECT " term (", " term){{0,3}} table where? {group} order?',
        "table": '" FROM t"',
        "term": f"column | {' | '.join(functions)}",
        "where": '" WHERE " condition ((" AND " condition){0,3} | (" OR " condition){1,3})',
        "condition": " | ".join(conditions),
        "order": '" ORDER BY " term (" DESC" | " ASC") " LIMIT " [1-9]',
        "digits": '"-"? [0-9]{1,12} ("." [0-9]{1,4})?',
        "text": '"\'" [^\'\\n]{1,60} "\'"',
        "column": _one_of([*numbers, *words]),
    }
    if numbers:
        rules["number"] = _one_of(numbers)
    if groups:
        rules["group"] = f'" GROUP BY " ({_one_of(groups)})'
    if words:
        rules["word"] = _one_of(words)
    return "\n".join(f"{name} ::= {rule}" for name, rule in rules.items())


def _one_of(names: Sequence[str]) -> str:
    return " | ".join(json.dumps(name, ensure_ascii=False) for name in names)
