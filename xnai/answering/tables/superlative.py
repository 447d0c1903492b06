"""The highest and the lowest of a column that a question names, where a model's query misses it.

Asked which state had the most permit checks, a small model counts rows. The question says all that
is needed: the way, the column, and that a row is looked for.
"""

import re

from xnai.answering.citations import words_of
from xnai.answering.tables.columns import Column, QueryTable
from xnai.answering.tables.query import Query, Term

_MOST = re.compile(
    r"\b(?:most|highest|largest|biggest|greatest|maximum|max|meisten?|höchsten?|größten?|"
    r"le plus|la plus|les plus|más|mayor|più|mais)\b|最多|最高|最大|最も多",
    re.IGNORECASE,
)
_LEAST = re.compile(
    r"\b(?:least|fewest|lowest|smallest|minimum|min|wenigsten|niedrigsten?|kleinsten?|"
    r"le moins|la moins|les moins|menos|menor|meno)\b|最少|最低|最小",
    re.IGNORECASE,
)
_ASKS_ROW = re.compile(
    r"\b(?:which|what|who|where|welche[rsmn]?|wer|wo|quel\w*|qui|où|qué|cuál\w*|quién)\b|"
    r"哪|谁|どの|誰",
    re.IGNORECASE,
)
_STEM = 5  # letters that "permit" and "permits" share


def with_superlative(query: Query | None, question: str, table: QueryTable) -> Query | None:
    """Look for the row with the most, or least, of a column that the question names.

    Only where the query, if there is one, does not look at that column itself.
    """
    most, least = bool(_MOST.search(question)), bool(_LEAST.search(question))
    column = _named(question, table)
    if column is None or most == least or not _ASKS_ROW.search(question):
        return query
    if query is not None and (query.group is not None or column in _looked_at(query)):
        return query
    first = next(iter(table.columns.values()))
    terms = (Term("", first), Term("", column))
    kept = query.conditions if query is not None else ()
    conditions = tuple(one for one in kept if one.words)
    return Query(table, terms, conditions, order=terms[1], descending=most, limit=1)


def _named(question: str, table: QueryTable) -> Column | None:
    """The column of numbers all of whose words stand in the question, the longest label first."""
    asked = {word[:_STEM] for word in words_of(question)}
    fitting = [
        column
        for column in table.columns.values()
        if column.numbers is not None
        and (words := words_of(column.label))
        and all(word[:_STEM] in asked for word in words)
    ]
    return max(fitting, key=lambda one: len(words_of(one.label)), default=None)


def _looked_at(query: Query) -> list[Column | None]:
    looked = [term.column for term in query.terms]
    return [*looked, query.order.column if query.order is not None else None]
