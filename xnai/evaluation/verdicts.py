"""What an answer to a case is worth: right, hedged, wrongly refused, or wrong without a doubt.

A case names what must and must not stand in the answer. "Stands" means: case folded, white space
collapsed, signs of quotation and dashes made plain, citation marks gone, as whole words and whole
numbers: "8" stands neither in "18" nor in "8.5" or "2025-08-01", but in "8.00".
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xnai.answering.events import Outcome
from xnai.answering.evidence import HEDGE, NOT_FOUND
from xnai.locale import in_all_languages
from xnai.types import Citation

Verdict = Literal["right", "hedged", "refused_wrongly", "wrong_unhedged", "errors"]
VERDICTS: tuple[Verdict, ...] = ("right", "hedged", "refused_wrongly", "wrong_unhedged", "errors")

# Characters of an answer; a dump of the document would hold every right value.
_LONGEST = {"summary": 1500, "list": 1500, "clause": 700, "compare": 700, "about": 700}
_LONGEST_OF_OTHERS = 350
_SUMMARY_SHARE = 0.7  # of its text that a summary may have,
_SHORT_TEXT = 500  # if that has more characters than these

_QUOTES = "\u2018\u2019\u201a\u201b\u2032\u02bc\u00b4`"
_DOUBLE_QUOTES = "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb"
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_UNSEEN = (
    "\u00ad\ufeff\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2069"
)
_PLAIN = str.maketrans(
    dict.fromkeys(_QUOTES, "'") | dict.fromkeys(_DOUBLE_QUOTES, '"') | dict.fromkeys(_DASHES, "-")
) | dict.fromkeys(map(ord, _UNSEEN))
_MARK = re.compile(r"\[(?:\d{1,4}|\?)\]")
# Scripts that put blanks between words.
_LETTER = "[a-z\u00df-\u00f6\u00f8-\u024f\u0370-\u052f]"
_ITEM = re.compile(r"(?:[-*\u2022]|\d{1,4}[.)])\s")
_SHORTENED = re.compile(r"\b(mrs?|ms|dr|prof|no|nr|st|vs|approx|e\.g|i\.e)\.", re.IGNORECASE)
_ENDS = re.compile(r"(?<!\b\d)[.!?][\"')\u201d\u2019]{0,3}\s(?=\S)")


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of the right answer to a case.

    Attributes:
        kind: what sort of question it is; it bounds the answer's length.
        groups: of each group one must stand in the answer; without any a plain reply will do.
        reject: what must not stand there.
        unanswerable: the right answer says that it is not in the documents.
        page: the page to be cited, if that matters.
        most_sentences: no more sentences or list items than that.
        files: the names of the files that are asked.

    """

    kind: str
    groups: tuple[tuple[str, ...], ...] = ()
    reject: tuple[str, ...] = ()
    unanswerable: bool = False
    page: int | None = None
    most_sentences: int | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graded:
    """A verdict; ``holds``: the right value stands in it, if only as a quotation."""

    verdict: Verdict
    holds: bool
    page_right: bool | None  # None where no page is known, or none is cited


def graded(
    expected: Expected,
    text: str,
    outcome: Outcome,
    citations: Sequence[Citation] = (),
    read_characters: int = 0,
) -> Graded:
    """Compare an answer with what is expected.

    Args:
        expected: what is known to be right.
        text: the answer.
        outcome: what it says of itself.
        citations: what it cites.
        read_characters: of the texts of the files, which bound a summary's length.

    """
    refused, hedged = outcome == "not_found", outcome == "quoted"
    holds = _holds(expected, text, refused=refused, hedged=hedged)
    if expected.kind == "summary" and read_characters:
        limit = _SUMMARY_SHARE * max(_SHORT_TEXT, read_characters)
        holds = holds and len(plain(text)) <= limit
    verdict = _verdict(expected, holds=holds, refused=refused, hedged=hedged)
    return Graded(verdict, holds, None if refused else _page_right(expected, citations))


def plain(text: str) -> str:
    """A text without what does not matter when answers are compared."""
    folded = unicodedata.normalize("NFKC", text.translate(_PLAIN)).replace("**", "")
    return " ".join(_MARK.sub(" ", folded).casefold().split())


def stands(needle: str, text: str) -> bool:
    """Whether something stands in a plain text as whole words and whole numbers."""
    wanted = plain(needle)
    if not wanted:
        return False
    left = right = ""
    if wanted[0].isdigit():
        left = r"(?<!\d)(?<!\d[.,:/-])"
    elif re.match(_LETTER, wanted[0]):
        left = f"(?<!{_LETTER})"
    if wanted[-1].isdigit():
        right = r"(?!\d)(?![:/-]\d)(?![.,](?!0{1,2}(?!\d))\d)"
    elif re.match(_LETTER, wanted[-1]):
        right = f"(?!{_LETTER})"
    return re.search(left + re.escape(wanted) + right, text) is not None


def sentences(text: str) -> int:
    """How many sentences and list items a text has; an abbreviation ends none."""
    count = 0
    for line in _MARK.sub(" ", text).splitlines():
        body = line.strip()
        if item := _ITEM.match(body):
            body = body[item.end() :].strip()
        body = _SHORTENED.sub(r"\1", body)
        count += bool(body) + len(_ENDS.findall(body))
    return count


def _holds(expected: Expected, text: str, *, refused: bool, hedged: bool) -> bool:
    body = plain(text)
    # What is always said around an answer decides nothing: "no exact answer" is no "no".
    for phrase in (*in_all_languages(HEDGE), *in_all_languages(NOT_FOUND)):
        body = body.replace(plain(phrase), " ").strip()
    if any(stands(one, body) for one in expected.reject):
        return False
    if expected.unanswerable:
        return refused
    limit = _LONGEST.get(expected.kind, _LONGEST_OF_OTHERS)
    most = expected.most_sentences
    return (
        bool(body)
        and not refused
        and all(any(stands(one, body) for one in group) for group in expected.groups)
        and (bool(expected.groups) or not hedged)
        and (most is None or sentences(text) <= most)
        and len(plain(text)) <= limit
    )


def _verdict(expected: Expected, *, holds: bool, refused: bool, hedged: bool) -> Verdict:
    if refused and not expected.unanswerable:
        return "refused_wrongly"
    if hedged:
        return "hedged"
    return "right" if holds else "wrong_unhedged"


def _page_right(expected: Expected, citations: Sequence[Citation]) -> bool | None:
    if expected.page is None or expected.unanswerable:
        return None
    return any(c.page == expected.page and c.file_name in expected.files for c in citations)
