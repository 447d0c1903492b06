"""Which questions are about whole documents: told by a command, or by how they begin.

Everything in scope is read for such a question, so one that merely has the words in it ("Did they
find all the bodies?") must not count: what is asked for has to be the first thing said.
"""

import re
from typing import Literal

Kind = Literal["summary", "list"]

_POLITE = r"^\W*(?:(?:please|kindly|now|(?:can|could|would|will) you)\W+)*"
_COMMANDS: dict[Kind, re.Pattern[str]] = {
    "list": re.compile(r"^\W*/list\b", re.IGNORECASE),
    "summary": re.compile(r"^\W*/(?:summary|summari[sz]e)\b", re.IGNORECASE),
}
_ASKED: dict[Kind, re.Pattern[str]] = {
    "list": re.compile(
        rf"{_POLITE}(?:(?:(?:name|find|list|extract|(?:give|show|tell|get) me)(?: me| out| down)?"
        r"(?: an? (?:\w+ )?list of)?|(?:list|extract) (?:the )?\w+ of) (?:all|every|each)\b)",
        re.IGNORECASE,
    ),
    "summary": re.compile(
        rf"{_POLITE}(?:summari[sz]e\b|sum up\b|tl;?dr\b|"
        r"(?:(?:give|show|tell|write|make|get)(?: me| us)? |what(?:'s| is| are) )?"
        r"(?:an? |the )?(?:\w+ )?(?:summary|overview|gist|(?:key|main) points) of\b)",
        re.IGNORECASE,
    ),
}
# "Summarise the pump chapter" is about a part, which a search finds; "each chapter" is the whole.
_PART = re.compile(
    r"(?<!each )(?<!every )\b(?:chapter|section|appendix)\b|\b(?:page|paragraph)s? \d",
    re.IGNORECASE,
)


def commanded(question: str) -> Kind | None:
    """What a question that begins with ``/list`` or ``/summary`` is about."""
    return next((kind for kind, form in _COMMANDS.items() if form.search(question)), None)


def kind_of(question: str) -> Kind | None:
    """Whether a question is about all of a document: by a command, or by how it begins."""
    if kind := commanded(question):
        return kind
    if _PART.search(question):
        return None
    return next((kind for kind, form in _ASKED.items() if form.search(question)), None)
