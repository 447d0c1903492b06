"""What a query counts: rows, cells, or the different ones of a column that the question names."""

import re
from dataclasses import replace

from xnai.answering.tables.query import Query

_DIFFERENT = re.compile(
    r"\b(?:different|distinct|unique|verschieden\w*|unterschiedlich\w*|différent\w*|"
    r"diferentes?|distint[oa]s?|divers[ie]|различн\w*|разных)\b|不同|異なる|مختلف",
    re.IGNORECASE,
)
_STEM = 4  # letters that "town" and "towns" share
_WORD = re.compile(r"\w+")


def counting_rows(query: Query, question: str) -> Query:
    """Count cells, not different ones, where they are dates or numbers and "different" is not said.

    Asked for the number of notices, a model counts the different ones of the column "Notice", in
    which their dates stand.
    """
    if _DIFFERENT.search(question):
        return query
    terms = tuple(
        replace(term, distinct=False)
        if term.distinct and term.column is not None and not term.column.names
        else term
        for term in query.terms
    )
    return replace(query, terms=terms)


def counts_what_is_asked(query: Query, question: str) -> bool:
    """Whether a count of different values is of a column that the question names.

    A small model counts any column where the table has none of what is asked for.
    """
    counted = [t.column.label for t in query.terms if t.distinct and t.column is not None]
    asked = {word[:_STEM] for word in _WORD.findall(question.casefold())}
    return all(
        asked & {word[:_STEM] for word in _WORD.findall(label.casefold())} for label in counted
    )
