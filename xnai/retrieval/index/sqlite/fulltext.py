"""Words of texts and questions for SQLite's FTS5."""

import re
from collections.abc import Iterable
from hashlib import blake2b

MAX_TERMS = 64

# FTS5's tokenizer takes a run of these scripts, which put no spaces between words, for one word.
_CJK = (
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff"
)
_CJK_RUN = re.compile(f"[{_CJK}]+")
_TERM = re.compile(f"[{_CJK}]+|[^\\W{_CJK}]+")
_STOP_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a about an and any are as at be been but by can could did do does for from had has have "
        "he her his how i if in into is it its me my not of on or our she so some such than that "
        "the their them then there these they this to was we were what when where which who whom "
        "whose why will with would you your",
    )
)


def searchable(text: str) -> str:
    """The text as it is indexed: Chinese, Japanese and Korean runs become pairs of characters.

    Overlapping pairs are what Lucene's CJKBigramFilter makes. Deleting from the index needs the
    same result again, so a change here needs a migration.
    """
    return _CJK_RUN.sub(lambda run: f" {' '.join(_pairs(run.group()))} ", text)


def terms_of(question: str) -> list[str]:
    """The question's words as FTS5 strings, each once; any text is accepted.

    Common English words count only if there are no others.
    """
    words = list(dict.fromkeys(_TERM.findall(question.lower())))
    words = [word for word in words if word not in _STOP_WORDS] or words
    return list(dict.fromkeys(term for word in words for term in _terms(word)))[:MAX_TERMS]


def match_expression(terms: Iterable[str], *owners: str) -> str:
    """An FTS5 expression for any of the terms within the chunks of these owners or collections."""
    tokens = " OR ".join(f'"{owner_token(owner)}"' for owner in owners)
    return f"text : ({' OR '.join(terms)}) AND owner : ({tokens})"


def owner_token(owner: str) -> str:
    """The id of a collection, or of the owner of what is in none, as one word."""
    return "o" + blake2b(owner.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _terms(word: str) -> list[str]:
    if not _CJK_RUN.match(word):
        return [f'"{word}"']
    if len(word) == 1:
        return [f'"{word}" *']
    return [f'"{pair}"' for pair in _pairs(word)[:-1]]


def _pairs(run: str) -> list[str]:
    """Overlapping pairs of characters, and the last one alone."""
    return [run[position : position + 2] for position in range(len(run))]
