"""Whether a query is what a question asks for, by its words.

A small model writes queries well where a question names its rows and columns, and invents some
where it does not. The first are believed more than what the same model reads from the whole text.
"""

import re

from xnai.answering.citations import words_of
from xnai.answering.reading.spelling import LEAST, is_a_slip
from xnai.answering.tables.columns import Column
from xnai.answering.tables.query import Condition, Query

_STEM = 5  # letters that "region" and "regional" share
_CHANGES = re.compile(
    r"\b(?:differ\w*|higher|lower|more than|less than|r(?:ise|ose|isen)|increas\w*|decreas\w*|"
    r"f(?:all|ell|allen)|gr(?:ow|ew|own)|chang\w*|drop\w*|declin\w*|gain\w*|"
    r"shr[aiu]nk\w*|unterschied\w*|differenz|höher|niedriger|gestiegen|gesunken|gewachsen|différen\w*|augment\w*|diminu\w*|baiss\w*|diferen\w*|aument\w*|"
    r"subid\w*|baj\w*)\b",
    re.IGNORECASE,
)
_FIGURES = re.compile(r"\d+(?:[.,]\d+)*")


def is_grounded(query: Query, question: str) -> bool:
    """Whether a question names all that the rows of a query must be, and the column it looks at.

    Of rows that are named by words the column may go by another word: "spent" for "Paid out".
    """
    asked = _stems(question)
    if not all(_is_named(one, asked, question) for one in query.conditions):
        return False
    if _CHANGES.search(question) and len(query.terms) * len(query.chosen()) == 1:
        return False  # of two figures it gives one
    if query.conditions and all(one.other is not None for one in query.conditions):
        return True  # the columns that are compared are named
    if any(one.words for one in query.conditions):
        return query.order is None or _names(asked, query.order.column)
    worked = [term for term in query.terms if term.function] or list(query.terms)
    looked = [query.order] if query.order is not None else worked
    return any(_names(asked, term.column) for term in looked)


def _is_named(condition: Condition, asked: frozenset[str], question: str) -> bool:
    """Whether a question has the values of a condition."""
    figures = {figure.replace(",", ".") for figure in _FIGURES.findall(question)}
    if condition.other is not None:
        return _names(asked, condition.column) or _names(asked, condition.other)
    if not condition.words:
        return all(f"{number:f}" in figures for number in condition.numbers)
    label = _stems(condition.column.label)
    return any(
        # "Ticket" alone does not tell a season ticket from others where all of them are tickets.
        ((own := _stems(word)) - label or own) & asked or _is_misspelt(word, question)
        for word in condition.words
    )


def _is_misspelt(value: str, question: str) -> bool:
    """Whether a question has a word of a value with a slip in it."""
    wanted, given = words_of(value), words_of(question)
    return any(
        one != other and min(len(one), len(other)) >= LEAST and is_a_slip(one, other)
        for one in wanted
        for other in given
    )


def _names(asked: frozenset[str], column: Column | None) -> bool:
    return column is not None and bool(_stems(column.label) & asked)


def _stems(text: str) -> frozenset[str]:
    return frozenset(word[:_STEM] for word in words_of(text))
